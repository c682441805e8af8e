"""Cuts the export into its head and the pieces that the children of its root are.

Knowledge of the layout: a child of the root starts on a line of its own, all with the same indentation, those inside it
with a deeper one (seen in exports of all versions; files that an editor has formatted anew have other widths). The
document type before the root is kept as text and never parsed: that of version 12 is broken, and what is not parsed
declares no entities.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_kit.export import MemberError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROOT = re.compile(rb"<HealthData((?:\s[^>]*)?)>")
_START = re.compile(rb"\n([ \t]*)<[A-Za-z]")
_NAME = re.compile(rb"[^\s/>\"<=]+")
_STARTS_LINE = re.compile(rb"\s*\n\s*<[A-Za-z]")
_LOOKED_AT = 1 << 16
_LARGEST_HEAD = 1 << 20
_LARGEST_PIECE = 64 << 20
END = b"</HealthData>"
"""The root's end tag."""
_TAGS = rb"(?=<(?:ExportDate|Me|Record|Correlation|Workout|ActivitySummary|ClinicalRecord|Audiogram|VisionPrescription)[\s/>])"
_LOOSE = re.compile(_TAGS)
"""Where a child of the root may start in a file without lines; inside others the same names occur."""


@dataclass(slots=True)
class Head:
    """What stands before the first child of the root.

    Attributes:
        text: XML declaration and document type.
        attributes: Inside the root's start tag.
        separator: What stands before each child of the root; empty in a file without lines.
    """

    text: bytes
    attributes: bytes
    separator: bytes

    @property
    def is_indented(self) -> bool:
        """Whether the layout shows where a child of the root ends."""
        return len(self.separator) > len(b"\n<")


def name_of(piece: bytes) -> bytes:
    """Return the name of the element that *piece* begins with."""
    match = _NAME.match(piece)
    return match[0] if match else b""


def read_head(chunks: Iterator[bytes], path: str) -> tuple[Head, bytes]:
    """Read up to the root's start tag.

    Returns:
        The head, and the bytes behind it that have been read already.

    Raises:
        MemberError: There is no root within the first MiB.
    """
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        match = _ROOT.search(buffer)
        if match and (len(buffer) > match.end() + 4096 or END in buffer):  # the first child too
            break
        if not match and len(buffer) > _LARGEST_HEAD:
            break
    match = _ROOT.search(buffer)
    if match is None:
        raise MemberError(f"{path}: no <HealthData> in it, so this is no export of Health, or it is cut off.")
    rest = buffer[match.end() :].replace(b"\r\n", b"\n")
    # children of the root have the shortest indentation, whatever width it has
    widths = _START.findall(rest[:_LOOKED_AT]) if _STARTS_LINE.match(rest) else []
    separator = b"\n" + min(widths, key=len) + b"<" if widths else b""
    if separator:  # the first child may stand elsewhere
        rest = separator + rest.lstrip().removeprefix(b"<")
    return Head(buffer[: match.start()], match[1], separator), rest


def blocks(head: Head, rest: bytes, chunks: Iterable[bytes], path: str) -> Iterator[bytes]:
    """Yield the content in blocks that end between two pieces, the last one with the root's end tag.

    Line ends are line feeds, and the end tag of a child stands right behind its content.

    Raises:
        MemberError: A piece has no end within 64 MiB; or what *chunks* raises, after what came before.
    """
    closing = head.separator + b"/"
    damage: MemberError | None = None
    source = iter(chunks)
    while damage is None:
        try:
            chunk = next(source, b"")
        except MemberError as error:
            chunk, damage = b"", error
        if not chunk:
            break
        rest += chunk
        if b"\r" in rest:
            rest = rest.replace(b"\r\n", b"\n")
        if head.separator:
            rest = rest.replace(closing, b"</")
            cut = rest.rfind(head.separator, 0, len(rest) - 1)
        else:
            cut = _last_start(rest)
        if cut > 0:
            yield rest[:cut]
            rest = rest[cut:]
        elif len(rest) > _LARGEST_PIECE:
            raise MemberError(f"{path}: an element of more than {_LARGEST_PIECE >> 20} MiB. Not read on.")
    yield rest.replace(closing, b"</") if head.separator else rest
    if damage is not None:
        raise damage


def _last_start(content: bytes) -> int:
    return max((match.start() for match in _LOOSE.finditer(content)), default=0)


def pieces_of(block: bytes, separator: bytes) -> list[bytes]:
    """Cut a block into pieces, each without the ``<`` that it starts with."""
    if separator:
        return block.split(separator)
    return [piece[1:] for piece in _LOOSE.split(block) if piece.strip()]
