"""A new source made by the scaffold passes every check before a line of it is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    env = os.environ | {"MELTANO_PROJECT_ROOT": str(folder)} | variables
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120, cwd=folder, env=env
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project without sources."""
    for name in ("meltano.yml", ".env.example", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


# Names before and after the kit's in the alphabet, since imports are ordered.
@pytest.mark.parametrize("options", [[], ["--export"]], ids=["api", "export"])
@pytest.mark.parametrize("name", ["apple-health", "zoo"])
def test_a_made_source_passes_every_check(folder: Path, name: str, options: list[str]) -> None:
    made = run(folder, "target_postgres_bronze.operator", "new-source", name, *options)
    assert made.returncode == 0, made.stderr
    source = str(folder / "extract" / f"tap-{name}" / "src")
    tap = f"extract/tap-{name}"
    for words in (
        ["ruff", "check", tap],
        ["ruff", "format", "--check", tap],
        ["mypy", tap],
        ["pytest", "-q", "-p", "no:cacheprovider", tap],
    ):
        checked = run(folder, *words, PYTHONPATH=source, MYPYPATH=source)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    told = json.loads(
        run(folder, f"tap_{name.replace('-', '_')}", "--about", "--format=json", PYTHONPATH=source).stdout
    )
    [plugin] = yaml.safe_load((folder / "plugins" / "extractors" / f"tap-{name}.meltano.yml").read_text())[
        "plugins"
    ]["extractors"]
    assert {setting["name"] for setting in plugin["settings"]} == set(told["settings"]["properties"])
    assert sorted(plugin["capabilities"]) == sorted(told["capabilities"])
    assert plugin["pip_url"].startswith("--constraints .meltano/constraints.txt --build-constraints ")
    asks_for_token = f"{name.replace('-', '_').upper()}_API_TOKEN=" in (folder / ".env.example").read_text()
    assert asks_for_token is not bool(options)


def test_a_made_source_of_exports_is_certified_and_known_to_the_inbox(folder: Path) -> None:
    made = run(folder, "target_postgres_bronze.operator", "new-source", "zoo", "--export")
    assert made.returncode == 0, made.stderr
    source = str(folder / "extract" / "tap-zoo" / "src")
    words = ["pytest", "-q", "-p", "no:cacheprovider", "--collect-only", "extract/tap-zoo"]
    listed = run(folder, *words, PYTHONPATH=source).stdout
    assert "TestTapZoo::test_ten_times_the_size_needs_the_same_memory" in listed
    drop = folder / "zoo_items.json"
    drop.write_text("[]")
    said = run(folder, "target_postgres_bronze.operator", "inbox", "--dry-run", str(drop))
    assert said.stdout == "zoo_items.json: Zoo (it has items of Zoo)\n"


@pytest.mark.parametrize("name", ["Zoo", "a--b", "1st", "../up", "tap zoo"])
def test_a_bad_name_is_refused(folder: Path, name: str) -> None:
    refused = run(folder, "target_postgres_bronze.operator", "new-source", "--", name)
    assert refused.returncode == 1
    assert "is no name for a source" in refused.stderr
    assert not (folder / "extract").exists()


def test_a_source_that_is_there_is_left_alone(folder: Path) -> None:
    (folder / "extract" / "tap-zoo").mkdir(parents=True)
    refused = run(folder, "target_postgres_bronze.operator", "new-source", "zoo")
    assert refused.returncode == 1
    assert "is there already" in refused.stderr
    assert not (folder / "plugins").exists()
