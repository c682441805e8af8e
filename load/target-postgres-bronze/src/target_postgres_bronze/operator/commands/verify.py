"""``bronze verify``: does everything agree with everything else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import archives, session
from target_postgres_bronze.operator.commands.backup import places
from target_postgres_bronze.operator.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg
    from psycopg.rows import DictRow

SOURCES: Final = "SELECT source FROM bronze.sources WHERE source LIKE %s ORDER BY source"
DISAGREEMENTS: Final = "SELECT * FROM bronze.disagreements(%s) ORDER BY rule, stream, raw_id"
RUNS: Final = (
    "SELECT run_id, status, archive_path FROM bronze.runs WHERE source = %s AND archive_path IS NOT NULL"
)
COUNT: Final = "SELECT sum(row_count) AS row_count FROM bronze.streams WHERE source = %s"
#: Disagreements of a source that are shown one by one.
SHOWN: Final = 50


@click.command(
    epilog="Example: bronze verify toggl. Exit code 0: nothing disagrees; 1: something does, or it could not be checked."
)
@click.argument("source", default="%", metavar="[SOURCE]")
@click.option("--archive/--no-archive", "with_archive", default=True, help="Read the raw archive as well.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, every disagreement included.")
def command(source: str, *, with_archive: bool, as_json: bool) -> None:
    """Compute hashes again, and compare rows, versions, heads, catalog, books, months and archive."""
    folder = places(project.find_root()).archive if with_archive else None
    found: dict[str, Any] = {}
    with session.connected() as connection:
        for row in session.rows(connection, SOURCES, source):
            name = row["source"]
            found[name] = _verify(connection, name, folder)
    if as_json:
        session.show_json(found)
    else:
        for name, said in found.items():
            _show(name, said)
    if not found:
        raise session.OperatorError("There is no such source here. See `bronze catalog`.")
    sys.exit(any(said["disagreements"] for said in found.values()))


def _verify(connection: psycopg.Connection[DictRow], source: str, folder: Path | None) -> dict[str, Any]:
    from target_postgres_bronze.operator.hashes import HashCheck  # noqa: PLC0415 - half a second for --help

    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.commit()  # what follows sees one moment, however long it takes
    check = HashCheck(connection, source)
    with progress(f"{source}: comparing rows, versions and books"):
        disagreements: list[Any] = session.rows(connection, DISAGREEMENTS, source)
    (counted,) = session.rows(connection, COUNT, source)
    with progress(f"{source}: computing hashes", counted["row_count"]) as advance:
        disagreements += check.damaged(advance)
    if folder is not None:
        disagreements += _archive(connection, source, folder)
    return {"rows": check.checked, "not_verifiable": check.untold, "disagreements": disagreements}


def _archive(connection: psycopg.Connection[DictRow], source: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield a disagreement for each run whose archive file is missing, damaged or ends early."""
    runs = session.rows(connection, RUNS, source)
    with progress(f"{source}: reading the raw archive", len(runs)) as advance:
        for run in runs:
            said = _fault(folder / run["archive_path"], finished=run["status"] in {"succeeded", "failed"})
            if said:
                yield {
                    "rule": "each run has its archive",
                    "stream": None,
                    "raw_id": None,
                    "detail": f"run {run['run_id']}: {said}",
                }
            advance(1)


def _fault(path: Path, *, finished: bool) -> str:
    if not path.exists():
        return "its file is missing"
    try:
        with archives.ArchiveReader(path) as messages:
            while messages.read():
                pass
            return "" if messages.is_whole or not finished else "its file ends early"
    except session.OperatorError:
        return "its file is damaged"


def _show(source: str, said: dict[str, Any]) -> None:
    disagreements = said["disagreements"]
    verdict = f"{len(disagreements):,} disagreements" if disagreements else "everything agrees"
    click.echo(f"{source}: {said['rows']:,} rows, {verdict}.")
    if said["not_verifiable"]:
        click.echo(
            f"  {said['not_verifiable']:,} rows hold numbers whose hash jsonb does not tell; the archive has them."
        )
    for found in disagreements[:SHOWN]:
        where = "/".join(filter(None, (found["stream"], found["raw_id"])))
        session.echo(f"  not true: {found['rule']}: {where + ': ' if where else ''}{found['detail']}")
    if len(disagreements) > SHOWN:
        click.echo(f"  and {len(disagreements) - SHOWN:,} more (--json shows all).")
