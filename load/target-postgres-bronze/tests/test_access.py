"""Who may connect to the embedded server, and which sockets a client believes."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from target_postgres_bronze import embedded, embedded_access
from target_postgres_bronze.database import resolve
from target_postgres_bronze.embedded import EmbeddedServerError
from target_postgres_bronze.operator import pgtools

if TYPE_CHECKING:
    from collections.abc import Iterator

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user for a moment")
STRANGER = 54321
#: Says the first words of a connection by itself, since another account reads no packages of this Python.
CONNECT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    words = bytes(4) + b"user\\0postgres\\0database\\0postgres\\0\\0"
    client.sendall((len(words) + 4).to_bytes(4, "big") + (196608).to_bytes(4, "big") + words[4:])
    print(client.recv(4096))
"""


def long_path(folder: Path) -> Path:
    """Return a data folder whose path is too long for a socket."""
    return folder / ("long" * 20) / ("longer" * 10) / "postgres"


@pytest.fixture
def started() -> Iterator[list[Path]]:
    """Data folders of servers that are stopped afterwards, with their folders below /tmp."""
    folders: list[Path] = []
    yield folders
    for data_dir in folders:
        server = embedded.status(data_dir)
        embedded.stop(data_dir)
        if server and server.socket_dir != data_dir:
            outer = (
                server.socket_dir if server.socket_dir.parent == Path("/tmp") else server.socket_dir.parent
            )
            shutil.rmtree(outer)


def python() -> str:
    """Return a Python that every account may run."""
    found = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip("every Python here is the caller's alone")
    return found


def connect_as(uid: int, server: embedded.Server) -> str:
    """Return what *server* answers to user *uid*, or what the system says."""
    done = subprocess.run(
        [python(), "-c", CONNECT, str(server.socket_dir / embedded.SOCKET)],
        check=False, capture_output=True, text=True, user=uid, group=uid, extra_groups=[],
    )  # fmt: skip
    return done.stdout + done.stderr


def test_only_the_owner_and_root_are_let_in(embedded_server: embedded.Server) -> None:
    rules = (embedded_server.data_dir / "pg_ident.conf").read_text()
    accounts = {line.split('"')[1] for line in rules.splitlines() if line.startswith("bronze ")}
    assert accounts == {"root", pwd.getpwuid(os.geteuid()).pw_name}
    with psycopg.connect(embedded_server.conninfo("postgres")) as connection:
        methods = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert methods == [("peer",)]


@AS_ROOT
def test_the_account_of_the_server_itself_is_not_let_in(tmp_path: Path, started: list[Path]) -> None:
    data_dir = tmp_path / "postgres"
    server = embedded.ensure_running(data_dir)
    started.append(data_dir)
    uid = data_dir.stat().st_uid
    # the account sees the socket for once: every folder above is opened
    opened = [folder for folder in (*tmp_path.parents, tmp_path) if folder.stat().st_mode & 0o001 == 0]
    for folder in opened:
        folder.chmod(folder.stat().st_mode | 0o011)
    try:
        assert "C28000" in connect_as(uid, server)
    finally:
        for folder in opened:
            folder.chmod(folder.stat().st_mode & ~0o011)


def test_a_data_folder_of_an_earlier_version_is_closed_at_the_next_call(
    tmp_path: Path, started: list[Path]
) -> None:
    data_dir = tmp_path / "postgres"
    started.append(data_dir)
    server = embedded.ensure_running(data_dir)
    (data_dir / "pg_hba.conf").write_text("local all all trust\n")
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    embedded.ensure_running(data_dir)
    assert (data_dir / "pg_hba.conf").read_text() == embedded_access.RULES
    assert (data_dir / "pg_hba.conf").stat().st_uid == data_dir.stat().st_uid
    with psycopg.connect(server.conninfo("postgres")) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'trust'"
        ).fetchone() == (0,)


def test_a_link_in_place_of_the_rules_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("mine")
    (tmp_path / "pg_hba.conf").symlink_to(tmp_path / "other")
    assert embedded_access.write_rules(tmp_path, {"ann"})
    assert (tmp_path / "other").read_text() == "mine"
    assert not (tmp_path / "pg_hba.conf").is_symlink()
    assert not embedded_access.write_rules(tmp_path, {"ann"})


@AS_ROOT
def test_a_socket_outside_of_the_project_is_reached_by_root_alone(
    tmp_path: Path, started: list[Path]
) -> None:
    data_dir = long_path(tmp_path)
    started.append(data_dir)
    server = embedded.ensure_running(data_dir)
    outer = server.socket_dir.parent
    assert outer.parent == Path("/tmp")
    assert (outer.stat().st_uid, stat.S_IMODE(outer.stat().st_mode)) == (0, 0o700)
    assert "Permission denied" in connect_as(data_dir.stat().st_uid, server)


@AS_ROOT
def test_a_server_that_root_started_for_its_owner_is_the_owners(tmp_path: Path, started: list[Path]) -> None:
    data_dir = long_path(tmp_path)
    owner = pwd.getpwnam("daemon")
    data_dir.mkdir(parents=True)
    os.chown(data_dir, owner.pw_uid, owner.pw_gid)
    started.append(data_dir)
    server = embedded.ensure_running(data_dir)
    assert (server.socket_dir.parent, server.socket_dir.owner()) == (Path("/tmp"), "daemon")
    assert "C28000" not in connect_as(owner.pw_uid, server)


def impostor(folder: Path, uid: int) -> subprocess.Popen[str]:
    """Listen in *folder*, made by user *uid*, as a server of somebody else would."""
    listen = (
        "import os, socket, sys, time; os.mkdir(sys.argv[1], 0o700); s = socket.socket(socket.AF_UNIX);"
        "s.bind(sys.argv[1] + '/.s.PGSQL.5432'); s.listen(); print('up', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [python(), "-c", listen, str(folder)], stdout=subprocess.PIPE, text=True, user=uid
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@AS_ROOT
def test_a_server_of_somebody_else_at_the_place_of_a_dead_one_is_not_used(
    tmp_path: Path, started: list[Path]
) -> None:
    data_dir = long_path(tmp_path)
    server = embedded.ensure_running(data_dir)
    with psycopg.connect(server.conninfo("postgres")) as connection:
        connection.execute("CREATE TABLE mine ()")
    crashed = (data_dir / "postmaster.pid").read_text()
    embedded.stop(data_dir)
    shutil.rmtree(server.socket_dir.parent)
    folder = server.socket_dir.parent
    with impostor(folder, STRANGER) as other:
        try:
            # what a crash leaves, with the number of the stranger's process, which a machine may give again
            lines = crashed.splitlines()
            (data_dir / "postmaster.pid").write_text(
                "\n".join([str(other.pid), *lines[1:4], str(folder), *lines[5:]])
            )
            assert embedded.status(data_dir) is None
            started.append(data_dir)
            found = embedded.ensure_running(data_dir)
            assert folder not in (found.socket_dir, found.socket_dir.parent)
            with psycopg.connect(found.conninfo("postgres")) as connection:
                connection.execute("SELECT FROM mine")
        finally:
            other.kill()
            shutil.rmtree(folder)


def test_a_socket_of_another_process_is_not_the_servers(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert embedded_access.answers(path, os.getpid(), os.geteuid())
        assert not embedded_access.answers(path, os.getpid(), os.geteuid() + 1)
        if hasattr(socket, "SO_PEERCRED"):
            assert not embedded_access.answers(path, os.getppid(), os.geteuid())


def test_a_link_or_an_open_folder_is_not_private(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(folder)
    owners = {os.geteuid()}
    assert embedded_access.is_private(folder, owners)
    assert not embedded_access.is_private(tmp_path / "link", owners)
    assert not embedded_access.is_private(tmp_path / "absent", owners)
    assert not embedded_access.is_private(folder, {os.geteuid() + 1})
    folder.chmod(0o710)
    assert not embedded_access.is_private(folder, owners)


def test_connections_require_the_account_of_the_server(embedded_server: embedded.Server) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(embedded_server.conninfo("postgres"))
    assert parts["requirepeer"] == embedded_server.data_dir.owner()
    wrong = psycopg.conninfo.make_conninfo(embedded_server.conninfo("postgres"), requirepeer="somebody")
    with pytest.raises(psycopg.OperationalError, match="requirepeer"):
        psycopg.connect(wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGSERVICE", "elsewhere"),
        ("PGHOSTADDR", "127.0.0.1"),
        ("PGOPTIONS", "-c no_such_setting=1"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGREQUIREAUTH", "scram-sha-256"),
        ("PGCHANNELBINDING", "require"),
        ("PGGSSENCMODE", "require"),
        ("PGSSLMODE", "nonsense"),
        ("PGREQUIREPEER", "somebody"),
    ],
)
def test_libpqs_variables_do_not_reach_the_embedded_server(
    embedded_server: embedded.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (tmp_path / "meltano.yml").write_text("version: 1\n")
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    monkeypatch.setattr("target_postgres_bronze.project.postgres_dir", lambda _: embedded_server.data_dir)
    monkeypatch.setenv(name, value)
    target = resolve({}, {})
    monkeypatch.setenv(name, value)
    with target.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    monkeypatch.setenv(name, value)
    command, env = pgtools.aimed(target, str(embedded.program("psql")))
    done = subprocess.run(
        [*command, "-XAtc", "SELECT 1"], check=False, capture_output=True, text=True, env=env
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_comma_in_the_path_is_no_second_host(tmp_path: Path, started: list[Path]) -> None:
    data_dir = tmp_path / "mine, and yours" / "postgres"
    started.append(data_dir)
    server = embedded.ensure_running(data_dir)
    with psycopg.connect(server.conninfo("postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_folder_that_was_moved_out_of_reach_is_told_at_once_and_can_be_stopped(
    tmp_path: Path, started: list[Path]
) -> None:
    before, after = tmp_path / "before" / "postgres", tmp_path / "after, moved" / "postgres"
    embedded.ensure_running(before)
    before.parent.rename(after.parent)
    started.append(after)
    began = time.monotonic()
    with pytest.raises(EmbeddedServerError, match=r"moved while it ran.*\./bronze db stop"):
        embedded.ensure_running(after)
    assert time.monotonic() - began < 5
    assert embedded.stop(after)
    with psycopg.connect(embedded.ensure_running(after).conninfo("postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@AS_ROOT
def test_the_lock_of_a_project_stays_its_owners_when_root_helps(tmp_path: Path) -> None:
    os.chown(tmp_path, STRANGER, STRANGER)
    with contextlib.suppress(EmbeddedServerError), embedded._locked(tmp_path / "postgres"):
        pass
    found = (tmp_path / ".postgres.lock").stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (STRANGER, 0o600)
