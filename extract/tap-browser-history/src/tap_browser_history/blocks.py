"""Which stretches of a table differ from the run before, told by content and never by row number or date.

Browsers reuse row numbers, insert old visits late and write a visit's duration when it ends, so neither is a
bookmark. A table is cut into blocks of row numbers; the state has a hash of what counts in each block, and a
block is sent again where its hash differs. Whatever moved, grew, vanished or began anew, that is right; and since
new rows come at the end, mostly the last block is all that is sent.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from tap_kit.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROWS = 500
"""Row numbers in a block: little is repeated, and 100,000 visits make 200 hashes."""

_MOST_BYTES = 8 << 20
"""Of the rows of a block that wait in memory."""

_DIGITS = 16
"""Of a block's hash in the state: 64 bits, compared only with the hash before."""

T = TypeVar("T")


def changed(rows: Iterable[tuple[int, int, bytes, T]], state: dict[str, str]) -> Iterator[T]:
    """Yield the rows of blocks that differ from *state*, and bring *state* up to date block by block.

    A block has to be read to its end before that is known. One that is too large to wait in memory is always sent.

    Args:
        rows: Number, size in bytes, what counts of the row, and the row; in the order of the numbers.
        state: Hashes by block, changed in place: a block when its rows were taken, absent ones at the end.
    """
    present = set()
    for block, group in groupby(rows, key=lambda row: str(row[0] // ROWS)):
        hashing = hashlib.sha256()
        waiting: list[T] = []
        size = 0
        for index, (_, own, content, row) in enumerate(group):
            hashing.update(b"\n" + content if index else content)
            waiting.append(row)
            size += own
            if size > _MOST_BYTES:
                yield from waiting
                waiting.clear()
        digest = hashing.hexdigest()[:_DIGITS]
        present.add(block)
        if state.get(block) != digest:
            yield from waiting
            state[block] = digest
    for block in state.keys() - present:
        del state[block]


class Names:
    """Names rows by their identity; equal ones are numbered in their order."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        # 60 bits of each name: a few bytes, where many rows may be equal.
        self._seen: set[int] = set()
        self._again: Counter[int] = Counter()

    def of(self, identity: Sequence[Any], *, alone: bool = False) -> str:
        """Give the name of the next row with this identity: 32 digits, from the second one on with ``#2`` and so on.

        Args:
            identity: The values that make a row what it is.
            alone: No other row has this identity, so that it need not be remembered.
        """
        name = hashlib.sha256(dumps(list(identity))).hexdigest()[:32]
        if alone:
            return name
        short = int(name[:15], 16)
        if short not in self._seen:
            self._seen.add(short)
            return name
        self._again[short] += 1
        return f"{name}#{self._again[short] + 1}"
