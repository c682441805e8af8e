"""What a person sees on the command line when something is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import sys, time
from tap_kit import RawStream, RawTap, TapError

class Things(RawStream):
    name = "things"
    schema = {"properties": {"id": {"type": "integer"}}}
    def get_records(self, context):
        yield {"id": 1}
        match self.config.get("then"):
            case "error": raise TapError("The shed is locked. Open it.")
            case "bug": raise RuntimeError("a bug")
            case "gap": self.report_gap("things: one box is locked. Open it.")
            case "wait": time.sleep(30)

class TapThings(RawTap):
    name = "tap-things"
    package_name = "tap-kit"
    fail_on_gaps = True
    config_jsonschema = {
        "properties": {"then": {"type": "string"}, "pin": {"type": "integer", "secret": True}},
    }
    def discover_streams(self):
        return [Things(self)]

TapThings.cli()
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def settings(folder: Path, content: str) -> str:
    path = folder / "config.json"
    path.write_text(content)
    return str(path)


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_what_a_tap_writes_is_the_callers_alone(tmp_path: Path, umask: int) -> None:
    config = settings(tmp_path, "{}")
    script = SCRIPT.replace(
        "TapThings.cli()", "try: TapThings.cli()\nfinally: import pathlib; pathlib.Path('written').touch()"
    )
    command = [sys.executable, "-c", script, "--config", config]
    done = subprocess.run(command, check=False, capture_output=True, cwd=tmp_path, umask=umask, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "written").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            '{"pin": "1234-hush"}',
            "Setting 'pin' breaks the rule type: integer. Correct it there or in TAP_THINGS_PIN.",
        ),
        ('{"then": "error"}', "The shed is locked. Open it."),
        ("{", "are not JSON ("),
        ("[1]", "are no JSON object. Give a JSON object."),
    ],
    ids=["wrong setting", "error of the tap", "settings are no JSON", "settings are a list"],
)
def test_an_error_is_one_sentence_and_exit_code_1(tmp_path: Path, content: str, sentence: str) -> None:
    ended = run("--config", settings(tmp_path, content))
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hush" not in ended.stderr


def test_a_missing_settings_file_is_named(tmp_path: Path) -> None:
    ended = run("--config", str(tmp_path / "none.json"), "--discover")
    assert ended.returncode == 1
    assert f"File at '{tmp_path}/none.json' was not found." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_settings_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    ended = run("--config", str(tmp_path))
    assert ended.returncode == 1
    assert f"The settings in {tmp_path} are unreadable (" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_state_that_is_no_json_is_named(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text("{")
    ended = run("--state", str(state))
    assert ended.returncode == 1
    assert f"The state file {state} is not JSON" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_sentence_of_an_error_is_the_last_word_and_no_other_comes_before(tmp_path: Path) -> None:
    ended = run("--config", settings(tmp_path, '{"then": "error"}'))
    assert ended.stderr.splitlines()[-1].endswith("The shed is locked. Open it.")
    assert "unhandled" not in ended.stderr


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    ended = run("--config", settings(tmp_path, '{"then": "bug"}'))
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "An unhandled error occurred while syncing 'things'" in ended.stderr


def test_gaps_fail_the_run_after_everything_else(tmp_path: Path) -> None:
    ended = run("--config", settings(tmp_path, '{"then": "gap"}'))
    assert ended.returncode == 1
    assert "things: one box is locked. Open it." in ended.stderr
    assert "Not everything could be read (warnings above: 1). The rest was sent." in ended.stderr
    assert [json.loads(line)["type"] for line in ended.stdout.splitlines()][-1] == "STATE"


def test_being_stopped_is_no_success_and_writes_no_state(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, "--config", settings(tmp_path, '{"then": "wait"}')]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert [json.loads(line)["type"] for line in lines] == ["SCHEMA", "RECORD"]
    assert rest == ""
    assert process.returncode == 128 + signal.SIGTERM


def test_about_lists_only_what_the_tap_does() -> None:
    about = json.loads(run("--about", "--format=json").stdout)
    assert about["capabilities"] == ["catalog", "state", "discover", "about", "structured-logging"]
    assert list(about["settings"]["properties"]) == ["then", "pin"]


def test_an_unknown_setting_is_named_and_has_no_effect(tmp_path: Path) -> None:
    ended = run("--config", settings(tmp_path, '{"flattening_enabled": true, "flattening_max_depth": 1}'))
    assert ended.returncode == 0
    assert (
        "Setting 'flattening_enabled' is not known and has no effect. Known are: then, pin." in ended.stderr
    )


def test_what_is_imported_is_not_looked_through_for_garbage_at_the_end() -> None:
    # callbacks run the last registered first
    program = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 10_000))\n" + SCRIPT
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "True"


@pytest.mark.parametrize(
    ("then", "is_completed"), [("", True), ("error", False), ("bug", False), ("gap", False)]
)
def test_only_a_run_that_succeeds_reports_its_completion(
    tmp_path: Path, then: str, *, is_completed: bool
) -> None:
    done = run("--config", settings(tmp_path, json.dumps({"then": then})))
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    (tap,) = [message["schema"]["x-tap"] for message in messages if message["type"] == "SCHEMA"]
    assert tap["reports_completion"] is True
    assert (done.returncode == 0) is is_completed
    assert [message["type"] for message in messages if message.get("completed")] == ["STATE"] * is_completed
    if is_completed:
        last, repeated = [message["value"] for message in messages if message["type"] == "STATE"][-2:]
        assert last == repeated
