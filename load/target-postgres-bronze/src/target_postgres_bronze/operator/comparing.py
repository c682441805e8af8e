"""Compares the rows of a source in two databases, version by version."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from psycopg.rows import DictRow

#: A version's identity, its content, and how it was read. The order is that of bytes, so that both databases have the same.
VERSIONS: Final = """
    SELECT r.lineage_id AS name, md5(r.raw_data::text || coalesce(r.metadata ->> 'raw_base64', '')) AS content, r.source_timestamp AS time
    FROM public.{} AS r
    ORDER BY r.lineage_id COLLATE "C"
"""
PART: Final = 5_000


@dataclass(slots=True)
class Comparison:
    """How many versions agree.

    Attributes:
        equal: Same content, same ``source_timestamp``.
        timed: Same content, another ``source_timestamp``, and with it another ``partition_key``.
        differing: Another content.
        missing: Only in the old database.
        added: Only in the new one.
    """

    equal: int = 0
    timed: int = 0
    differing: int = 0
    missing: int = 0
    added: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the new database has every version of the old one, unchanged."""
        return not (self.differing or self.missing)

    def note(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        """Count a version that is *old* in one database and *new* in the other."""
        if old is None:
            self.added += 1
        elif new is None:
            self.missing += 1
        elif old["content"] != new["content"]:
            self.differing += 1
        elif old["time"] != new["time"]:
            self.timed += 1
        else:
            self.equal += 1


def compare(source: str, old: psycopg.Connection[DictRow], new: psycopg.Connection[DictRow]) -> Comparison:
    """Compare the versions of *source* over two connections, in constant memory."""
    found = Comparison()
    olds, news = _versions(source, old), _versions(source, new)
    left, right = next(olds, None), next(news, None)
    while left or right:
        names = [version["name"].encode() for version in (left, right) if version]
        first = min(names)
        here = left if left and left["name"].encode() == first else None
        there = right if right and right["name"].encode() == first else None
        found.note(here, there)
        left = next(olds, None) if here else left
        right = next(news, None) if there else right
    return found


def _versions(source: str, connection: psycopg.Connection[DictRow]) -> Iterator[dict[str, Any]]:
    from psycopg import sql  # noqa: PLC0415 - half a second for --help

    with connection.cursor(name="versions") as cursor:
        cursor.itersize = PART
        yield from itertools.filterfalse(
            lambda row: row["name"] is None,
            cursor.execute(sql.SQL(VERSIONS).format(sql.Identifier(f"bronze_{source}"))),
        )
