"""One run of the loader: from settings and messages to an exit code."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import psycopg

from target_postgres_bronze import database, project, refusals
from target_postgres_bronze.archive import SUFFIX, Archive, FileArchive, NoArchive
from target_postgres_bronze.database import DatabaseError
from target_postgres_bronze.embedded import EmbeddedServerError
from target_postgres_bronze.errors import LoaderError, RejectedError
from target_postgres_bronze.hooks import read_hooks
from target_postgres_bronze.landing import Lander
from target_postgres_bronze.layout import read_layout
from target_postgres_bronze.loader import Loader
from target_postgres_bronze.messages import Message, read_message
from target_postgres_bronze.messages_in import Interrupt, read_chunks
from target_postgres_bronze.project import ProjectError
from target_postgres_bronze.run import Run
from target_postgres_bronze.session import Session
from target_postgres_bronze.settings import Settings, read_settings
from target_postgres_bronze.streams import read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

log = logging.getLogger(__name__)

PACKAGE: Final = "target-postgres-bronze"
DEFAULT_ENVIRONMENT: Final = "development"
FAILURE: Final = 1
#: Seconds for which a thread may keep the others from Python.
_SWITCH_INTERVAL: Final = 0.0005
#: Errors that end a run with a sentence; others are faults of the loader.
_TOLD: Final = (LoaderError, DatabaseError, EmbeddedServerError, ProjectError, BrokenPipeError, psycopg.Error)
_SOURCE: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: Bytes that a tap may say before its first SCHEMA message.
_LARGEST_BEGINNING: Final = 16 * 1024 * 1024
_SECRET: Final = re.compile(r"pass|secret|token|key|credential|auth(?!or)|cookie|session", re.IGNORECASE)


def run_loader(
    config: Mapping[str, Any],
    source: IO[Any],
    out: IO[bytes],
    env: Mapping[str, str],
    *,
    expects_completion: bool = True,
) -> int:
    """Land what *source* gives and confirm state on *out*.

    Args:
        config: Settings, those of target-postgres included.
        source: Singer messages.
        out: Where STATE values go, a line each, once their records are committed.
        env: Environment variables, ``.env`` included.
        expects_completion: The run fails if the tap announced to report its completion and did not.

    Returns:
        Exit code: 0; 1 for a failure, named on stderr; 130 or 143 when a signal ended the run.
    """
    # a thread that waits for the database or the disk goes on at once when it is there; 5 ms of waiting for the reader
    # (Python's default), some ten times for each batch, cost a first load a tenth of its time
    sys.setswitchinterval(_SWITCH_INTERVAL)
    with Interrupt() as interrupt:
        try:
            return _land_all(config, source, out, env, interrupt, expects_completion=expects_completion)
        except _TOLD as error:
            log.error("%s", _sentence(error))  # noqa: TRY400 - a sentence for the user, no traceback
            return 128 + interrupt.number if interrupt.number else FAILURE


def _sentence(error: BaseException) -> str:
    """Return what went wrong, for a person; PostgreSQL's own words could quote a row."""
    if isinstance(error, psycopg.Error):
        return refusals.sentence(error)
    if isinstance(error, BrokenPipeError):
        return "The program that reads the loader's states no longer takes them. What was confirmed is safe; run again."
    return str(error) if isinstance(error, _TOLD) else type(error).__name__


def _land_all(  # noqa: PLR0913 - what a run is made of
    config: Mapping[str, Any],
    source: IO[Any],
    out: IO[bytes],
    env: Mapping[str, str],
    interrupt: Interrupt,
    *,
    expects_completion: bool,
) -> int:
    settings = read_settings(config)
    session = Session(partial(database.resolve, config, env), read_layout(project.sql_dir()))
    session.is_stopped = lambda: bool(interrupt.number)
    # while the tap starts: a wrong setting is told at once, and an embedded server is up when the first record comes
    session.run(lambda _connection: None)
    try:
        chunks = read_chunks(source, interrupt)
        return _land_chunks(
            session, settings, chunks, out, env, interrupt, expects_completion=expects_completion
        )
    finally:
        session.close()


def _land_chunks(  # noqa: PLR0913, PLR0917 - what a run is made of
    session: Session,
    settings: Settings,
    chunks: Iterator[bytes],
    out: IO[bytes],
    env: Mapping[str, str],
    interrupt: Interrupt,
    *,
    expects_completion: bool,
) -> int:
    first = _read_beginning(chunks)
    tap = _find_tap(first, settings)
    if not first and not (settings.source or env.get("MELTANO_EXTRACTOR_NAME")):
        return 128 + interrupt.number if interrupt.number else 0
    run = _describe_run(settings, env, tap, session.now())
    work = _Work(session, settings, run, out)
    try:
        work.loader.feed(first)
        for chunk in chunks:
            if chunk:
                work.loader.feed(chunk)
            if work.loader.seconds_waiting() > settings.batch_wait_limit_seconds:
                work.loader.flush()
        work.loader.end(complete=not interrupt.number)
        work.archive.close()
        failure = _extractor_failure(first, tap, work.loader) if expects_completion else None
        return work.finish(interrupt, failure)
    except BaseException as error:
        work.give_up(error)
        raise


class _Work:
    """The parts of one run, put together."""

    def __init__(self, session: Session, settings: Settings, run: Run, out: IO[bytes]) -> None:
        self.settings = settings
        self.run = run
        self.started = time.monotonic()
        sql = project.sql_dir()
        base = _base_folder()
        before = read_hooks(sql / "hooks" / "before_run", settings.before_run_sql, base)
        after = read_hooks(sql / "hooks" / "after_run", settings.after_run_sql, base)
        self.archive: Archive = NoArchive()
        if run.archive_path:
            folder = settings.archive_dir or project.archive_dir(base)
            self.archive = FileArchive(folder / run.archive_path)
        self.lander = Lander(session, run, before, after)
        self.loader = Loader(
            self.lander,
            session.now(),
            self.archive,
            partial(_confirm, out),
            settings.stream_annotations,
            settings.batch_size_rows,
        )

    def finish(self, interrupt: Interrupt, extractor_failure: str | None) -> int:
        """Close the books, say what landed, and return the exit code."""
        # indexes of many rows take minutes, and can be left to the next run
        interrupt.on_signal = self.lander.leave_indexes
        books = self.lander.books()
        self._say(books)
        left = "it goes on from there"
        if not interrupt.number:
            self.lander.build_indexes()
            left = "the indexes that are missing are built; bronze maintain does that as well"
        if interrupt.number:
            self.lander.end("interrupted", f"stopped by signal {interrupt.number}")
            log.warning("Stopped by a signal: what is counted above is safe. Run again, and %s.", left)
            return 128 + interrupt.number
        reason = _judge_books(books, self.settings) or extractor_failure
        self.lander.end("failed" if reason else "succeeded", reason)
        if reason:
            log.error("%s", reason)
        return FAILURE if reason else 0

    def give_up(self, error: BaseException) -> None:
        """Close the books of a run that cannot go on, where the database still lets us."""
        with suppress(Exception):
            self.archive.close()
        with suppress(Exception):
            self.lander.abandon(_sentence(error))

    def _say(self, books: dict[str, dict[str, int]]) -> None:
        for stream, book in books.items():
            seconds = time.monotonic() - self.loader.started.get(stream, self.started)
            log.info("%s", summary_line(self.run.source, stream, book, seconds))


def summary_line(source: str, stream: str, book: Mapping[str, int], seconds: float) -> str:
    """Return a stream's line at the end of a run."""
    figures = [
        f"{book[f'{name}_count']:,} {name}" for name in ("read", "new", "changed", "known", "rejected")
    ]
    figures += [f"{book[f'{name}_count']:,} {name}" for name in ("gone", "invalid") if book[f"{name}_count"]]
    return f"{source}.{stream or '(no stream)'}: {', '.join(figures)}, {seconds:.1f} s"


def _judge_books(books: dict[str, dict[str, int]], settings: Settings) -> str | None:
    """Return why the run failed by its books, or None."""
    read, new, changed, known, rejected, invalid = (
        sum(book[f"{name}_count"] for book in books.values())
        for name in ("read", "new", "changed", "known", "rejected", "invalid")
    )
    if read != new + changed + known + rejected:
        return (
            f"The books do not balance: {read:,} read, but {new:,} new + {changed:,} changed + {known:,} known + {rejected:,} rejected. "
            "This is a fault of the loader; the raw archive has everything that came."
        )
    for count, share, name in (
        (rejected, settings.max_rejected_share, "rejected"),
        (invalid, settings.max_invalid_share, "invalid"),
    ):
        if count > 1 and count > share * read:
            return (
                f"{count:,} of {read:,} records are {name}, more than the share of {share:g} that max_{name}_share allows. Everything has "
                f"landed; look at {'bronze.dead_letters' if name == 'rejected' else 'error_message of the rows'}."
            )
    return None


def _extractor_failure(first: bytes, tap: _Tap, loader: Loader) -> str | None:
    """Return why the extractor counts as failed, or None; of a tap that reports no completion only silence is a sign."""
    if not first:
        return "The extractor sent no message, so it has probably failed. Its own log says why."
    if tap.reports_completion and not loader.tap_completed:
        return (
            "The extractor ended before it had sent everything. What it sent is safe; its own log says why. Run again when that "
            "is solved."
        )
    return None


@dataclass(frozen=True)
class _Tap:
    """What the tap says of itself (``x-tap``)."""

    name: str
    version: str
    settings: dict[str, Any]
    reports_completion: bool


def _read_beginning(chunks: Iterator[bytes]) -> bytes:
    """Read until the first SCHEMA message has come as a whole, or a RECORD, or more than a tap should say before."""
    beginning = b""
    for chunk in chunks:
        beginning += chunk
        if chunk and (_first_message(beginning.rpartition(b"\n")[0]) or len(beginning) > _LARGEST_BEGINNING):
            break
    return beginning


def _first_message(beginning: bytes) -> Message | None:
    """Return the first message in *beginning* that is a SCHEMA or a RECORD."""
    for line in beginning.split(b"\n"):
        with suppress(RejectedError):
            message = read_message(line)
            if message.type in ("SCHEMA", "RECORD"):
                return message
    return None


def _find_tap(beginning: bytes, settings: Settings) -> _Tap:
    """Look for ``x-tap`` in the first SCHEMA message."""
    message = _first_message(beginning)
    said: dict[str, Any] = {}
    if message is not None and message.type == "SCHEMA":
        with suppress(RejectedError):
            _stream, said = read_schema(message, settings.stream_annotations.get(message.stream, {}))
    declared = said.get("settings")
    return _Tap(
        str(said.get("name") or ""),
        str(said.get("version") or ""),
        declared if isinstance(declared, dict) else {},
        said.get("reports_completion") is True,
    )


def _without_secrets(value: Any) -> Any:
    """Return settings without those that are named like secrets, at every depth."""
    if isinstance(value, dict):
        return {name: _without_secrets(member) for name, member in value.items() if not _SECRET.search(name)}
    return [_without_secrets(element) for element in value] if isinstance(value, list) else value


def _describe_run(settings: Settings, env: Mapping[str, str], tap: _Tap, now: datetime) -> Run:
    extractor = env.get("MELTANO_EXTRACTOR_NAME") or tap.name
    source = settings.source or re.sub(r"[^a-z0-9]", "_", extractor.lower().removeprefix("tap-"))
    if not _SOURCE.fullmatch(source):
        raise LoaderError(
            "The source has no usable name: set the loader's setting source to lower-case letters, digits and _, beginning with a letter, "
            "40 at most. Under Meltano it is the extractor's name."
        )
    run_id = f"{source}-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    tap_name = tap.name or extractor or f"tap-{source.replace('_', '-')}"
    return Run(
        run_id=run_id,
        source=source,
        environment=settings.environment or env.get("MELTANO_ENVIRONMENT") or DEFAULT_ENVIRONMENT,
        pipeline_version=f"{tap_name} {tap.version}".strip() + f", {PACKAGE} {version(PACKAGE)}",
        parameters=_without_secrets(tap.settings),
        archive_path=f"{source}/{run_id}{SUFFIX}" if settings.archive else None,
        tap=tap_name,
    )


def _base_folder() -> Path:
    """Return the project's folder, or outside a project the present one."""
    try:
        return project.find_root()
    except ProjectError:
        return Path.cwd()


def _confirm(out: IO[bytes], state: bytes) -> None:
    out.write(state + b"\n")
    out.flush()
