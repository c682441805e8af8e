"""What the streams share: profile by profile, row by row, and only what changed since the run before."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_LOG_BASED
from typing_extensions import override

from tap_browser_history.blocks import Names, changed
from tap_kit import Raw
from tap_kit.export import ExportStream, Found
from tap_kit.jsontext import dumps
from tap_kit.sqlite_rows import Part, is_compared, read, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tap_browser_history.library import Book
    from tap_browser_history.tap import TapBrowserHistory
    from tap_kit.sqlite_rows import Row


@dataclass
class Span:
    """The smallest and the largest moment of some rows, in the units of their clock."""

    oldest: float | None = None
    newest: float | None = None

    def take(self, moment: Any) -> None:
        """Widen it by a moment; 0 is none."""
        if isinstance(moment, int | float) and moment:
            self.oldest = moment if self.oldest is None else min(self.oldest, moment)
            self.newest = moment if self.newest is None else max(self.newest, moment)


class HistoryStream(ExportStream):
    """A table of one kind of browser, with the rows that belong to each of its rows.

    A record's identity lies inside of it and is given as ``raw_id``; the profile is its account. Other targets, which know
    no ``raw_id``, get the member that holds the main row as key.

    Copies that were handed in are exports (:meth:`found_in`). Profiles that browsers use are read in each run, and only what
    changed is sent. State of these: ``profiles``, by label and path the hash of each block of rows (see :mod:`tap_browser_history.blocks`);
    ``newest``, by label the newest visit that was there.
    """

    _tap: TapBrowserHistory

    kind: ClassVar[str]
    """Of the databases that have this table, see :data:`tap_browser_history.library.KINDS`."""

    parts: ClassVar[Sequence[Part]]
    """The main table first."""

    identity: ClassVar[Sequence[str]]
    """JSON pointers of the values that make a row what it is, whatever its number."""

    forgets: ClassVar[bool] = False
    """Whether these are visits, which browsers forget; a hole between two runs is told."""

    clock: ClassVar[tuple[str, Callable[[Any], str | None]] | None] = None
    """JSON pointer of when it happened, and how it is read."""

    def __init__(self, tap: TapBrowserHistory) -> None:
        """Declare the stream incremental; it needs no replication key for that."""
        super().__init__(tap)
        self.forced_replication_method = REPLICATION_LOG_BASED
        self._ignored = _by_member(self.volatile)
        self._clock = _steps(self.clock[0]) if self.clock else ()
        self._identity = [_steps(pointer) for pointer in self.identity]
        self._telling = self._telling_column()
        self._columns = _described_columns(self.schema)

    @property
    @override
    def has_own(self) -> bool:
        return self._tap.reads_profiles

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        books, failures = self._tap.library.contents
        for sentence in failures:
            self._tell_unread(sentence, fails=self._tap.is_told_what_to_read or not books)
        for book in books:
            if book.kind == self.kind:
                try:
                    yield from self.of_book(book)
                except (sqlite3.Error, OSError, ValueError) as error:
                    self.report_gap(
                        f"Profile {book.profile.label}: {self.name} cannot be read ({error}), layout {book.layout}. "
                        "The other streams are read; look for a newer version of the tap."
                    )

    def of_book(self, book: Book) -> Iterator[Raw]:
        """Give the records of a profile that are new or changed since the run before."""
        origin = self.origin(book)
        span = Span()
        rows = self._significant_rows(self.rows(book), self._repeated(book), span)
        for name, row in changed(rows, self._hashes(book)):
            yield Raw(row.record, {**origin, **self._provenance(name, row)})
        if self.forgets:
            self._tell_hole(book.profile.label, span)

    def found_in(self, book: Book) -> Iterator[Found]:
        """Give all records of a copy that was handed in."""
        own = {"table": self.parts[0].table, "layout": book.layout, "encoding": book.encoding}
        for name, row in self._named(self.rows(book), self._repeated(book)):
            yield Found(self.name, row.record, {**own, **self._provenance(name, row)})

    def rows(self, book: Book) -> Iterator[Row]:
        """Read all rows of a profile."""
        yield from read(book.snapshot, self.parts)

    def origin(self, book: Book) -> dict[str, Any]:
        """Say where the rows of a profile come from."""
        return {**book.provenance(), "table": self.parts[0].table}

    def name_of(self, record: Mapping[str, Any]) -> list[Any]:
        """Give the values that make a row what it is.

        Nothing, empty and 0 are one: which of them a column gets that a newer layout added, depends on the row's age.
        """
        return [_value(record, steps) or None for steps in self._identity]

    def _named(self, rows: Iterable[Row], several: AbstractSet[Any] | None) -> Iterator[tuple[str, Row]]:
        """Give each row with its name; *several* are the values of the telling column that more than one row has."""
        names = Names()
        unseen = set(self._columns)
        for row in rows:
            if row.problem:
                yield names.of(["too large", row.number]), row
                continue
            if unseen:
                self._tell_new_columns(row.record, unseen)
            value = _value(row.record, self._telling)
            alone = several is not None and is_compared(value) and value not in several
            yield names.of(self.name_of(row.record), alone=alone), row

    def _significant_rows(
        self, rows: Iterable[Row], several: AbstractSet[Any] | None, span: Span
    ) -> Iterator[tuple[int, int, bytes, tuple[str, Row]]]:
        """Give each row's number and size, what counts of it, and its name and record; widen *span* by its moment."""
        for name, row in self._named(rows, several):
            if self.forgets:
                span.take(self._moment(row))
            yield row.number, row.size, name.encode() + dumps(self._significant(row.record)), (name, row)

    def _tell_new_columns(self, record: Mapping[str, Any], unseen: set[str]) -> None:
        """Say aloud which columns the schema does not describe; all rows of a part have the same, so each is looked at once."""
        for member in list(unseen):
            value: Any = record if not member else record.get(member)
            part = value[0] if isinstance(value, list) and value else value
            if isinstance(part, dict):
                unseen.discard(member)
                new = part.keys() - self._columns[member]
                self.tell_drift(f"{member}.{name}" if member else name for name in new)

    def _telling_column(self) -> tuple[str, ...]:
        """Choose the column of the main table that tells most rows apart: the moment if it is a part of the identity."""
        if not self.parts:
            return ()
        own = [
            pointer
            for pointer in self.identity
            if len(self.parts) == 1 or pointer.startswith(f"/{self.parts[0].member}/")
        ]
        moment = [pointer for pointer in own if self.clock and pointer == self.clock[0]]
        return _steps([*own, *moment][-1]) if own else ()

    def _repeated(self, book: Book) -> frozenset[Any] | None:
        """Give the values of the telling column that several rows have (None: any may); only those rows can be equal ones."""
        if not self._telling:
            return frozenset()
        return repeated(book.snapshot, self.parts[0].table, self._telling[-1])

    def _moment(self, row: Row) -> Any:
        return _value(row.record, self._clock) if self.clock else None

    def _provenance(self, name: str, row: Row) -> dict[str, Any]:
        provenance: dict[str, Any] = {"raw_id": name, "row": row.number}
        if row.problem:
            return {**provenance, "dead_letter": row.problem}
        if row.base64:
            provenance["base64"] = row.base64
        if self.clock and (moment := self.clock[1](self._moment(row))):
            provenance["source_timestamp"] = moment
        return provenance

    def _significant(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out what is volatile."""
        return {
            member: _without(value, self._ignored[member]) if member in self._ignored else value
            for member, value in record.items()
            if self._ignored.get(member) != {""}
        }

    def _tell_unread(self, sentence: str, *, fails: bool) -> None:
        """Tell, once, of a profile that cannot be read: one that was named fails the run, one that was found does not."""
        if fails:
            self.report_gap(sentence)
        elif sentence not in self._tap.warnings:
            self._tap.warnings.add(sentence)
            self.log("%s", sentence, level=logging.WARNING)

    def _tell_hole(self, label: str, span: Span) -> None:
        """Warn if everything that the last run saw is gone: what came between the runs may be lost."""
        read_clock = self.clock[1] if self.clock else str
        oldest, newest = read_clock(span.oldest), read_clock(span.newest)
        told = self.stream_state.setdefault("newest", {})
        before = told.get(label)
        if before and oldest and datetime.fromisoformat(before) < datetime.fromisoformat(oldest):
            self.log(
                "Profile %s: the newest visit of the run before (%s) is older than the oldest one now (%s). Either the "
                "history was cleared, or the browser forgot visits that no run has seen: run daily.",
                label,
                before,
                oldest,
                level=logging.WARNING,
            )
        if newest:
            told[label] = newest

    def _hashes(self, book: Book) -> dict[str, str]:
        """Give the place in the state for a profile's hashes."""
        profiles = self.stream_state.setdefault("profiles", {})
        copies = profiles.setdefault(book.profile.label, {})
        path = str(book.profile.path)
        if self.replication_method == REPLICATION_FULL_TABLE:
            copies[path] = {}
        hashes: dict[str, str] = copies.setdefault(path, {})
        return hashes


def _described_columns(schema: Mapping[str, Any]) -> dict[str, set[str]]:
    """Name the columns that a schema describes, by member; those of the record itself where it is a row under the empty name."""
    properties = schema["properties"]
    parts = {
        member: (described.get("items") or described).get("properties")
        for member, described in properties.items()
    }
    inside = {
        member: set(columns) for member, columns in parts.items() if columns and columns.keys() != {"base64"}
    }
    return inside or {"": set(properties)}


def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(pointer[1:].split("/"))


def _value(record: Mapping[str, Any], steps: Sequence[str]) -> Any:
    """Follow a pointer into a record; null where the way ends."""
    value: Any = record
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _without(value: Any, ignored: AbstractSet[str]) -> Any:
    """Leave members out of an object, or out of each object of a list."""
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name not in ignored}
    return [_without(item, ignored) for item in value] if isinstance(value, list) else value


def _by_member(pointers: Iterable[str]) -> dict[str, set[str]]:
    """Sort pointers (``/member``, ``/member/name``, ``/member/*/name``) by member; the empty name is all of it."""
    sorted_ones: dict[str, set[str]] = {}
    for pointer in pointers:
        member, *rest = _steps(pointer)
        sorted_ones.setdefault(member, set()).add(rest[-1] if rest else "")
    return sorted_ones
