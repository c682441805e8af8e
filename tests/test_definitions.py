"""Plugin definitions and what the plugins say of themselves: the same settings, defaults and capabilities."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

KINDS = {
    "array": {"array"},
    "boolean": {"boolean"},
    "integer": {"integer"},
    "number": {"decimal"},
    "object": {"object"},
    "string": {"string", "date_iso8601", "options", "file"},
}


def definitions() -> list[Any]:
    """Return each plugin with its file, as parameters of a test."""
    return list(_each())


def _each() -> Iterator[Any]:
    for file in sorted((ROOT / "plugins").glob("*/*.meltano.yml")):
        for entries in yaml.safe_load(file.read_text())["plugins"].values():
            for entry in entries:
                yield pytest.param(file, entry, id=entry["name"])


def packaged() -> list[Any]:
    """Return those that Meltano installs."""
    return [case for case in definitions() if "pip_url" in case.values[1]]


def about(executable: str) -> dict[str, Any]:
    command = [str(BIN / executable), "--about", "--format=json"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def flat(properties: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return *properties* with those of objects under dotted names, as Meltano writes them."""
    found: dict[str, Any] = {}
    for name, schema in properties.items():
        inner = schema.get("properties")
        found |= flat(inner, f"{prefix}{name}.") if inner else {f"{prefix}{name}": schema}
    return found


def types(schema: dict[str, Any]) -> list[str]:
    named = schema.get("type", ["string"])
    return [name for name in ([named] if isinstance(named, str) else named) if name != "null"]


@pytest.mark.parametrize(("file", "plugin"), definitions())
def test_a_file_is_named_like_its_only_plugin(file: Path, plugin: dict[str, Any]) -> None:
    assert file.name == f"{plugin['name']}.meltano.yml"
    assert {"namespace", "label", "description"} <= plugin.keys()


@pytest.mark.parametrize(("file", "plugin"), packaged())
def test_a_definition_says_what_the_plugin_says(file: Path, plugin: dict[str, Any]) -> None:
    told = about(plugin["executable"])
    settings = {setting["name"]: setting for setting in plugin.get("settings", [])}
    schemas = flat(told["settings"]["properties"])
    assert settings.keys() == schemas.keys(), f"settings of {file.name}"
    for name, schema in schemas.items():
        setting = settings[name]
        assert setting.get("kind", "string") in KINDS[types(schema)[0]], f"kind of {name}"
        assert bool(setting.get("sensitive")) == bool(schema.get("secret")), f"secrecy of {name}"
        assert {"label", "description"} <= setting.keys(), f"words for {name}"
        if not str(setting.get("value", "")).startswith("$"):
            assert setting.get("value") == schema.get("default"), f"default of {name}"
    assert sorted(plugin["capabilities"]) == sorted(told["capabilities"])


PINS = ["--constraints", ".meltano/constraints.txt", "--build-constraints", ".meltano/constraints.txt"]


@pytest.mark.parametrize(("file", "plugin"), packaged())
def test_a_plugin_is_installed_from_this_project_and_edits_are_live(
    file: Path, plugin: dict[str, Any]
) -> None:
    words = shlex.split(plugin["pip_url"])
    pins, words = words[:4], words[4:]
    assert pins == PINS, f"{file.name} installs the versions of uv.lock"
    assert words[::2] == ["-e"] * (len(words) // 2), f"{file.name} installs its packages with -e"
    scripts: dict[str, str] = {}
    for folder in words[1::2]:
        package = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
        scripts |= package.get("scripts", {})
    assert plugin["executable"] in scripts


def test_the_example_of_variables_names_each_that_is_read() -> None:
    named = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    read = {"PG_URL", "PG_HOST", "PG_PORT", "PG_DB", "PG_USER", "PG_PASS", "BRONZE_NOTIFY_URLS"}
    for case in definitions():
        for setting in case.values[1].get("settings", []):
            value = str(setting.get("value", ""))
            read |= {value.strip("${}")} if value.startswith("$") else set()
    assert named == read
