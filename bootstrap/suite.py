"""`./bronze test`: linters, types, SQL, lock file, then pytest, whose closing line comes last."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from bootstrap import setup
from bootstrap.machine import ROOT, environment, say, tool

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA_OF = ("check-jsonschema", "--quiet", "--builtin-schema")


def _found(*patterns: str) -> list[str]:
    """Return the paths of the project that fit *patterns*, relative to its folder."""
    return sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern))


#: Name and command of each check; the programs are `.venv`'s. mypy takes one package at a time, since each may have
#: a conftest.py.
CHECKS = (
    ("ruff", ("ruff", "check", "--quiet", ".")),
    ("ruff format", ("ruff", "format", "--check", "--quiet", ".")),
    *(
        (f"mypy {folder}", ("mypy", "--no-error-summary", folder))
        for folder in _found("bootstrap", "tests", "benchmarks", "extract/*", "load/*")
    ),
    ("sqlfluff", ("sqlfluff", "lint", "--disable-progress-bar", "sql")),
    ("Meltano's files", (*SCHEMA_OF, "vendor.meltano", "meltano.yml", *_found("plugins/*/*.meltano.yml"))),
    ("compose file", (*SCHEMA_OF, "vendor.compose-spec", "docker-compose.yml")),
    ("lock file", ("uv", "lock", "--check", "--offline", "--quiet")),
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
