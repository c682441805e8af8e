"""Throwaway PostgreSQL servers for the benchmark, and what their processes cost."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from target_postgres_bronze import embedded
from target_postgres_bronze.embedded_account import account_for

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count(1)
_TICK = os.sysconf("SC_CLK_TCK")
_PROGRAMS_15 = Path(os.environ.get("PG_BIN_15", "/usr/lib/postgresql/15/bin"))


@contextmanager
def throwaway_server(version: str) -> Iterator[embedded.Server]:
    """Run PostgreSQL ``18`` (the embedded one) or ``15`` (Debian's) with default settings on a fresh folder."""
    folder = Path(tempfile.mkdtemp(prefix="bronze-benchmark-"))
    folder.chmod(0o755)
    try:
        if version == "18":
            yield embedded.ensure_running(folder / "postgres")
            embedded.stop(folder / "postgres")
        else:
            with _server_15(folder / "postgres") as server:
                yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server_15(data_dir: Path) -> Iterator[embedded.Server]:
    account = account_for(data_dir, _PROGRAMS_15 / "postgres")
    data_dir.mkdir()
    account.own(data_dir)
    make = [
        str(_PROGRAMS_15 / "initdb"),
        "-D",
        str(data_dir),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]
    control = [str(_PROGRAMS_15 / "pg_ctl"), "-w", "-s", "-D", str(data_dir)]
    account.run(make, timeout=120)
    options = f"-c listen_addresses= -k '{data_dir}'"
    account.run([*control, "-l", str(data_dir / "log"), "-o", options, "start"], timeout=60)
    try:
        yield embedded.Server(data_dir=data_dir, socket_dir=data_dir)
    finally:
        account.run([*control, "-m", "immediate", "stop"], timeout=60)


def fresh_database(server: embedded.Server, name: str) -> str:
    """Make an empty database called *name* and a number, and return its connection string.

    Runs do not pay for others: a checkpoint comes first, and former databases stay until the server goes, as ext4 makes new files
    slowly where many were deleted in the minutes before.
    """
    database = f"{name}_{next(_numbers)}"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{database}"'.encode())
        admin.execute("CHECKPOINT")
    return server.conninfo(database)


def without_autovacuum(server: embedded.Server) -> None:
    """Switch autovacuum off: it would clean the tables of one measurement during the next."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET autovacuum = off")
        admin.execute("SELECT pg_reload_conf()")


def cpu_seconds(server: embedded.Server) -> float:
    """Return the processor time of all processes of *server* so far, ended ones included."""
    # a process that ends while they are added up can be missed in one pass
    return max(_cpu_seconds(server) for _ in range(3))


def _cpu_seconds(server: embedded.Server) -> float:
    postmaster = int((server.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(folder.name) == postmaster:
            total += sum(int(fields[place]) for place in (11, 12, 13, 14))
        elif int(fields[1]) == postmaster:
            total += int(fields[11]) + int(fields[12])
    return total / _TICK
