"""JSON pointers (RFC 6901) in which ``*`` stands for any member or element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "[redacted]"


def redact(payload: Any, pointers: Iterable[str]) -> list[str]:
    """Replace what the pointers name by ``[redacted]``, in place; null stays null.

    Args:
        payload: An object or array.
        pointers: Such as ``/api_token`` or ``/accounts/*/secret``.

    Returns:
        The places where something was replaced, without ``*``, in order.
    """
    found: list[str] = []
    for pointer in pointers:
        _redact(payload, split(pointer), "", found)
    return found


def split(pointer: str) -> list[str]:
    """Split a pointer into its unescaped steps.

    Raises:
        ValueError: It does not start with a slash; the whole document cannot be meant here.
    """
    if not pointer.startswith("/"):
        raise ValueError(f"'{pointer}' is not a JSON pointer: it has to start with '/'")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def join(parent: str, step: str | int) -> str:
    """Append a step to a pointer, escaped."""
    return f"{parent}/{str(step).replace('~', '~0').replace('/', '~1')}"


def _redact(node: Any, steps: list[str], place: str, found: list[str]) -> None:
    step, rest = steps[0], steps[1:]
    for key in _matching(node, step):
        here = join(place, key)
        if rest:
            _redact(node[key], rest, here, found)
        elif node[key] is not None:
            node[key] = REDACTED
            found.append(here)


def _matching(node: Any, step: str) -> list[Any]:
    """List the keys or indexes of *node* that *step* means."""
    if isinstance(node, dict):
        return list(node) if step == "*" else [step] if step in node else []
    if isinstance(node, list):
        if step == "*":
            return list(range(len(node)))
        return [int(step)] if step.isascii() and step.isdigit() and int(step) < len(node) else []
    return []
