"""Text of foreign origin, made safe for terminals and logs."""

from __future__ import annotations


def printable(text: str, limit: int = 200) -> str:
    r"""Return *text* on one line, without characters that control a terminal or reorder text.

    Control characters, line ends, bidirectional marks and unpaired surrogates are written as escapes such as ``\x1b``.

    Args:
        text: Any text.
        limit: Greatest length of the result; longer text is cut and ends with an ellipsis.
    """
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text[: limit + 1]
    )
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
