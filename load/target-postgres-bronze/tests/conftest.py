"""Servers and databases for the tests: the embedded PostgreSQL always, Debian's 15 where its programs are."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from target_postgres_bronze import embedded
from target_postgres_bronze.embedded_account import account_for

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count(1)


def _programs_of_15() -> Path | None:
    """Return the folder of PostgreSQL 15's programs, if this machine has them."""
    on_path = shutil.which("postgres")
    for folder in (
        os.environ.get("PG_BIN_15"),
        on_path and Path(on_path).parent,
        "/usr/lib/postgresql/15/bin",
    ):
        if folder and Path(folder, "initdb").exists() and "15" in Path(folder).resolve().parts:
            return Path(folder).resolve()
    return None


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """The embedded server on a fresh folder."""
    data_dir = tmp_path_factory.mktemp("embedded") / "postgres"
    yield embedded.ensure_running(data_dir)
    embedded.stop(data_dir)


@pytest.fixture(scope="session")
def server_15(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """PostgreSQL 15 on a fresh folder, reached over a socket as well."""
    programs = _programs_of_15()
    assert programs is not None
    data_dir = tmp_path_factory.mktemp("server15") / "data"
    account = account_for(data_dir, programs / "postgres")
    data_dir.mkdir()
    account.own(data_dir)
    initdb = [str(programs / "initdb"), "-D", str(data_dir), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    assert account.run([*initdb, "--locale=C.UTF-8", "--data-checksums"], timeout=120).returncode == 0
    control = [str(programs / "pg_ctl"), "-w", "-s", "-D", str(data_dir)]
    options = f"-c listen_addresses= -c max_locks_per_transaction=256 -k '{data_dir}'"
    started = account.run([*control, "-l", str(data_dir / "log"), "-o", options, "start"], timeout=60)
    assert started.returncode == 0, started.stdout
    yield embedded.Server(data_dir=data_dir, socket_dir=data_dir)
    account.run([*control, "-m", "immediate", "stop"], timeout=60)


@pytest.fixture(scope="session", params=["embedded", *(["15"] if _programs_of_15() else [])])
def server(request: pytest.FixtureRequest) -> embedded.Server:
    """Every server that a person may have here, one after the other."""
    name = {"embedded": "embedded_server", "15": "server_15"}[request.param]
    found: embedded.Server = request.getfixturevalue(name)
    return found


@pytest.fixture
def database(server: embedded.Server) -> Iterator[str]:
    """A fresh database: its connection string."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield make_conninfo(server.conninfo(name))
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
