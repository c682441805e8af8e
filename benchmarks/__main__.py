"""Compares the loader with the limit of the server behind it and with other loaders: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from benchmarks import streams
from benchmarks.contenders import (
    Result,
    apply_layout,
    copy_finished_rows,
    fresh_database,
    keep_finished_rows,
    peers,
    run_ours,
)
from benchmarks.servers import throwaway_server, without_autovacuum

if TYPE_CHECKING:
    from target_postgres_bronze.embedded import Server

LIMIT = "limit: COPY of finished rows, all indexes"
_PEERS = {
    "meltanolabs": ["meltanolabs-target-postgres"],
    "pipelinewise": ["pipelinewise-target-postgres"],
    "dlt": ["dlt[postgres]", "pyarrow", "adbc-driver-manager", "adbc-driver-postgresql"],
}


def main() -> None:
    """Run the benchmark and print one table per kind of record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the median of so many")
    parser.add_argument("--server", choices=["15", "18"], default="18")
    parser.add_argument("--kinds", nargs="+", choices=list(streams.KINDS), default=list(streams.KINDS))
    parser.add_argument(
        "--peers",
        type=Path,
        help="folder in which the other loaders are, or get, installed; without it: ours and the limit",
    )
    options = parser.parse_args()
    if options.peers:
        _install_peers(options.peers)
    with throwaway_server(options.server) as server:
        without_autovacuum(server)
        _say_machine(server)
        for kind in options.kinds:
            _compare(server, kind, options)


def _compare(server: Server, kind: str, options: argparse.Namespace) -> None:
    records = options.records // 10 if kind == "activities" else options.records
    rounds: list[list[Result]] = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            rounds.append(_one_round(server, kind, records, Path(name), options.peers))
        print(f"{kind}: round {number + 1} of {options.rounds} done", file=sys.stderr)
    medians = [_median(results) for results in zip(*rounds, strict=True)]
    limit = next(place for place, result in enumerate(medians) if result.name == LIMIT)
    print(f"\n### {kind}, {records:,} records\n")
    print(
        "| loader | records/s | committed/s | loader CPU s | server CPU s | memory MB | table MB | indexes MB | of the limit |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for place, result in enumerate(medians):
        # side by side: a machine that is slow for a while is slow for both
        ratios = [results[limit].wall / results[place].wall for results in rounds]
        print(
            f"| {result.name} | {records / result.wall:,.0f} | {records / result.landed:,.0f} | {result.loader_cpu:.1f} | {result.server_cpu:.1f} "
            f"| {result.memory:.0f} | {result.table_size:.0f} | {result.index_size:.0f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )


def _one_round(
    server: Server, kind: str, records: int, folder: Path, peer_folder: Path | None
) -> list[Result]:
    fresh, changed = folder / "fresh.singer", folder / "changed.singer"
    streams.write(fresh, kind, records)
    streams.write(changed, kind, records, changed=0.01)
    ours = fresh_database(server, "ours")
    apply_layout(ours)
    results = [
        run_ours(server, ours, fresh, folder, "ours, first load", records),
        run_ours(server, ours, fresh, folder, "ours, unchanged", records),
        run_ours(server, ours, changed, folder, "ours, 1 % changed", records),
    ]
    rows = keep_finished_rows(ours, folder)
    count = sum(1 for _line in rows.open("rb"))
    limit = copy_finished_rows(server, fresh_database(server, "limit"), rows, LIMIT, count, indexed=True)
    limit.wall = limit.landed = limit.wall * records / count
    bare = copy_finished_rows(
        server,
        fresh_database(server, "bare"),
        rows,
        "COPY of finished rows, primary key alone",
        count,
        indexed=False,
    )
    bare.wall = bare.landed = bare.wall * records / count
    results += [limit, bare]
    for name, run in (peers(peer_folder) if peer_folder else {}).items():
        conninfo = fresh_database(server, "peer")
        try:
            results.append(run(server, conninfo, fresh, records))
        except RuntimeError as error:
            print(f"{name.strip()} is left out: {str(error).splitlines()[-1]}", file=sys.stderr)
            continue
        if not name.startswith("dlt"):
            again = run(server, conninfo, fresh, records)
            again.name += ", unchanged"
            results.append(again)
    return results


def _median(results: tuple[Result, ...]) -> Result:
    numbers = [field.name for field in fields(Result) if field.name not in ("name", "records")]
    figures = {name: statistics.median(getattr(result, name) for result in results) for name in numbers}
    return Result(results[0].name, results[0].records, **figures)


def _install_peers(folder: Path) -> None:
    """Install the other loaders, each for itself; one that does not install is left out."""
    for name, packages in _PEERS.items():
        if not (folder / name).exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
            done = subprocess.run(
                [str(folder / name / "bin" / "pip"), "install", "-q", *packages], check=False
            )
            if done.returncode:
                print(f"{name} does not install here and is left out.", file=sys.stderr)


def _say_machine(server: Server) -> None:
    with psycopg.connect(server.conninfo("postgres")) as connection:
        version = connection.info.parameter_status("server_version")
    print(f"PostgreSQL {version}, Python {platform.python_version()}, {platform.machine()}")


main()
