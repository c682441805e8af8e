from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_garmin.base import ConnectStream
from tap_garmin.tap import TapGarmin

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Runner


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"token_store": '{"di_token": "hidden"}'}, "token_store is the token itself"),
        ({"token_store": "~nobody-of-that-name/x"}, "the home folder of nobody here"),
        ({"api_url": "http://connectapi.garmin.com"}, "api_url has to be an address that starts with https://"),
        ({"auth_url": "ftp://127.0.0.1"}, "auth_url has to be an address that starts with https://"),
        ({"api_url": "https://"}, "api_url has to be an address"),
        ({"api_url": "https://[x"}, "api_url has to be an address"),
        ({"api_url": "https://host:port"}, "api_url has to be an address"),
        ({"api_url": 7}, "api_url has to be an address"),
        ({"start_date": "31.12.2020"}, "start_date is no date"),
        ({"start_date": "0001-01-01"}, "start_date is no date from 1990 on"),
        ({"start_date": 20160131}, "start_date is no date"),
        ({"lookback_days": 2}, "'lookback_days' breaks the rule minimum: 3"),
        ({"lookback_days": 10**9}, "'lookback_days' breaks the rule maximum: 3650"),
        ({"sweep_days": -1}, "'sweep_days' breaks the rule minimum: 0"),
    ],
    ids=[
        "inline token", "no such user", "plain http", "ftp", "no host", "no address", "no port", "number", "no date",
        "long ago", "date as a number", "short look-back", "long look-back", "negative sweep",
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_by_name_and_rule(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigValidationError, match=r"setting|Setting") as caught:
        TapGarmin(config=config)
    assert sentence in " ".join(caught.value.errors)
    assert "hidden" not in str(caught.value)


def test_a_setting_that_is_null_is_left_out() -> None:
    names = TapGarmin.config_jsonschema["properties"]
    assert TapGarmin(config=dict.fromkeys(names)).config == TapGarmin(config={}).config


def test_without_a_token_and_with_files_garmin_connect_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    tap = TapGarmin(config={"path": str(tmp_path)})
    assert not any(stream.selected for stream in tap.streams.values() if isinstance(stream, ConnectStream))
    assert tap.streams["fit_messages"].selected
    assert tap.streams["export_sleep"].selected


def test_a_token_store_that_is_named_is_used_beside_files(tmp_path: Path) -> None:
    tap = TapGarmin(config={"path": str(tmp_path), "token_store": str(tmp_path)})
    assert [name for name, stream in tap.streams.items() if not stream.selected] == ["wellness_files"]


def test_without_files_nothing_is_said_of_exports(runner: Runner) -> None:
    outcome = runner.run()
    assert not [m for m in outcome.messages if m.get("stream", "").startswith("export_")]


def test_a_missing_token_ends_a_run_with_the_sentence_what_to_do(runner: Runner, tmp_path: Path) -> None:
    runner.store = tmp_path / "elsewhere"
    assert "Log in once with tap-garmin-login" in runner.run().stopped


def test_a_deselected_stream_asks_nothing(runner: Runner) -> None:
    runner.run("devices")
    assert {request.path for request in runner.standin.asked} == {
        "/userprofile-service/socialProfile",
        "/device-service/deviceregistration/devices",
    }
