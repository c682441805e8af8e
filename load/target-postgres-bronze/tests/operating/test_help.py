"""``--help`` of the commands that scripts call: an example, and what the exit code says."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from target_postgres_bronze.operator.cli import group

COMMANDS = (
    "archive-month",
    "backup",
    "catalog",
    "check",
    "dead-letters",
    "export",
    "maintain",
    "metrics",
    "rebuild",
    "reconcile",
    "restore",
    "run",
    "schedule",
    "verify",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_the_exit_codes(command: str) -> None:
    said = " ".join(CliRunner().invoke(group, [command, "--help"], prog_name="bronze").output.split())
    assert f"Example: bronze {command}" in said
    assert "Exit code 0" in said
