"""Numbers equal records without a key: 1, 2, 3 … within a file, or within the run where there is no file."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import Final

#: Records that are counted in memory; more go to a temporary file, so that memory does not grow with the source.
_IN_MEMORY: Final = 200_000
_NAME_BYTES: Final = 16
_COUNT: Final = "INSERT INTO seen VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET times = times + excluded.times RETURNING times"


class Occurrences:
    """Counts how often each record has come; in constant memory."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        """Start with nothing seen.

        Args:
            in_memory: How many different records are counted in memory.
        """
        self._in_memory = in_memory
        self._seen: dict[bytes, int] = {}
        self._file: sqlite3.Connection | None = None

    def next(self, stream: str, account: str, file: str, base: str) -> int:
        """Return how often *base* (a content hash, or the tap's own ``raw_id``) has come, this time included."""
        name = blake2b(f"{stream}\0{account}\0{file}\0{base}".encode(), digest_size=_NAME_BYTES).digest()
        if self._file is not None:
            return int(self._file.execute(_COUNT, (name, 1)).fetchone()[0])
        times = self._seen[name] = self._seen.get(name, 0) + 1
        if len(self._seen) > self._in_memory:
            self._spill()
        return times

    def _spill(self) -> None:
        # without a name SQLite keeps the database in a temporary file, which goes when the process does
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA cache_size = -16384")
        self._file.execute("CREATE TABLE seen (name BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")
        self._file.execute("BEGIN")
        self._file.executemany("INSERT INTO seen VALUES (?, ?)", self._seen.items())
        self._seen.clear()
