"""What every tap of exports can rely on: an export is read once, as a whole, and each of its files is accounted for."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_sdk import typing as th

from tap_kit.export import (
    EXPORT_SETTINGS,
    ExportStream,
    ExportTap,
    Files,
    Found,
    Member,
    Rule,
    json_items,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from singer_sdk import Stream


class Plays(ExportStream):
    """Plays, invented."""

    name = "plays"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(th.Property("at", th.StringType)).to_dict()
    absence = "full"


def plays(member: Member) -> Iterator[Found]:
    for play in json_items(member):
        if play == "bug":
            raise KeyError(play)
        yield Found("plays", play)


class TapPlayer(ExportTap):
    """Player, invented."""

    name = "tap-player"
    config_jsonschema = th.PropertiesList(*EXPORT_SETTINGS).to_dict()
    rules = (Rule(r"plays.*\.json", plays), Rule(r"ReadMe\.pdf", None, "a letter to the reader"))

    def discover_streams(self) -> list[Stream]:
        return [Files(self), Plays(self)]


@pytest.fixture
def run(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., list[dict[str, Any]]]:
    def go(state: Any = None, tap: type[ExportTap] = TapPlayer, **settings: Any) -> list[dict[str, Any]]:
        tap(config={"path": str(tmp_path), **settings}, state=state).sync_all()
        return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]

    return go


def zipped(path: Path, **members: Any) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/") + ".json", json.dumps(content))


def told(messages: list[dict[str, Any]], kind: str, stream: str) -> list[dict[str, Any]]:
    return [m for m in messages if m["type"] == kind and m.get("stream") == stream]


def state_of(messages: list[dict[str, Any]]) -> Any:
    return [m["value"] for m in messages if m["type"] == "STATE"][-1]


def test_an_export_is_read_once(run: Callable[..., list[dict[str, Any]]], tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", plays_1=[{"at": "1"}, {"at": "2"}])
    first = run()
    again = run(state=state_of(first))
    assert [m["record"] for m in told(first, "RECORD", "plays")] == [{"at": "1"}, {"at": "2"}]
    assert not told(again, "RECORD", "plays")
