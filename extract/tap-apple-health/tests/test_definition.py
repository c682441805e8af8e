"""The plugin's definition says what the tap says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_apple_health.tap import TapAppleHealth

DEFINITION = Path(__file__).parents[3] / "plugins" / "extractors" / "tap-apple-health.meltano.yml"


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    (plugin,) = yaml.safe_load(DEFINITION.read_text())["plugins"]["extractors"]
    content: dict[str, Any] = plugin
    return content


def test_the_settings_are_the_taps(definition: dict[str, Any]) -> None:
    of_tap = {
        name: (setting["title"], setting["description"], setting.get("secret", False))
        for name, setting in TapAppleHealth.config_jsonschema["properties"].items()
    }
    of_definition = {
        setting["name"]: (setting["label"], setting["description"], setting.get("sensitive", False))
        for setting in definition["settings"]
    }
    assert of_definition == of_tap


def test_the_capabilities_are_the_taps(definition: dict[str, Any]) -> None:
    assert sorted(definition["capabilities"]) == sorted(c.value for c in TapAppleHealth.capabilities)
