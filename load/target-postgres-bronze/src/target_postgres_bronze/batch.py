"""What is between two commits: rows ready for COPY, rejected lines, figures, and the STATE that goes out afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from target_postgres_bronze.errors import RejectedError
    from target_postgres_bronze.streams import Stream


#: Where a record came from: its stream, its line, the line's number in the run (its ord), whether its key is unusable, and
#: its raw_id if that is not its identity.
#: This and the next are plain tuples, as there is one for every record.
Origin: TypeAlias = "tuple[Stream, bytes, int, bool, str | None]"
#: A row of bronze_stage in the text form of COPY, and the day of its event (None: no time of its own).
Row: TypeAlias = "tuple[bytes, date | None]"


@dataclass(slots=True)
class Part:
    """Records of which no two have the same key: they land together, in one transaction.

    Attributes:
        incoming: Rows of bronze_incoming in the text form of COPY.
        origins: Where each came from.
        rows: For each its row of bronze_stage, None where it is made only if the record is news.
    """

    incoming: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    rows: list[Row | None] = field(default_factory=list)

    def streams(self) -> Counter[str]:
        """Return how many of its records are of each stream."""
        return Counter([origin[0].name for origin in self.origins])

    def places(self, ords: Sequence[int]) -> Sequence[int]:
        """Return where in these lists the records of *ords* stand, in any order."""
        if len(ords) == len(self.origins):
            return range(len(ords))
        chosen = set(ords)
        return [place for place, origin in enumerate(self.origins) if origin[2] in chosen] if chosen else []


@dataclass(slots=True)
class Letter:
    """A message for the dead letters: bytes as they came, and why."""

    original: bytes
    position: int
    error: RejectedError


@dataclass(slots=True)
class Batch:
    """Everything since the last commit.

    Attributes:
        makes_rows: Whether rows are made as records are read; else only for those that turn out to be news.
        parts: Records; the second content of a key is in the second part, and so on.
        letters: Rejected lines.
        read: Rejected lines and records equal to one earlier in the batch, by stream; what is in the parts is counted as it lands.
        known: Records equal to one earlier in the batch, by stream.
        state: The last STATE value in it, to be written when it is committed.
        size: Bytes of the records.
        rows: How many messages were read into it.
    """

    makes_rows: bool = True
    parts: list[Part] = field(default_factory=lambda: [Part()])
    letters: list[Letter] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    state: bytes | None = None
    size: int = 0
    rows: int = 0
    _contents: dict[tuple[int, str], str | list[str]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to land or to say."""
        return not self.rows and self.state is None

    def reject(self, original: bytes, position: int, error: RejectedError) -> None:
        """Take a line that cannot become a row."""
        self.letters.append(Letter(original, position, error))
        self.read[error.stream] += 1
        self.rows += 1
        self.size += len(original)

    def repeat(self, stream: str) -> None:
        """Count a record that is equal to one earlier in the batch."""
        self.read[stream] += 1
        self.known[stream] += 1

    def part_for(self, stream_id: int, raw_id: str, content: str) -> Part | None:
        """Return the part into which a record goes; None if it repeats what its key has just been.

        Args:
            stream_id: Stream and account.
            raw_id: Key.
            content: Content hash, with a mark for degraded answers.
        """
        key = (stream_id, raw_id)
        former = self._contents.setdefault(key, content)
        if former is content:
            return self.parts[0]
        contents = [former] if isinstance(former, str) else former
        if contents[-1] == content:
            return None
        contents.append(content)
        self._contents[key] = contents
        if len(self.parts) < len(contents):
            self.parts.append(Part())
        return self.parts[len(contents) - 1]

    def mark_superseded(self) -> None:
        """Mark the records of which a later part has another content: of a batch the last content of a key counts."""
        for part, later in pairwise(self.parts):
            keys = {_identity(line) for line in later.incoming}
            part.incoming = [f"{line[:-2]}t\n" if _identity(line) in keys else line for line in part.incoming]


def _identity(line: str) -> tuple[str, str]:
    """Return stream and key of a row of bronze_incoming."""
    _ord, stream_id, raw_id, _rest = line.split("\t", 3)
    return stream_id, raw_id


def split_by_months(part: Part, months_at_once: int) -> Iterator[Part]:
    """Split a part whose rows are made into parts that fall into few months each."""
    months = sorted(months_of(part.rows), key=lambda month: (month is None, month))
    for start in range(0, len(months), months_at_once):
        chosen = set(months[start : start + months_at_once])
        yield _chosen(part, [place for place, row in enumerate(part.rows) if months_of([row]) <= chosen])


def months_of(rows: Iterable[Row | None]) -> set[date | None]:
    """Return the first days of the months into which *rows* fall, None among them if one has no time of its own."""
    return {day and day.replace(day=1) for day in {row[1] for row in rows if row}}


def halves(part: Part) -> tuple[Part, Part]:
    """Split a part in two."""
    middle = len(part.incoming) // 2
    return _chosen(part, range(middle)), _chosen(part, range(middle, len(part.incoming)))


def _chosen(part: Part, places: Iterable[int]) -> Part:
    """Return a part of the records at *places*."""
    return Part(
        [part.incoming[place] for place in places],
        [part.origins[place] for place in places],
        [part.rows[place] for place in places],
    )
