"""Databases that a browser has open: all that is committed, nothing that is not, and nothing touched."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from browsers import JUNE, Chromium, Firefox

from tap_kit import sqlite
from tap_kit.scratch import Scratch, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Runner

BROWSER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
print("ready", flush=True)
sys.stdin.read()
"""
BUSY_BROWSER = """
import random, sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript("PRAGMA journal_mode = %s; PRAGMA cache_size = 5; PRAGMA synchronous = OFF" % sys.argv[2])
connection.executescript("CREATE TABLE rows (text); CREATE TABLE total (n); INSERT INTO total VALUES (0)")
print("ready", flush=True)
end = time.monotonic() + 1.5
while time.monotonic() < end:
    count = random.randint(1, 100)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO rows VALUES (?)", (("x" * random.randint(1, 3000),) for _ in range(count)))
    connection.execute("UPDATE total SET n = n + ?", (count,))
    connection.execute("ROLLBACK" if random.random() < 0.2 else "COMMIT")
    time.sleep(random.random() * 0.05)
"""
VISITS = (
    "INSERT INTO {table} ({place}, {time}) WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT {n}) "
    f"SELECT 1, {JUNE} + i FROM n"
)
MANY_VISITS = VISITS.format(table="visits", place="url", time="visit_time", n=5000)
FIREFOX_VISITS = VISITS.format(table="moz_historyvisits", place="place_id", time="visit_date", n=5)


@pytest.fixture
def browse() -> Iterator[Callable[..., None]]:
    """Start a process that executes statements on a database and keeps it open until the test ends."""
    running: list[subprocess.Popen[bytes]] = []

    def start(path: Path, *statements: str) -> None:
        command = [sys.executable, "-c", BROWSER, str(path), *statements]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

    yield start
    for process in running:
        process.communicate(timeout=20)


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Content and time of change of every file."""
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


@pytest.mark.parametrize("locking", ["NORMAL", "EXCLUSIVE"])
def test_what_is_only_in_the_write_ahead_log_comes(
    run: Runner, tmp_path: Path, browse: Callable[..., None], locking: str
) -> None:
    firefox = Firefox(tmp_path / "profile" / "places.sqlite")
    firefox.place()
    browse(
        firefox.path,
        f"PRAGMA locking_mode = {locking}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA wal_autocheckpoint = 0",
        FIREFOX_VISITS,
        "BEGIN",
        FIREFOX_VISITS,
    )
    before = state_of(firefox.path.parent)

    outcome = run(firefox.path)

    assert before["places.sqlite-wal"]
    assert len(outcome.records("firefox_visits")) == 5
    assert outcome.gaps == []
    assert state_of(firefox.path.parent) == before


def test_what_is_half_written_beside_a_rollback_journal_does_not_come(
    run: Runner, tmp_path: Path, browse: Callable[..., None]
) -> None:
    chrome = Chromium(tmp_path / "profile" / "History")
    chrome.url()
    browse(
        chrome.path,
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA cache_size = 5",
        MANY_VISITS,
        "BEGIN",
        "UPDATE visits SET visit_duration = 99",
    )
    before = state_of(chrome.path.parent)
    with closing(sqlite3.connect(f"file:{chrome.path}?immutable=1", uri=True)) as unsafe:
        assert unsafe.execute("SELECT count(*) FROM visits WHERE visit_duration = 99").fetchone() > (1000,)

    outcome = run(chrome.path)

    assert before["History-journal"]
    durations = [record["visit"]["visit_duration"] for record in outcome.records("chromium_visits")]
    assert durations == [0] * 5000
    assert state_of(chrome.path.parent) == before


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_copies_of_a_database_that_is_written_hold_whole_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(sqlite, "PAUSE", 0.01)
    live = tmp_path / "History"
    counts: list[int] = []
    command = [sys.executable, "-c", BUSY_BROWSER, str(live), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as browser:
        assert browser.stdout is not None
        assert browser.stdout.readline() == b"ready\n"
        while browser.poll() is None:
            counts += counted(live, tmp_path / f"copy{len(counts)}")
    counts += counted(live, tmp_path / "last")

    assert counts == sorted(counts)
    assert counts[-1] > 0


def counted(live: Path, folder: Path) -> list[int]:
    """Take a copy and count its rows, which have to be as many as it says; nothing if it is too busy."""
    folder.mkdir(exist_ok=True)
    try:
        with closing(sqlite.take(live, folder).connect()) as copy:
            ((said,), (found,)) = copy.execute("SELECT n FROM total UNION ALL SELECT count(*) FROM rows")
    except sqlite.SnapshotError:
        return []
    assert said == found
    return [found]


def test_a_copy_during_which_the_browser_wrote_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chrome = Chromium(tmp_path / "profile" / "History")
    busy = writes_of_a_browser(chrome, monkeypatch, times=2)
    pauses: list[float] = []

    taken = sqlite.take(chrome.path, busy, sleep=pauses.append)

    with closing(taken.connect()) as copy:
        assert copy.execute("SELECT count(*) FROM urls").fetchone() == (2,)
    assert pauses == [sqlite.PAUSE] * 2


def test_a_database_that_never_holds_still_is_one_sentence(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, calm = (Chromium(tmp_path / name / "History") for name in ("busy", "calm"))
    calm.visit(calm.url())
    monkeypatch.setattr(sqlite, "PAUSE", 0.0)
    writes_of_a_browser(busy, monkeypatch, times=1000)

    outcome = run({"path": str(busy.path), "label": "busy"}, {"path": str(calm.path), "label": "calm"})

    assert outcome.names("chromium_visits")[0][0] == "calm"
    (sentence,) = outcome.gaps
    assert sentence.startswith(f"Profile busy: {busy.path} changes all the time")


def writes_of_a_browser(chrome: Chromium, monkeypatch: pytest.MonkeyPatch, *, times: int) -> Path:
    """Have a page added after each of the next copies of this database; gives a folder for copies."""
    copyfile = shutil.copyfile
    left = [times]

    def copy_and_write(source: Path, goal: Path) -> Any:
        copyfile(source, goal)
        if source == chrome.path and left[0]:
            left[0] -= 1
            chrome.url()

    monkeypatch.setattr("tap_kit.sqlite.shutil.copyfile", copy_and_write)
    folder = chrome.path.parent.parent / "copies"
    folder.mkdir(exist_ok=True)
    return folder


def test_a_damaged_database_is_one_sentence(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PAUSE", 0.0)
    chrome = Chromium(tmp_path / "History")
    chrome.do(MANY_VISITS)
    content = bytearray(chrome.path.read_bytes())
    content[50_000:150_000] = b"\xa5" * 100_000
    chrome.path.write_bytes(content)

    (sentence,) = run(chrome.path).gaps

    assert "is damaged, or of a version that this SQLite" in sentence


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"no database, " * 100, "is not an SQLite database"),
        (b"SQLite", "is not an SQLite database"),
    ],
    ids=["zero bytes", "text", "six bytes"],
)
def test_a_file_that_is_no_database_is_one_sentence(
    run: Runner, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "History").write_bytes(content)

    (sentence,) = run(tmp_path / "History").gaps

    assert said in sentence


def test_a_database_of_something_else_is_one_sentence(run: Runner, tmp_path: Path) -> None:
    chrome = Chromium(tmp_path / "History")
    chrome.do("DROP TABLE visits")

    (sentence,) = run(chrome.path).gaps

    assert "of no browser known here" in sentence


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EPERM, os.strerror(errno.EPERM)), "Full Disk Access"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device. Check the disk"),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), "is not there (any more)"),
    ],
    ids=["closed", "full", "vanished"],
)
def test_a_file_that_cannot_be_copied_is_one_sentence(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    chrome = Chromium(tmp_path / "History")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(sqlite, "_copy", fail)

    (sentence,) = run(chrome.path).gaps

    assert said in sentence


def test_copies_are_closed_to_others_and_removed(run: Runner, tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch", "tap-browser-history")
    copies = scratch.new_folder()
    assert copies.parent.stat().st_mode & 0o777 == 0o700
    scratch.remove()
    run(Chromium(tmp_path / "History").path)

    assert list((tmp_path / "scratch").iterdir()) == []


def test_copies_of_a_killed_run_are_removed_by_the_next(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=20)
    of_dead, of_living, other = (
        tmp_path / "scratch" / name
        for name in (
            f"tap-browser-history-{ended.pid}-a",
            f"tap-browser-history-{os.getpid()}-b",
            "another-1-c",
        )
    )
    for folder in (of_dead, of_living, other):
        folder.mkdir(parents=True)

    remove_leftovers(tmp_path / "scratch", "tap-browser-history")

    assert sorted((tmp_path / "scratch").iterdir()) == sorted([of_living, other])
