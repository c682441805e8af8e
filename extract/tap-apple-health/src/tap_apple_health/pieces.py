"""Cuts the export into its head and the pieces that the children of its root are.

Knowledge of the layout: a child of the root usually starts on a line of its own, all with the same indentation, those inside
it with a deeper one. Where that is not so, a piece is a part of an element, which `tap_apple_health.elements.OpenElement`
puts together. The document type before the root is kept as text and never parsed: that of version 12 is broken, and what is not parsed
declares no entities.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from tap_kit.export import MemberError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROOT = re.compile(rb"""<HealthData((?:\s(?:[^>"']|"[^"]*"|'[^']*')*?)?)(/?)>""")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_START = re.compile(rb"\n([ \t]*)<[A-Za-z]")
_STARTS_LINE = re.compile(rb"\s*\n\s*<[A-Za-z]")
_LOOKED_AT = 1 << 16
_LARGEST_HEAD = 1 << 20
MAX_PIECE_BYTES = 16 << 20
"""Of an element. Its JSON has to fit into one message, for which Meltano allows 50 MiB."""
_KEPT_BYTES = 1000
"""Of the beginning of an element that is too large."""
_LONGEST_TAG = 1 << 10
"""Bytes that are searched again with the next chunk: longer than a separator or a name."""
_END = re.compile(rb"</HealthData\s*>")
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


@dataclass(slots=True)
class Oversized:
    """A piece that is too large to be read: where it is, and what identifies it.

    Attributes:
        beginning: Its first bytes.
        size: All of its bytes.
        sha256: Digest of all of them, hexadecimal.
    """

    beginning: bytes
    size: int
    sha256: str


def split_end(content: bytes) -> tuple[bytes, bytes, bytes]:
    """Split *content* at the root's last end tag, like ``bytes.rpartition``: before, the tag, after."""
    matches = list(_END.finditer(content))
    if not matches:
        return b"", b"", content
    match = matches[-1]
    return content[: match.start()], match[0], content[match.end() :]


def _find_root(buffer: bytes) -> re.Match[bytes] | None:
    """Find the root's start tag; one in a comment before it does not count."""
    return _ROOT.search(_COMMENT.sub(lambda comment: b" " * len(comment[0]), buffer[:_LARGEST_HEAD]))


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
        match = _find_root(buffer)
        if match and (len(buffer) > match.end() + 4096 or _END.search(buffer)):  # the first child too
            break
        if not match and len(buffer) > _LARGEST_HEAD:
            break
    match = _find_root(buffer)
    if match is None:
        raise MemberError(f"{path}: no <HealthData> in it, so this is no export of Health, or it is cut off.")
    if match[2]:  # an export without content
        return Head(buffer[: match.start()], match[1], b""), b"</HealthData>"
    rest = buffer[match.end() :].replace(b"\r\n", b"\n")
    # children of the root have the shortest indentation, whatever width it has
    widths = _START.findall(rest[:_LOOKED_AT]) if _STARTS_LINE.match(rest) else []
    separator = b"\n" + min(widths, key=len) + b"<" if widths else b""
    if separator:  # the first child may stand elsewhere
        rest = separator + rest.lstrip().removeprefix(b"<")
    return Head(buffer[: match.start()], match[1], separator), rest


def blocks(head: Head, rest: bytes, chunks: Iterable[bytes]) -> Iterator[bytes | Oversized]:
    """Yield the content in blocks that end between two pieces, the last one with the root's end tag.

    Line ends are line feeds, and the end tag of a child follows its content immediately. A piece above `MAX_PIECE_BYTES` is skipped, and
    an `Oversized` yielded in its place.

    Args:
        head: Of the file.
        rest: What was read of the content already.
        chunks: The rest of the content.

    Raises:
        MemberError: What *chunks* raises, after what came before.
    """
    cutter = _Cutter(head, rest)
    damage: MemberError | None = None
    try:
        for chunk in chunks:
            yield from cutter.add(chunk)
    except MemberError as error:
        damage = error
    yield from cutter.finish()
    if damage is not None:
        raise damage


class _Cutter:
    """What `blocks` remembers between two chunks."""

    def __init__(self, head: Head, rest: bytes) -> None:
        self._separator = head.separator
        self._closing = head.separator + b"/"
        self._rest = rest
        self._searched = 0
        self._skipped: _Skipped | None = None

    def add(self, chunk: bytes) -> Iterator[bytes | Oversized]:
        self._rest += chunk
        if b"\r" in self._rest:
            self._rest = self._rest.replace(b"\r\n", b"\n")
        if self._separator:
            self._rest = self._rest.replace(self._closing, b"</")
        if self._skipped is not None:
            yield from self._skip()
        if self._skipped is None and (cut := self._last_start()) > 0:
            yield self._rest[:cut]
            self._rest = self._rest[cut:]
        self._searched = max(0, len(self._rest) - _LONGEST_TAG)
        if self._skipped is None and len(self._rest) > MAX_PIECE_BYTES:
            self._skipped = _Skipped()
            yield from self._skip()

    def finish(self) -> Iterator[bytes | Oversized]:
        if self._skipped is not None:
            body, end, after = split_end(self._rest)
            yield self._skipped.finish(body if end else self._rest)
            self._rest = end + after
        yield self._rest.replace(self._closing, b"</") if self._separator else self._rest

    def _skip(self) -> Iterator[Oversized]:
        """Skip what belongs to the oversized piece; what may begin the next one stays."""
        skipped = self._skipped
        assert skipped is not None  # noqa: S101 - only called then
        end = self._first_start()
        if end >= 0:
            yield skipped.finish(self._rest[:end])
            self._skipped = None
            self._rest = self._rest[end:]
        else:
            skipped.add(self._rest[:-_LONGEST_TAG])
            self._rest = self._rest[-_LONGEST_TAG:]
        self._searched = 0

    def _first_start(self) -> int:
        """Return where the next piece begins; -1 if none does. The first byte begins the piece that is being read."""
        if self._separator:
            return self._rest.find(self._separator, 1)
        match = _LOOSE.search(self._rest, 1)
        return match.start() if match else -1

    def _last_start(self) -> int:
        """Return where the last piece begins; 0 or less if no other begins than the one that is being read."""
        if self._separator:
            return self._rest.rfind(self._separator, 0, len(self._rest) - 1)
        return max((match.start() for match in _LOOSE.finditer(self._rest, self._searched)), default=0)


class _Skipped:
    """The part of an oversized piece that was read so far."""

    def __init__(self) -> None:
        self._beginning = b""
        self._size = 0
        self._digest = sha256()

    def add(self, content: bytes) -> None:
        self._beginning = (self._beginning + content[:_KEPT_BYTES])[:_KEPT_BYTES]
        self._size += len(content)
        self._digest.update(content)

    def finish(self, content: bytes) -> Oversized:
        self.add(content)
        return Oversized(self._beginning, self._size, self._digest.hexdigest())


def pieces_of(block: bytes, separator: bytes) -> list[bytes]:
    """Cut a block into pieces, each without the ``<`` that it starts with."""
    if separator:
        return block.removeprefix(separator).split(separator)
    pieces = (piece.lstrip() for piece in _LOOSE.split(block))
    return [piece.removeprefix(b"<") for piece in pieces if piece]
