"""What is compared: our loader, COPY of finished rows into the same layout, and other loaders."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.servers import cpu_seconds, fresh_database
from target_postgres_bronze import project
from target_postgres_bronze.copying import copy_in
from target_postgres_bronze.layout import ensure_layout, read_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_postgres_bronze.embedded import Server

_LANDED = re.compile(r"rejected(?:, [\d,]+ \w+)*, ([\d.]+) s")
_ROWS_SIZE = (
    "SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint, coalesce(sum(pg_indexes_size(c.oid)), 0)::bigint "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
)


@dataclass
class Result:
    """One measurement: seconds of wall clock and processor, MB of memory and disk."""

    name: str
    records: int
    wall: float
    landed: float
    loader_cpu: float
    server_cpu: float
    memory: float
    table_size: float
    index_size: float


def run_ours(server: Server, conninfo: str, messages: Path, folder: Path, name: str, records: int) -> Result:  # noqa: PLR0913, PLR0917 - one measurement, spelled out
    """Land *messages* with this project's loader."""
    config = folder / "ours.json"
    config.write_text(
        json.dumps(
            {
                "sqlalchemy_url": _url(server, conninfo),
                "source": "benchmark",
                "archive_dir": str(folder / "archive"),
            }
        )
    )
    command = [str(Path(sys.executable).with_name("target-postgres-bronze")), "--config", str(config)]
    return _measure(server, conninfo, name, records, command, messages)


def apply_layout(conninfo: str) -> None:
    """Make the layout, so that it is there before the clock starts."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        ensure_layout(connection, read_layout(project.sql_dir()))


def copy_finished_rows(  # noqa: PLR0913 - one measurement, spelled out
    server: Server, conninfo: str, rows: Path, name: str, records: int, *, indexed: bool
) -> Result:
    """COPY rows that another run has finished into an empty table of the same layout, with its indexes in place or without."""
    apply_layout(conninfo)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SELECT bronze.create_source('benchmark')")
        for (month,) in json.loads((rows.parent / "months.json").read_text()):
            connection.execute("SELECT public.create_partition_if_not_exists('benchmark', %s)", [month])
        if indexed:
            connection.execute("CALL bronze.index_source('benchmark')")
        connection.execute("CHECKPOINT")
        before, cpu, start = cpu_seconds(server), time.process_time(), time.perf_counter()
        with (
            rows.open("rb") as source,
            copy_in(connection.cursor(), b"COPY public.bronze_benchmark FROM STDIN") as copy,
        ):
            while chunk := source.read(1 << 20):
                copy.write(chunk)
        if indexed:
            # what COPY left in the pending lists of the GIN indexes is index work as well
            connection.execute("CALL bronze.index_source('benchmark')")
        wall = time.perf_counter() - start
        cpu = time.process_time() - cpu
    used = cpu_seconds(server) - before
    return Result(name, records, wall, wall, cpu, used, 0.0, *_sizes(conninfo))


def keep_finished_rows(conninfo: str, folder: Path) -> Path:
    """Write the rows that a run has landed to a file in the text form of COPY."""
    rows = folder / "rows.copy"
    with psycopg.connect(conninfo) as connection:
        months = connection.execute(
            "SELECT DISTINCT date_trunc('month', partition_key)::date::text FROM public.bronze_benchmark ORDER BY 1"
        ).fetchall()
        (folder / "months.json").write_text(json.dumps(months))
        with (
            rows.open("wb") as out,
            connection.cursor().copy(
                "COPY (SELECT * FROM public.bronze_benchmark ORDER BY id) TO STDOUT"
            ) as copy,
        ):
            for chunk in copy:
                out.write(chunk)
    return rows


def peers(folder: Path) -> dict[str, Callable[[Server, str, Path, int], Result]]:
    """Return the other loaders that are installed, each in an environment of its own under *folder*."""
    found: dict[str, Callable[[Server, str, Path, int], Result]] = {}
    for name, package, extra in (
        ("meltanolabs-target-postgres", "meltanolabs", {}),
        ("  use_copy", "meltanolabs", {"use_copy": True}),
        (
            "  use_copy, no checks, 100,000 rows",
            "meltanolabs",
            {"use_copy": True, "validate_records": False, "batch_size_rows": 100_000},
        ),
    ):
        program = folder / package / "bin" / "target-postgres"
        if program.exists():
            found[name] = _singer_peer(
                program, name, {"default_target_schema": "public", "ssl_enable": False, **extra}
            )
    program = folder / "pipelinewise" / "bin" / "target-postgres"
    if program.exists():
        found["pipelinewise-target-postgres"] = _singer_peer(
            program,
            "pipelinewise-target-postgres",
            {"default_target_schema": "public", "dbname": "", "primary_key_required": True},
        )
    python = folder / "dlt" / "bin" / "python"
    if python.exists():
        found["dlt (Arrow, ADBC)"] = _dlt_peer(python)
    return found


def _singer_peer(
    program: Path, name: str, settings: dict[str, Any]
) -> Callable[[Server, str, Path, int], Result]:
    def run(server: Server, conninfo: str, messages: Path, records: int) -> Result:
        config = messages.parent / "peer.json"
        if "dbname" in settings:
            place: dict[str, Any] = {
                "host": str(server.socket_dir),
                "port": server.port,
                "user": server.user,
                "password": "x",
                "dbname": psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"],
            }
        else:
            url = _url(server, conninfo).replace("postgresql://", "postgresql+psycopg://")
            place = {"sqlalchemy_url": url}
        config.write_text(json.dumps({**settings, **place}))
        return _measure(server, conninfo, name, records, [str(program), "--config", str(config)], messages)

    return run


def _dlt_peer(python: Path) -> Callable[[Server, str, Path, int], Result]:
    def run(server: Server, conninfo: str, messages: Path, records: int) -> Result:
        database = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
        # dlt wants a host and a password; libpq takes the socket in their place
        url = f"postgresql://{server.user}:x@localhost/{database}?host={server.socket_dir}&port={server.port}"
        script = Path(__file__).with_name("dlt_load.py")
        return _measure(
            server,
            conninfo,
            "dlt (Arrow, ADBC)",
            records,
            [str(python), str(script), url, str(messages)],
            messages,
        )

    return run


def _measure(  # noqa: PLR0913, PLR0917 - one measurement, spelled out
    server: Server, conninfo: str, name: str, records: int, command: Sequence[str], messages: Path
) -> Result:
    before, start = cpu_seconds(server), time.perf_counter()
    log = messages.parent / "log"
    with messages.open("rb") as source, log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL, stderr=errors)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    said = log.read_text(errors="replace")
    if process.returncode:
        raise RuntimeError(f"{name}: exit code {process.returncode}\n{said[-2000:]}")
    landed = _LANDED.search(said)
    return Result(
        name,
        records,
        wall,
        float(landed[1]) if landed else wall,
        usage.ru_utime + usage.ru_stime,
        cpu_seconds(server) - before,
        usage.ru_maxrss / 1024,
        *_sizes(conninfo),
    )


def _sizes(conninfo: str) -> tuple[float, float]:
    with psycopg.connect(conninfo) as connection:
        row: Any = connection.execute(_ROWS_SIZE.encode()).fetchone()
    return row[0] / 2**20, row[1] / 2**20


def _url(server: Server, conninfo: str) -> str:
    database = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
    return f"postgresql://{server.user}@/{database}?host={server.socket_dir}&port={server.port}"


__all__ = [
    "Result",
    "apply_layout",
    "copy_finished_rows",
    "fresh_database",
    "keep_finished_rows",
    "peers",
    "run_ours",
]
