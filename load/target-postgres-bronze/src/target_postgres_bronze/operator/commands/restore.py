"""``bronze restore``: a backup into an empty database."""

from __future__ import annotations

from pathlib import Path

import click

from target_postgres_bronze import database, project
from target_postgres_bronze.operator import backups, pgtools, session
from target_postgres_bronze.operator.commands.backup import places


@click.command(
    epilog="Example: bronze restore /mnt/disk/bronze/bronze-20240131T040000Z. Exit code 0: restored, and every row compared; "
    "1: not."
)
@click.argument("backup", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option(
    "--database",
    "name",
    help="A new database on the same server. Default: the project's own, if it is empty.",
)
@click.option(
    "--archive/--no-archive", "with_archive", default=True, help="Put missing files of the raw archive back."
)
def command(backup: Path, name: str | None, *, with_archive: bool) -> None:
    """Restore BACKUP, a folder that `bronze backup` made; nothing that is here is overwritten."""
    manifest = backups.read_manifest(backup)
    root = project.find_root()
    target = session.target()
    with target.connect() as connection:
        major = connection.info.server_version // 10_000
    if name:
        target = pgtools.create(target, name)
    else:
        _expect_empty(target)
    backups.load_dump(target, backup, manifest["fingerprints"], major)
    click.echo(f"{target.display}: restored, every row is as it was saved.")
    if with_archive:
        there = places(root)
        backups.restore_archive(backup, manifest["archive"], there.archive)
        click.echo(f"{there.archive}: the raw archive is complete.")
        if backups.restore_state(backup, there.state):
            click.echo(f"{there.state}: Meltano's state is back.")


def _expect_empty(target: database.Target) -> None:
    with target.connect() as connection:
        found = connection.execute("SELECT to_regnamespace('bronze') IS NOT NULL").fetchone()
    if found == (True,):
        raise session.OperatorError(
            f"{target.display} has a bronze layer already, which a restore would mix up. Name a new database with --database, and "
            "PG_DB in .env when you want to use it."
        )
