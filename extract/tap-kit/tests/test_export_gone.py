"""Which export says what is gone: of each stream the newest one that has records of it."""

from __future__ import annotations

import json
import logging
import zipfile
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_sdk import typing as th
from typing_extensions import override

from tap_kit.export import EXPORT_SETTINGS, ExportStream, ExportTap, Files, Found, Member, Rule, json_items
from tap_kit.export_suite import Imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from singer_sdk import Stream


class Plays(ExportStream):
    """Plays, invented."""

    name = "plays"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(th.Property("at", th.IntegerType)).to_dict()
    absence = "full"


class Lists(Plays):
    """Lists, which not every export has."""

    name = "lists"


def items(member: Member) -> Iterator[Found]:
    """Read an array of what the file is called."""
    for item in json_items(member):
        yield Found(member.name.removesuffix(".json"), item)


class TapPlayer(ExportTap):
    """Player, invented."""

    name = "tap-player"
    config_jsonschema = th.PropertiesList(*EXPORT_SETTINGS).to_dict()
    rules: ClassVar[Sequence[Rule]] = (Rule(r"(plays|lists)\.json", items),)

    @override
    def discover_streams(self) -> list[Stream]:
        return [Files(self), Lists(self), Plays(self)]


@pytest.fixture
def run(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], caplog: pytest.LogCaptureFixture
) -> Callable[..., Imported]:
    caplog.set_level(logging.INFO)

    def go(path: Path | None = None, state: Any = None, catalog: Any = None) -> Imported:
        made = TapPlayer(config={"path": str(path or tmp_path)}, state=state, catalog=catalog)
        made.sync_all()
        return Imported(capsysbinary.readouterr().out.splitlines(), made.gaps)

    return go


def exported(folder: Path, year: int, **members: list[int] | str) -> Path:
    """Make the export of a year; a text is a file that is damaged."""
    path = folder / f"{year}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, found in members.items():
            info = zipfile.ZipInfo(f"{name}.json", date_time=(year, 1, 1, 0, 0, 0))
            archive.writestr(
                info, found if isinstance(found, str) else json.dumps([{"at": at} for at in found])
            )
    return path


def kept(said: Imported, stream: str) -> list[int] | None:
    """Tell which records are not gone, as a target does: those behind the last SCHEMA with ``full``, if an end follows."""
    found: list[int] | None = None
    ended = False
    for message in said.messages:
        if message.get("stream") != stream:
            continue
        if message["type"] == "SCHEMA" and message["schema"]["x-absence"] == "full" and found is None:
            found = []
        elif message["type"] == "RECORD":
            ended = False
            if found is not None:
                found.append(message["record"]["at"])
        elif message["type"] == "ACTIVATE_VERSION":
            ended = True
    return found if ended else None


def remembered(said: Imported) -> set[str]:
    return {entry["path"] for entry in said.state["bookmarks"]["_files"]["exports"].values()}


def test_a_newer_export_without_a_stream_leaves_its_end_to_the_one_before(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    exported(tmp_path, 2021, plays=[1, 2], lists=[7, 8])
    exported(tmp_path, 2022, plays=[2], lists=[8])
    exported(tmp_path, 2023, plays=[3])
    said = run()
    assert kept(said, "plays") == [3]
    assert kept(said, "lists") == [8]
    assert remembered(said) == {"2021.zip", "2022.zip", "2023.zip"}
    assert not run(state=said.state).told("RECORD", "lists")


def test_equal_records_that_come_once_more_for_that_are_the_same(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    exported(tmp_path, 2021, lists=[7, 7, 8])
    exported(tmp_path, 2022, plays=[2])
    said = run()
    assert len(said.told("RECORD", "lists")) == 6
    assert len(said.identities("lists")) == 3


def test_an_export_is_remembered_only_when_it_has_ended_what_it_ends(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    exported(tmp_path, 2021, plays=[1], lists=[7])
    exported(tmp_path, 2022, plays=[2])
    messages = run().messages
    end = next(
        number
        for number, message in enumerate(messages)
        if (message["type"], message.get("stream")) == ("ACTIVATE_VERSION", "lists")
    )
    broken_off = Imported(json.dumps(message).encode() for message in messages[:end])
    assert remembered(broken_off) == {"2022.zip"}
    assert kept(run(state=broken_off.state), "lists") == [7]


def test_an_older_export_ends_a_stream_that_no_newer_one_had(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    newer = run(exported(tmp_path, 2022, plays=[2]))
    older = run(exported(tmp_path, 2021, plays=[1], lists=[7]), newer.state)
    assert kept(older, "lists") == [7]
    assert kept(older, "plays") is None
    marks = {name: older.told("RECORD", name)[0]["provenance"].get("degraded") for name in ("plays", "lists")}
    assert marks == {"plays": True, "lists": None}


def test_a_stream_that_came_damaged_last_is_ended_by_none(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    exported(tmp_path, 2021, plays=[1], lists=[7])
    exported(tmp_path, 2022, plays=[2], lists='[{"at": 8}, {"at"')
    said = run()
    assert len(said.gaps) == 1
    assert kept(said, "lists") is None
    assert kept(said, "plays") is None


def test_what_only_feeds_a_deselected_stream_is_no_empty_file(
    run: Callable[..., Imported], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = exported(tmp_path, 2021, plays=[1], lists=list(range(2000)))
    catalog = TapPlayer(config={"path": str(path)}).catalog_dict
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if stream["tap_stream_id"] == "lists" and not entry["breadcrumb"]:
                entry["metadata"]["selected"] = False
    said = run(path, catalog=catalog)
    assert not said.told("RECORD", "lists")
    assert "records in" not in caplog.text


def test_a_folder_of_unknown_files_does_not_drown_the_rest(
    run: Callable[..., Imported], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exported(tmp_path, 2021, plays=[1], **{f"picture{number}": "x" for number in range(30)})
    said = run()
    assert list(said.files().values()).count("unknown") == 30
    assert caplog.text.count("not known. What it holds is not read") == 10
    assert "2021.zip: 20 more files are not known; the stream _files names them." in caplog.text
