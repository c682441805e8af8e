"""What one transaction of a run writes: a part of a batch, judged, landed by the hooks, and in the books."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg

from target_postgres_bronze.batch import months_of
from target_postgres_bronze.books import letter_row
from target_postgres_bronze.copying import copy_in
from target_postgres_bronze.errors import LoaderError
from target_postgres_bronze.hooks import run_hook
from target_postgres_bronze.session import session_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import date, datetime

    from target_postgres_bronze.batch import Origin, Part, Row
    from target_postgres_bronze.books import Figures
    from target_postgres_bronze.run import Run

T = TypeVar("T")

#: Rows that are put together for COPY.
_ROWS_AT_ONCE: Final = 1000
#: Partitions that one transaction may touch: each takes a lock per table and index, and the server's lock table is finite.
MONTHS_AT_ONCE: Final = 100
#: PostgreSQL's errors that are a record's fault.
REFUSALS: Final = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.InternalError,
    psycopg.errors.ProgramLimitExceeded,
)
_STEPS: Final = json.dumps(["read", "check", "judge", "land"])
_NAME_RUN: Final = "SELECT set_config('bronze.run_id', %s, false), set_config('bronze.began', CAST(CAST(%s AS timestamp) AS text), false)"
#: What a transaction of the run begins with: one time for all its rows.
_BEGIN: Final = (
    "SELECT set_config('bronze.ingested_at', clock, true), set_config('bronze.started_at', clock, true), "
    "set_config('bronze.steps', %s, true), bronze.check_session(%s) FROM CAST(clock_timestamp() AT TIME ZONE 'UTC' AS text) AS clock"
)
#: The partition of a month, or of the rows that have no time but that of their landing; gives the month.
_MAKE_PARTITION: Final = (
    "SELECT CAST(date_trunc('month', day) AS date) FROM (SELECT coalesce(%s, CAST(current_setting('bronze.ingested_at') AS date))) AS d (day), "
    "public.create_partition_if_not_exists(%s, day)"
)
_JUDGE: Final = "SELECT bronze.judge(%s, %s::integer[])"
_COPY_INCOMING: Final = b"COPY bronze_incoming FROM STDIN"
_COPY_STAGE: Final = b"COPY bronze_stage FROM STDIN"
_COPY_REJECTED: Final = b"COPY bronze_rejected FROM STDIN"
_COUNT_LANDED: Final = "SELECT coalesce(sum(record_count), 0)::bigint FROM bronze_landed"


class TooManyMonthsError(Exception):
    """A part falls into more months than one transaction may touch."""


class PartWriter:
    """Writes the parts of one run, on whatever connection and in whatever transaction it is given.

    Attributes:
        partitions: Months whose partitions are there.
    """

    def __init__(
        self, run: Run, began: datetime, hooks: list[tuple[str, bytes]], watched: Collection[int]
    ) -> None:
        """Prepare.

        Args:
            run: The run.
            began: When the loader began, by the server's clock (UTC).
            hooks: What lands a part, and what else runs for each.
            watched: Streams (ids of the catalog) of which it is noted what was seen; looked at for each part.
        """
        self._run = run
        self._began = began
        self._hooks = hooks
        self._watched = watched
        self.partitions: set[date] = set()
        self._made: set[date] = set()

    def name_run(self, connection: psycopg.Connection[Any]) -> None:
        """Tell *connection* which run it works for."""
        connection.execute(_NAME_RUN, [self._run.run_id, self._began])

    def begin(self, connection: psycopg.Connection[Any]) -> None:
        """Begin what is written by one transaction: what one before it has made without a commit is not there."""
        self._made.clear()
        connection.execute(_BEGIN, [_STEPS, session_marker(connection)])

    def committed(self) -> None:
        """Note that the transaction is committed, and the partitions that it made are there to stay."""
        self.partitions |= self._made
        self._made.clear()

    def stage(self, connection: psycopg.Connection[Any], part: Part) -> None:
        """Send *part*, whose rows are made, before it is known what of it is news; opens a transaction."""
        connection.autocommit = False
        self.name_run(connection)
        cursor = connection.cursor()
        send(cursor, part)
        _copy(cursor, _COPY_STAGE, [row[0] for row in part.rows if row])

    def write(
        self,
        connection: psycopg.Connection[Any],
        part: Part,
        make_row: Callable[[Origin], Row],
        *,
        is_staged: bool = False,
    ) -> tuple[int, Counter[str]]:
        """Land what is news of *part*.

        Args:
            connection: Inside a transaction that `begin` began.
            part: The part.
            make_row: Makes the row of a record that was read without one.
            is_staged: Whether `stage` has sent it over this connection.

        Returns:
            How many of its records were news, and how many of each stream were known.

        Raises:
            TooManyMonthsError: It has to be split.
            LoaderError: A hook is wrong, or takes rows away.
        """
        if not part.incoming:
            return 0, Counter()
        cursor = connection.cursor(binary=True)
        if not is_staged:
            send(cursor, part)
        cursor.execute(_JUDGE, [self._run.source, list(self._watched)])
        news = part.places(value(cursor.fetchone()))
        if news:
            rows = [part.rows[place] or make_row(part.origins[place]) for place in news]
            self._make_partitions(cursor, months_of(rows))
            if not is_staged:
                _copy(cursor, _COPY_STAGE, [row[0] for row in rows])
            self._land(connection, len(news))
        return len(news), _known(part, news)

    def keep_books(
        self,
        connection: psycopg.Connection[Any],
        unit: int,
        figures: Figures,
        read: Counter[str],
        known: Counter[str],
    ) -> None:
        """Keep the books of the transaction.

        Args:
            connection: Inside the transaction.
            unit: Its number in the run.
            figures: What was counted outside of its part, and the rejected lines.
            read: Records of its part by stream.
            known: Those of them that were known.

        Raises:
            LoaderError: PostgreSQL refuses, and that is no record's fault: looking for a guilty one would condemn them all.
        """
        cursor = connection.cursor()
        try:
            if figures.letters:
                _copy(cursor, _COPY_REJECTED, list(map(letter_row, figures.letters)))
            cursor.execute(
                "SELECT bronze.keep_books(%s, %s, %s)", [self._run.run_id, unit, figures.rows(read, known)]
            )
        except REFUSALS as error:
            raise LoaderError(
                f"The books of run {self._run.run_id} cannot be kept (SQLSTATE {error.sqlstate}); nothing of this batch was "
                "committed. Run again; if it comes back, report it with this line."
            ) from error

    def _make_partitions(self, cursor: psycopg.Cursor[Any], months: set[date | None]) -> None:
        if len(months) > MONTHS_AT_ONCE:
            raise TooManyMonthsError
        for month in months:
            if month not in self.partitions:
                cursor.execute(_MAKE_PARTITION, [month, self._run.source])
                self._made.add(value(cursor.fetchone()))

    def _land(self, connection: psycopg.Connection[Any], news: int) -> None:
        """Run the hooks, the landing among them, and see that it has landed all."""
        for name, text in self._hooks:
            run_hook(connection, name, text)
        landed = value(connection.execute(_COUNT_LANDED).fetchone())
        if landed != news:
            raise LoaderError(
                f"The hooks landed {landed} of {news} records. One of the files in sql/hooks/after_run, or of after_run_sql, "
                "takes rows away or does not call bronze.land(); nothing was committed."
            )


def value(row: Any) -> Any:
    """Return the value of a row that is there and has one column."""
    return row[0]


def _known(part: Part, news: Sequence[int]) -> Counter[str]:
    """Return how many records of each stream are not among the *news* of *part*."""
    if len(news) == len(part.origins):
        return Counter()
    known = part.streams()
    known.subtract(Counter([part.origins[place][0].name for place in news]))
    return +known


def send(cursor: psycopg.Cursor[Any], part: Part) -> None:
    """Send keys and hashes of *part* into bronze_incoming."""
    with copy_in(cursor, _COPY_INCOMING) as copy:
        for piece in _pieces(part.incoming):
            copy.write("".join(piece).encode("utf-8", "replace"))


def _copy(cursor: psycopg.Cursor[Any], statement: bytes, rows: list[bytes]) -> None:
    with copy_in(cursor, statement) as copy:
        for piece in _pieces(rows):
            copy.write(b"".join(piece))


def _pieces(rows: list[T]) -> Iterator[list[T]]:
    """Split *rows*, so that they need not lie in memory a second time in one piece."""
    return (rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE))
