"""Journals that name a super-journal: SQLite deletes that file when it has played the journal back."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from browsers import Chromium

from tap_kit import sqlite as snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Runner

MAGIC = bytes.fromhex("d9d505f920a163d7")


def super_journal(path: str) -> bytes:
    """Make the end of a journal that names *path* (SQLite's writeSuperJournal)."""
    name = path.encode()
    page = (1 << 30) // 4096 + 1
    checksum = sum(name)
    return page.to_bytes(4) + name + len(name).to_bytes(4) + checksum.to_bytes(4) + MAGIC


def leave_hot_journal(database: Path, ending: bytes) -> None:
    """Leave *database* in the middle of a transaction that wipes every visit, its journal ended by *ending*."""
    work = database.with_name("work")
    shutil.copy(database, work)
    with closing(sqlite3.connect(work, isolation_level=None)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; PRAGMA synchronous = FULL"
        )
        connection.execute("BEGIN")
        connection.execute(
            "CREATE TABLE filler AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 4000) "
            "SELECT i, randomblob(500) AS b FROM n"
        )
        connection.execute("DELETE FROM visits")
        connection.execute("UPDATE filler SET b = randomblob(500)")
        shutil.copy(work, database)
        journal = work.with_name("work-journal").read_bytes()
        connection.execute("ROLLBACK")
    work.unlink()
    database.with_name(database.name + "-journal").write_bytes(journal + ending)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that is not the tap's."""
    file = tmp_path / "diary.txt"
    file.write_text("mine")
    return file


def profile(folder: Path) -> Path:
    """Make a profile with a visit, and return its database."""
    database = folder / "Default" / "History"
    database.parent.mkdir(parents=True)
    browser = Chromium(database)
    browser.visit(browser.url())
    return database


def as_folder(database: Path) -> Path:
    return database.parent


def as_zip(database: Path) -> Path:
    archive = database.parent.parent / "Default.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for member in database.parent.iterdir():
            file.write(member, f"Default/{member.name}")
    return archive


def as_tar(database: Path) -> Path:
    archive = database.parent.parent / "Default.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(database.parent, "Default")
    return archive


def as_file(database: Path) -> Path:
    return database


def test_sqlite_itself_deletes_the_file_that_a_journal_names(tmp_path: Path, canary: Path) -> None:
    """Without this the tests below would prove nothing."""
    database = profile(tmp_path / "profile")
    leave_hot_journal(database, super_journal(str(canary)))
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("SELECT count(*) FROM visits").fetchall()
    assert not canary.exists()


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar, as_file])
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_a_copied_profile_deletes_no_file(
    tmp_path: Path, run: Runner, canary: Path, pack: Callable[[Path], Path], *, twice: bool
) -> None:
    database = profile(tmp_path / "profile")
    leave_hot_journal(database, super_journal(str(canary)) * (1 + twice))
    run(path=str(pack(database)))
    assert canary.read_text() == "mine"


def test_a_profile_in_use_deletes_no_file(tmp_path: Path, run: Runner, canary: Path) -> None:
    database = profile(tmp_path / "profile")
    leave_hot_journal(database, super_journal(str(canary)))
    run(database.parent)
    assert canary.read_text() == "mine"


@pytest.mark.parametrize(
    "ending",
    [
        MAGIC,
        (1 << 31).to_bytes(4) + bytes(4) + MAGIC,
        (3).to_bytes(4) + bytes(4) + MAGIC,
        bytes(8) + MAGIC,
    ],
    ids=["magic alone", "huge length", "length without a name", "empty name"],
)
def test_a_damaged_ending_of_a_journal_does_no_harm(tmp_path: Path, run: Runner, ending: bytes) -> None:
    database = profile(tmp_path / "profile")
    leave_hot_journal(database, ending)
    run(path=str(database.parent))
    assert not database.with_name("History-journal").read_bytes().startswith(b"\0")


@pytest.mark.parametrize(("is_there", "visits"), [(True, 1), (False, 0)], ids=["not committed", "committed"])
def test_a_transaction_over_two_databases_counts_when_its_super_journal_is_gone(
    tmp_path: Path, *, is_there: bool, visits: int
) -> None:
    database = profile(tmp_path / "profile")
    named = database.with_name("History-mj1234ABCD")
    leave_hot_journal(database, super_journal(f"/somewhere/else/{named.name}"))
    if is_there:
        named.write_bytes(b"")
    folder = tmp_path / "scratch"
    folder.mkdir()
    with closing(snapshot.take(database, folder).connect()) as connection:
        assert connection.execute("SELECT count(*) FROM visits").fetchone() == (visits,)
