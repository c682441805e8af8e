from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_toggl.tap import TapToggl

BUILT_IN = {"stream_maps", "stream_map_config", "faker_config", "flattening_enabled", "flattening_max_depth"}
BUILT_IN |= {"flattening_max_key_length", "flattening_separator"}
KINDS = {
    "api_token": "string",
    "api_url": "string",
    "start_date": "date_iso8601",
    "quota_max_wait": "integer",
}


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    path = Path(__file__).parents[3] / "plugins" / "extractors" / "tap-toggl.meltano.yml"
    plugin: dict[str, Any] = yaml.safe_load(path.read_text())["plugins"]["extractors"][0]
    return plugin


@pytest.fixture(scope="module")
def declared() -> dict[str, Any]:
    schema: dict[str, Any] = TapToggl._get_about_info().settings
    return {name: setting for name, setting in schema["properties"].items() if name not in BUILT_IN}


def test_definition_names_the_settings_that_the_tap_has(
    definition: dict[str, Any], declared: dict[str, Any]
) -> None:
    assert [setting["name"] for setting in definition["settings"]] == list(declared)
    for setting in definition["settings"]:
        about = declared[setting["name"]]
        assert setting["description"] == about["description"]
        assert setting["label"] == about["title"]
        if setting["name"] != "api_token":
            assert setting.get("value") == about.get("default")
        assert setting.get("sensitive", False) == about.get("secret", False)
        assert setting["kind"] == KINDS[setting["name"]]


def test_definition_promises_the_capabilities_that_the_tap_has(definition: dict[str, Any]) -> None:
    assert definition["capabilities"] == sorted(c.value for c in TapToggl.capabilities)


def test_token_comes_from_the_variable_that_the_owner_knows(definition: dict[str, Any]) -> None:
    assert definition["settings"][0]["value"] == "$TOGGL_API_KEY"
