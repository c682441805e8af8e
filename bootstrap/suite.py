"""`./bronze test`: linters, types, SQL, lock file, then pytest, whose closing line comes last."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from bootstrap import setup
from bootstrap.machine import ROOT, environment, say, tool

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Name and command of each check; the programs are `.venv`'s.
CHECKS = (
    ("ruff", ("ruff", "check", "--quiet", ".")),
    ("ruff format", ("ruff", "format", "--check", "--quiet", ".")),
    ("mypy", ("mypy", "--no-error-summary", ".")),
    ("sqlfluff", ("sqlfluff", "lint", "--disable-progress-bar", "sql")),
)


def run_all(arguments: Sequence[str]) -> int:
    """Set up what is missing, run everything, and return 0 when all of it passed.

    Args:
        arguments: For pytest. With any, someone works on a few tests, and the other checks are left out.
    """
    setup.ensure()
    failed = [] if arguments else [name for name, command in CHECKS if not _passes(name, command)]
    say("== pytest")
    tests = subprocess.run(
        [tool("python"), "-m", "pytest", *(arguments or ("-q", "-n", "auto"))],
        check=False,
        cwd=ROOT,
        env=environment(),
    )
    if failed:
        say(f"Failed checks: {', '.join(failed)} (see above).")
    return tests.returncode or int(bool(failed))


def _passes(name: str, command: Sequence[str]) -> bool:
    say(f"== {name}")
    command = [tool(command[0]), *command[1:]]
    return subprocess.run(command, check=False, cwd=ROOT, env=environment()).returncode == 0
