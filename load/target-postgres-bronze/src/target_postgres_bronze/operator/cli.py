"""``bronze``: finds its commands in `target_postgres_bronze.operator.commands`, and says errors in a sentence."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys

import click
from typing_extensions import override

from target_postgres_bronze.database import DatabaseError
from target_postgres_bronze.embedded import EmbeddedServerError
from target_postgres_bronze.operator import commands
from target_postgres_bronze.operator.session import OperatorError, echo
from target_postgres_bronze.project import ProjectError

INTERRUPTED = 130


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


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: bronze status. Each command has a --help of its own, with an example and its exit codes. Exit code 0: done; 1: it could "
    "not be done, or what was checked is not as it should be; 2: the words were not understood; 130: interrupted with Ctrl-C.",
)
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
    """Run the command of ``sys.argv``; an expected error is a sentence on stderr and exit code 1, Ctrl-C is 130."""
    os.umask(0o077)  # what is written is the caller's alone
    try:
        # click by itself would answer Ctrl-C with 1, as if something had failed
        sys.exit(group(prog_name="bronze", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. What was finished before is kept.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # whoever read the output has had enough, as in `bronze export toggl | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (DatabaseError, EmbeddedServerError, OperatorError, ProjectError) as error:
        for line in str(error).splitlines():
            echo(line, err=True)
        if "--json" in sys.argv:  # scripts always find one document on stdout
            click.echo(json.dumps({"error": str(error)}))
        sys.exit(1)
