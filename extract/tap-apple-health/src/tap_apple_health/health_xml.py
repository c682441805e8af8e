"""Reads ``export.xml``: from bytes to RECORD messages, block by block, in constant memory.

Speed is what this module is about: an export has millions of records. A block of the file is checked as a whole and
cut into pieces, and each record of a known shape becomes a line by joining bytes (see `shapes`). Whatever is out of the
ordinary goes the exact way (`elements`); what even that cannot read is kept as text in ``damaged_elements``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_apple_health.elements import Element, ElementError, read_elements
from tap_apple_health.fast import FastRecords
from tap_apple_health.identity import identity
from tap_apple_health.kinds import DAMAGED, EXPORT_DATE, found_in
from tap_apple_health.pieces import END, Head, blocks, name_of, pieces_of, read_head
from tap_kit.export import Found, Lines, Member, MemberError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_OPEN = 4 << 20
"""Bytes of an element whose end is looked for in a file where the layout does not show it."""


def read_health(member: Member) -> Iterator[Found | Lines]:
    """Yield the content of an export's main file.

    Raises:
        MemberError: It is no such file, or ends early; what came before is yielded.
    """
    chunks = member.chunks()
    head, rest = read_head(chunks, member.path)
    yield from HealthReader(member, head).read(blocks(head, rest, chunks, member.path))


class HealthReader:
    """One pass through a main file."""

    def __init__(self, member: Member, head: Head) -> None:
        """Read *member*, whose *head* has been read."""
        self._member = member
        self._head = head
        self._fast = FastRecords(member)
        self._found: list[Found] = []
        self._open: list[bytes] = []
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[str] = Counter()
        self._export_dates: list[dict[str, Any]] = []
        self._ordinal = 0

    def read(self, content: Iterator[bytes]) -> Iterator[Found | Lines]:
        """Yield what the blocks of *content* hold, and at the end what the export says of itself."""
        damage: MemberError | None = None
        block = b""
        try:
            for following in content:
                yield from self._read_block(block)
                block = following
        except MemberError as error:
            damage = error
        body, end, _after = block.rpartition(END)
        yield from self._read_block(body if end else block)
        self._close_open()
        self._tell_export()
        yield from self._taken()
        if damage is not None:
            raise damage
        if not end:
            raise MemberError(f"{self._member.path}: ends in the middle. Make the export anew if you can.")

    def _read_block(self, block: bytes) -> Iterator[Found | Lines]:
        """Yield what a block holds."""
        pieces = iter(pieces_of(block, self._head.separator))
        for piece in self._gone_on(pieces):
            self._read_exactly(piece)
        for piece in self._fast.read(pieces, block, self._ordinal):
            self._ordinal = self._fast.ordinal
            self._read_exactly(piece)
            for joined in self._gone_on(pieces):
                self._read_exactly(joined)
            self._fast.ordinal = self._ordinal
        self._ordinal = self._fast.ordinal
        yield from self._taken()

    def _taken(self) -> Iterator[Found | Lines]:
        lines = self._fast.take()
        if lines is not None:
            self._counts["Record"] += lines.count
            yield lines
        yield from self._found
        self._found.clear()

    # The exact way

    def _read_exactly(self, piece: bytes) -> None:
        """Read a piece with the parser; keep it as text where that fails."""
        if not piece.strip():
            return
        try:
            elements, mended = read_elements(b"<" + piece)
        except ElementError as error:
            if self._may_go_on(piece):
                self._open = [piece]
            else:
                self._keep_damaged(piece, str(error))
            return
        for element in elements:
            self._take_element(element, mended=mended)

    def _take_element(self, element: Element, *, mended: bool) -> None:
        self._ordinal += 1
        self._counts[element.name] += 1
        if element.name == EXPORT_DATE:
            self._export_dates.append(element.record())
            return
        stream, name, numbered, payload = found_in(element)
        provenance: dict[str, Any] = {"raw_id": name, "ordinal": self._ordinal}
        if numbered:
            self._numbers[stream, name] += 1
            if (number := self._numbers[stream, name]) > 1:
                provenance["raw_id"] = f"{name}#{number}"
        if mended:
            provenance["mended"] = True
        self._found.append(Found(stream, payload, provenance))

    def _keep_damaged(self, piece: bytes, reason: str) -> None:
        """Keep what cannot be read, as text."""
        self._ordinal += 1
        self._counts[DAMAGED] += 1
        piece = piece.rstrip()
        text = (b"<" + piece).decode("utf-8", "surrogateescape")
        raw_id = identity(piece)
        self._found.append(
            Found(DAMAGED, {"text": text, "reason": reason}, {"raw_id": raw_id, "ordinal": self._ordinal})
        )

    # Elements that the layout does not keep together

    def _may_go_on(self, piece: bytes) -> bool:
        """Tell whether the rest of an element may stand in the next pieces: where the layout has no indentation."""
        is_ended = b"</" + name_of(piece) + b">" in piece or piece.rstrip().endswith(b"/>")
        return not self._head.is_indented and not is_ended

    def _gone_on(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the element that is open, once its end has come; it may come in a later block."""
        while self._open:
            piece = next(pieces, None)
            if piece is None:
                return
            self._open.append(piece)
            if b"</" + name_of(self._open[0]) + b">" in piece:
                whole = b"<".join(self._open)
                self._open = []
                yield whole
            elif sum(map(len, self._open)) > _LARGEST_OPEN:
                self._close_open()

    def _close_open(self) -> None:
        """Give up waiting for an end: what began stays damaged, the pieces after it are read on their own."""
        first, *others = self._open or [b""]
        self._open = []
        if first:
            self._keep_damaged(first, "it has no end")
        for piece in others:
            self._read_exactly(piece)
            if self._open:
                self._keep_damaged(self._open.pop(), "it has no end")

    # The export itself

    def _tell_export(self) -> None:
        """Say what the export says of itself: its root, its date, its document type, and how many of what it has."""
        self._counts["Record"] += self._fast.count
        root, _mended = read_elements(b"<HealthData" + self._head.attributes + b"/>")
        record = {
            **root[0].record(),
            EXPORT_DATE: self._export_dates,
            "head": self._head.text.decode("utf-8", "surrogateescape"),
        }
        provenance = {"raw_id": self._member.digest, "elements": dict(self._counts)}
        self._found.append(Found("exports", record, provenance))
