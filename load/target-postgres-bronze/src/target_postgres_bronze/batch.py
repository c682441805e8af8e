"""What is between two commits: rows ready for COPY, rejected lines, figures, and the STATE that goes out afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from target_postgres_bronze.errors import RejectedError


@dataclass(slots=True)
class Part:
    """Records of which no two have the same key: they land together, in one transaction.

    Attributes:
        incoming: Rows of bronze_incoming in the text form of COPY, in the order of their ord.
        stage: Rows of bronze_stage, likewise.
        origin: For each, its stream, its line number and its line's place in the batch.
        months: First days of the months that they fall into; of those without a time, None.
    """

    incoming: list[bytes] = field(default_factory=list)
    stage: list[bytes] = field(default_factory=list)
    origin: list[tuple[str, int, bytes]] = field(default_factory=list)
    months: list[date | None] = field(default_factory=list)


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
        parts: Records; the second occurrence of a key is in the second part, and so on.
        waves: For each key, the hashes it came with so far.
        letters: Rejected lines.
        read: RECORD messages and unreadable lines, by stream.
        known: Records equal to one earlier in the batch, by stream.
        invalid: Records that break their schema, by stream.
        state: The last STATE value in it, to be written when it is committed.
        size: Bytes of the records.
    """

    parts: list[Part] = field(default_factory=list)
    waves: dict[tuple[int, str], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    letters: list[Letter] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    state: bytes | None = None
    size: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to land or to say."""
        return not self.read and self.state is None

    @property
    def rows(self) -> int:
        """How many messages were read into it."""
        return self.read.total()

    def reject(self, original: bytes, position: int, error: RejectedError) -> None:
        """Take a line that cannot become a row."""
        self.letters.append(Letter(original, position, error))
        self.read[error.stream] += 1

    def wave(self, stream_id: int, raw_id: str, content: bytes) -> int | None:
        """Return the part in which a record's key may stand; None if it repeats what the key has just been.

        Args:
            stream_id: Stream and account.
            raw_id: Key.
            content: Content hash, with a mark for degraded answers.
        """
        hashes = self.waves[stream_id, raw_id]
        if hashes and hashes[-1] == content:
            return None
        hashes.append(content)
        while len(self.parts) < len(hashes):
            self.parts.append(Part())
        return len(hashes) - 1
