"""Reads zips that have lost their end: the directory of a zip stands there, but each member has a header of its own.

Layout of the local header: APPNOTE.TXT of PKWARE, 4.3.7, and 4.5.3 for sizes beyond 4 GB. A phone that runs out of space or
a transfer that breaks off leaves such files.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

from typing_extensions import Buffer, override

from tap_kit.export_guard import guarded
from tap_kit.export_members import CHUNK, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEADER = struct.Struct("<4s5H3I2H")
_SIGNATURE = b"PK\x03\x04"
_ENDS = (_SIGNATURE, b"PK\x01\x02")
_LOCKED, _SIZE_FOLLOWS, _UTF8 = 1, 8, 0x800
_STORED, _DEFLATED = 0, 8
_UNKNOWN = 0xFFFFFFFF
_ZIP64 = 1
_LARGEST_DESCRIPTOR = 24
_RAW = -15
"""Deflate without the frame of zlib."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a member lie; *packed* is None where only reading them tells."""

    start: int
    method: int
    packed: int | None


class _Inflating(io.RawIOBase):
    """The bytes of one member, up to where they end; EOFError where the file ends before."""

    def __init__(self, file: IO[bytes], place: Place) -> None:
        super().__init__()
        self._file = file
        self._file.seek(place.start)
        self._left = place.packed
        self._inflate = zlib.decompressobj(_RAW) if place.method == _DEFLATED else None
        self._waiting = b""
        self._at = 0
        self.end = place.start

    @override
    def readable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self._at

    @override
    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        content = self._stored(len(view)) if self._inflate is None else self._inflated(len(view))
        view[: len(content)] = content
        self._at += len(content)
        return len(content)

    def _stored(self, size: int) -> bytes:
        content = self._file.read(min(size, self._left or 0))
        if self._left and not content:
            raise EOFError("the file ends before its member")
        self._left = (self._left or 0) - len(content)
        self.end += len(content)
        return content

    def _inflated(self, size: int) -> bytes:
        inflate = self._inflate
        while inflate is not None and not inflate.eof:
            packed = self._waiting or self._file.read(CHUNK)
            if not packed:
                raise EOFError("the file ends before its member")
            content = inflate.decompress(packed, size)
            self._waiting = inflate.unconsumed_tail
            self.end += len(packed) - len(self._waiting) - len(inflate.unused_data)
            if content:
                return content
        return b""

    @override
    def close(self) -> None:
        self._file.close()
        super().close()


def salvaged(path: str, opener: Callable[[], IO[bytes]], size: int) -> Iterator[Member]:
    """Yield the members of a zip of *size* bytes whose directory is missing, as far as they can be found."""
    at = 0
    while at < size:
        with opener() as file:
            file.seek(at)
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size or head[:4] != _SIGNATURE:
                return
            _, _, flags, method, _, _, _, packed, unpacked, name_size, extra_size = _HEADER.unpack(head)
            name = file.read(name_size).decode("utf-8" if flags & _UTF8 else "cp437", "replace")
            packed = _sizes(file.read(extra_size), packed, unpacked)
        start = at + _HEADER.size + name_size + extra_size
        place = Place(start, method, None if flags & _SIZE_FOLLOWS and not packed else packed)
        if not name.endswith("/"):
            yield _member(path, opener, name, place, flags)
        if flags & _LOCKED or method not in {_STORED, _DEFLATED}:
            return
        at = _next(opener, place)


def _member(path: str, opener: Callable[[], IO[bytes]], name: str, place: Place, flags: int) -> Member:
    refused = ""
    if flags & _LOCKED or place.method not in {_STORED, _DEFLATED}:
        refused = "locked or packed in a rare way, in a zip that has lost its end"
    where = f"{path}/{name}"
    return Member(
        path=where,
        name=name,
        opener=partial(guarded, where, partial(_open, opener, place), packed=place.packed),
        compression="deflate" if place.method == _DEFLATED else None,
        refused=refused,
    )


def _open(opener: Callable[[], IO[bytes]], place: Place) -> IO[bytes]:
    return io.BufferedReader(_Inflating(opener(), place))


def _sizes(extra: bytes, packed: int, unpacked: int) -> int:
    """Return the packed size, which stands among the extra fields where it needs more than 32 bits."""
    while packed == _UNKNOWN and len(extra) >= 4:  # noqa: PLR2004 - a field's head
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _ZIP64:
            place = 8 if unpacked == _UNKNOWN else 0
            return int(struct.unpack_from("<Q", extra, 4 + place)[0]) if length >= place + 8 else packed
        extra = extra[4 + length :]
    return packed


def _next(opener: Callable[[], IO[bytes]], place: Place) -> int:
    """Return where the next header may be: behind the member, and behind its descriptor if it has one."""
    if place.packed is not None:
        return place.start + place.packed
    reader = _Inflating(opener(), place)
    with reader:
        try:
            while reader.read(CHUNK):
                pass
        except (EOFError, zlib.error):
            return 1 << 63
    with opener() as file:
        file.seek(reader.end)
        behind = file.read(_LARGEST_DESCRIPTOR + 4)
    found = [offset for end in _ENDS if (offset := behind.find(end)) >= 0]
    return reader.end + min(found, default=_LARGEST_DESCRIPTOR)
