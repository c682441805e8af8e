"""Where the project, its variables and its SQL are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from target_postgres_bronze import project


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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_file_of_variables_in_another_encoding_is_a_sentence(folder: Path, encoding: str) -> None:
    (folder / ".env").write_bytes("PG_PASS=gr\u00fcn\n".encode(encoding))
    with pytest.raises(project.ProjectError, match="is not in UTF-8") as refusal:
        project.environment()
    assert "PG_PASS" not in str(refusal.value)


def test_a_file_of_variables_that_cannot_be_read_is_a_sentence(folder: Path) -> None:
    (folder / ".env").mkdir()  # root reads any file, but no folder
    with pytest.raises(project.ProjectError, match=r"\.env cannot be read"):
        project.environment()


def test_a_byte_order_mark_is_no_part_of_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG_HOST", raising=False)
    (folder / ".env").write_text("PG_HOST=db.home\n", encoding="utf-8-sig")
    assert project.environment()["PG_HOST"] == "db.home"


def test_variables_are_expanded_as_the_example_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "ann")
    (folder / ".env").write_text("ONE='${NAME}'\nTWO='$NAME'\n")
    assert (project.environment()["ONE"], project.environment()["TWO"]) == ("ann", "$NAME")


def test_the_loader_says_what_is_wrong_with_the_file_of_variables(folder: Path) -> None:
    (folder / ".env").write_bytes("PG_HOST=x".encode("utf-16"))
    loader = Path(sys.executable).with_name("target-postgres-bronze")
    for words, env in ([], {}), (["--config=ENV"], {"MELTANO_LOAD_SCHEMA": "x"}):
        done = subprocess.run(
            [loader, *words],
            check=False,
            input="",
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | env,
        )
        assert done.returncode == 1
        assert "is not in UTF-8" in done.stderr
        assert "Traceback" not in done.stderr
