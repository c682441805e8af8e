"""Reads the elements of a JSON array one at a time, exact, in constant memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_kit.export_members import MemberError
from tap_kit.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_kit.export_members import Member

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},"]', re.DOTALL)
"""A text, what may follow or hold an element, or the beginning of a text that goes on in the next bytes."""
_OPEN, _CLOSE = b"[{", b"]}"
_LARGEST_ELEMENT = 64 << 20
_MARK = b"\xef\xbb\xbf"


def json_items(member: Member) -> Iterator[Any]:
    """Yield the elements of the JSON array that *member* is; anything else is yielded whole.

    Numbers are exact (see `tap_kit.jsontext`).

    Raises:
        MemberError: It is no JSON, or ends early; what came before is yielded.
    """
    head = member.head(1024).removeprefix(_MARK).lstrip()
    if head[:1] != b"[":
        yield _load(member, member.read().removeprefix(_MARK), 1)
        return
    scan = _Scan(member)
    for chunk in member.chunks():
        yield from scan.elements(chunk)
        if scan.waiting > _LARGEST_ELEMENT:
            raise MemberError(
                f"{member.path}: an element of more than {_LARGEST_ELEMENT >> 20} MiB. Not read on."
            )
    if scan.depth or not scan.begun:
        raise MemberError(
            f"{member.path}: ends in the middle, after {scan.count} elements. Get it again if you can."
        )


class _Scan:
    """Where a scan through an array stands."""

    def __init__(self, member: Member) -> None:
        self.depth = 0
        self.begun = False
        self.count = 0
        self._member = member
        self._buffer = bytearray()
        self._at = 0

    @property
    def waiting(self) -> int:
        """Bytes of the element that has not ended yet."""
        return len(self._buffer)

    def elements(self, chunk: bytes) -> Iterator[Any]:
        """Yield the elements that end within *chunk*."""
        buffer = self._buffer
        buffer += chunk
        start, at = 0, len(buffer)
        for token in _TOKEN.finditer(buffer, self._at):
            kind = token[0]
            if kind == b'"':
                at = token.start()
                break
            if len(kind) > 1:
                continue
            if kind in _OPEN:
                self.depth += 1
                if self.depth == 1:
                    start, self.begun = token.end(), True
            elif kind in _CLOSE:
                self.depth -= 1
                if self.depth == 0:
                    last = bytes(buffer[start : token.start()])
                    if last.strip() or self.count:
                        yield self._element(last)
                    start = token.end()
            elif self.depth == 1:
                yield self._element(bytes(buffer[start : token.start()]))
                start = token.end()
        self._at = at - start
        self._buffer = buffer[start:] if start else buffer

    def _element(self, text: bytes) -> Any:
        self.count += 1
        return _load(self._member, text, self.count)


def _load(member: Member, text: bytes, number: int) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise MemberError(f"{member.path}: element {number} is {error}. Get it again if you can.") from None
