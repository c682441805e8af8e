"""``bronze restore``: a backup into an empty database."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from target_postgres_bronze import database, project
from target_postgres_bronze.operator import backups, pgtools, session, state
from target_postgres_bronze.operator.commands.backup import places

if TYPE_CHECKING:
    from collections.abc import Iterator


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
@click.option(
    "--state/--no-state",
    "with_state",
    default=None,
    help="Put back what Meltano's state lacks: how far each tap had come. Default: not with --database, as a state that is ahead of the "
    "project's own rows would leave some out.",
)
def command(backup: Path, name: str | None, *, with_archive: bool, with_state: bool | None) -> None:
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
    with pgtools.whole_or_removed(target) if name else _told(target):
        backups.load_dump(target, backup, manifest["fingerprints"], major)
    click.echo(f"{target.display}: restored, every row is as it was saved.")
    there = places(root)
    if with_archive:
        backups.restore_archive(backup, manifest["archive"], there.archive)
        click.echo(f"{there.archive}: the raw archive is complete.")
    saved, exported = backup / backups.STATE, backup / backups.STATE_EXPORT
    is_wanted = name is None if with_state is None else with_state
    if is_wanted and exported.exists():
        count = state.put_back_export(root, exported.read_text())
        click.echo(
            f"Meltano's state of {count} pipelines is restored; states that were present are unchanged."
        )
    elif is_wanted and there.state is not None and saved.exists():
        count = state.put_back(saved, there.state)
        click.echo(
            f"{there.state}: Meltano's state of {count} pipelines is restored; states that were present are unchanged."
        )
    elif (saved.exists() or exported.exists()) and name and with_state is None:
        click.echo(
            f"Meltano's state is as it was. When {name} becomes the project's database (PG_DB in .env), a tap without state reads everything "
            "again, which adds nothing.",
            err=True,
        )


@contextlib.contextmanager
def _told(target: database.Target) -> Iterator[None]:
    """Say so when a part of a restore is left in the project's own database, which is not removed."""
    try:
        yield
    except BaseException:
        click.echo(
            f"{target.display} holds a part of the backup, and is of no use. Restore with --database NAME, and write PG_DB=NAME into "
            ".env.",
            err=True,
        )
        raise


def _expect_empty(target: database.Target) -> None:
    with target.connect() as connection:
        found = connection.execute("SELECT to_regnamespace('bronze') IS NOT NULL").fetchone()
    if found == (True,):
        raise session.OperatorError(
            f"{target.display} has a bronze layer already, which a restore would mix up. Name a new database with --database, and "
            "PG_DB in .env when you want to use it."
        )
