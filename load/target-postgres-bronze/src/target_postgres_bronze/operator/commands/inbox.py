"""``bronze inbox``: exports that were dropped into data/inbox, each through the tap that it is for."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_kit.text import printable
from target_postgres_bronze import project
from target_postgres_bronze.operator import drops, plugins, running, session
from target_postgres_bronze.operator.schedules import source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_postgres_bronze.operator.drops import Drop, Taker
    from target_postgres_bronze.operator.running import SourceRun

FILES = """
    SELECT f.raw_data ->> 'path' AS path, f.raw_data ->> 'status' AS status, f.raw_data ->> 'reason' AS reason
    FROM {table} AS f
    WHERE
        f.metadata ->> 'stream' = '_files' AND f.raw_data ->> 'status' NOT IN ('parsed', 'ignored')
        AND f.pipeline_run_id = coalesce(
            (
                SELECT r.pipeline_run_id FROM {table} AS r
                WHERE r.metadata ->> 'stream' = '_files' AND r.raw_data ->> 'export' = ANY(%s)
                ORDER BY r.ingested_at DESC LIMIT 1
            ),
            (SELECT run_id FROM bronze.runs WHERE source = %s ORDER BY started_at DESC LIMIT 1)
        )
    ORDER BY 1
    LIMIT 20
"""
"""Files that were not read, or not to their end: of the run that wrote last about the export, else of the newest."""

PROGRESS = re.compile(r"\d+ of \d+ files, [^\n]*")
READ_BEFORE = re.compile(rb": (?:its content has been )?read before\.|: the same content as ")
"""What a tap logs of an export that it knows."""

MOST_PROBLEMS = 5
MOST_SAID = 500
TAIL = 1 << 14
PACE = {"TAP_KIT_PROGRESS_SECONDS": "2"}
"""What has taps tell more often how far they are, while a person watches."""


@click.command(
    epilog="Example: bronze inbox, or bronze inbox ~/Downloads/export.zip. Exit code 0: all that was recognised landed; 1: a run "
    "failed or was stopped. What is in the inbox stays there; what has been read before costs a moment."
)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.option("--dry-run", is_flag=True, help="Say what is recognised, and run nothing.")
def command(*, paths: tuple[Path, ...], dry_run: bool) -> None:
    """Recognise what lies in data/inbox (or PATHs), run the tap that it is for, and say what came in."""
    root = project.find_root()
    inbox = root / "data" / "inbox"
    found = [drops.look_at(path.resolve()) for path in paths]
    if not paths and inbox.is_dir():
        found = drops.drops_in(inbox)
    known = drops.takers(plugins.defined(root))
    if not found:
        click.echo(f"{inbox} is empty. Drop an export there: {_known(known)}.")
        return
    failed = False
    for drop in found:
        reasons = [(taker, why) for taker in known if (why := taker.why(drop))]
        name = printable(drop.path.name)
        if not reasons:
            _show_unrecognised(drop, name, known)
        for taker, why in reasons:
            click.echo(f"{name}: {taker.label} ({why})")
            if not dry_run:
                run = _import(root, drop, taker)
                failed |= run.outcome != running.SUCCEEDED
                if run.is_stopping:  # who stops one run wants no other to begin
                    click.echo(
                        "Stopped. What had come has landed; bronze inbox goes on from there.", err=True
                    )
                    sys.exit(1)
    sys.exit(1 if failed else 0)


def _show_unrecognised(drop: Drop, name: str, known: list[Taker]) -> None:
    if drop.is_empty:
        click.echo(f"{name}: empty. Get it again.")
        return
    for problem in drop.problems[:MOST_PROBLEMS]:
        click.echo(printable(problem, MOST_SAID))
    click.echo(f"{name}: not recognised. Known are exports of {_known(known)}.")


def _known(known: list[Taker]) -> str:
    return ", ".join(taker.label for taker in known) or "nothing: no tap says that it takes files"


def _import(root: Path, drop: Drop, taker: Taker) -> SourceRun:
    """Run the tap on *drop* and say what came in."""
    source = source_of(taker.plugin.name)
    log = running.log_of(root, source)
    begin = _size(log)
    with _screen() as (pace, show), _set({taker.variable: str(drop.path), **pace}):
        (run,) = running.run_all(root, [source], 1, show)
    for line in run.said:
        click.echo(f"  {printable(line, MOST_SAID)}")
    if run.outcome == running.SUCCEEDED and not run.said:
        if _was_read_before(run.log, begin):
            click.echo("  nothing new: it has been read before")
        else:
            click.echo(f"  nothing was read; what the run said is in {run.log}")
    for file in _files(source, drop):
        reason = printable((file["reason"] or "").removeprefix(f"{file['path']}: "), MOST_SAID)
        click.echo(f"  {printable(file['path'])}: {file['status']}. {reason}".rstrip())
    if run.outcome == running.BUSY:
        click.echo(f"  left out: a run of {source} is going on")
    elif run.outcome != running.SUCCEEDED and not run.is_stopping:
        for reason in run.reasons:
            click.echo(f"  {printable(reason, MOST_SAID)}", err=True)
        landed = " What is counted above has landed." if run.said else ""
        click.echo(f"  the run {run.outcome}; what it said is in {run.log}.{landed}", err=True)
    return run


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _was_read_before(log: Path, begin: int) -> bool:
    """Return whether the tap logged, from byte *begin* on, that it had read what it was given."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(begin if _size(log) >= begin else 0)  # a large log has been replaced
        return any(READ_BEFORE.search(line) for line in file)
    return False


@contextmanager
def _set(variables: dict[str, str]) -> Iterator[None]:
    """Have environment variables for a while."""
    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _screen() -> Iterator[tuple[dict[str, str], Callable[[SourceRun], None]]]:
    """Give what shows how far a run is, and the variables that it needs: a moving line on a terminal, with what the tap said last."""
    from rich.console import Console  # noqa: PLC0415 - --help need not pay
    from rich.progress import Progress, SpinnerColumn, TextColumn  # noqa: PLC0415 - the same

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield {}, lambda _run: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        line = progress.add_task("", total=None)
        yield (
            PACE,
            lambda run: progress.update(line, description=f"{run.seconds:.0f} s  {_last_progress(run.log)}"),
        )


def _last_progress(log: Path) -> str:
    """Return what a tap said last of how far it is; empty where it has said nothing yet."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        said = file.read().decode(errors="replace").rpartition("Beginning sync")[2]
        found: list[str] = PROGRESS.findall(said)
        return found[-1] if found else ""
    return ""


def _files(source: str, drop: Drop) -> list[dict[str, Any]]:
    """Return the files of *drop* that were not read, or not to their end."""
    from psycopg import errors, sql  # noqa: PLC0415 - half a second that --help need not pay

    query = sql.SQL(FILES).format(table=sql.Identifier(f"bronze_{source}"))
    with session.connected() as connection, suppress(errors.UndefinedTable):  # nothing has landed yet
        return [dict(row) for row in session.rows(connection, query, drop.exports, source)]
    return []
