"""Readers beside a load: the questions of docs/queries.md, asked by several at once while the loader writes.

``python -m benchmarks.readers --rows 5000000``: fills a throwaway server, then lets the loader land a tenth as much again (half of it changed) while
the readers ask, and prints the time of each question in the middle and at the 95th percentile.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks import streams
from benchmarks.servers import fresh_database, throwaway_server

#: Name and query of each question; the parameters are those of `choices`.
QUESTIONS = {
    "newest of a stream": """
        SELECT source_timestamp, raw_data FROM bronze_bench_current WHERE metadata ->> 'stream' = 'heart_rate'
        ORDER BY source_timestamp DESC LIMIT 20
    """,
    "newest since a month": """
        SELECT source_timestamp, raw_data FROM bronze_bench_current
        WHERE metadata ->> 'stream' = 'heart_rate' AND partition_key >= %(month)s AND source_timestamp >= %(month)s
        ORDER BY source_timestamp DESC LIMIT 20
    """,
    "one record's history": "SELECT * FROM bronze.history('bench', 'heart_rate', %(key)s)",
    "what contains a value": "SELECT raw_id, raw_data FROM bronze_bench WHERE raw_data @> %(part)s::jsonb LIMIT 100",
    "a month": """
        SELECT count(*), min(source_timestamp), max(source_timestamp) FROM bronze_bench
        WHERE partition_key >= %(month)s AND partition_key < %(month)s::date + interval '1 month'
    """,
    "a run": "SELECT raw_id, version FROM bronze_bench WHERE pipeline_run_id = %(run)s LIMIT 1000",
}


def main() -> None:
    """Fill, load and read at once, and print a line per question."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--readers", type=int, default=10)
    parser.add_argument("--server", choices=["15", "18"], default="18")
    options = parser.parse_args()
    with throwaway_server(options.server) as server, tempfile.TemporaryDirectory() as folder:
        conninfo = fresh_database(server, "readers")
        messages = Path(folder) / "messages.singer"
        streams.write(messages, "heart_rate", options.rows)
        _load(conninfo, folder, messages).wait()
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            run, months = _facts(connection)
        streams.write(messages, "heart_rate", options.rows // 10, changed=0.5)
        loading = _load(conninfo, folder, messages)
        taken: dict[str, list[float]] = defaultdict(list)
        readers = [
            threading.Thread(target=_read, args=(conninfo, number, options.rows, run, months, loading, taken))
            for number in range(options.readers)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    print(
        f"{options.rows:,} rows, {options.readers} readers, PostgreSQL {options.server}, {os.cpu_count()} processors"
    )
    print(f"{'question':24}{'asked':>8}{'median':>12}{'95th':>12}")
    for name, seconds in taken.items():
        seconds.sort()
        worst = seconds[int(0.95 * (len(seconds) - 1))]
        print(
            f"{name:24}{len(seconds):>8}{statistics.median(seconds) * 1000:>9.0f} ms{worst * 1000:>9.0f} ms"
        )


def _load(conninfo: str, folder: str, messages: Path) -> subprocess.Popen[bytes]:
    """Start the loader on *messages*."""
    parts = conninfo_to_dict(conninfo)
    config = Path(folder) / "config.json"
    config.write_text('{"source": "bench", "archive": false}')
    named = {
        "PG_HOST": parts["host"],
        "PG_PORT": parts["port"],
        "PG_DB": parts["dbname"],
        "PG_USER": parts["user"],
    }
    return subprocess.Popen(
        [Path(sys.executable).with_name("target-postgres-bronze"), "--config", config, "--input", messages],
        env=os.environ | {name: str(value) for name, value in named.items()},
        stdout=subprocess.DEVNULL,
        cwd=folder,
    )


def _facts(connection: psycopg.Connection[Any]) -> tuple[str, list[Any]]:
    """Return the name of the run that filled the table, and its months."""
    runs = connection.execute("SELECT run_id FROM bronze.runs").fetchall()
    months = connection.execute(
        "SELECT DISTINCT date_trunc('month', partition_key)::date FROM bronze.heads"
    ).fetchall()
    return runs[0][0], [month for (month,) in months]


def _read(  # noqa: PLR0913, PLR0917 - what a reader knows
    conninfo: str,
    number: int,
    rows: int,
    run: str,
    months: list[Any],
    loading: subprocess.Popen[bytes],
    taken: dict[str, list[float]],
) -> None:
    """Ask one question after the other while the loader runs."""
    chance = random.Random(number)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while loading.poll() is None:
            name, query = chance.choice(list(QUESTIONS.items()))
            key = chance.randrange(rows)
            choices = {
                "month": chance.choice(months),
                "key": str(key),
                "part": f'{{"id": {key}}}',
                "run": run,
            }
            started = time.perf_counter()
            connection.execute(query.encode(), choices).fetchall()
            taken[name].append(time.perf_counter() - started)


if __name__ == "__main__":
    main()
