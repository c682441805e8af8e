"""The tap run on invented exports."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tap_apple_health.standin import document
from tap_apple_health.tap import TapAppleHealth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass
class Run:
    """What one run of the tap said."""

    messages: list[dict[str, Any]]
    gaps: list[str]
    log: str

    def told(self, kind: str, stream: str) -> list[dict[str, Any]]:
        """Messages of a kind and stream."""
        return [m for m in self.messages if m["type"] == kind and m["stream"] == stream]

    def records(self, stream: str = "records") -> list[dict[str, Any]]:
        """Payloads of a stream."""
        return [message["record"] for message in self.told("RECORD", stream)]

    def provenances(self, stream: str = "records") -> list[dict[str, Any]]:
        """Provenances of a stream's records."""
        return [message["provenance"] for message in self.told("RECORD", stream)]

    def names(self, stream: str = "records") -> list[str]:
        """What the records of a stream are known by."""
        return [provenance["raw_id"] for provenance in self.provenances(stream)]

    def statuses(self) -> dict[str, str]:
        """What became of each file."""
        return {file["path"]: file["status"] for file in self.records("_files")}

    @property
    def state(self) -> Any:
        """The last state."""
        return [m["value"] for m in self.messages if m["type"] == "STATE"][-1]

    @property
    def ended(self) -> list[str]:
        """Streams of which everything came that there is."""
        return [m["stream"] for m in self.messages if m["type"] == "ACTIVATE_VERSION"]


class Runner:
    """Runs the tap in this process."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[bytes], caplog: pytest.LogCaptureFixture
    ) -> None:
        self.folder = folder
        self._capsys = capsys
        self._caplog = caplog
        caplog.set_level(logging.INFO)

    def __call__(
        self, path: Path | None = None, *, state: Any = None, catalog: Any = None, **settings: Any
    ) -> Run:
        self._caplog.clear()
        config: Mapping[str, Any] = {"path": str(path or self.folder), **settings}
        tap = TapAppleHealth(config=dict(config), state=state, catalog=catalog)
        tap.sync_all()
        messages = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return Run(messages, tap.gaps, self._caplog.text)

    def on(self, *children: str, **options: Any) -> Run:
        """Run on a main file of these children."""
        path = self.folder / "export.xml"
        path.write_text(document(*children, **options), encoding="utf-8")
        return self(path)


@pytest.fixture
def run(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], caplog: pytest.LogCaptureFixture
) -> Runner:
    return Runner(tmp_path, capsysbinary, caplog)
