"""Whole runs: a real `meltano run`, from the source to the rows, on the embedded server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

TAPS = Path(__file__).parent / "taps"

AUTHOR = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org"}
COMMITTER = {"GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org"}


def git(folder: Path, *words: str, said: str = "") -> None:
    env = os.environ | AUTHOR | COMMITTER | {"GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", *words]
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True, input=said)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with three commits."""
    folder = tmp_path / "diary"
    folder.mkdir()
    git(folder, "init", "--initial-branch=main")
    for day in (1, 2, 3):
        git(folder, "commit", "--allow-empty", f"--date=2024-03-0{day}T12:00:00Z", f"--message=day {day}")
    return folder


def import_commits(folder: Path, count: int) -> None:
    """Append *count* commits, a minute apart."""
    lines = []
    for number in range(count):
        lines += [
            "commit refs/heads/main",
            f"committer Ann <ann@example.org> {1_710_000_000 + 60 * number} +0000",
            "data <<END",
            f"entry {number}",
            "END",
            *(["from refs/heads/main^0"] if number == 0 else []),
            "",
        ]
    git(folder, "fast-import", said="\n".join(lines))


def test_commits_land_once_and_later_only_the_new_one(project: Project, repository: Path) -> None:
    settings = {"TAP_GIT_REPOSITORIES": f'["{repository}"]'}
    assert any(line.startswith("git.commits: 3 read, 3 new,") for line in project.run("tap-git", **settings))
    rows = project.ask(
        "SELECT source_timestamp, version, metadata ->> 'change', environment FROM bronze_git ORDER BY 1"
    )
    assert [(str(when), *rest) for when, *rest in rows] == [
        (f"2024-03-0{day} 12:00:00", 1, "new", "dev") for day in (1, 2, 3)
    ]

    project.run("tap-git", **settings)
    assert project.ask("SELECT count(*) FROM bronze_git") == [(3,)]

    git(repository, "commit", "--allow-empty", "--message=day 4")
    project.run("tap-git", **settings)
    assert project.ask(
        "SELECT count(*), count(*) FILTER (WHERE raw_data::text LIKE '%day 4%') FROM bronze_git"
    ) == [(4, 1)]


def test_a_run_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    project: Project, repository: Path
) -> None:
    import_commits(repository, 4000)
    settings = {"TAP_GIT_REPOSITORIES": f'["{repository}"]', "TARGET_POSTGRES_BATCH_SIZE_ROWS": "50"}
    with project.start("run", "tap-git", "target-postgres", **settings) as meltano:
        while landed(project) == 0:
            assert meltano.poll() is None
            time.sleep(0.02)
        project.kill(meltano)
    before = landed(project)
    assert 0 < before < 4003

    project.run("tap-git", **settings)
    counted = project.ask(
        "SELECT count(*), count(DISTINCT raw_id), max(version) FROM bronze_git WHERE metadata ->> 'stream' = 'commits'"
    )
    assert counted == [(4003, 4003, 1)]
    assert project.ask("SELECT status FROM bronze.runs ORDER BY started_at DESC LIMIT 1") == [("succeeded",)]


def landed(project: Project) -> int:
    """Return how many rows are in bronze_git, 0 while there is no such table."""
    try:
        [(count,)] = project.ask("SELECT count(*) FROM bronze_git")
    except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
        return 0
    return int(count)


def test_a_tap_that_knows_the_sdk_alone_lands(project: Project) -> None:
    project.define("tap-stock", TAPS / "stock.py", capabilities=["catalog", "discover", "state"])
    project.run("tap-stock")
    rows = project.ask(
        "SELECT raw_data::text, source_timestamp::date::text, validation_status FROM bronze_stock ORDER BY 2"
    )
    assert [day for _, day, _ in rows] == ["2024-01-31", "2024-02-01", "2024-02-29"]
    assert {status for *_, status in rows} == {"valid"}
    assert '"level": 1.25' in rows[0][0]
    project.run("tap-stock")
    assert project.ask("SELECT count(*) FROM bronze_stock") == [(3,)]


def test_a_tap_from_before_the_sdk_lands(project: Project) -> None:
    project.define("tap-plain", TAPS / "plain.py", capabilities=["state"])
    project.run("tap-plain")
    rows = project.ask(
        "SELECT raw_id, raw_data ->> 'Subject', validation_status FROM bronze_plain_current ORDER BY 1"
    )
    assert [subject for _, subject, _ in rows] == ["Letter 1", "Letter 2", "Letter 3"]
    assert {status for *_, status in rows} == {"warning"}, "the field sent is not declared"
    said = project.run("tap-plain")
    assert not any("3 read" in line for line in said), "it got its state back"
    assert project.ask("SELECT count(*) FROM bronze_plain") == [(3,)]


FAILING = """import sys
sys.stdout.write('{"type": "SCHEMA", "stream": "days", "schema": {"type": "object"}, "key_properties": ["id"]}\\n')
sys.stdout.write('{"type": "RECORD", "stream": "days", "record": {"id": 1}}\\n')
sys.stdout.flush()
sys.exit("the log-in has expired")
"""


def bronze(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "target_postgres_bronze.operator", *words]
    return subprocess.run(
        command, cwd=project.root, env=project.environment({}), check=False, capture_output=True, text=True
    )


def run_to_its_failure(project: Project, tap: str, **variables: str) -> None:
    with project.start("run", "--force", tap, "target-postgres", **variables) as meltano:
        said, _ = meltano.communicate(timeout=120)
    assert meltano.returncode != 0, said


@pytest.mark.parametrize(
    ("script", "rows"),
    [(FAILING, 1), ("import sys; sys.exit('no network')", 0)],
    ids=["in the middle", "at once"],
)
def test_a_run_whose_extractor_failed_is_shown_as_failed(
    project: Project, tmp_path: Path, script: str, rows: int
) -> None:
    file = tmp_path / "failing.py"
    file.write_text(script)
    project.define("tap-my_app", file, capabilities=["state"])

    run_to_its_failure(project, "tap-my_app")

    shown = json.loads(bronze(project, "status", "--json").stdout)
    assert [run["status"] for run in shown["failed_runs"]] == ["failed"]
    assert project.ask("SELECT status FROM bronze.runs") == [("failed",)]
    assert project.ask("SELECT count(*) FROM bronze_my_app") == [(rows,)]
    assert bronze(project, "check").returncode == 1

    again = bronze(project, "run", "my_app")
    assert "failed" in again.stderr
    assert project.ask("SELECT status FROM bronze.runs") == [("failed",), ("failed",)]


def test_a_tap_of_the_kit_that_fails_leaves_a_failed_run_at_once(project: Project, tmp_path: Path) -> None:
    run_to_its_failure(project, "tap-git", TAP_GIT_REPOSITORIES=json.dumps([str(tmp_path / "absent")]))
    assert project.ask("SELECT status, read_count FROM bronze.runs") == [("failed", 0)]
