"""Lands batches: a transaction per part, each counted, so that nothing lands twice and nothing is left out."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import psycopg

from target_postgres_bronze.ahead import Ahead
from target_postgres_bronze.batch import Batch, Letter, Origin, Part, Row, halves, months_of, split_by_months
from target_postgres_bronze.books import Figures
from target_postgres_bronze.errors import RejectedError
from target_postgres_bronze.hooks import run_hook
from target_postgres_bronze.indexing import Indexing
from target_postgres_bronze.session import session_marker
from target_postgres_bronze.writing import MONTHS_AT_ONCE, REFUSALS, PartWriter, TooManyMonthsError, value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import date, datetime

    from target_postgres_bronze.run import Run
    from target_postgres_bronze.session import Session
    from target_postgres_bronze.streams import Stream, Window

#: Gone records per transaction.
_GONE_AT_ONCE: Final = 10_000
#: A known source's table was brought up to date with the layout; touching its view again would wait for its readers.
_MAKE_SOURCE: Final = (
    "SELECT bronze.create_source(%s) WHERE NOT EXISTS (SELECT FROM bronze.sources WHERE source = %s)"
)
#: What is set aside as repeated stays on its connection until the end of the run, so that only this one may do it.
_POSTPONE: Final = "SELECT set_config('bronze.postpones', 'on', false)"
#: Comments tell what the schemas say; a run that brought no new one has nothing to tell.
_DESCRIBE_SOURCE: Final = (
    "SELECT bronze.describe_source(%s) WHERE EXISTS ("
    "SELECT FROM bronze.schemas AS s INNER JOIN bronze.runs AS r ON r.source = s.source AND s.first_seen_at >= r.started_at WHERE r.run_id = %s)"
)


class Lander:
    """Writes one run into the database."""

    def __init__(
        self, session: Session, run: Run, before: list[tuple[str, bytes]], after: list[tuple[str, bytes]]
    ) -> None:
        """Open the run's books.

        Args:
            session: Connection; the lander takes it over.
            run: The run.
            before: Hooks that run once, now.
            after: Hooks that run for every part, inside its transaction; the landing itself is one of them.
        """
        self._session = session
        self._run = run
        self._unit = 0
        self._watched: set[int] = set()
        self._writer = PartWriter(run, session.began, after, self._watched)
        self._ahead = Ahead(session.second, self._writer.stage)
        self._indexing = Indexing(session, run.source)
        self._figures = Figures()
        #: Called before each commit; the loader waits there for what has to be on disk by then.
        self.before_commit: Callable[[], object] = lambda: None
        #: Streams of which a line was rejected; the empty name stands for any.
        self.doubtful: set[str] = set()
        #: Whether a stream of this run had records before.
        self.has_records = False
        #: Whether every record of this run is in bronze_seen; a broken connection takes that table along.
        self.saw_everything = True
        session.run(lambda connection: self._begin(connection, before))
        session.on_reconnect = self._reconnected

    def _begin(self, connection: psycopg.Connection[Any], before: list[tuple[str, bytes]]) -> None:
        run = self._run
        with connection.transaction():
            for name, text in before:
                run_hook(connection, name, text)
        connection.execute("SELECT bronze.check_source(%s)", [run.source])
        connection.execute(_MAKE_SOURCE, [run.source, run.source])
        self._writer.name_run(connection)
        connection.execute(_POSTPONE)
        connection.execute(
            "SELECT bronze.begin_run(%s, %s, %s, %s, %s, %s)",
            [
                run.run_id,
                run.source,
                run.environment,
                run.pipeline_version,
                json.dumps(run.parameters),
                run.archive_path,
            ],
        )

    def _reconnected(self, connection: psycopg.Connection[Any]) -> None:
        self._resume(connection)
        if self._watched:
            self.saw_everything = False

    def _resume(self, connection: psycopg.Connection[Any]) -> int:
        """Take the run up on *connection*; give the number of its last committed transaction."""
        self._writer.name_run(connection)
        connection.execute(_POSTPONE)
        return int(value(connection.execute("SELECT bronze.resume_run(%s)", [self._run.run_id]).fetchone()))

    def stream_id(self, stream: Stream, account: str) -> int:
        """Return the catalog's id of a stream and account, entered if it is new or its schema is."""
        found = stream.ids.get(account)
        if found is None:
            found, identity_keys = self._session.run(
                lambda connection: self._register(connection, stream, account)
            )
            stream.enter(account, found, identity_keys)
            if stream.absence != "never":
                self._watched.add(found)
        return found

    def _register(
        self, connection: psycopg.Connection[Any], stream: Stream, account: str
    ) -> tuple[int, list[str]]:
        row: Any = connection.execute(
            "SELECT id, record_count, identity_keys FROM bronze.register_stream(%s, %s, %s, %s, %s::text[], %s, %s, %s, %s)",
            [
                self._run.run_id,
                self._run.source,
                stream.name,
                account,
                stream.key_properties,
                stream.replication_key,
                self._run.tap,
                stream.schema_hash,
                stream.schema_text,
            ],
        ).fetchone()
        self.has_records |= row[1] > 0
        return int(row[0]), row[2]

    def expect_more(self) -> None:
        """Prepare for further batches: the tap has more than one."""
        if not self._watched:
            self._ahead.prepare()

    def begin(self, batch: Batch) -> None:
        """Begin with *batch* while the one before it lands, where that helps: if its rows are made and it is mostly news."""
        part = batch.parts[0]
        # what is seen of a watched stream is noted on the first connection
        if batch.makes_rows and part.incoming and not self._watched:
            self._ahead.start(part)

    def land(self, batch: Batch, make_row: Callable[[Origin], Row]) -> float:
        """Commit everything in *batch*, rejected lines included.

        Args:
            batch: The batch.
            make_row: Makes the row of a record that was read without one.

        Returns:
            Share of its records that were news.

        Raises:
            LoaderError: The database stays away or refuses for a reason that is no record's fault.
        """
        figures = self._figures  # goes with the first transaction
        # what is in the parts is counted where it lands, so that a killed run's books balance as well
        figures.read += batch.read
        figures.known += batch.known
        for letter in batch.letters:
            self._add_letter(letter)
        news = sum(self._land_part(part, make_row) for part in batch.parts if part.incoming)
        if figures is self._figures and batch.rows:
            self._land_part(Part(), make_row)
        return news / batch.rows if batch.rows else 0.0

    def _add_letter(self, letter: Letter) -> None:
        self._figures.letters.append(letter)
        self.doubtful.add(letter.error.stream)
        self._figures.rejected[letter.error.stream] += 1

    def _land_part(self, part: Part, make_row: Callable[[Origin], Row]) -> int:
        """Land *part* and return how many of its records were news.

        A record that PostgreSQL refuses is found by halves and becomes a dead letter.
        """
        done: list[int] = []
        try:
            if (connection := self._ahead.take(part)) is not None and self._commit_ahead(
                connection, part, make_row, done
            ):
                return done[-1]
            return self._commit(partial(self._write, part, make_row), done)
        except TooManyMonthsError:
            part.rows = [row or make_row(origin) for row, origin in zip(part.rows, part.origins, strict=True)]
            return sum(self._land_part(piece, make_row) for piece in split_by_months(part, MONTHS_AT_ONCE))
        except REFUSALS as error:
            if not part.incoming:
                raise
            if len(part.incoming) > 1:
                return sum(self._land_part(half, make_row) for half in halves(part))
            stream, line, position = part.origins[0][:3]
            self._figures.read[stream.name] += 1
            self._add_letter(Letter(line, position, RejectedError(_refusal(error), "database", stream.name)))
            return self._land_part(Part(), make_row)

    def _commit_ahead(
        self,
        connection: psycopg.Connection[Any],
        part: Part,
        make_row: Callable[[Origin], Row],
        done: list[int],
    ) -> bool:
        """Land *part*, which is staged on *connection*; whether that went well. *done* gets how many of its records were news."""
        try:
            self._writer.begin(connection)
            done.append(self._write(part, make_row, connection, is_staged=True))
            self.before_commit()
            connection.commit()
        except (psycopg.Error, TooManyMonthsError):
            return False
        finally:
            self._ahead.give_back(connection)
        self._committed()
        return True

    def _commit(self, write: Callable[[psycopg.Connection[Any]], int], done: Iterable[int] = ()) -> int:
        """Do *write* in a transaction of its own, numbered; done again only where the commit did not go through.

        Args:
            write: Gives how many records were news.
            done: The same, of an attempt on another connection whose commit may have gone through.
        """
        unit = self._unit + 1
        results = list(done)

        def attempt(connection: psycopg.Connection[Any]) -> int:
            # the connection may have broken after the commit
            if not results or self._resume(connection) < unit:
                with connection.transaction():
                    self._writer.begin(connection)
                    results.append(write(connection))
                    self.before_commit()
            return results[-1]

        result = self._session.run(attempt)
        self._committed()
        return result

    def _committed(self) -> None:
        self._unit += 1
        self._figures = Figures()
        self._writer.committed()

    def _write(
        self,
        part: Part,
        make_row: Callable[[Origin], Row],
        connection: psycopg.Connection[Any],
        *,
        is_staged: bool = False,
    ) -> int:
        news, known = self._writer.write(connection, part, make_row, is_staged=is_staged)
        self._keep_books(connection, part.streams(), known)
        return news

    def _keep_books(
        self, connection: psycopg.Connection[Any], read: Counter[str], known: Counter[str]
    ) -> None:
        self._writer.keep_books(connection, self._unit + 1, self._figures, read, known)

    def land_repeated(self) -> None:
        """Land the records that came with a former content of theirs, and for which the current one did not come after all."""
        while self._commit(self._write_repeated):
            pass

    def _write_repeated(self, connection: psycopg.Connection[Any]) -> int:
        """Land some of them, and return 0 when none is left."""
        rows = connection.execute("SELECT * FROM bronze.land_repeated(%s)", [self._run.source]).fetchall()
        self._keep_books(connection, Counter(), Counter({stream: -count for stream, count in rows if count}))
        return len(rows)

    def record_gone(self, stream: Stream, window: Window | None) -> None:
        """Append gone versions for the records of *stream* that this run did not see.

        Args:
            stream: Stream that the tap finished.
            window: What it read completely; None: everything.
        """
        for stream_id in stream.ids.values() if stream.ids else self._only_account(stream):
            start, end = (window.start, window.end) if window else (None, None)
            for month in self._unseen_months(stream_id, start, end):
                write = partial(self._write_gone, stream_id, month, window)
                while self._commit(write):
                    pass

    def _unseen_months(self, stream_id: int, start: datetime | None, end: datetime | None) -> list[date]:
        rows = self._session.run(
            lambda connection: connection.execute(
                "SELECT m FROM bronze.check_session(%s), bronze.unseen_months(%s, %s, %s) AS m",
                [session_marker(connection), stream_id, start, end],
            ).fetchall()
        )
        return [row[0] for row in rows]

    def _only_account(self, stream: Stream) -> list[int]:
        """Return the stream's id where it has one account: an empty window does not say which account it is of."""
        rows = self._session.run(
            lambda connection: connection.execute(
                "SELECT id FROM bronze.streams WHERE source = %s AND stream = %s",
                [self._run.source, stream.name],
            ).fetchall()
        )
        return [row[0] for row in rows] if len(rows) == 1 else []

    def _write_gone(
        self, stream_id: int, month: date, window: Window | None, connection: psycopg.Connection[Any]
    ) -> int:
        start, end, match = (window.start, window.end, window.match) if window else (None, None, None)
        cursor = connection.cursor(binary=True)
        gone = 0
        # this may be a new connection, on which nothing was seen yet
        if self.saw_everything:
            cursor.execute(
                "SELECT bronze.record_gone(%s, %s, %s, %s, %s::jsonb, %s)",
                [stream_id, month, start, end, None if match is None else json.dumps(match), _GONE_AT_ONCE],
            )
            gone = int(value(cursor.fetchone()))
        self._keep_books(connection, Counter(), Counter())
        return gone

    def books(self) -> dict[str, dict[str, int]]:
        """Return the run's books by stream, as the database has them."""
        self._indexing.stop()  # they are asked for on the same connection
        rows = self._session.run(
            lambda connection: connection.execute(
                "SELECT to_jsonb(b) - 'run_id' FROM bronze.run_streams AS b WHERE run_id = %s ORDER BY stream",
                [self._run.run_id],
            ).fetchall()
        )
        return {row[0].pop("stream"): row[0] for row in rows}

    def begin_indexes(self, to_come: Collection[Batch]) -> None:
        """Begin to build the indexes that the source's table lacks, of the months into which no record of *to_come* falls."""
        rows = [row for batch in to_come for part in batch.parts for row in part.rows]
        if all(rows) and not self._watched:
            self._indexing.begin(
                self._writer.partitions - {month or self._this_month() for month in months_of(rows)}
            )

    def _this_month(self) -> date:
        return self._session.now().date().replace(day=1)

    def build_indexes(self) -> None:
        """Build what indexes the source's table lacks yet, and say in comments what its schemas say."""
        self._ahead.close()
        self._indexing.finish()
        self._session.run(
            lambda connection: connection.execute(_DESCRIBE_SOURCE, [self._run.source, self._run.run_id])
        )

    def leave_indexes(self) -> None:
        """Break off the building of indexes; what is whole stays, and the next run builds the rest."""
        self._indexing.break_off()

    def end(self, status: str, reason: str | None) -> None:
        """Close the run's books and the connection."""
        self._session.run(
            lambda connection: connection.execute(
                "SELECT bronze.end_run(%s, %s, %s)", [self._run.run_id, status, reason]
            )
        )
        self._close()

    def _close(self) -> None:
        self._ahead.close()
        self._indexing.stop()
        self._session.close()

    def abandon(self, reason: str) -> None:
        """Close the books of a run that cannot go on, on the connection that is there."""
        self._indexing.stop()
        try:
            self._session.open().execute(
                "SELECT bronze.end_run(%s, 'failed', %s)", [self._run.run_id, reason]
            )
        finally:
            self._close()


def _refusal(error: psycopg.Error) -> str:
    """Return why PostgreSQL refused a row: constraint and SQLSTATE; its own words would quote the row."""
    if error.diag.constraint_name:
        return f"PostgreSQL refuses it: {error.diag.constraint_name} (SQLSTATE {error.sqlstate})"
    return f"PostgreSQL refuses it: {type(error).__name__} (SQLSTATE {error.sqlstate})"
