"""``bronze``: finds its commands in `target_postgres_bronze.operator.commands`, and says errors in a sentence."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import click
from typing_extensions import override

from target_postgres_bronze.database import DatabaseError
from target_postgres_bronze.embedded import EmbeddedServerError
from target_postgres_bronze.operator import commands
from target_postgres_bronze.operator.session import OperatorError
from target_postgres_bronze.project import ProjectError


class Commands(click.Group):
    """The modules of `commands`, each loaded when it is asked for."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-e",
    "--environment",
    metavar="NAME",
    help="Meltano's environment, which decides the database: demo has one of its own. Default: $MELTANO_ENVIRONMENT.",
)
@click.version_option(package_name="target-postgres-bronze", prog_name="bronze")
def group(environment: str | None) -> None:
    """Look at the bronze layer: what landed, what failed, what is stale."""
    if environment:
        os.environ["MELTANO_ENVIRONMENT"] = environment


def main() -> None:
    """Run the command of ``sys.argv``; an expected error is a sentence on stderr and exit code 1."""
    try:
        group(prog_name="bronze")
    except (DatabaseError, EmbeddedServerError, OperatorError, ProjectError) as error:
        click.echo(str(error), err=True)
        sys.exit(1)
