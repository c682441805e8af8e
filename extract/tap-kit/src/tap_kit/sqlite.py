"""SQLite files that come from outside: the one place where this project opens them.

SQLite must never open the file itself. A live one is locked by its program, and a hostile one can make SQLite delete
other files: the last bytes of a rollback journal may name a "super-journal", which SQLite deletes after the roll-back.
Therefore the bytes are copied into a private folder, side files first, and again if they changed in between; the copied journal
gets an end that names nothing; SQLite opens only this copy, plays back what belongs to it, and its backup API writes the
database that is read.

Sources: SQLite's file format, and ``pager.c`` (``readSuperJournal`` reads the last 16 bytes of a journal and nothing else for
the name; ``pager_delsuper`` deletes). A write-ahead log contains no names.
"""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import sqlite3
import stat
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_kit.errors import TapError
from tap_kit.export_members import LockedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_kit.export_members import Member

ATTEMPTS = 6
PAUSE = 3.0
"""Seconds between attempts; Chromium commits every ten, and a copy takes a fraction of one."""

MAX_RECORD_BYTES = 24 << 20
"""Of a value, and of a record as JSON. Meltano's limit of a message is 50 MiB; on its way a record is in memory several times."""

_MAX_HEAP_BYTES = 80 << 20
"""Memory of SQLite itself, for all connections of the process."""

_MAX_STATEMENT_BYTES = 1 << 20
"""Of a statement of the schema, which limits column defaults."""

_STEP = 100_000
_FREE_STEPS, _STEPS_PER_BYTE = 10_000, 0.001
"""Instructions of SQLite's virtual machine: 10^9 (about 20 s) and 100 per byte of the file. Reading all tables takes about 30."""

_FREE_BYTES, _READ_PER_BYTE = 1 << 30, 200
"""Bytes of values that are read altogether: rows repeat values of the rows that they are joined with."""

_MOST_DAMAGED = 2
"""Copies that fail the check before the file itself counts as damaged."""

_SIDE_FILES = ("-journal", "-wal")
_HEADER = 100
"""Bytes of a file's start that count as its state: they contain SQLite's change counter and the log's salt."""

_MAGIC = b"SQLite format 3\x00"
_NO_SUPER_JOURNAL = bytes(8)
"""Takes the place of the magic number at a journal's end. Playback stops at it: no page has the number 0."""

_COLUMNS = re.compile(r"(?:\s++|--[^\n]*+\n|/\*[^*]*+\*++(?:[^/*][^*]*+\*++)*+/)*+\(")
"""What follows the name of a table: blanks and comments, and the list of columns. Nothing of it is tried twice."""

_ABOUT_VALUE = " value in "
"""What a line of quick_check says of a value (such as "NULL value in notes.text"), which is read as it is stored."""

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_PRAGMA})
_FUNCTIONS = frozenset({"count", "length", "min", "typeof"})


class SnapshotError(TapError):
    """A database cannot be read; the message names it, the reason and the remedy."""


class WorkError(sqlite3.DatabaseError):
    """Reading a database takes far more work than its size explains."""


@dataclass(slots=True)
class Budget:
    """The work that one database may cost, over all of its connections."""

    size: int
    steps: float = 0
    bytes: int = 0

    def step(self) -> bool:
        """Count instructions; return whether SQLite has to stop (a progress handler)."""
        self.steps += 1
        return self.is_spent

    @property
    def is_spent(self) -> bool:
        """Whether the database has cost more than its size explains."""
        return (
            self.steps > _FREE_STEPS + _STEPS_PER_BYTE * self.size
            or self.bytes > _FREE_BYTES + _READ_PER_BYTE * self.size
        )

    def spend(self, count: int) -> None:
        """Count bytes that were read.

        Raises:
            WorkError: They are too many.
        """
        self.bytes += count
        self.check()

    def check(self) -> None:
        """Raise an error if the budget is spent.

        Raises:
            WorkError: It is.
        """
        if self.is_spent:
            raise WorkError("it takes more work than a file of this size can need")


@dataclass(frozen=True)
class Snapshot:
    """A finished copy, consistent and in nobody else's hands."""

    path: Path
    sha256: str
    """Of the main file as its program wrote it."""

    size: int
    """The same in bytes."""

    budget: Budget = field(default_factory=lambda: Budget(0), compare=False)

    def connect(self) -> sqlite3.Connection:
        """Open the copy for reading tables; text comes as str, or as bytes if it is not UTF-8.

        Views, virtual tables' modules and everything that writes are denied.
        """
        connection = _open(self.path, self.budget)
        connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(_authorize)
        return connection


def take(live: Path, folder: Path, *, sleep: Callable[[float], None] = time.sleep) -> Snapshot:
    """Copy the database *live*, which its program may have open, into *folder*.

    Args:
        live: The program's file. It and its side files are read, nothing else.
        folder: Exists, is empty, and is closed to others.
        sleep: Waits the given seconds; for tests.

    Raises:
        SnapshotError: The file is absent, closed, not a database, damaged, or never stops changing.
    """
    copy = folder / "copy.sqlite"
    damaged = 0
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(PAUSE)
        try:
            still = _copy(live, copy)
        except OSError as error:
            raise SnapshotError(_why_unreadable(live, error)) from None
        if not still:
            continue
        sha256, size = _described(str(live), copy)
        snapshot, fault = _make_whole(copy, sha256, size)
        if not fault:
            return snapshot
        damaged += 1
        if damaged == _MOST_DAMAGED:
            raise _damaged(str(live), fault)
    raise SnapshotError(
        f"{live} changes all the time, so that no copy of it is consistent ({ATTEMPTS} attempts). Run again when the "
        "program that writes it is less busy, or close it."
    )


def take_member(member: Member, folder: Path) -> Snapshot:
    """Copy a database out of an export into *folder*, with its side files if they are beside it.

    SQLite needs a file with random access, so this is the one kind of member that is unpacked: into the private folder.

    Args:
        member: The main file.
        folder: Exists, is empty, and is closed to others.

    Raises:
        SnapshotError: It is not a database, or damaged.
        MemberError: It, or a side file, cannot be read to its end, or a program writes it.
    """
    copy = folder / "copy.sqlite"
    beside = {other.name: other for other in (member.export.members if member.export else ())}
    try:
        for suffix in ("", *_SIDE_FILES):
            source = member if not suffix else beside.get(member.name + suffix)
            if source is not None:
                with copy.with_name(copy.name + suffix).open("wb") as file:
                    file.writelines(source.chunks())
    except OSError as error:
        raise LockedError(
            f"{member.path} cannot be copied: {error.strerror}. Check the disk and its free space."
        ) from None
    sha256, size = _described(member.path, copy)
    if sha256 != member.digest:
        raise LockedError(
            f"{member.path} changes while it is read. Close the program that writes it, and run again."
        )
    snapshot, fault = _make_whole(copy, sha256, size)
    if fault:
        raise _damaged(member.path, fault)
    return snapshot


def _copy(live: Path, copy: Path) -> bool:
    """Copy the side files and the main file; return whether none of them changed in between."""
    live = live.resolve()  # the side files of a linked database are beside the file itself
    before = _state(live)
    for suffix in _SIDE_FILES:
        source, goal = live.with_name(live.name + suffix), copy.with_name(copy.name + suffix)
        goal.unlink(missing_ok=True)
        try:
            shutil.copyfile(source, goal)
        except FileNotFoundError:
            goal.unlink(missing_ok=True)
    shutil.copyfile(live, copy)
    return before == _state(live)


def _state(live: Path) -> list[tuple[int, int, bytes] | None]:
    """Return size, time of change and header of the main file and its side files.

    Raises:
        OSError: The main file is absent, or one of them is a link or a device, which might never end.
    """
    states: list[tuple[int, int, bytes] | None] = []
    for suffix in ("", *_SIDE_FILES):
        path = live.with_name(live.name + suffix)
        try:
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, f"{path.name} is not a regular file")
            with path.open("rb") as file:
                header = file.read(_HEADER)
            found = path.stat()
            states.append((found.st_size, found.st_mtime_ns, header))
        except FileNotFoundError:
            if not suffix:
                raise
            states.append(None)
    return states


def _described(name: str, copy: Path) -> tuple[str, int]:
    """Return SHA-256 and size of a copy as its program wrote it; *name* is for messages.

    Raises:
        SnapshotError: It is not a database.
    """
    size = copy.stat().st_size
    with copy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        header = file.read(len(_MAGIC))
    if not size:
        raise SnapshotError(f"{name} is empty. If the program is new, use it once; else name another file.")
    if header != _MAGIC:
        raise SnapshotError(f"{name} is not an SQLite database, or it is encrypted. Name another file.")
    return digest, size


def _make_whole(copy: Path, sha256: str, size: int) -> tuple[Snapshot, str]:
    """Have SQLite play back the log or journal of a copy, check it, and write the outcome beside it.

    Returns:
        The outcome, and what is wrong with it: empty if nothing is.
    """
    sides = [copy.with_name(copy.name + suffix) for suffix in (*_SIDE_FILES, "-shm")]
    _forget_super_journal(sides[0])
    most = size + sum(side.stat().st_size for side in sides if side.exists())
    whole = Snapshot(copy.with_name("whole.sqlite"), sha256, size, Budget(most))
    whole.path.unlink(missing_ok=True)
    try:
        with (
            closing(_open(copy, whole.budget)) as source,
            closing(sqlite3.connect(whole.path.absolute())) as goal,
        ):
            fault = _fault(source, most)
            if not fault:
                source.backup(goal)
                goal.execute("PRAGMA journal_mode = DELETE")  # reading it creates no further files
    except (sqlite3.Error, MemoryError, ValueError) as error:
        fault = (
            "it takes more work than a file of this size can need" if whole.budget.is_spent else str(error)
        )
        fault = fault or "it takes too much memory"
    for path in (copy, *sides):
        path.unlink(missing_ok=True)
    return whole, fault


def _forget_super_journal(journal: Path) -> None:
    """Append zeros to a copied journal, so that SQLite finds no name of another file at its end.

    A copy never belongs to a super-journal. The transaction is rolled back: if the original was committed in the instant of the
    copy, the next run reads it.
    """
    if journal.exists():
        with journal.open("ab") as file:
            file.write(_NO_SUPER_JOURNAL)


def _fault(source: sqlite3.Connection, most: int) -> str:
    """Check a copy; return what is wrong with it, empty if nothing is.

    Not checked are tables that compute columns, since checking computes them.
    """
    (pages,) = source.execute("PRAGMA page_count").fetchone()
    (page_size,) = source.execute("PRAGMA page_size").fetchone()
    if pages * page_size > most + page_size:  # it could claim millions of gigabytes
        return "it claims more pages than it has"
    for table in tables(source):
        columns = source.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
        if any(hidden for *_, hidden in columns):
            continue
        found = source.execute(f"PRAGMA quick_check({quoted(table)})").fetchall()
        if any(text != "ok" and _ABOUT_VALUE not in str(text) for (text,) in found):
            return "it fails quick_check"
    return ""


def _open(path: Path, budget: Budget) -> sqlite3.Connection:
    """Open a private copy, with limits for everything that its schema can ask for."""
    connection = sqlite3.connect(path.absolute(), isolation_level=None)
    connection.text_factory = _text
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_RECORD_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _MAX_STATEMENT_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_progress_handler(budget.step, _STEP)
    for setting in (
        f"hard_heap_limit = {_MAX_HEAP_BYTES}",
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "ignore_check_constraints = ON",
        "mmap_size = 0",
    ):
        connection.execute(f"PRAGMA {setting}").fetchall()
    return connection


def _authorize(action: int, first: str | None, second: str | None, _base: str | None, via: str | None) -> int:
    """Allow reading tables, and nothing on behalf of a view or trigger (*via*)."""
    is_allowed = action in _READING if action != sqlite3.SQLITE_FUNCTION else second in _FUNCTIONS
    if action == sqlite3.SQLITE_PRAGMA:
        is_allowed = first in {"table_xinfo", "encoding", "user_version"}
    return sqlite3.SQLITE_OK if is_allowed and via is None else sqlite3.SQLITE_DENY


def tables(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names of the tables of a database that are real ones: no view, and no virtual table.

    The names of the schema's rows can lie; what counts is the statement, which is why both must agree.
    """
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    return frozenset(name for name, sql in rows if _creates(name, sql))


def _creates(name: object, sql: object) -> bool:
    """Return whether *sql* is, as SQLite writes it, the statement that creates the table *name*."""
    if not isinstance(name, str) or not isinstance(sql, str):
        return False
    spellings = (name, quoted(name), f"[{name}]", quoted(name, "`"), quoted(name, "'"))
    start = "CREATE TABLE "
    return len(name) < len(sql) and any(
        sql.startswith(spelling, len(start)) and _COLUMNS.match(sql, len(start) + len(spelling))
        for spelling in (spellings if sql.startswith(start) else ())
    )


def quoted(name: str, mark: str = '"') -> str:
    """Return *name* as an identifier in SQL."""
    return mark + name.replace(mark, mark * 2) + mark


def _damaged(name: str, fault: str) -> SnapshotError:
    return SnapshotError(
        f"{name} is damaged, or of a version that this SQLite ({sqlite3.sqlite_version}) cannot read: {fault}. "
        "Restore or remove the file, or use a newer Python."
    )


def _why_unreadable(live: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{live} is not there (any more). Run again, or correct the settings."
    if error.errno in {errno.EPERM, errno.EACCES}:
        return (
            f"{live} may not be read. On macOS give the terminal (or what runs it) Full Disk Access in System Settings, "
            "Privacy & Security; elsewhere run as the owner of the file."
        )
    return f"{live} cannot be copied: {error.strerror}. Check the disk and its free space."


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value
