"""Schemas of tables. SQLite keeps any kind of value in any column, so types say what browsers store there."""

from __future__ import annotations

from typing import Any

_BYTES = {"base64": {"type": "string", "description": "The stored bytes, which are no text in UTF-8."}}


def integers(*names: str, **described: str) -> dict[str, Any]:
    """Describe columns of integers: bare names, and names with a description that gives the unit."""
    return _columns(["integer", "null"], {}, names, described)


def reals(*names: str, **described: str) -> dict[str, Any]:
    """Describe columns of floating-point numbers."""
    return _columns(["number", "null"], {}, names, described)


def texts(*names: str, **described: str) -> dict[str, Any]:
    """Describe columns of text; one that is not UTF-8 comes as an object with ``base64``."""
    return _columns(["string", "object", "null"], {"properties": _BYTES}, names, described)


def blobs(*names: str, **described: str) -> dict[str, Any]:
    """Describe columns of bytes, which come as an object with ``base64``."""
    return _columns(["object", "string", "null"], {"properties": _BYTES}, names, described)


def part(columns: dict[str, Any], description: str) -> dict[str, Any]:
    """Describe a member of a record that holds one row; null where there is none."""
    return {"type": ["object", "null"], "properties": columns, "description": description}


def schema(properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    """Describe a record."""
    return {"type": "object", "properties": properties, "required": list(required)}


def _columns(
    kinds: list[str], more: dict[str, Any], names: tuple[str, ...], described: dict[str, str]
) -> dict[str, Any]:
    plain: dict[str, Any] = {name: {"type": kinds, **more} for name in names}
    return plain | {name: {"type": kinds, **more, "description": told} for name, told in described.items()}
