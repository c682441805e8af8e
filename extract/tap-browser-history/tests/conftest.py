"""The tap run on invented profiles, in a home of its own."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tap_browser_history.tap import TapBrowserHistory

sys.path.append(str(Path(__file__).parent))  # for browsers.py: importlib mode puts no folder of tests there


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, known by all the names that browsers go by."""
    for name in ("MELTANO_PROJECT_ROOT", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@dataclass
class Run:
    """What one run of the tap said."""

    messages: list[dict[str, Any]]
    gaps: list[str]
    log: str

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [message["record"] for message in self._of(stream)]

    def provenances(self, stream: str) -> list[dict[str, Any]]:
        return [message["provenance"] for message in self._of(stream)]

    def names(self, stream: str) -> list[tuple[str, str]]:
        """Identities as the loader sees them: account and ``raw_id``."""
        return [(told["account"], told["raw_id"]) for told in self.provenances(stream)]

    def streams(self) -> set[str]:
        """Streams that had records."""
        return {message["stream"] for message in self.messages if message["type"] == "RECORD"}

    def _of(self, stream: str) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    @property
    def state(self) -> dict[str, Any]:
        """The last state; empty if there is none."""
        states = [m["value"] for m in self.messages if m["type"] == "STATE"]
        return states[-1] if states else {}


class Runner:
    """Runs the tap in this process; without profiles it looks for those of the home folder."""

    def __init__(
        self, scratch: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        self.scratch = scratch
        self._capsys = capsys
        self._caplog = caplog
        caplog.set_level(logging.INFO)

    def __call__(self, *profiles: Any, state: Any = None, **settings: Any) -> Run:
        self._caplog.clear()
        config: dict[str, Any] = {"scratch_dir": str(self.scratch), **settings}
        if profiles:
            config["profiles"] = [
                named if isinstance(named, dict) else {"path": str(named), "label": "browser/Default"}
                for named in profiles
            ]
        tap = TapBrowserHistory(config=config, state=json.loads(json.dumps(state)))
        tap.sync_all()
        tap.scratch.remove()
        messages = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return Run(messages, tap.gaps, self._caplog.text)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Runner:
    return Runner(tmp_path / "scratch", capsys, caplog)
