"""Compares what a source gives now with what is here, by the loader's own reading and SQL's own rule; lands nothing."""

from __future__ import annotations

import json
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from target_postgres_bronze.batch import Batch
from target_postgres_bronze.errors import RejectedError
from target_postgres_bronze.messages import read_message
from target_postgres_bronze.operator.session import OperatorError
from target_postgres_bronze.records import RecordReader
from target_postgres_bronze.session import check_session
from target_postgres_bronze.streams import read_schema
from target_postgres_bronze.writing import send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date, datetime

    import psycopg

    from target_postgres_bronze.batch import Part, Row
    from target_postgres_bronze.messages import Message
    from target_postgres_bronze.session import Session
    from target_postgres_bronze.streams import Stream

BATCH: Final = 10_000
OPEN: Final = """
    INSERT INTO bronze.reconciliations (source, stream, first_day, last_day) VALUES (%s, %s, %s, %s) RETURNING id
"""
CLOSE: Final = "UPDATE bronze.reconciliations SET ended_at = now() AT TIME ZONE 'UTC' WHERE id = %s"
COUNT: Final = "UPDATE bronze.reconciliations SET read_count = %s, rejected_count = %s WHERE id = %s"
STREAM_ID: Final = "SELECT id, coalesce(identity_keys, key_properties) FROM bronze.streams WHERE source = %s AND stream = %s AND account = %s"


class Reconciler:
    """One comparison, from the tap's lines to rows of ``bronze.differences``.

    Attributes:
        number: Its id in ``bronze.reconciliations``.
    """

    def __init__(  # noqa: PLR0913 - what is compared, and with what
        self,
        session: Session,
        source: str,
        now: datetime,
        *,
        stream: str | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
        annotations: Mapping[str, Mapping[str, Any]] | None = None,
        spool: IO[bytes] | None = None,
    ) -> None:
        """Open a comparison.

        Args:
            session: The loader's kind of connection; taken over.
            source: Source.
            now: The present (UTC), from which plausible dates are counted.
            stream: Only this stream.
            first_day: Only records from this day on (UTC); those without a time are compared always.
            last_day: And up to this one, included.
            annotations: The loader's setting ``stream_annotations``.
            spool: Where the messages go that would mend the difference.
        """
        self._session = session
        self._source = source
        self._only = stream
        self._days = (first_day, last_day)
        self._annotations = annotations or {}
        self._spool = spool
        self._reader = RecordReader(self._stream_id, now)
        self._streams: dict[str, Stream] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._batch = Batch()
        self._read = self._rejected = 0
        self._is_broken = False
        session.on_reconnect = self._broken
        self.number: int = self._ask(OPEN, source, stream, first_day, last_day)[0]

    def take(self, lines: Iterable[bytes]) -> None:
        """Compare what a tap writes, line by line."""
        for line in lines:
            if line.strip():
                self._take(line.rstrip(b"\r\n"))
            if self._batch.rows >= BATCH:
                self._compare()
        self._compare()

    def finish(self) -> None:
        """Note what is here and was not seen there: the tap has read everything.

        Raises:
            OperatorError: The connection broke in the meantime, and what was seen is forgotten.
        """
        self._do(self._note_absent)
        self._do(lambda connection: connection.execute(CLOSE, [self.number]))

    def _broken(self, _connection: psycopg.Connection[Any]) -> None:
        self._is_broken = True

    def _note_absent(self, connection: psycopg.Connection[Any]) -> None:
        if self._is_broken:
            raise OperatorError(
                "The connection to the database broke during the comparison, so what is gone there cannot be told. "
                "What is missing or differs is in bronze.differences; reconcile again for the rest."
            )
        known = [number for number in self._names if number > 0]
        with connection.transaction():
            check_session(connection)
            connection.execute("SELECT bronze.compare_absent(%s, %s)", [self.number, known])

    def _take(self, line: bytes) -> None:
        try:
            message = read_message(line)
            if self._only and message.stream not in {self._only, ""}:
                return
            if message.type == "SCHEMA":
                self._schema(message, line)
            elif message.type == "RECORD":
                self._record(message, line)
        except RejectedError:
            self._rejected += 1

    def _schema(self, message: Message, line: bytes) -> None:
        stream, _tap = read_schema(message, self._annotations.get(message.stream, {}))
        self._compare()  # what came before keeps its own schema
        self._streams[stream.name] = stream
        for (account,) in self._session.run(
            lambda connection: connection.execute(
                "SELECT account FROM bronze.streams WHERE source = %s AND stream = %s",
                [self._source, stream.name],
            ).fetchall()
        ):
            self._stream_id(stream, account)
        self._keep(line)

    def _record(self, message: Message, line: bytes) -> None:
        self._read += 1
        stream = self._streams.get(message.stream)
        if stream is None:
            raise RejectedError("a RECORD came before the SCHEMA of its stream", "api")
        self._reader.read(stream, message, line, self._read, self._batch)

    def _stream_id(self, stream: Stream, account: str) -> int:
        """Return the catalog's id of a stream and account; below 0 where the catalog has none."""
        found = self._session.run(
            lambda connection: connection.execute(STREAM_ID, [self._source, stream.name, account]).fetchone()
        )
        number: int = found[0] if found else -1 - len(self._names)
        stream.enter(account, number, found and found[1])
        self._names[number] = (stream.name, account)
        return number

    def _compare(self) -> None:
        batch, self._batch = self._batch, Batch()
        batch.mark_superseded()
        for part in batch.parts:
            if part.incoming:
                for place in part.places(self._session.run(partial(self._compare_part, part))):
                    self._keep(part.origins[place][1])
        self._do(lambda connection: connection.execute(COUNT, [self._read, self._rejected, self.number]))

    def _compare_part(self, part: Part, connection: psycopg.Connection[Any]) -> list[int]:
        """Return the ord of the records in *part* that are not here as they are there."""
        left_out = [
            origin[2] for origin, row in zip(part.origins, part.rows, strict=True) if not self._is_wanted(row)
        ]
        with connection.transaction(), connection.cursor() as cursor:
            check_session(connection)
            send(cursor, part)
            cursor.execute(
                "SELECT bronze.compare(%s, %s, %s::bigint[])",
                [self.number, json.dumps(self._names), left_out],
            )
            found: Any = cursor.fetchone()
            return list(found[0])

    def _is_wanted(self, row: Row | None) -> bool:
        day = row and row[1]
        if day is None:
            return True
        first, last = self._days
        return (first is None or day >= first) and (last is None or day <= last)

    def _keep(self, line: bytes) -> None:
        if self._spool is not None:
            self._spool.write(line + b"\n")

    def _ask(self, query: str, *values: Any) -> Any:
        return self._session.run(lambda connection: connection.execute(query.encode(), values).fetchone())

    def _do(self, work: Callable[[psycopg.Connection[Any]], object]) -> None:
        self._session.run(work)
