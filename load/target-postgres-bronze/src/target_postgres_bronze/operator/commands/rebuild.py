"""``bronze rebuild``: a source from its raw archive alone, offline."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import archives, loading, meltano, pgtools, session
from target_postgres_bronze.operator.commands.backup import places
from target_postgres_bronze.operator.progress import progress

if TYPE_CHECKING:
    from pathlib import Path

    from target_postgres_bronze.database import Target


@click.command(
    epilog="Example: bronze rebuild toggl --database bronze_new. Exit code 0: every file was landed; 1: not. The new rows are those of "
    "the original, but for times of landing, names of runs and numbers of rows."
)
@click.argument("source")
@click.option(
    "--database",
    "name",
    required=True,
    help="Where to: a database on the same server, made if it is not there.",
)
def command(source: str, name: str) -> None:
    """Land every run of SOURCE again from the raw archive, oldest first, into another database."""
    root = project.find_root()
    config = meltano.loader_config(root) | {"archive": False, "max_rejected_share": 1, "max_invalid_share": 1}
    found = archives.files(places(root).archive, source)
    if not found:
        raise session.OperatorError(
            f"The raw archive has no file of {source}. It lies in {places(root).archive}."
        )
    here = session.target()
    with here.connect() as connection:
        exists = (
            connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
        )
    target = pgtools.sibling(here, name) if exists else pgtools.create(here, name)
    _expect_nothing(target, source)
    settings, env = loading.aimed_at(target, config, project.environment(root))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    with contextlib.nullcontext() if exists else pgtools.whole_or_removed(target):
        _land(source, found, settings, env, target)
    with session.connected(target) as connection:
        (total,) = session.rows(connection, "SELECT * FROM bronze.fingerprint(%s)", source)
    click.echo(f"{target.display}: {total['row_count']:,} rows of {source} from {len(found):,} runs.")


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
