"""Private copies of databases that a browser may have open at this moment.

SQLite itself must not open the live file: a reader waits for the browser's lock or fails on it, misses what is in
the write-ahead log, sees half-written pages beside a rollback journal, or leaves a ``-shm`` file in the profile. So
the bytes are copied, side files first; what moved meanwhile is copied again; SQLite then opens the copy for
writing, since only so it plays back the log or rolls back what was not committed, and its backup API makes of that
the whole database that is read. The same is done with a copy out of an archive.
"""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from tap_kit import TapError
from tap_kit.export import LockedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_kit.export import Member

ATTEMPTS = 6
PAUSE = 3.0
"""Seconds between attempts; Chromium commits every ten, and a copy takes a fraction of one."""

_MOST_DAMAGED = 2
"""Copies that fail the check before the file itself counts as damaged."""

_SIDE_FILES = ("-journal", "-wal")
_HEADER = 100
"""Bytes of a file's start that count as its state: SQLite's change counter and the log's salt lie in them."""

_MAGIC = b"SQLite format 3\x00"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_LONGEST_PATH = 1 << 16
_SUPER_JOURNAL_TAIL = 16
"""Bytes of a super-journal record after its name: length of the name, checksum, magic."""


class SnapshotError(TapError):
    """A profile's database cannot be read; the message names it, the reason and the remedy."""


@dataclass(frozen=True)
class Snapshot:
    """A finished copy: whole by SQLite's own hand, and nobody else writes it."""

    path: Path
    sha256: str
    """Of the main file as the browser had it."""

    size: int
    """The same in bytes."""

    def connect(self) -> sqlite3.Connection:
        """Open the copy; text comes as str, or as bytes where it is not UTF-8."""
        connection = sqlite3.connect(self.path)
        connection.text_factory = _text
        return connection


def take(live: Path, folder: Path, *, sleep: Callable[[float], None] = time.sleep) -> Snapshot:
    """Copy the database *live* into *folder*, which nobody else may look into.

    Args:
        live: The browser's file. It and its side files are read, nothing else.
        folder: Exists and is empty.
        sleep: Waits the given seconds; for tests.

    Raises:
        SnapshotError: The file is absent, closed, no database, damaged, or never holds still.
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
        _detach_super_journal(copy, lambda name: live.with_name(name).exists())
        whole = folder / "whole.sqlite"
        fault = _make_whole(copy, whole)
        if not fault:
            return Snapshot(whole, sha256, size)
        damaged += 1
        if damaged == _MOST_DAMAGED:
            raise _damaged(str(live), fault)
    raise SnapshotError(
        f"{live} changes all the time, so that no copy of it is whole ({ATTEMPTS} attempts). Run again when the "
        "browser is less busy, or close it."
    )


def take_member(member: Member, folder: Path) -> Snapshot:
    """Copy a database out of an export into *folder*, with its side files if they lie beside it.

    SQLite needs a file in which it can go to and fro, so this is the one kind of member that is unpacked: into the private folder.

    Args:
        member: The main file.
        folder: Exists and is empty.

    Raises:
        SnapshotError: It is no database, or damaged.
        MemberError: It, or a side file, cannot be read to its end, or a browser writes it.
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
            f"{member.path} changes while it is read. Close the browser, or name the profile in the setting 'profiles'."
        )
    folder_name = PurePosixPath(member.name).parent
    _detach_super_journal(copy, lambda name: str(folder_name / name) in beside)
    whole = folder / "whole.sqlite"
    if fault := _make_whole(copy, whole):
        raise _damaged(member.path, fault)
    return Snapshot(whole, sha256, size)


def _copy(live: Path, copy: Path) -> bool:
    """Copy the side files and the main file; tell whether all held still meanwhile."""
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
    """Note size, time of change and header of the main file and its side files."""
    states: list[tuple[int, int, bytes] | None] = []
    for suffix in ("", *_SIDE_FILES):
        try:
            with live.with_name(live.name + suffix).open("rb") as file:
                header = file.read(_HEADER)
            told = live.with_name(live.name + suffix).stat()
            states.append((told.st_size, told.st_mtime_ns, header))
        except FileNotFoundError:
            if not suffix:
                raise
            states.append(None)
    return states


def _described(name: str, copy: Path) -> tuple[str, int]:
    """Give SHA-256 and bytes of a copy as the browser had it; *name* is for messages.

    Raises:
        SnapshotError: It is no database.
    """
    size = copy.stat().st_size
    with copy.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        header = file.read(len(_MAGIC))
    if not size:
        raise SnapshotError(f"{name} is empty. If the browser is new, use it once; else name another file.")
    if header != _MAGIC:
        raise SnapshotError(
            f"{name} is no SQLite database, or encrypted. Name the file of a browser's history."
        )
    return digest, size


def _detach_super_journal(copy: Path, exists: Callable[[str], bool]) -> None:
    """Take the name of a super-journal out of the journal of *copy*, before SQLite sees it.

    A transaction over several databases ends each journal with the path of a super-journal, whose removal is the commit.
    SQLite opens, and in the end deletes, whatever file that path names, so the path of a copy must not reach it. As SQLite
    puts the super-journal beside the database, *exists* decides what SQLite would decide: if it is still there, the
    transaction was not committed and is rolled back; if not, it was, and the journal is ignored.

    Source: SQLite's pager.c (3.46), readSuperJournal, writeSuperJournal and pager_playback.

    Args:
        copy: The copied database; its journal is beside it.
        exists: Tells whether a file with the given name is beside the original.
    """
    journal = copy.with_name(copy.name + "-journal")
    if not journal.exists():
        return
    with journal.open("r+b") as file:
        while name := _super_journal(file):
            length, text = name
            file.truncate(file.seek(0, 2) - length)
            if text and not exists(text):
                file.truncate(0)


def _super_journal(file: IO[bytes]) -> tuple[int, str] | None:
    """Return the length and the last component of the super-journal that ends a journal; None if nothing ends it so."""
    size = file.seek(0, 2)
    if size < len(_JOURNAL_MAGIC):
        return None
    file.seek(-len(_JOURNAL_MAGIC), 2)
    if file.read() != _JOURNAL_MAGIC:
        return None
    if size < _SUPER_JOURNAL_TAIL:
        return len(_JOURNAL_MAGIC), ""
    file.seek(-_SUPER_JOURNAL_TAIL, 2)
    length = int.from_bytes(file.read(4))
    if length + _SUPER_JOURNAL_TAIL > size or length > _LONGEST_PATH:
        return len(_JOURNAL_MAGIC), ""
    file.seek(-_SUPER_JOURNAL_TAIL - length, 2)
    name = file.read(length).decode(errors="surrogateescape")
    return length + _SUPER_JOURNAL_TAIL, re.split(r"[/\\]", name)[-1].partition("\0")[0]


def _make_whole(copy: Path, whole: Path) -> str:
    """Let SQLite play back the log of a copy, or roll back, check it, and write the outcome; gives what is wrong with it."""
    whole.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(whole)) as goal:
            (found,) = source.execute("PRAGMA quick_check(1)").fetchone()
            source.backup(goal)
            goal.execute("PRAGMA journal_mode = DELETE")  # reading it makes no further files
    except sqlite3.DatabaseError as error:
        return str(error)
    for suffix in ("", *_SIDE_FILES, "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    return "" if found == "ok" else "it fails quick_check"


def _damaged(name: str, fault: str) -> SnapshotError:
    return SnapshotError(
        f"{name} is damaged, or of a version that this SQLite ({sqlite3.sqlite_version}) cannot read: {fault}. "
        "Restore or remove the file, or use a newer Python."
    )


def _why_unreadable(live: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{live} is not there (any more). Run again, or correct the setting 'profiles'."
    if error.errno in {errno.EPERM, errno.EACCES}:
        return (
            f"{live} may not be read. On macOS give the terminal (or what runs it) Full Disk Access in System Settings, "
            "Privacy & Security; elsewhere run as the owner of the profile."
        )
    return f"{live} cannot be copied: {error.strerror}. Check the disk and its free space."


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value
