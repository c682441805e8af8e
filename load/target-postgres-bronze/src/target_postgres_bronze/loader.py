"""The way from Singer messages to committed rows and confirmed state.

Order of things: bytes to the raw archive, lines to a batch, the batch to the database, and only then the STATE to stdout.
"""

from __future__ import annotations

import json
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from target_postgres_bronze import long_lines
from target_postgres_bronze.archive import NoArchive
from target_postgres_bronze.batch import Batch
from target_postgres_bronze.errors import LoaderError, RejectedError
from target_postgres_bronze.long_lines import LongLine
from target_postgres_bronze.messages import Message, read_message
from target_postgres_bronze.payload import nearest
from target_postgres_bronze.records import RecordReader
from target_postgres_bronze.streams import FULL, WINDOW, Stream, read_schema
from target_postgres_bronze.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from target_postgres_bronze.archive import Archive
    from target_postgres_bronze.landing import Lander

log = logging.getLogger(__name__)
#: Below this share of news, rows are made only for the news.
_MOSTLY_KNOWN: Final = 0.5
_UNKNOWN: Final = 1.0
#: Rejected lines that are named on stderr one by one.
_NAMED: Final = 10
#: What a fault of the loader itself can raise on one record; the record is kept, and the rest goes on.
_FAULTS: Final = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    AssertionError,
)
#: Rows of the first batch at most; each one after it may have twice as many, so that the database has work at once.
_FIRST_BATCH: Final = 2_000
_CUT: Final = "the tap broke off in the middle of this message"
#: A batch is landed at this size even if it has fewer rows: what waits for a commit lies in memory.
_LARGEST_BATCH: Final = 8 * 1024 * 1024


class Loader:
    """Takes what a tap writes, chunk by chunk."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a run meet here
        self,
        lander: Lander,
        now: datetime,
        archive: Archive,
        confirm: Callable[[bytes], None],
        annotations: Mapping[str, Mapping[str, Any]],
        batch_rows: int,
    ) -> None:
        """Make a loader for one run.

        Args:
            lander: Where batches go.
            now: Time of the run (UTC).
            archive: Keeps the bytes.
            confirm: Writes a STATE value that is safe.
            annotations: Further annotations by stream, from the settings.
            batch_rows: Messages per batch.
        """
        self._lander = lander
        self._reader = RecordReader(self.stream_id, now)
        self._archive = archive
        self._confirm = confirm
        self._annotations = annotations
        self._batch_rows = batch_rows
        self._rows_now = min(batch_rows, _FIRST_BATCH)
        self._streams: dict[str, Stream] = {}
        self._rest: list[bytes] = []
        self._position = 0
        self._batch = Batch()
        self._landing = Batch()
        self._worker: Worker[None] = Worker()
        self._archiver: Worker[None] = Worker()
        # nothing is committed that is not in the archive
        lander.before_commit = self._archiver.wait
        self._share_of_news = _UNKNOWN
        self._unsaved: list[bytes] = []
        self._warnings = 0
        self._rest_size = 0
        #: The line that is being read, if it is too long to be kept.
        self._long: LongLine | None = None
        self._logged: set[tuple[str, str]] = set()
        self._waiting_since: float | None = None
        #: When each stream began, in seconds of the monotonic clock.
        self.started: dict[str, float] = {}
        #: Whether the tap has reported that it sent everything (a STATE message with ``"completed": true``).
        self.tap_completed = False

    def feed(self, chunk: bytes) -> None:
        """Take bytes as the tap wrote them; lands a batch whenever one is full."""
        self._unsaved.append(chunk)
        if self._long is not None:
            head, end, chunk = chunk.partition(b"\n")
            self._long.add(head)
            if not end:
                self._archive_now()
                return
            self._reject_long(self._long)
        head, end, tail = chunk.rpartition(b"\n")
        if not end:
            self._wait_for_end(chunk)
            return
        lines = b"".join([*self._rest, head]).split(b"\n")
        self._rest, self._rest_size = [tail], len(tail)
        for line in lines:
            self._take(line)
            if self._batch.rows >= self._rows_now or self._batch.size >= _LARGEST_BATCH:
                if self._rows_now <= _FIRST_BATCH and self._batch.makes_rows:
                    self._lander.expect_more()
                self._land()
        if self._waiting_since is None and not self._batch.is_empty:
            self._waiting_since = time.monotonic()

    def _wait_for_end(self, piece: bytes) -> None:
        """Keep a piece of a line until its end comes; of a line that is too long, only measures."""
        self._rest.append(piece)
        self._rest_size += len(piece)
        if self._rest_size > long_lines.LARGEST_LINE:
            self._long = LongLine()
            for each in self._rest:
                self._long.add(each)
            self._rest, self._rest_size = [], 0
            self._archive_now()

    def _archive_now(self) -> None:
        """Write to the archive what came, without waiting for a batch: a line that is too long must not wait in memory."""
        self._worker.wait()
        self._archiver.wait()
        for chunk in self._unsaved:
            self._archive.write(chunk)
        self._unsaved = []

    def _reject_long(self, line: LongLine) -> None:
        self._long = None
        self._position += 1
        kept = (
            "the raw archive is switched off, so that nothing keeps it"
            if isinstance(self._archive, NoArchive)
            else f"the raw archive of the run keeps it as line {self._position}"
        )
        reason = f"the line has {line.size:,} bytes, more than PostgreSQL can store; {kept}"
        self._reject(line.reference(), RejectedError(reason, "system", line.stream))

    def seconds_waiting(self) -> float:
        """Return for how long something has been waiting for its commit."""
        return 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since

    def flush(self) -> None:
        """Land what has come, confirm its state, and return when that is done."""
        self._land()
        self._worker.wait()

    def _land(self) -> None:
        """Hand the batch over to be landed, as soon as the one before it is."""
        self._waiting_since = None
        if self._batch.is_empty:
            return
        self._batch.mark_superseded()
        if self._worker.is_busy:
            self._lander.begin(self._batch)
        self._worker.start(partial(self._commit, self._batch, self._unsaved))
        self._landing = self._batch
        self._unsaved = []
        self._rows_now = min(self._batch_rows, 2 * self._rows_now)
        self._batch = Batch(makes_rows=self._share_of_news > _MOSTLY_KNOWN)

    def _commit(self, batch: Batch, chunks: list[bytes]) -> None:
        """Archive what came, land *batch* and confirm its state; runs beside the reading, and the archiving beside it."""
        self._archiver.start(partial(self._keep, chunks))
        share = self._lander.land(batch, self._reader.make_row)
        self._archiver.wait()
        if batch.rows:
            self._share_of_news = share
        if batch.state is not None:
            self._confirm(batch.state)

    def _keep(self, chunks: list[bytes]) -> None:
        """Put *chunks* into the archive, on disk."""
        for chunk in chunks:
            self._archive.write(chunk)
        self._archive.sync()

    def stream_id(self, stream: Stream, account: str) -> int:
        """Return the catalog's id of a stream and account; the connection is the landing's until that is done."""
        self._worker.wait()
        found = self._lander.stream_id(stream, account)
        if self._lander.has_records and not self._batch.rows and self._share_of_news is _UNKNOWN:
            # a stream that was here before brings mostly what is known
            self._share_of_news, self._batch.makes_rows = 0.0, False
        return found

    def end(self, *, complete: bool) -> None:
        """Land the rest.

        Args:
            complete: The tap closed its output by itself; a line without an end, and records that were not seen, mean something.
        """
        rest = b"".join(self._rest)
        if complete and self._long is not None:
            self._reject_long(self._long)
        if complete and rest.strip():
            self._take(rest, is_cut=True)
        self._rest = []
        if complete and self._worker.is_busy:
            self._lander.begin_indexes([self._landing, self._batch])
        self.flush()
        self._landing = Batch()  # its memory is not needed for what follows
        for chunk in self._unsaved:
            self._archive.write(chunk)
        self._lander.land_repeated()
        if complete:
            for stream in self._streams.values():
                if stream.absence == FULL and stream.finished and stream.ids:
                    self._record_gone(stream)

    def _take(self, line: bytes, *, is_cut: bool = False) -> None:
        if len(line) > long_lines.LARGEST_LINE:
            measured = LongLine()
            measured.add(line)
            self._reject_long(measured)
            return
        self._position += 1
        stream = ""
        try:
            message = read_message(line)
            stream = message.stream
            if message.type == "RECORD":
                described = self._streams.get(stream) or _refuse_unknown()
                self._reader.read(described, message, line, self._position, self._batch)
                described.finished = False
            else:
                _expect_json(line, strictly=message.type != "SCHEMA")
                self._handle(message)
        except RejectedError as error:
            if not line.strip():
                return
            refusal = RejectedError(_CUT, "api") if is_cut else error
            refusal.stream = refusal.stream or stream
            self._reject(line, refusal)
        except _FAULTS as error:
            self._reject(
                line, RejectedError(f"the loader fails on it ({type(error).__name__})", "system", stream)
            )

    def _reject(self, line: bytes, refusal: RejectedError) -> None:
        refusal.stream = nearest(refusal.stream)  # a name that PostgreSQL cannot hold
        self._batch.reject(line, self._position, refusal)
        self._lander.doubtful.add(refusal.stream)
        self._warnings += 1
        if self._warnings <= _NAMED:
            log.warning(
                "%s: line %d: %s. Kept in bronze.dead_letters.",
                refusal.stream or "?",
                self._position,
                refusal.reason,
            )
        elif self._warnings == _NAMED + 1:
            log.warning("More lines are rejected and kept in bronze.dead_letters; they are not named here.")

    def _state(self, message: Message) -> None:
        value = _state_value(bytes(message.value))
        completed = bytes(message.completed) == b"true"
        self.tap_completed |= completed
        if not (completed and value == b"{}"):  # a tap without a state has none to keep
            self._batch.state = value

    def _handle(self, message: Message) -> None:
        if message.type == "STATE":
            self._state(message)
        elif message.type == "SCHEMA":
            self._schema(message)
        elif message.type == "ACTIVATE_VERSION":
            self._activate_version(message)
        elif message.type == "BATCH":
            raise LoaderError(
                f"{message.stream}: the tap sends BATCH messages (files), which this loader does not read. Switch them off in "
                "the tap's settings (batch_config)."
            )
        else:
            raise RejectedError("the type of the message is none that Singer knows", "api")

    def _schema(self, message: Message) -> None:
        stream, _tap = read_schema(message, self._annotations.get(message.stream, {}))
        former = self._streams.get(stream.name)
        if former and former.absence != stream.absence:
            # what came before, as of an older export, does not count as seen
            self.flush()
        # of a window it counts which accounts come after its beginning
        if (
            former
            and stream.absence != WINDOW
            and (former.schema_hash, former.absence) == (stream.schema_hash, stream.absence)
        ):
            stream.ids, stream.renamed = former.ids, former.renamed
        self._streams[stream.name] = stream
        self.started.setdefault(stream.name, time.monotonic())
        for defect in stream.defects:
            if (stream.name, defect) not in self._logged:
                self._logged.add((stream.name, defect))
                log.warning("%s: %s. It is ignored; the records land with a warning.", stream.name, defect)
        if stream.checker.defect:
            log.warning(
                "%s: %s. Its records land unchecked, with a warning.", stream.name, stream.checker.defect
            )

    def _activate_version(self, message: Message) -> None:
        stream = self._streams.get(message.stream)
        if stream is None:
            raise RejectedError("an ACTIVATE_VERSION came before the SCHEMA of its stream", "api")
        stream.finished = True
        if stream.absence == WINDOW and stream.window is not None:
            self.flush()
            self._record_gone(stream)
            stream.window = None

    def _record_gone(self, stream: Stream) -> None:
        if not self._lander.saw_everything:
            log.warning(
                "%s: the connection broke during this run, so what is gone at the source cannot be told. The next run will tell.",
                stream.name,
            )
            return
        if self._lander.doubtful & {stream.name, ""}:
            log.warning(
                "%s: records were rejected, so what is gone at the source cannot be told. See bronze.dead_letters.",
                stream.name,
            )
            return
        self._lander.record_gone(stream, stream.window)


def _refuse_unknown() -> NoReturn:
    raise RejectedError("a RECORD came before the SCHEMA of its stream", "api")


def _expect_json(line: bytes, *, strictly: bool) -> None:
    """Reject what the quick reader accepts and others do not: it skips members that it does not know unread.

    Args:
        line: The message.
        strictly: Bytes that are not UTF-8, and control characters in texts, count as well. They do not in a SCHEMA: they would cost
            all records of its stream.
    """
    try:
        if strictly:
            json.loads(line)
        else:
            json.loads(line.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        raise RejectedError("the message is no JSON", "api") from None


def _state_value(value: bytes) -> bytes:
    """Return the value of a STATE message, which Meltano has to be able to read again."""
    if not value:
        raise RejectedError("a STATE message needs a value", "api")
    # between JSON's tokens it means nothing, but some readers take it for the end of a line
    return value.replace(b"\r", b" ")
