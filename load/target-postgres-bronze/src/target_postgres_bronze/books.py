"""The figures that the loader adds to a run's books, and the dead letters that go with them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_postgres_bronze.copytext import field_of_bytea, field_of_text

if TYPE_CHECKING:
    from target_postgres_bronze.batch import Letter


@dataclass(slots=True)
class Figures:
    """What the next transaction adds to the books, beside what it lands."""

    read: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    letters: list[Letter] = field(default_factory=list)

    def rows(self, read_here: Counter[str], known_here: Counter[str]) -> str:
        """Return the rows for bronze.keep_books, with the records of the transaction itself, and those it found to be known."""
        read = self.read + read_here
        known = Counter(self.known)
        known.update(known_here)  # below 0 if what was counted as known turned out to be a change
        names = read.keys() | known.keys() | self.rejected.keys()
        return json.dumps(
            [
                {
                    "stream": name,
                    "read_count": read[name],
                    "known_count": known[name],
                    "rejected_count": self.rejected[name],
                }
                for name in sorted(names)
            ]
        )


def letter_row(letter: Letter) -> bytes:
    """Return a row of bronze_rejected in the text form of COPY."""
    error = letter.error
    return (
        b"\t".join(
            (
                field_of_text(error.stream),
                error.category.encode(),
                field_of_text(error.reason),
                field_of_bytea(letter.original),
                b"%d" % letter.position,
            )
        )
        + b"\n"
    )
