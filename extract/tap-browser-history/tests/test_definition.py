"""The plugin's definition says what the tap says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DEFINITION = Path(__file__).parents[3] / "plugins" / "extractors" / "tap-browser-history.meltano.yml"
KINDS = {"array": "array", "string": "string"}


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-m", "tap_browser_history", "--about", "--format=json"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    content: dict[str, Any] = json.loads(ended.stdout)
    return content


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    (plugin,) = yaml.safe_load(DEFINITION.read_text())["plugins"]["extractors"]
    content: dict[str, Any] = plugin
    return content


def test_the_settings_are_the_taps(about: dict[str, Any], definition: dict[str, Any]) -> None:
    of_tap = {
        name: {
            "kind": KINDS[setting["type"][0]],
            "label": setting["title"],
            "description": setting["description"],
            "value": setting.get("default"),
        }
        for name, setting in about["settings"]["properties"].items()
    }
    of_definition = {
        setting["name"]: {key: setting.get(key) for key in ("kind", "label", "description", "value")}
        for setting in definition["settings"]
    }
    assert of_definition == of_tap


def test_name_description_and_capabilities_are_the_taps(
    about: dict[str, Any], definition: dict[str, Any]
) -> None:
    assert (definition["name"], definition["description"]) == (about["name"], about["description"])
    assert sorted(definition["capabilities"]) == sorted(about["capabilities"])
