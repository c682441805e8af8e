"""``bronze db``: the embedded server, and the address of the database."""

from __future__ import annotations

import click

from target_postgres_bronze import embedded, project
from target_postgres_bronze.operator import session


@click.group(
    name="db", epilog="Example: bronze db status. Exit code 0, or 1 when the database does not answer."
)
def command() -> None:
    """Start, stop and find the database."""


@command.command(
    epilog="Example: bronze db start. Exit code 0: it is running; 1: it does not start, or does not answer."
)
def start() -> None:
    """Start the database if it is the embedded one, and say where it is."""
    target = session.target()
    if target.server is None:
        target.connect().close()
    click.echo(f"{target.display} is running.")


@command.command(
    epilog="Example: bronze db stop. Exit code 0: it is not running any more; 1: it does not stop."
)
def stop() -> None:
    """Stop the embedded server; statements that are running are cancelled."""
    folder = project.postgres_dir(project.find_root())
    click.echo("Stopped." if embedded.stop(folder) else f"No embedded server is running in {folder}.")


@command.command(
    epilog="Example: bronze db url. Exit code 0: the URL is on stdout; 1: the database does not answer."
)
def url() -> None:
    """Print the database's URL for other programs, without a password."""
    click.echo(session.target().url())


@command.command(epilog="Example: bronze db status. Exit code 0, running or not.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def status(*, as_json: bool) -> None:
    """Say whether the embedded server runs, without starting it."""
    folder = project.postgres_dir(project.find_root())
    server = embedded.status(folder)
    if as_json:
        session.show_json(
            {"running": server is not None, "folder": folder, "socket": server and server.socket_dir}
        )
        return
    click.echo(f"Running, with its socket in {server.socket_dir}." if server else f"Not running ({folder}).")
