"""``bronze psql``: PostgreSQL's own shell on the project's database."""

from __future__ import annotations

import os
import shutil
import sys

import click

from target_postgres_bronze import embedded
from target_postgres_bronze.operator import session


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    epilog="Example: bronze psql -c 'SELECT count(*) FROM bronze_toggl'. Exit code 0, or psql's own: 1 for an error, 2 when the connection "
    "breaks, 3 for an error in a script (-v ON_ERROR_STOP=1).",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Open a shell on the database, or run a statement. All arguments go to psql."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 - half a second for --help

    target = session.target()
    target.connect().close()  # so that the sentence is ours when it cannot be reached
    parts = conninfo_to_dict(target.conninfo)
    password = parts.pop("password", None)
    # The command line is visible to every user of the machine, the environment is not.
    env = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    own = str(embedded.program("psql"))
    program = own if target.server else shutil.which("psql") or own
    sys.stdout.flush()
    os.execve(program, [program, "--dbname", make_conninfo("", **parts), *arguments], env)  # noqa: S606 - no shell
