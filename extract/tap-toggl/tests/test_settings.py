from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_toggl.standin import TOKEN, Answer, StandIn
from tap_toggl.tap import TapToggl

if TYPE_CHECKING:
    from pathlib import Path


def tap(tmp_path: Path, *options: str, **config: Any) -> subprocess.CompletedProcess[str]:
    """Run the tap as a person does."""
    settings = tmp_path / "config.json"
    settings.write_text(json.dumps(config))
    command = [sys.executable, "-m", "tap_toggl", "--config", str(settings), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def told(process: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in process.stderr
    return process.stderr.splitlines()[-1]


def test_missing_token_is_one_sentence(tmp_path: Path) -> None:
    process = tap(tmp_path)
    assert process.returncode == 1
    assert "set TOGGL_API_KEY in .env" in process.stderr
    assert told(process)


def test_wrong_token_is_one_sentence_without_the_token(tmp_path: Path, standin: StandIn) -> None:
    process = tap(tmp_path, api_token="not-the-token", api_url=standin.url)
    assert process.returncode == 1
    assert "Toggl refused the API token" in told(process)
    assert "not-the-token" not in process.stderr + process.stdout


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"start_date": "yesterday"}, "start_date is no date; write it as 2020-01-31"),
        ({"api_url": "http://toggl.example.test"}, "api_url has to start with https://"),
        ({"api_url": ""}, "api_url has to start with https://"),
        ({"quota_max_wait": -1}, "quota_max_wait"),
    ],
    ids=["start_date", "plain http", "empty api_url", "negative wait"],
)
def test_wrong_setting_is_named_with_its_rule(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigValidationError, match=sentence):
        TapToggl(config={"api_token": TOKEN, **config})


def test_discovery_needs_neither_token_nor_service(tmp_path: Path) -> None:
    process = tap(tmp_path, "--discover")
    assert process.returncode == 0
    streams = {entry["tap_stream_id"]: entry for entry in json.loads(process.stdout)["streams"]}
    assert len(streams) == 14
    assert streams["time_entries"]["key_properties"] == ["id"]
    assert streams["time_entries"]["replication_key"] == "at"


def test_connection_test_reads_a_record_of_each_stream(tmp_path: Path, standin: StandIn) -> None:
    process = tap(tmp_path, "--test", api_token=TOKEN, api_url=standin.url)
    assert process.returncode == 0
    streams = {json.loads(line).get("stream") for line in process.stdout.splitlines() if '"RECORD"' in line}
    assert len(streams) == 13


def test_used_up_quota_is_exit_code_0_and_says_when_to_run_again(tmp_path: Path, standin: StandIn) -> None:
    standin.inject("/me/tags", Answer(402, "You have hit your hourly limit, it will reset in 900 seconds"))
    process = tap(tmp_path, api_token=TOKEN, api_url=standin.url)
    assert process.returncode == 0
    assert "run again after" in process.stderr


def test_part_that_failed_is_exit_code_1_after_everything_else(tmp_path: Path, standin: StandIn) -> None:
    standin.inject("/me/tags", Answer(410, "Gone"))
    process = tap(tmp_path, api_token=TOKEN, api_url=standin.url)
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert '"stream":"report_time_entries","record"' in process.stdout


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        ({}, 1.0),
        ({"api_url": "http://127.0.0.1:8765"}, 0.0),
        ({"api_url": "https://toggl.example.test"}, 1.0),
    ],
    ids=["Toggl", "this machine", "elsewhere"],
)
def test_only_a_server_on_this_machine_is_asked_without_pace(config: dict[str, Any], seconds: float) -> None:
    assert TapToggl(config={"api_token": TOKEN, **config}).client.min_interval == seconds
