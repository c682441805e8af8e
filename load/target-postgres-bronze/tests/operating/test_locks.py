"""A server's lock table is finite (max_locks_per_transaction, 64 on a stock server): no step locks the partitions of all sources at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from target_postgres_bronze import embedded, project
from target_postgres_bronze.embedded_account import account_for
from target_postgres_bronze.layout import ensure_layout, read_layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operating.conftest import Operator

SOURCES = tuple(f"shop_{number}" for number in range(8))
#: Months per source: with their indexes, all sources take more locks than the server has, and one of them takes less.
MONTHS = [f"{year}-{month:02}-05" for year in (2021, 2022, 2023) for month in range(1, 13)]
#: Lock slots are max_locks_per_transaction times the processes that a server may have: here a tenth of what a stock server has for 100 connections.
OPTIONS = (
    "-c listen_addresses= -c max_locks_per_transaction=64 -c max_connections=8 -c superuser_reserved_connections=1 "
    "-c autovacuum_worker_slots=1 -c autovacuum_max_workers=1 -c max_worker_processes=1 -c max_wal_senders=0 -c fsync=off"
)


@pytest.fixture(scope="module")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """A server with few lock slots, in the place of the usual one."""
    data_dir = tmp_path_factory.mktemp("small") / "data"
    account = account_for(data_dir, embedded.program("postgres"))
    data_dir.mkdir()
    account.own(data_dir)
    initdb = [
        str(embedded.program("initdb")),
        "-D",
        str(data_dir),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    assert account.run([*initdb, "--locale=C"], timeout=120).returncode == 0
    control = [str(embedded.program("pg_ctl")), "-w", "-s", "-D", str(data_dir)]
    started = account.run(
        [*control, "-l", str(data_dir / "log"), "-o", f"{OPTIONS} -k '{data_dir}'", "start"], timeout=60
    )
    assert started.returncode == 0, started.stdout
    yield embedded.Server(data_dir=data_dir, socket_dir=data_dir)
    account.run([*control, "-m", "immediate", "stop"], timeout=60)


def test_loading_and_upkeep_fit_into_the_lock_table_of_a_server_with_many_partitions(
    operator: Operator,
) -> None:
    make = operator.bronze
    records = [make.record({"id": number, "at": day}) for number, day in enumerate(MONTHS)]
    for source in SOURCES:
        outcome = make.load(make.schema(x_source_timestamp="at"), *records, source=source)
        assert outcome.code == 0, outcome.log
    everything = " UNION ALL ".join(f"SELECT id FROM bronze_{source}" for source in SOURCES)
    with pytest.raises(psycopg.errors.OutOfMemory):  # otherwise nothing is proved below
        make.query(everything)

    layout = read_layout(project.sql_dir())
    with psycopg.connect(make.conninfo, autocommit=True) as connection:
        assert ensure_layout(connection, replace(layout, fingerprint="another"))
        assert ensure_layout(connection, layout)
    make.query("; ".join(f"DROP VIEW bronze_{source}_current" for source in SOURCES))
    make.query("SELECT bronze.create_source(source) FROM bronze.sources")
    for words in (("maintain",), ("verify", "--no-archive"), ("catalog",), ("status",), ("metrics",)):
        answer = operator(*words)
        assert answer.code == 0, (words, answer.err)
