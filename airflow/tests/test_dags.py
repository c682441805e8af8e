"""The DAG file in the newest Airflow, which is installed apart: ``./bronze test airflow``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Kept between runs; remove the folder to get a newer Airflow.
VENV = ROOT / ".meltano" / "airflow"

PROJECT = """
jobs:
- {name: both, tasks: [tap-shop target-postgres, [tap-two-words target-postgres]]}
schedules:
- {name: nightly, interval: 7 4 * * *, job: both}
- {name: old, interval: "@weekly", extractor: tap-shop, loader: target-postgres}
- {name: by-hand, interval: "@once", job: both}
"""
BRONZE = """#!/bin/sh
echo "$@" >> calls.txt
[ "$2" != "$FAILING" ] || exit "$CODE"
"""
#: Says of each DAG what Airflow has understood.
TELL = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
told = {name: {
    "schedule": dag.schedule, "tasks": [task.task_id for task in dag.topological_sort()], "catchup": dag.catchup,
    "retries": {task.retries for task in dag.tasks}.pop(), "backoff": bool(dag.tasks[0].retry_exponential_backoff),
} for name, dag in bag.dags.items()}
print("TOLD " + json.dumps({"dags": told, "errors": {str(k): str(v) for k, v in bag.import_errors.items()}}))
"""


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a home of its own, and the DAGs of the project *root*."""

    root: Path
    home: Path

    def run(self, program: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of Airflow's programs."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))
        }
        settings = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "airflow" / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "BRONZE_PROJECT": str(self.root),
        }
        return subprocess.run(
            [VENV / "bin" / program, *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=self.home,
            env=kept | settings | variables,
        )

    def calls(self) -> list[str]:
        """Return what ``./bronze`` was called with."""
        file = self.root / "calls.txt"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="session")
def installed() -> None:
    """The newest Airflow in an environment of its own."""
    if (VENV / "bin" / "airflow").exists():
        return
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    python = VENV / "bin" / "python"
    if uv:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, VENV], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "apache-airflow"], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "apache-airflow"], check=True)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, installed: None) -> Path:  # noqa: ARG001 - installed first
    """Airflow's folder, with its database."""
    folder = tmp_path_factory.mktemp("airflow")
    made = Airflow(folder, folder).run("airflow", "db", "migrate")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def airflow(home: Path, tmp_path: Path) -> Airflow:
    """Airflow over a project whose ``./bronze`` writes down its calls."""
    (tmp_path / "meltano.yml").write_text(PROJECT)
    (tmp_path / "bronze").write_text(BRONZE)
    (tmp_path / "bronze").chmod(0o755)
    return Airflow(tmp_path, home)


def test_each_schedule_is_a_dag_with_retries_and_growing_pauses(airflow: Airflow) -> None:
    told = airflow.run("python", "-c", TELL, str(ROOT / "airflow" / "dags"))
    line = next((line for line in told.stdout.splitlines() if line.startswith("TOLD ")), "")
    assert line, told.stderr
    found = json.loads(line.removeprefix("TOLD "))
    assert found["errors"] == {}
    common = {"catchup": False, "retries": 3, "backoff": True}
    assert found["dags"] == {
        "bronze-nightly": {"schedule": "7 4 * * *", "tasks": ["shop", "two_words"], **common},
        "bronze-old": {"schedule": "@weekly", "tasks": ["shop"], **common},
    }


def test_a_dag_runs_its_sources_in_their_order(airflow: Airflow) -> None:
    ran = airflow.run("airflow", "dags", "test", "bronze-nightly")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert airflow.calls() == ["run shop", "run two_words"]


def test_a_source_that_runs_already_is_skipped(airflow: Airflow) -> None:
    ran = airflow.run("airflow", "dags", "test", "bronze-nightly", FAILING="shop", CODE="3")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert airflow.calls() == ["run shop", "run two_words"]


def test_the_projects_own_schedules_are_dags(airflow: Airflow) -> None:
    own = Airflow(ROOT, airflow.home)
    told = own.run("python", "-c", TELL, str(ROOT / "airflow" / "dags"))
    assert "TOLD " in told.stdout, told.stderr
    found = json.loads(told.stdout.partition("TOLD ")[2].splitlines()[0])
    assert found["errors"] == {}
    assert "bronze-git-daily" in found["dags"]
