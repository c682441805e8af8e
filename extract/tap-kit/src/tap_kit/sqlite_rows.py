"""Rows of a copied database as records: every column as stored, by the names that this database has.

A database may be hostile, so one row is in memory at a time, and a record that is too large for a message is replaced by a
reference to its row.
"""

from __future__ import annotations

import base64
import math
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_kit.jsontext import dumps
from tap_kit.sqlite import MAX_RECORD_BYTES, Budget, Snapshot, quoted, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_BYTES_OF_ONE = 6
"""Bytes that one character or byte takes in JSON at most: a control character as an escape."""

_BYTES_OF_VALUE = 16
"""Of a number, or around a text."""

_LONGEST_COMPARED = 1000
_MOST_REPEATED_BYTES = 16 << 20

_TOO_LARGE = (sqlite3.DataError, MemoryError)
"""How SQLite reports a value, or a row, that exceeds its limits."""


@dataclass(frozen=True)
class Part:
    """A table whose row becomes one member of a record."""

    member: str
    table: str
    on: str = ""
    """SQL that finds its row for the main part's; parts are called by their members. Empty for the main part."""

    many: bool = False
    """The member is a list of all rows that *on* finds, in their order."""

    needs: tuple[str, str] | None = None
    """Table and column that *on* names and that older layouts lack; the member is absent there."""


@dataclass
class Row:
    """One record, the main row's number, and the JSON pointers of values that are not stored as text or number."""

    number: int
    record: dict[str, Any]
    base64: list[str]
    problem: str = ""
    """Why the record is only a reference to the row (``table``, ``row``, ``bytes``); empty if it is the row."""

    size: int = 0
    """About how many bytes it takes."""


def read(snapshot: Snapshot, parts: Sequence[Part]) -> Iterator[Row]:
    """Read records in the order of the main table's row numbers.

    Of a single part, the columns are the record itself. Of several, each is a member: an object, null if it has
    no row for the main one, and absent if this database lacks its table.

    Args:
        snapshot: A finished copy.
        parts: The main part first.

    Raises:
        sqlite3.Error: A column that the parts are joined by is absent, or the file is damaged or hostile.
    """
    with closing(snapshot.connect()) as connection:
        present = tables(connection)
        if parts[0].table not in present:
            return
        usable = [
            part
            for part in parts
            if part.table in present
            and (part.needs is None or part.needs[1] in _columns(connection, part.needs[0]))
        ]
        reader = _Reader(connection, snapshot.budget, usable, flat=len(parts) == 1)
        try:
            yield from reader.rows()
        except sqlite3.Error:
            snapshot.budget.check()
            raise


def repeated(snapshot: Snapshot, table: str, column: str) -> frozenset[Any] | None:
    """Return the values that more than one row has in a column; empty if there is no such column.

    Long texts are not compared. None: there are too many, so that any value may be repeated.
    """
    with closing(snapshot.connect()) as connection:
        if table not in tables(connection) or column not in _columns(connection, table):
            return frozenset()
        name = quoted(column)
        sql = (
            f"SELECT {name} FROM {quoted(table)} WHERE typeof({name}) IN ('integer', 'real', 'text') "  # noqa: S608 - quoted
            f"AND length({name}) <= {_LONGEST_COMPARED} GROUP BY {name} HAVING count(*) > 1"
        )
        found: set[Any] = set()
        size = 0
        try:
            for (value,) in connection.execute(sql):
                size += _size(value)
                if size > _MOST_REPEATED_BYTES:
                    return None
                found.add(value)
        except _TOO_LARGE:
            return None
        except sqlite3.Error:
            snapshot.budget.check()
            raise
        return frozenset(found)


def is_compared(value: Any) -> bool:
    """Return whether `repeated` would find *value* if several rows had it."""
    return isinstance(value, int | float | str) and bool(value) and _size(value) <= _LONGEST_COMPARED


class _Reader:
    """Reads the records of some tables that the database has."""

    def __init__(
        self, connection: sqlite3.Connection, budget: Budget, parts: Sequence[Part], *, flat: bool
    ) -> None:
        self._connection = connection
        self._budget = budget
        self._single = [part for part in parts if not part.many]
        self._lists = [part for part in parts if part.many]
        self._flat = flat
        self._columns = {part.member: _columns(connection, part.table) for part in parts}
        numbers = {part.member: _number(connection, part.table) for part in parts}
        self._numbers = {member: name for member, (name, _) in numbers.items()}
        self._main = parts[0]
        self._is_numbered = numbers[self._main.member][1]
        self._place = f"{quoted(self._main.member)}.{self._numbers[self._main.member]}"

    def rows(self) -> Iterator[Row]:
        """Read all records.

        After a row that SQLite cannot read as it is too large, reading begins again behind the row before, one row per query,
        since the row in front of a failing one does not come either. Rows of a table without row numbers are counted.
        """
        if not self._is_numbered:
            yield from (
                self._row((i, *values[1:])) for i, values in enumerate(self._select(None, limit=-1), 1)
            )
            return
        after: int | None = None
        one_by_one = False
        while True:
            found = False
            try:
                for values in self._select(after, limit=1 if one_by_one else -1):
                    row = self._row(values)
                    del values  # blobs are in the record as base64
                    after, found = row.number, True
                    yield row
            except _TOO_LARGE:
                if one_by_one:
                    after = self._next(after)
                    yield self._reference(after, self._stored_bytes(after))
                one_by_one = not one_by_one
                continue
            if not (one_by_one and found):
                return

    def _select(self, after: int | None, *, limit: int) -> Iterator[tuple[Any, ...]]:
        """Select for each part its row number (null: it has none) and its columns."""
        chosen = ", ".join(
            f"{quoted(part.member)}.{name}"
            for part in self._single
            for name in (self._numbers[part.member], *map(quoted, self._columns[part.member]))
        )
        with closing(self._execute(chosen, after, limit)) as cursor:
            yield from cursor

    def _execute(self, chosen: str, after: int | None, limit: int) -> sqlite3.Cursor:
        joins = "".join(
            f" LEFT JOIN {quoted(part.table)} AS {quoted(part.member)} ON {part.on}"
            for part in self._single[1:]
        )
        behind = "" if after is None else f" WHERE {self._place} > :after"
        sql = (
            f"SELECT {chosen} FROM {quoted(self._main.table)} AS {quoted(self._main.member)}{joins}{behind} "  # noqa: S608 - quoted
            f"ORDER BY {self._place} LIMIT :limit"
        )
        return self._connection.execute(sql, {"after": after, "limit": limit})

    def _next(self, after: int | None) -> int:
        """Return the number of the first row behind *after*."""
        ((number,),) = self._execute(self._place, after, 1).fetchall()
        return int(number)

    def _row(self, values: Sequence[Any]) -> Row:
        row = Row(values[0], {}, [], size=sum(map(_size, values)))
        self._budget.spend(row.size)
        position = 0
        for part in self._single:
            names = self._columns[part.member]
            exists = values[position] is not None
            mine = values[position + 1 : position + 1 + len(names)]
            position += 1 + len(names)
            prefix = "" if self._flat else f"/{part.member}"
            content = _content(names, mine, prefix, row) if exists else None
            if self._flat:
                row.record = content or {}
            else:
                row.record[part.member] = content
        for part in self._lists:
            row.record[part.member] = self._list(part, row)
        if row.size * _MOST_BYTES_OF_ONE > MAX_RECORD_BYTES:
            size = len(dumps(row.record))
            if size > MAX_RECORD_BYTES:
                return self._reference(row.number, size)
        return row

    def _list(self, part: Part, row: Row) -> list[dict[str, Any]]:
        """Read the rows of a part that may have many, for one main row.

        Raises:
            sqlite3.DataError: Together they are too large.
        """
        names = self._columns[part.member]
        chosen = ", ".join(map(quoted, names))
        sql = (
            f"SELECT {chosen} FROM {quoted(part.table)} WHERE {part.on} ORDER BY {self._numbers[part.member]}"  # noqa: S608 - quoted
        )
        found = []
        for index, values in enumerate(self._connection.execute(sql, {"main": row.number})):
            size = sum(map(_size, values))
            self._budget.spend(size)
            row.size += size
            if row.size > MAX_RECORD_BYTES:
                raise sqlite3.DataError("its rows are too large together")
            found.append(_content(names, values, f"/{part.member}/{index}", row))
        return found

    def _reference(self, number: int, size: int) -> Row:
        """Return what stands for a record that is too large."""
        problem = (
            f"row {number} of table {self._main.table!r} has about {size} bytes; a message can have {MAX_RECORD_BYTES}. "
            "It remains in the file"
        )
        return Row(number, {"table": self._main.table, "row": number, "bytes": size}, [], problem)

    def _stored_bytes(self, number: int) -> int:
        """Return how many bytes the texts and blobs of a main row and its parts have, without reading them."""
        chosen = ", ".join(f"{quoted(part.member)}.{self._numbers[part.member]}" for part in self._single)
        where = number - 1 if number > -(1 << 63) else None
        (numbers,) = self._execute(chosen, where, 1).fetchall()
        return sum(
            self._length(part.table, name, own)
            for part, own in zip(self._single, numbers, strict=True)
            if isinstance(own, int)
            for name in self._columns[part.member]
        )

    def _length(self, table: str, column: str, number: int) -> int:
        try:
            with self._connection.blobopen(table, column, number, readonly=True) as blob:
                return len(blob)
        except (sqlite3.Error, MemoryError):  # neither text nor blob
            return 0


def _size(value: Any) -> int:
    return _BYTES_OF_VALUE + (len(value) if isinstance(value, str | bytes) else 0)


def _content(names: Sequence[str], values: Sequence[Any], prefix: str, row: Row) -> dict[str, Any]:
    content = dict(zip(names, values, strict=True))
    for name, value in content.items():
        if isinstance(value, bytes):
            content[name] = {"base64": base64.b64encode(value).decode("ascii")}
            row.base64.append(f"{prefix}/{name}")
        elif isinstance(value, float) and not math.isfinite(value):
            content[name] = Decimal(value)  # which leaves as text; JSON has no infinity
    return content


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """Return the names of the columns that are stored; computed ones (which have a mark behind the key) say nothing new."""
    found = connection.execute(f"PRAGMA table_xinfo({quoted(table)})")
    names = [column[1] for column in found if not column[6]]
    if any(isinstance(name, bytes) for name in names):
        raise sqlite3.DatabaseError("a column's name is not UTF-8")
    return names


def _number(connection: sqlite3.Connection, table: str) -> tuple[str, bool]:
    """Return the name of the row number of *table* (a column of that name hides it), and that it has one.

    A table that is made ``WITHOUT ROWID`` has its primary key instead, which is never null.
    """
    found = connection.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    taken = {str(column[1]).lower() for column in found}
    name = next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), "")
    keys = [quoted(str(column[1])) for column in sorted(found, key=lambda column: column[5]) if column[5]]
    try:
        connection.execute(f"SELECT {quoted(table)}.{name or 'rowid'} FROM {quoted(table)} LIMIT 0")  # noqa: S608 - quoted
    except sqlite3.OperationalError:
        return (keys[0] if keys else name), False
    return (name or "rowid"), bool(name)
