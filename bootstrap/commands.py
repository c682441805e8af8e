"""The words of `./bronze`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bootstrap import demo, setup, suite
from bootstrap.machine import PYTHON, ROOT, BootstrapError, say

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(arguments: Sequence[str], usage: str) -> int | str:
    """Carry out *arguments*; return the exit code, or the sentence that says why it could not be done."""
    try:
        return _dispatch(arguments, usage)
    except (BootstrapError, OSError) as error:
        return str(error)
    except KeyboardInterrupt:
        say("\nInterrupted. The same command goes on from here.")
        return 130


def _dispatch(arguments: Sequence[str], usage: str) -> int:
    match list(arguments):
        case ["setup"]:
            setup.ensure()
            say("Everything is set up. Next: ./bronze demo, or your own data (README.md).")
            return 0
        case ["demo"]:
            return demo.show()
        case ["test", *rest]:
            return suite.run_all(rest)
        case _ if setup.is_complete():
            hand_over(arguments)
        case [] | ["-h" | "--help"]:
            say(usage.strip())
            return 0
    raise BootstrapError("Nothing is set up here yet. Run ./bronze setup (or ./bronze demo) first.")


def hand_over(arguments: Sequence[str]) -> None:
    """Become the operator command, on this project whatever the current folder is."""
    sys.stdout.flush()
    command = [str(PYTHON), "-m", "target_postgres_bronze.operator", *arguments]
    env = os.environ | {"MELTANO_PROJECT_ROOT": str(ROOT)}
    os.execve(PYTHON, command, env)  # noqa: S606 - no shell is wanted
