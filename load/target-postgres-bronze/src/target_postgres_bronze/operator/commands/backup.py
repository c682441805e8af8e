"""``bronze backup``: database, state and raw archive, verified."""

from __future__ import annotations

from pathlib import Path

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import backups, meltano, session, state


def places(root: Path) -> backups.Places:
    """Return where the project at *root* keeps its raw archive and Meltano's state."""
    named = meltano.loader_config(root).get("archive_dir")
    archive = Path(named).expanduser() if named else project.archive_dir(root)
    return backups.Places(archive, state.place(root, project.environment(root)), root)


@click.command(
    epilog="Example: bronze backup /mnt/disk/bronze. Exit code 0: the backup is there, and verified; 1: it is not. Nothing "
    "removes old backups; delete folders as you like, but keep archive/."
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--verify/--no-verify", default=True, help="Restore the dump into a scratch database, and compare."
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(folder: Path, *, verify: bool, as_json: bool) -> None:
    """Save the database, Meltano's state and the raw archive to FOLDER; credentials (.env) are left out."""
    root = project.find_root()
    target = session.target()
    made = backups.back_up(target, places(root), folder.expanduser().absolute(), verify=verify)
    size = sum(file.stat().st_size for file in made.iterdir())
    if as_json:
        session.show_json({"folder": made, "bytes": size, "verified": verify})
    else:
        found = ", restored into a scratch database and found equal" if verify else ""
        click.echo(f"{made}: {session.size(size)}{found}.")
    if not any((made / name).exists() for name in (backups.STATE, backups.STATE_EXPORT)):
        click.echo(
            "Not in it: Meltano's state. There is none yet, or Meltano cannot read it: `meltano state export` shows why.",
            err=True,
        )
    click.echo("Not in it: .env. Keep your credentials where you keep passwords.", err=True)
