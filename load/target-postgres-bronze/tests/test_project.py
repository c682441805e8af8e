"""Where the project, its variables and its SQL are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_postgres_bronze import project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two lines, as the current folder."""
    monkeypatch.delenv("MELTANO_PROJECT_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meltano.yml").write_text("version: 1\n")
    return tmp_path.resolve()


def test_the_project_is_found_from_a_folder_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert project.find_root() == folder


def test_meltanos_word_comes_first(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "meltano.yml").write_text("version: 1\n")
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(other))
    assert project.find_root() == other.resolve() != folder


def test_a_wrong_word_of_meltano_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(folder / "gone"))
    with pytest.raises(project.ProjectError, match=r"gone, which has no meltano\.yml"):
        project.find_root()


def test_variables_of_the_process_beat_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("PG_HOST=file\nPG_DB='two words'\n# PG_USER=no\nPG_PORT\n")
    monkeypatch.setenv("PG_HOST", "process")
    monkeypatch.delenv("PG_PORT", raising=False)
    found = project.environment()
    assert found["PG_HOST"] == "process"
    assert found["PG_DB"] == "two words"
    assert not {"PG_USER", "PG_PORT"} & found.keys()


def test_no_file_of_variables_is_fine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING", "here")
    assert project.environment(folder)["SOMETHING"] == "here"


def test_the_layout_is_found() -> None:
    assert (project.sql_dir() / "bronze" / "00_layout.sql").is_file()
