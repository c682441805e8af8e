"""A copy of the project to run Meltano in: its own data and state, the plugins of this checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
import yaml

from target_postgres_bronze import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own."""

    root: Path

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a shell that names no database, with *variables*."""
        foreign = ("PG", "MELTANO", "TARGET_", "TAP_", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        quiet = {"MELTANO_AUTO_INSTALL": "false", "MELTANO_CLI_LOG_FORMAT": "json"}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return {**kept, **quiet, "PATH": path, **variables}

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start ``meltano`` with *words*."""
        return subprocess.Popen(
            [BIN / "meltano", *words],
            cwd=self.root,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, tap: str, **variables: str) -> list[str]:
        """Run *tap* into target-postgres; return what the loader said.

        Raises:
            AssertionError: The run failed.
        """
        # --force: Meltano takes a run that was killed for a living one for another five minutes.
        with self.start("run", "--force", tap, "target-postgres", **variables) as meltano:
            said, _ = meltano.communicate(timeout=120)
        entries = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert meltano.returncode == 0, "\n".join(entry["event"] for entry in entries)
        return [entry["event"] for entry in entries if entry.get("consumer")]

    @staticmethod
    def kill(process: subprocess.Popen[str]) -> None:
        """Kill *process* and everything that it started, at once, as a power cut does."""
        parent = psutil.Process(process.pid)
        family = [parent, *parent.children(recursive=True)]
        for member in family:
            member.kill()
        psutil.wait_procs(family, timeout=30)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of *query* in the database bronze of the embedded server."""
        server = embedded.ensure_running(self.root / "data" / "postgres")
        with psycopg.connect(server.conninfo("bronze")) as connection:
            return connection.execute(query.encode()).fetchall()

    def define(self, tap: str, script: Path, **definition: Any) -> None:
        """Add an extractor *tap* that is the Python *script*, as a person adds one from elsewhere."""
        executable = self.root / f"{tap}.sh"
        executable.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        executable.chmod(0o755)
        entry = {"name": tap, "namespace": tap.replace("-", "_"), "executable": f"./{tap}.sh"} | definition
        content = yaml.safe_dump({"plugins": {"extractors": [entry]}})
        (self.root / "plugins" / "extractors" / f"{tap}.meltano.yml").write_text(content)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The project as a fresh clone has it, in a path with a space, with the plugins installed."""
    root = tmp_path / "my project"
    root.mkdir()
    shutil.copy(ROOT / "meltano.yml", root)
    for name in ("plugins", "sql"):
        shutil.copytree(ROOT / name, root / name)
    for venv in (ROOT / ".meltano").glob("*/*/venv"):
        link = root / venv.relative_to(ROOT)
        link.parent.mkdir(parents=True)
        link.symlink_to(venv)
    yield Project(root)
    embedded.stop(root / "data" / "postgres")
