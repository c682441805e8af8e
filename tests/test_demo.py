"""`./bronze demo` after the set-up: rows at first, none the second time, and on without a git history."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import psycopg
import pytest

from bootstrap import demo, setup
from target_postgres_bronze import embedded

if TYPE_CHECKING:
    from tests.conftest import Project


@pytest.fixture
def demonstrated(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project that `demo` works in, already set up."""
    monkeypatch.setattr(setup, "ensure", lambda: None)
    monkeypatch.setattr(demo, "ROOT", project.root)
    monkeypatch.setattr(demo, "SYSTEM", project.root / ".meltano")
    monkeypatch.setattr(demo, "LOG", project.root / ".meltano" / "demo.log")
    for name in ("PG_HOST", "PG_URL", "PG_DB"):
        monkeypatch.delenv(name, raising=False)
    return project


def landed(project: Project) -> dict[str, int]:
    """Return the number of rows of each source in the demo's database."""
    server = embedded.ensure_running(project.root / "data" / "postgres")
    with psycopg.connect(server.conninfo("bronze_demo")) as connection:
        rows = connection.execute(
            "SELECT source, sum(row_count)::int FROM bronze.streams GROUP BY source"
        ).fetchall()
    return dict(rows)


def test_a_second_demo_finds_nothing_new(demonstrated: Project, capfd: pytest.CaptureFixture[str]) -> None:
    person = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    for words in (["init", "--quiet"], [*person, "commit", "--quiet", "--allow-empty", "--message=first"]):
        subprocess.run(["git", *words], cwd=demonstrated.root, check=True)
    assert demo.show() == 0
    first = landed(demonstrated)
    shown = capfd.readouterr().out
    assert first["git"] == 1
    assert first["toggl"] > 3000
    assert first["garmin"] > 3000
    assert "git.commits: 1 read, 1 new" in shown
    assert "The newest of bronze_toggl_current" in shown

    assert demo.show() == 0
    assert landed(demonstrated) == first


def test_without_a_git_history_the_demo_goes_on(
    demonstrated: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    assert demo.show() == 0
    assert "tap-git: left out, since this project came without its git history" in capfd.readouterr().out
    assert landed(demonstrated).keys() == {"garmin", "toggl"}
