"""The command ``target-postgres-bronze``.

A run needs no class of singer-sdk, and importing it takes seconds; ``--about``, ``--version``, ``--help`` and configuration from
the environment (``--config=ENV``) are the SDK's own.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
from typing import IO, TYPE_CHECKING, Any, Final

from target_postgres_bronze.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FROM_ENVIRONMENT: Final = "ENV"


def main() -> None:
    """Run the command and exit with its code."""
    os.umask(0o077)  # what is written is the caller's alone
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # until the run listens for it (Interrupt), Ctrl-C ends the command as it ends any other, without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    paths = _plain_arguments(sys.argv[1:])
    if paths is None:
        from target_postgres_bronze.target import TargetPostgresBronze  # noqa: PLC0415 - takes seconds

        TargetPostgresBronze.cli()
    else:
        sys.exit(_run(*paths))


def _run(configs: list[str], source: str | None) -> int:
    gc.disable()  # what is imported stays: looking through it meanwhile costs a tenth of the start
    from target_postgres_bronze import project  # noqa: PLC0415 - not needed for --help
    from target_postgres_bronze.pipeline import FAILURE, run_loader  # noqa: PLC0415 - the same

    gc.freeze()
    gc.enable()

    try:
        config, env = _read_configs(configs), project.environment()
        messages: IO[Any] = open(source, "rb") if source else sys.stdin.buffer  # noqa: SIM115, PTH123 - open until the process ends
    except (LoaderError, project.ProjectError) as error:
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400 - a sentence for the user
        return FAILURE
    except OSError as error:
        logging.getLogger(__name__).error("%s cannot be read: %s. Correct --input.", source, error.strerror)  # noqa: TRY400 - the same
        return FAILURE
    return run_loader(config, messages, sys.stdout.buffer, env)


def _plain_arguments(arguments: Sequence[str]) -> tuple[list[str], str | None] | None:
    """Return the config files and the input file, or None where the SDK's own command line is asked for."""
    configs: list[str] = []
    source = None
    rest = [part for argument in arguments for part in argument.split("=", 1)]
    while rest:
        option = rest.pop(0)
        if not rest or option not in ("--config", "-c", "--input") or rest[0] == _FROM_ENVIRONMENT:
            return None
        if option == "--input":
            source = rest.pop(0)
        else:
            configs.append(rest.pop(0))
    return configs, source


def _read_configs(paths: list[str]) -> dict[str, Any]:
    """Return the settings of all files, later ones over earlier ones."""
    settings: dict[str, Any] = {}
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a name from the command line
                found = json.load(file)
        except OSError as error:
            raise LoaderError(f"{path} cannot be read: {error.strerror}. Correct --config.") from error
        except ValueError as error:
            raise LoaderError(f"{path} is no JSON. --config names a JSON file with the settings.") from error
        if not isinstance(found, dict):
            raise LoaderError(f"{path} holds no JSON object. --config names a JSON file with the settings.")
        settings |= found
    return settings
