"""Makes XML of what phones and apps write into an export although XML forbids it, without losing a character.

Seen: control characters such as U+000B, references to them (``&#11;``), U+FFFE, invalid UTF-8, a bare ``&``. A forbidden
character travels through the parser as one of a private plane and is put back afterwards.
"""

from __future__ import annotations

import re

_PLANE = 0x10_0000
"""Plane 16, for private use; no phone writes it."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]{1,6}|[0-9]{1,7});")
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")
_STANDS_FOR = re.compile(f"[{chr(_PLANE)}-{chr(_PLANE + 0xFFFD)}]")
_VALUE = re.compile(r'="[^"]*"')
_LAST_OF_PLANE = {0xFFFE: 0xE000, 0xFFFF: 0xE001}
"""The last two of a plane are forbidden too; two surrogates that Python never makes stand for them."""
_BACK = {stand: code for code, stand in _LAST_OF_PLANE.items()}


def mend(piece: bytes) -> bytes:
    """Return *piece* with forbidden characters replaced and bare ``&`` and ``<`` in values escaped."""
    text = piece.decode("utf-8", "surrogateescape")
    text = _REFERENCE.sub(_mend_reference, text)
    text = _FORBIDDEN.sub(lambda match: _stand_in(ord(match[0])), text)
    text = _BARE.sub("&amp;", text)
    text = _VALUE.sub(lambda match: match[0].replace("<", "&lt;"), text)
    return text.encode()


def restore(text: str) -> str:
    """Put the forbidden characters back; a byte that was no UTF-8 becomes half of a surrogate pair (U+DC80 on)."""
    return _STANDS_FOR.sub(lambda match: chr(_code(ord(match[0]))), text)


def _mend_reference(match: re.Match[str]) -> str:
    code = int(match[1][1:], 16) if match[1].startswith("x") else int(match[1])
    if code <= 0x10FFFF and not _FORBIDDEN.match(chr(code)):  # noqa: PLR2004 - the end of Unicode
        return match[0]
    return _stand_in(code) if code <= 0xFFFF else f"&amp;{match[0][1:]}"  # noqa: PLR2004 - the first plane


def _stand_in(code: int) -> str:
    return chr(_PLANE + _LAST_OF_PLANE.get(code, code))


def _code(stand_in: int) -> int:
    return _BACK.get(stand_in - _PLANE, stand_in - _PLANE)
