from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_garmin.tap import TapGarmin


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    path = Path(__file__).parents[3] / "plugins" / "extractors" / "tap-garmin.meltano.yml"
    plugin: dict[str, Any] = yaml.safe_load(path.read_text())["plugins"]["extractors"][0]
    return plugin


def test_definition_names_the_settings_that_the_tap_has(definition: dict[str, Any]) -> None:
    declared: dict[str, Any] = TapGarmin._get_about_info().settings["properties"]
    assert [setting["name"] for setting in definition["settings"]] == list(declared)
    for setting in definition["settings"]:
        about = declared[setting["name"]]
        assert setting["description"] == about["description"]
        assert setting["label"] == about["title"]
        assert setting.get("value") == about.get("default")
        assert setting.get("sensitive", False) == about.get("secret", False)


def test_definition_promises_the_capabilities_that_the_tap_has(definition: dict[str, Any]) -> None:
    assert definition["capabilities"] == sorted(c.value for c in TapGarmin.capabilities)


def test_every_schema_is_of_a_stream_and_describes_its_keys() -> None:
    tap = TapGarmin(config={"path": "somewhere"})
    files = {path.stem for path in Path(__file__).parents[1].glob("src/tap_garmin/schemas/*.json")}
    assert files <= tap.streams.keys()
    for stream in tap.streams.values():
        assert set(stream.primary_keys) <= stream.schema["properties"].keys(), stream.name
        assert stream.schema.get("additionalProperties") or stream.name in {
            "fit_messages",
            "fit_remains",
            "_files",
        }
