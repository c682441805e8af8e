"""``bronze rebuild``: a source from its raw archive alone, offline."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import archives, comparing, loading, meltano, pgtools, session, swapping
from target_postgres_bronze.operator.commands.backup import places
from target_postgres_bronze.operator.progress import progress

if TYPE_CHECKING:
    from pathlib import Path

    from target_postgres_bronze.database import Target


@click.command(
    epilog="Example: bronze rebuild toggl --database bronze_new --swap. Exit code 0: every file was landed; 1: not, or nothing was swapped. The new "
    "rows are those of the original, but for times of landing, names of runs and numbers of rows, and for what today's loader reads better."
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--database",
    "name",
    required=True,
    help="Where to: a database on the same server, made if it is not there.",
)
@click.option("--compare", "compares", is_flag=True, help="Compare each version with the present database.")
@click.option(
    "--swap",
    "swaps",
    is_flag=True,
    help="Compare, and if nothing is missing or different but source_timestamp, rename the new database to the present one's name. The present "
    "one is kept under another name.",
)
def command(sources: tuple[str, ...], name: str, *, compares: bool, swaps: bool) -> None:
    """Land every run of each SOURCE again from the raw archive, oldest first, into another database."""
    root = project.find_root()
    config = meltano.loader_config(root) | {"archive": False, "max_rejected_share": 1, "max_invalid_share": 1}
    found = {source: archives.files(places(root).archive, source) for source in sources}
    for source, files in found.items():
        if not files:
            raise session.OperatorError(
                f"The raw archive has no file of {source}. It lies in {places(root).archive}."
            )
    here = session.target()
    if swaps:
        swapping.expect_all(here, sources)
    with here.connect() as connection:
        exists = (
            connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
        )
    target = pgtools.sibling(here, name) if exists else pgtools.create(here, name)
    for source in sources:
        _expect_nothing(target, source)
    settings, env = loading.aimed_at(target, config, project.environment(root))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    with contextlib.nullcontext() if exists else pgtools.whole_or_removed(target):
        for source, files in found.items():
            _land(source, files, settings, env, target)
    for source, files in found.items():
        with session.connected(target) as connection:
            (total,) = session.rows(connection, "SELECT * FROM bronze.fingerprint(%s)", source)
        click.echo(f"{target.display}: {total['row_count']:,} rows of {source} from {len(files):,} runs.")
    if compares or swaps:
        complete = [_compare(source, here, target) for source in sources]
        if swaps:
            if not all(complete):
                raise session.OperatorError(
                    f"Nothing was swapped: {target.display} lacks versions that are here, or has others. Look at the figures above; the new "
                    "database is kept."
                )
            kept = swapping.swap(here, name)
            click.echo(
                f"Swapped: the rebuilt database has the present name now; the earlier one is kept as {kept}."
            )


def _compare(source: str, here: Target, target: Target) -> bool:
    """Print how the versions of *source* in both databases agree; return whether none is missing or different."""
    with session.connected(here) as old, session.connected(target) as new:
        found = comparing.compare(source, old, new)
    click.echo(
        f"{source}: {found.equal:,} versions are equal, {found.timed:,} differ only in source_timestamp, {found.differing:,} in their content; "
        f"{found.missing:,} are only in the present database, {found.added:,} only in the new one."
    )
    return found.is_complete


def _land(
    source: str, found: list[Path], settings: dict[str, Any], env: dict[str, str], target: Target
) -> None:
    size = sum(file.stat().st_size for file in found)
    with progress(f"{source}: landing {len(found)} runs", size) as advance:
        for file in found:
            with archives.ArchiveReader(file) as messages:
                code = loading.land(source, messages, settings, env)
            if code:
                raise session.OperatorError(
                    f"{file.name} was not landed (exit code {code}, see above), so that {target.display} has no whole {source}. Correct "
                    "that, and rebuild into a new database."
                )
            advance(file.stat().st_size)


def _expect_nothing(target: Target, source: str) -> None:
    with target.connect() as connection:
        found = connection.execute("SELECT to_regclass(%s)", [f"public.bronze_{source}"]).fetchone()
    if found != (None,):
        raise session.OperatorError(f"{target.display} has a bronze_{source} already. Name another database.")
