"""Which file is whose: catch-alls, second downloads, empty files; and what becomes of what cannot be read."""

from __future__ import annotations

import json
import logging
import os
import zipfile
from base64 import b64decode
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_sdk import typing as th
from typing_extensions import override

from tap_kit import export_letters
from tap_kit.export import (
    EXPORT_SETTINGS,
    Export,
    ExportStream,
    ExportTap,
    Files,
    Found,
    Member,
    MemberError,
    Rule,
    json_items,
)
from tap_kit.export_members import plain_name
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


class Others(ExportStream):
    """Files of unknown names."""

    name = "others"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(th.Property("file", th.StringType)).to_dict()


def plays(member: Member) -> Iterator[Found]:
    """Read an array of plays."""
    for play in json_items(member):
        if play == "bug":
            raise KeyError(play)
        yield Found("plays", play)


def other(member: Member) -> Iterator[Found]:
    """Read anything."""
    yield Found("others", {"file": member.name})


def own(member: Member) -> Iterator[Found]:
    """Keep the unreadable rest itself."""
    yield Found("others", {"file": member.name}, {"dead_letter": "the rest"})
    raise MemberError(f"{member.path}: damaged.")


class TapPlayer(ExportTap):
    """Player, invented."""

    name = "tap-player"
    config_jsonschema = th.PropertiesList(*EXPORT_SETTINGS).to_dict()
    rules: ClassVar[Sequence[Rule]] = (
        Rule(r"plays\d*\.json", plays),
        Rule(r".*\.raw", other),
        Rule(r".*\.own", own),
        Rule(r"[^/]*\.xml", plays, content=rb"<Player"),
        Rule(r".*\.json", other, inside="Player Data"),
    )

    @override
    def moment_of(self, export: Export) -> str:
        found = [
            str(play["at"])
            for member in export.members
            if self.rules[0].matches(member)
            for play in json_items(member)
            if isinstance(play, dict)
        ]
        return max(found, default="")

    @override
    def discover_streams(self) -> list[Stream]:
        return [Files(self), Others(self), Plays(self)]


@pytest.fixture
def run(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], caplog: pytest.LogCaptureFixture
) -> Callable[..., Imported]:
    caplog.set_level(logging.INFO)

    def go(path: Path | None = None, state: Any = None) -> Imported:
        made = TapPlayer(config={"path": str(path or tmp_path / "drop")}, state=state)
        made.sync_all()
        return Imported(capsysbinary.readouterr().out.splitlines(), made.gaps)

    return go


@pytest.fixture
def drop(tmp_path: Path) -> Callable[..., Path]:
    def make(files: dict[str, bytes], folder: str = "drop", day: int = 1) -> Path:
        for name, content in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (day * 86_400, day * 86_400))
        return tmp_path / folder

    return make


def test_a_catch_all_counts_in_the_exports_folders_and_beside_known_names_alone(
    run: Callable[..., Imported], drop: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    files = ["Player Data/new.json", "Player Data (1)/deep/new.json", "a/plays1.json", "a/beside.json"]
    foreign = ["a/below/foreign.json", "foreign.json", "b/foreign.json"]
    drop(dict.fromkeys((*files, *foreign, "b/1.raw"), b'[{"at": 1}]'))
    said = run()
    assert said.files() == dict.fromkeys([*files, "b/1.raw"], "parsed") | dict.fromkeys(foreign, "unknown")
    assert all(f"{name}: not known" in caplog.text for name in foreign)


@pytest.mark.parametrize(
    "mark",
    [
        " (1)",
        " (12)",
        " - Copy",
        " - Copy (2)",
        " copy",
        " copy 2",
        " - Kopie",
        " Kopie",
        " - Kopie (3)",
        " (1) (2)",
    ],
)
def test_the_mark_of_a_second_download_is_no_part_of_a_name(mark: str) -> None:
    assert plain_name(f"My Data{mark}/plays{mark}.json") == "My Data/plays.json"
    assert TapPlayer.rules[0].names(f"My Data/plays3{mark}.json")


@pytest.mark.parametrize("name", ["copy.json", "photocopy.json", "a(1).json", "a (x).json", "(1).json"])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert plain_name(name) == name


def test_a_second_download_beside_the_first_is_an_export_of_its_own(
    run: Callable[..., Imported], drop: Callable[..., Path]
) -> None:
    drop({"plays0.json": b'[{"at": 1}, {"at": 2}]', "plays0 (1).json": b'[{"at": 2}, {"at": 3}]'})
    said = run()
    assert [len(entry) for entry in said.state["bookmarks"]["_files"]["exports"]] == [64, 64]
    assert len(said.told("RECORD", "plays")) == 4


def test_an_empty_file_that_should_have_content_is_named_as_empty(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("export.xml", b"")
        archive.writestr("empty.txt", b"")
    said = run(path)
    assert said.files() == {"a.zip/export.xml": "damaged", "a.zip/empty.txt": "unknown"}
    assert said.gaps == ["a.zip/export.xml: empty. Make the export again."]


@pytest.mark.parametrize("content", [b'[{"at": 1}, "bug"]', b'[{"at": 1}, {"at'], ids=["bug", "cut off"])
def test_the_bytes_that_a_parser_cannot_read_are_dead_letters(
    run: Callable[..., Imported],
    drop: Callable[..., Path],
    content: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TapPlayer, "moment_of", lambda _self, _export: "")
    monkeypatch.setattr(export_letters, "CHUNK_BYTES", 10)
    drop({"plays.json": content})
    said = run()
    assert len(said.told("RECORD", "plays")) == 1
    letters = said.letters()
    assert b"".join(b64decode(m["record"]["content"]) for m in letters) == content
    assert {m["stream"] for m in letters} == {"_unread"}
    assert len({m["provenance"]["raw_id"] for m in letters}) == len(letters) == 2
    assert len(said.gaps) == 1
    assert run().letters() == letters


def test_a_large_member_is_kept_by_reference(
    run: Callable[..., Imported], drop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TapPlayer, "moment_of", lambda _self, _export: "")
    monkeypatch.setattr(export_letters, "MAX_KEPT_BYTES", 10)
    drop({"plays.json": b'[{"at": 1}, "bug"]'})
    (letter,) = run().letters()
    assert letter["record"]["content"] is None
    assert "too large" in letter["provenance"]["dead_letter"]


def test_a_parser_that_keeps_the_rest_itself_has_no_second_letter(
    run: Callable[..., Imported], drop: Callable[..., Path]
) -> None:
    drop({"a.own": b"x"})
    assert [m["stream"] for m in run().letters()] == ["others"]


def test_elements_that_are_not_objects_are_dead_letters_and_nothing_is_gone(
    run: Callable[..., Imported], drop: Callable[..., Path]
) -> None:
    strays: list[Any] = [7, "x", None, []]
    drop({"plays.json": json.dumps([{"at": 1}, *strays, {"at": 2}]).encode()})
    said = run()
    assert [m["record"] for m in said.letters()] == [{"value": value} for value in strays]
    assert len(said.told("RECORD", "plays")) == 6
    assert not said.ended
    assert said.files() == {"plays.json": "damaged"}


def test_the_content_decides_which_export_is_newer(
    run: Callable[..., Imported], drop: Callable[..., Path]
) -> None:
    newer = drop({"plays.json": b'[{"at": 2024}]'}, "newer", day=1)
    older = drop({"plays.json": b'[{"at": 2023}]'}, "older", day=9)
    first = run(newer)
    assert first.ended == {"plays"}
    second = run(older, first.state)
    assert not second.ended
    assert second.told("RECORD", "plays")[0]["provenance"]["degraded"] is True
    assert run(newer, run(older).state).ended == {"plays"}


def test_a_folder_without_moments_says_nothing_is_gone_after_one_with_them(
    run: Callable[..., Imported], drop: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(drop({"plays.json": b'[{"at": 2024}]'}, "newer", day=1))
    monkeypatch.setattr(TapPlayer, "moment_of", lambda _self, _export: "")
    assert not run(drop({"plays.json": b'[{"at": 2023}]'}, "older", day=20_000), first.state).ended


def test_every_record_names_the_account_of_the_setting(
    drop: Callable[..., Path], capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TapPlayer, "moment_of", lambda _self, _export: "")
    path = drop({"plays.json": b'[{"at": 1}, 7, "bug"]', "new.bin": b"x"})
    TapPlayer(config={"path": str(path), "account": "ada"}).sync_all()
    said = Imported(capsysbinary.readouterr().out.splitlines())
    records = [message for message in said.messages if message["type"] == "RECORD"]
    assert {message["stream"] for message in records} == {"plays", "_files", "_unread"}
    assert all(message["provenance"]["account"] == "ada" for message in records)
