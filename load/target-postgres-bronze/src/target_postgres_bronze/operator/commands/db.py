"""``bronze db``: the embedded server, and the address of the database."""

from __future__ import annotations

import click

from target_postgres_bronze import embedded, project
from target_postgres_bronze.operator import session


@click.group(name="db")
def command() -> None:
    """Start, stop and find the database."""


@command.command
def start() -> None:
    """Start the database if it is the embedded one, and say where it is."""
    target = session.target()
    if target.server is None:
        target.connect().close()
    click.echo(f"{target.display} is running.")


@command.command
def stop() -> None:
    """Stop the embedded server; statements that are running are cancelled."""
    folder = project.postgres_dir(project.find_root())
    click.echo("Stopped." if embedded.stop(folder) else f"No embedded server is running in {folder}.")


@command.command
def url() -> None:
    """Print the database's URL for other programs, without a password."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - half a second that --help need not pay

    target = session.target()
    parts = conninfo_to_dict(target.conninfo)
    if target.server:
        click.echo(target.server.url(str(parts["dbname"])))
    else:
        click.echo(f"postgresql://{target.display}")


@command.command
def status() -> None:
    """Say whether the embedded server runs, without starting it."""
    folder = project.postgres_dir(project.find_root())
    server = embedded.status(folder)
    click.echo(f"Running, with its socket in {server.socket_dir}." if server else f"Not running ({folder}).")
