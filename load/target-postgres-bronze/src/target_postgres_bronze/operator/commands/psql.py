"""``bronze psql``: PostgreSQL's own shell on the project's database."""

from __future__ import annotations

import os
import shutil
import sys

import click

from target_postgres_bronze import embedded
from target_postgres_bronze.operator import pgtools, session


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    epilog="Example: bronze psql -c 'SELECT count(*) FROM bronze_toggl'. Exit code 0, or psql's own: 1 for an error, 2 when the connection "
    "breaks, 3 for an error in a script (-v ON_ERROR_STOP=1).",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Open a shell on the database, or run a statement. All arguments go to psql."""
    target = session.target()
    target.connect().close()  # so that the sentence is ours when it cannot be reached
    own = str(embedded.program("psql"))
    program = own if target.server else shutil.which("psql") or own
    command_line, env = pgtools.aimed(target, program)
    sys.stdout.flush()
    os.execve(program, [*command_line, *arguments], env)  # noqa: S606 - no shell
