"""The text form of COPY (PostgreSQL 18, COPY, "Text Format")."""

from __future__ import annotations

from typing import Final

NULL: Final = b"\\N"
ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def field_of_text(text: str | None) -> bytes:
    """Return a text as a field; what PostgreSQL cannot hold (U+0000, lone surrogates) is replaced."""
    if text is None:
        return NULL
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text.encode()
    return text.translate(ESCAPES).replace("\x00", "\ufffd").encode("utf-8", "replace")


def field_of_bytes(data: bytes) -> bytes:
    """Return UTF-8 bytes as a field."""
    if b"\\" in data:
        data = data.replace(b"\\", b"\\\\")
    if b"\t" in data:
        data = data.replace(b"\t", b"\\t")
    if b"\n" in data:
        data = data.replace(b"\n", b"\\n")
    if b"\r" in data:
        data = data.replace(b"\r", b"\\r")
    return data


def field_of_bytea(data: bytes) -> bytes:
    r"""Return any bytes as a field of a bytea column (``\x`` and hexadecimal digits)."""
    return b"\\\\x" + data.hex().encode()
