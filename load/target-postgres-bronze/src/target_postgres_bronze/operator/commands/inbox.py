"""``bronze inbox``: exports that were dropped into data/inbox, each through the tap that it is for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import drops, plugins, running, session
from target_postgres_bronze.operator.schedules import source_of

if TYPE_CHECKING:
    from target_postgres_bronze.operator.drops import Drop, Taker

FILES = """
    SELECT f.raw_data ->> 'path' AS path, f.raw_data ->> 'status' AS status, f.raw_data ->> 'reason' AS reason
    FROM {table} AS f
    WHERE
        f.metadata ->> 'stream' = '_files' AND f.raw_data ->> 'status' NOT IN ('parsed', 'ignored')
        AND f.pipeline_run_id = (SELECT run_id FROM bronze.runs WHERE source = %s ORDER BY started_at DESC LIMIT 1)
    ORDER BY 1
    LIMIT 20
"""


@click.command(
    epilog="Example: bronze inbox, or bronze inbox ~/Downloads/export.zip. Exit code 0: all that was recognised landed; 1: a run "
    "failed. What is in the inbox stays there; what has been read before costs a moment."
)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.option("--dry-run", is_flag=True, help="Say what is recognised, and run nothing.")
def command(*, paths: tuple[Path, ...], dry_run: bool) -> None:
    """Recognise what lies in data/inbox (or PATHs), run the tap that it is for, and say what came in."""
    root = project.find_root()
    inbox = root / "data" / "inbox"
    found = [drops.look_at([path.resolve()]) for path in paths]
    if not paths and inbox.is_dir():
        found = drops.drops_in(inbox)
    known = drops.takers(plugins.defined(root))
    if not found:
        click.echo(f"{inbox} is empty. Drop an export there: {_known(known)}.")
        return
    failed = False
    for drop in found:
        reasons = [(taker, why) for taker in known if (why := taker.why(drop))]
        if not reasons and drop.damaged:
            click.echo(f"{', '.join(drop.damaged)}: damaged or cut off, so not recognised. Get it anew.")
        elif not reasons:
            click.echo(f"{drop.path.name}: not recognised. Known are exports of {_known(known)}.")
        for taker, why in reasons:
            click.echo(f"{drop.path.name}: {taker.label} ({why})")
            if not dry_run:
                failed |= not _import(root, drop, taker)
    sys.exit(1 if failed else 0)


def _known(known: list[Taker]) -> str:
    return ", ".join(taker.label for taker in known) or "nothing: no tap says that it takes files"


def _import(root: Path, drop: Drop, taker: Taker) -> bool:
    """Run the tap on *drop* and say what came in; tell whether it succeeded."""
    source = source_of(taker.plugin.name)
    os.environ[taker.variable] = str(drop.path)
    try:
        (run,) = running.run_all(root, [source], 1, lambda _run: None)
    finally:
        del os.environ[taker.variable]
    for line in run.said:
        click.echo(f"  {line}")
    if run.outcome == running.SUCCEEDED and not run.said:
        click.echo("  nothing new: it has been read before")
    for file in _files(source) if run.said else []:
        click.echo(f"  {file['path']}: {file['status']}. {file['reason'] or ''}".rstrip())
    if run.outcome == running.BUSY:
        click.echo(f"  left out: a run of {source} is going on")
    elif run.outcome != running.SUCCEEDED:
        click.echo(f"  the run {run.outcome}; what it said is in {run.log}", err=True)
    return run.outcome == running.SUCCEEDED


def _files(source: str) -> list[dict[str, Any]]:
    """Return the files of the newest run that were not read, or not to their end."""
    from psycopg import sql  # noqa: PLC0415 - half a second that --help need not pay

    query = sql.SQL(FILES).format(table=sql.Identifier(f"bronze_{source}"))
    with session.connected() as connection:
        return [dict(row) for row in session.rows(connection, query, source)]
