"""Rows of a copied database as records: every column as stored, by the names that this database has."""

from __future__ import annotations

import base64
import math
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Part:
    """A table whose row becomes one member of a record."""

    member: str
    table: str
    on: str = ""
    """SQL that finds its row for the main part's; parts are called by their members. Empty for the main part."""

    many: bool = False
    """The member is a list of all rows that *on* finds, in their order."""


@dataclass
class Row:
    """One record, the main row's number, and the JSON pointers of values that are not stored as text or number."""

    number: int
    record: dict[str, Any]
    base64: list[str]


def tables(connection: sqlite3.Connection) -> frozenset[str]:
    """Name the tables of a database."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return frozenset(str(name) for (name,) in rows)


def read(connection: sqlite3.Connection, parts: Sequence[Part]) -> Iterator[Row]:
    """Read records in the order of the main table's row numbers.

    A single part gives its columns as the record itself. Of several, each gives a member: an object, null where it has
    no row for the main one, and nothing where this database lacks its table.

    Args:
        connection: An open copy.
        parts: The main part first.

    Raises:
        sqlite3.Error: A column that the parts are joined by is absent, or the file is damaged.
    """
    present = tables(connection)
    if parts[0].table not in present:
        return
    usable = [part for part in parts if part.table in present]
    single = [part for part in usable if not part.many]
    columns = {part.member: _columns(connection, part.table) for part in usable}
    lists = [part for part in usable if part.many]
    with closing(connection.execute(_statement(single, columns))) as cursor:
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            for values in rows:
                row = _row(values, single, columns, flat=len(parts) == 1)
                for part in lists:
                    row.record[part.member] = _list(connection, part, columns[part.member], row)
                yield row


def repeated(connection: sqlite3.Connection, table: str, column: str) -> frozenset[Any]:
    """Give the values that more than one row has in a column; none where there is no such column."""
    if column not in _columns(connection, table):
        return frozenset()
    name = _quoted(column)
    sql = f"SELECT {name} FROM {_quoted(table)} GROUP BY {name} HAVING count(*) > 1"  # noqa: S608 - as below
    return frozenset(value for (value,) in connection.execute(sql))


def _statement(parts: Sequence[Part], columns: dict[str, list[str]]) -> str:
    """Select the main row's number, then for each part its row number (null: none) and its columns."""
    chosen = ", ".join(
        f"{_quoted(part.member)}.{name}"
        for part in parts
        for name in ("rowid", *map(_quoted, columns[part.member]))
    )
    main, *others = parts
    joins = "".join(
        f" LEFT JOIN {_quoted(part.table)} AS {_quoted(part.member)} ON {part.on}" for part in others
    )
    source = f"{_quoted(main.table)} AS {_quoted(main.member)}{joins}"
    return f"SELECT {chosen} FROM {source} ORDER BY {_quoted(main.member)}.rowid"  # noqa: S608 - names are quoted


def _row(values: Sequence[Any], parts: Sequence[Part], columns: dict[str, list[str]], *, flat: bool) -> Row:
    row = Row(values[0], {}, [])
    position = 0
    for part in parts:
        names = columns[part.member]
        exists = values[position] is not None
        mine = values[position + 1 : position + 1 + len(names)]
        position += 1 + len(names)
        prefix = "" if flat else f"/{part.member}"
        content = _content(names, mine, prefix, row) if exists else None
        if flat:
            row.record = content or {}
        else:
            row.record[part.member] = content
    return row


def _list(connection: sqlite3.Connection, part: Part, names: list[str], row: Row) -> list[dict[str, Any]]:
    """Read the rows of a part that may have many, for one main row."""
    chosen = ", ".join(map(_quoted, names))
    sql = f"SELECT {chosen} FROM {_quoted(part.table)} WHERE {part.on} ORDER BY rowid"  # noqa: S608 - as above
    return [
        _content(names, values, f"/{part.member}/{index}", row)
        for index, values in enumerate(connection.execute(sql, {"main": row.number}))
    ]


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
    return [str(column[1]) for column in connection.execute(f"PRAGMA table_info({_quoted(table)})")]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
