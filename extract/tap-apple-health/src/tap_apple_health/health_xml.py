"""Reads ``export.xml``: from bytes to RECORD messages, block by block, in constant memory.

Speed is what this module is about: an export has millions of records. A block of the file is checked as a whole and
cut into pieces, and each record of a known shape becomes a line by joining bytes (see `shapes`). Whatever is out of the
ordinary goes the exact way (`elements`); what even that cannot read is kept as text in ``damaged_elements``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_apple_health.elements import Element, ElementError, OpenElement, read_elements
from tap_apple_health.fast import FastRecords
from tap_apple_health.identity import identity
from tap_apple_health.kinds import DAMAGED, EXPORT_DATE, found_in
from tap_apple_health.pieces import MAX_PIECE_BYTES, Head, Oversized, blocks, pieces_of, read_head, split_end
from tap_kit.export import Found, Lines, Member, MemberError

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_health(member: Member) -> Iterator[Found | Lines]:
    """Yield the content of an export's main file.

    Raises:
        MemberError: It is no such file, or ends early; what came before is yielded.
    """
    chunks = member.chunks()
    head, rest = read_head(chunks, member.path)
    yield from HealthReader(member, head).read(blocks(head, rest, chunks))


class HealthReader:
    """One pass through a main file."""

    def __init__(self, member: Member, head: Head) -> None:
        """Read *member*, whose *head* has been read."""
        self._member = member
        self._head = head
        self._fast = FastRecords(member)
        self._found: list[Found] = []
        self._open: OpenElement | None = None
        self._damaged = 0
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[str] = Counter()
        self._export_dates: list[dict[str, Any]] = []
        self._ordinal = 0

    def read(self, content: Iterator[bytes | Oversized]) -> Iterator[Found | Lines]:
        """Yield what the blocks of *content* hold, and at the end what the export says of itself."""
        damage: MemberError | None = None
        block = b""
        try:
            for following in content:
                yield from self._read_block(block)
                block = b""
                if isinstance(following, Oversized):
                    self._keep_oversized(following)
                else:
                    block = following
        except MemberError as error:
            damage = error
        body, end, _after = split_end(block)
        yield from self._read_block(body if end else block)
        self._close_open()
        self._tell_export()
        yield from self._taken()
        if damage is not None:
            raise damage
        if not end:
            raise MemberError(f"{self._member.path}: ends in the middle. Make the export anew if you can.")
        if self._damaged:
            raise MemberError(
                f"{self._member.path}: {self._damaged} elements are damaged; they are in the stream {DAMAGED} or are dead letters, and "
                "everything else was read. Make the export again if you can."
            )

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
            self._begin_open(piece, str(error))
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
        self._damaged += 1
        piece = piece.rstrip()
        text = (b"<" + piece).decode("utf-8", "surrogateescape")
        raw_id = identity(piece)
        self._found.append(
            Found(DAMAGED, {"text": text, "reason": reason}, {"raw_id": raw_id, "ordinal": self._ordinal})
        )

    def _keep_oversized(self, piece: Oversized) -> None:
        """Report an element that is too large for a message, as a dead letter that says where it is."""
        self._close_open()
        self._ordinal += 1
        self._counts[DAMAGED] += 1
        self._damaged += 1
        payload = {
            "text": piece.beginning.decode("utf-8", "surrogateescape"),
            "bytes": piece.size,
            "sha256": piece.sha256,
        }
        reason = f"an element of {piece.size:,} bytes is larger than the {MAX_PIECE_BYTES:,} that are read"
        provenance = {"raw_id": piece.sha256, "ordinal": self._ordinal, "dead_letter": reason}
        self._found.append(Found(DAMAGED, payload, provenance))

    # Elements that are cut into pieces, since their layout is unusual

    def _begin_open(self, piece: bytes, reason: str) -> None:
        """Wait for the end of the element that *piece* begins, if it may have one; otherwise *piece* is damaged."""
        element = OpenElement()
        try:
            element.add(piece)
        except ElementError:
            self._keep_damaged(piece, reason)
        else:
            self._open = element

    def _gone_on(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the element that is open, without its ``<``, once its end has come; it may come in a later block."""
        while self._open:
            piece = next(pieces, None)
            if piece is None:
                return
            try:
                is_complete = self._open.add(piece)
            except ElementError:
                is_complete = True  # perhaps it can be mended as a whole
            if is_complete and self._is_readable(self._open):
                content = self._open.content[1:]
                self._open = None
                yield content
            elif self._open.is_broken or self._open.size > MAX_PIECE_BYTES:
                self._close_open()

    @staticmethod
    def _is_readable(element: OpenElement) -> bool:
        try:
            read_elements(element.content)
        except ElementError:
            return False
        return True

    def _close_open(self) -> None:
        """Stop waiting for an end: the piece that began is damaged, the pieces after it are read on their own."""
        if self._open is None:
            return
        element, self._open = self._open, None
        if not element.is_broken and self._is_readable(element):
            self._read_exactly(element.content[1:])
            return
        first, *others = element.pieces
        self._keep_damaged(first, "it has no end")
        for piece in others:
            self._read_exactly(piece)
            if self._open:
                self._keep_damaged(self._open.pieces[0], "it has no end")
                self._open = None

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
