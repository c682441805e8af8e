"""A small source of export files: it passes the certification, and what lies beyond is told in a sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import logging
import lzma
import pathlib
import stat
import tarfile
import zipfile
from base64 import b64decode
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_sdk import typing as th
from typing_extensions import override

from tap_kit import RawStream, TapError, export_archives, export_guard
from tap_kit.export import (
    EXPORT_SETTINGS,
    ExportStream,
    ExportTap,
    Files,
    Found,
    LeftOutError,
    LockedError,
    Member,
    MemberError,
    Rule,
    json_items,
)
from tap_kit.export_suite import ExportSuite, Imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from singer_sdk import Stream


class Plays(ExportStream):
    """Plays, invented."""

    name = "plays"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("at", th.IntegerType), th.Property("title", th.StringType)
    ).to_dict()
    absence = "full"


def plays(member: Member) -> Iterator[Found]:
    """Read an array of plays; some words in their place make trouble."""
    for play in json_items(member):
        if play == "bug":
            raise KeyError(play)
        if play == "other":
            raise LeftOutError("plays of another player")
        if play == "locked":
            raise LockedError(f"{member.path}: closed today. Come again.")
        if play == "damage":
            raise MemberError(f"{member.path}: no play at all.")
        yield Found("plays", play)


class TapPlayer(ExportTap):
    """Player, invented."""

    name = "tap-player"
    config_jsonschema = th.PropertiesList(*EXPORT_SETTINGS).to_dict()
    rules: ClassVar[Sequence[Rule]] = (
        Rule(r"plays.*\.json", plays),
        Rule(r"ReadMe\.pdf", None, "a letter to the reader"),
    )

    @override
    def discover_streams(self) -> list[Stream]:
        return [Files(self), Plays(self)]


class TestTapPlayer(ExportSuite):
    """The certification."""

    tap_class = TapPlayer
    stream = "plays"
    many = 5000

    @override
    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        found = [{"at": fact, "title": text} for fact in facts]
        return {"My Data/plays_1.json": json.dumps(found).encode()}


@pytest.fixture
def run(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], caplog: pytest.LogCaptureFixture
) -> Callable[..., Imported]:
    caplog.set_level(logging.INFO)

    def go(
        path: Path | None = None, state: Any = None, tap: type[ExportTap] = TapPlayer, **settings: Any
    ) -> Imported:
        made = tap(config={"path": str(path or tmp_path), **settings}, state=state)
        made.sync_all()
        return Imported(capsysbinary.readouterr().out.splitlines(), made.gaps)

    return go


def content(*plays_at: Any) -> bytes:
    return json.dumps([{"at": at} if isinstance(at, int) else at for at in plays_at]).encode()


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inside in members.items():
            archive.writestr(f"{name}.json", inside)
    return path


def lock(path: Path) -> None:
    """Mark the only member of a zip as encrypted."""
    data = bytearray(path.read_bytes())
    for place in (data.index(b"PK\x03\x04") + 6, data.rindex(b"PK\x01\x02") + 8):
        data[place] |= 1
    path.write_bytes(data)


LOCKED = (
    "UEsDBAoACQAAALyVeV2Y5NxYFgAAAAoAAAAMABwAcGxheXNfMS5qc29uVVQJAAPkLAdr5CwHa3V4CwABBAAAAAAEAAAAANVh9pMD7jXkEJk6liu4LdXR"
    "hzcMv+JQSwcImOTcWBYAAAAKAAAAUEsBAh4DCgAJAAAAvJV5XZjk3FgWAAAACgAAAAwAGAAAAAAAAQAAAKSBAAAAAHBsYXlzXzEuanNvblVUBQAD5CwH"
    "a3V4CwABBAAAAAAEAAAAAFBLBQYAAAAAAQABAFIAAABsAAAAAAA="
)
"""A zip of ``plays_1.json`` with the password open-sesame, made by Info-ZIP."""


def moments(said: Imported) -> list[int]:
    return [message["record"]["at"] for message in said.told("RECORD", "plays")]


# Where exports are found


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])
def test_a_single_packed_file_is_an_export(
    pack: Callable[[bytes], bytes], run: Callable[..., Imported], tmp_path: Path
) -> None:
    suffix = {gzip.compress: "gz", bz2.compress: "bz2", lzma.compress: "xz"}[pack]
    (tmp_path / f"plays.json.{suffix}").write_bytes(pack(content(1, 2)))
    said = run()
    assert moments(said) == [1, 2]
    provenance = said.told("RECORD", "plays")[0]["provenance"]
    assert provenance["file_size"] == len(content(1, 2))
    assert provenance["file_path"] == f"plays.json.{suffix}"


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_a_tar_is_an_export(kind: str, run: Callable[..., Imported], tmp_path: Path) -> None:
    with tarfile.open(tmp_path / f"e.tar.{kind}".rstrip("."), f"w:{kind}") as archive:  # type: ignore[call-overload]
        for number in (1, 2):
            info = tarfile.TarInfo(f"a/plays_{number}.json")
            info.size = len(content(number))
            archive.addfile(info, io.BytesIO(content(number)))
        link = tarfile.TarInfo("a/plays_3.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    said = run()
    assert moments(said) == [1, 2]
    assert sorted(said.files().values()) == ["parsed", "parsed", "refused"]


def test_a_zip_inside_a_zip_is_a_folder_of_it(run: Callable[..., Imported], tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", plays_1=content(1), plays_2=content(2)).read_bytes()
    other = zipped(tmp_path / "inner.zip", plays_3=content(3)).read_bytes()
    (tmp_path / "inner.zip").unlink()
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("a/one.zip", inner)
        archive.writestr("a/two.zip", other)
        archive.writestr("a/broken.zip", b"PK\x03\x04")
    said = run()
    assert moments(said) == [1, 2, 3]
    assert said.files()["e.zip/a/one.zip/plays_1.json"] == "parsed"
    assert said.files()["e.zip/a/broken.zip"] == "damaged"
    assert [gap.partition(":")[0] for gap in said.gaps] == ["e.zip/a/broken.zip"]


def test_a_zip_inside_a_locked_zip_is_tried_again(run: Callable[..., Imported], tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", plays_1=content(1)).read_bytes()
    (tmp_path / "inner.zip").unlink()
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("one.zip", inner)
    lock(tmp_path / "e.zip")
    said = run()
    assert said.files() == {"e.zip/one.zip": "locked"}
    assert run(state=said.state).gaps == said.gaps


def test_the_right_password_opens_a_zip(run: Callable[..., Imported], tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b64decode(LOCKED))
    assert moments(run(password="open-sesame")) == [1]
    assert run(password="shut-sesame").files() == {"a.zip/plays_1.json": "locked"}


def test_archives_numbered_by_the_service_are_one_export(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    for number in (1, 2):
        zipped(tmp_path / f"takeout-{number:03}.zip", **{f"plays_{number}": content(number)})
    said = run()
    assert moments(said) == [1, 2]
    assert len(said.told("ACTIVATE_VERSION", "plays")) == 1
    assert moments(run(tmp_path / "takeout-001.zip")) == [1, 2]
    zipped(tmp_path / "takeout-004.zip", plays_4=content(4))
    assert "takeout.zip: of the split archive the parts 003 are missing" in run().gaps[0]


def test_hidden_folders_are_read_and_links_are_not_followed(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "plays_9.json").write_bytes(content(9))
    named = tmp_path / "named"
    (named / ".hidden").mkdir(parents=True)
    (named / ".hidden" / "plays_8.json").write_bytes(content(8))
    (named / ".Trashes" / "501").mkdir(parents=True)
    (named / ".Trashes" / "501" / "plays_7.json").write_bytes(content(7))
    (named / ".DS_Store").write_bytes(b"\x00")
    (named / "plays_1.json").write_bytes(content(1))
    (named / "plays_9.json").symlink_to(outside / "plays_9.json")
    (named / "folder").symlink_to(outside)
    said = run(named)
    assert sorted(moments(said)) == [1, 8]
    junk = (".Trashes/501/plays_7.json", ".DS_Store", "folder", "plays_9.json")
    assert said.files() == dict.fromkeys(junk, "ignored") | {
        "plays_1.json": "parsed",
        ".hidden/plays_8.json": "parsed",
    }
    assert not said.gaps


def test_nothing_at_the_path_is_a_sentence(run: Callable[..., Imported], tmp_path: Path) -> None:
    with pytest.raises(TapError, match=r"nothing there\. Name an export"):
        run(tmp_path / "none")


def test_a_relative_path_is_of_the_project(
    run: Callable[..., Imported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    zipped(tmp_path / "a.zip", plays=content(1))
    assert moments(run(path="a.zip")) == [1]


# What malice can do


def test_a_bomb_is_not_unpacked(
    run: Callable[..., Imported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (export_guard, export_archives):
        monkeypatch.setattr(module, "FREE", 1 << 20)  # what may be unpacked in any case
    zipped(tmp_path / "a.zip", plays_1=bytes(4 << 20), plays_2=content(2))
    (tmp_path / "plays.json.gz").write_bytes(gzip.compress(b"[" + bytes(4 << 20), 9))
    said = run()
    assert moments(said) == [2]
    assert said.files()["a.zip/plays_1.json"] == "refused"
    assert said.files()["plays.json.gz"] == "damaged"
    assert all("zip bomb" in gap for gap in said.gaps)


def test_a_link_in_a_zip_is_refused(run: Callable[..., Imported], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("plays_1.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert run().files() == {"a.zip/plays_1.json": "refused"}


def test_members_that_overlap_are_refused(run: Callable[..., Imported], tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", plays_1=content(*range(500)))
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[at:end]
    count = 4
    tail = bytearray(data[end:])
    tail[8:12] = bytes([count, 0, count, 0])
    tail[12:16] = (len(entry) * count).to_bytes(4, "little")
    path.write_bytes(data[:at] + entry * count + bytes(tail))
    assert "overlap" in run().gaps[0]


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_locked_zip_is_told_and_tried_again(
    password: str | None, run: Callable[..., Imported], tmp_path: Path
) -> None:
    lock(zipped(tmp_path / "a.zip", plays_1=content(1)))
    said = run(password=password) if password else run()
    assert said.gaps == ["a.zip/plays_1.json: locked with a password. Set the right one as 'password'."]
    assert said.files() == {"a.zip/plays_1.json": "locked"}
    assert (
        "exports" not in (said.state or {}).get("bookmarks", {}).get("_files", {})
        or not said.state["bookmarks"]["_files"]["exports"]
    )
    assert "wrong" not in json.dumps(said.messages)


def test_a_file_that_must_not_be_read_is_told(
    run: Callable[..., Imported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(tmp_path / "a.zip", plays_1=content(1))
    (tmp_path / "plays.json").write_bytes(content(2))
    really = pathlib.Path.open

    def refused(path: pathlib.Path, *arguments: Any) -> Any:
        if path.name == "a.zip":
            raise PermissionError
        return really(path, *arguments)

    monkeypatch.setattr(pathlib.Path, "open", refused)  # root may read everything
    said = run()
    assert moments(said) == [2]
    assert said.files()["a.zip"] == "locked"
    assert said.gaps == ["a.zip: permission denied. Make it readable for this user."]


@pytest.mark.parametrize(
    ("method", "sentence"),
    [(98, "packed in a way that cannot be read"), (99, "locked with AES, which cannot be opened here")],
)
def test_a_way_of_packing_that_is_not_known_is_told(
    method: int, sentence: str, run: Callable[..., Imported], tmp_path: Path
) -> None:
    path = zipped(tmp_path / "a.zip", plays_1=content(1), plays_2=content(2))
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(mark) + offset] = method
    path.write_bytes(data)
    said = run()
    assert moments(said) == [2]
    assert sentence in said.gaps[0]


# What parsers stumble over


@pytest.mark.parametrize(
    ("trouble", "status", "times"),
    [("bug", "failed", 2), ("locked", "locked", 2), ("damage", "damaged", 1)],
)
def test_trouble_with_one_member_costs_its_rest(
    trouble: str, status: str, times: int, run: Callable[..., Imported], tmp_path: Path
) -> None:
    zipped(tmp_path / "a.zip", plays_1=content(1, trouble, 2), plays_2=content(3))
    said = run()
    assert moments(said) == [1, 3]
    assert said.files() == {"a.zip/plays_1.json": status, "a.zip/plays_2.json": "parsed"}
    assert not said.ended
    assert bool(moments(run(state=said.state))) is (times == 2)


def test_a_parser_may_leave_out_what_it_has_looked_at(run: Callable[..., Imported], tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", plays_1=content("other"), plays_2=content(3))
    said = run()
    assert said.files() == {"a.zip/plays_1.json": "ignored", "a.zip/plays_2.json": "parsed"}
    assert said.told("RECORD", "_files")[0]["record"]["reason"] == "plays of another player"
    assert not said.gaps
    assert said.ended == {"plays"}
    assert not run(state=said.state).told("RECORD", "_files")


def test_a_file_of_bytes_that_gives_no_record_is_said_aloud(
    run: Callable[..., Imported], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plays.json").write_bytes(b"[" + b" " * 5000 + b"]")
    said = run()
    assert "plays.json: no records in 5,002 bytes. Its layout may have changed" in caplog.text
    assert said.files() == {"plays.json": "parsed"}


def test_fewer_records_than_the_size_suggests_are_said_aloud(
    run: Callable[..., Imported], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Known(TapPlayer):
        """Knows how large a play is."""

        rules = (Rule(r"plays.*\.json", plays, record_bytes=100),)

    (tmp_path / "plays_1.json").write_bytes(content(*range(10)))
    (tmp_path / "plays_2.json").write_bytes(content({"at": 10, "title": "x" * 250}))
    assert len(moments(run(tap=Known))) == 11
    assert "plays_2.json: 1 records in 275 bytes" in caplog.text
    assert "plays_1.json: 10 records" not in caplog.text


def test_fields_that_are_not_described_are_said_aloud_once(
    run: Callable[..., Imported], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plays.json").write_bytes(content({"at": 1, "mood": "m"}, {"at": 2, "mood": "m"}))
    assert moments(run()) == [1, 2]
    assert caplog.text.count("fields that are not described yet: mood") == 1


def test_progress_comes_to_all_bytes_that_it_expects(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", plays_1=content(*range(500)), plays_2=content(1))
    (tmp_path / "plays.json").write_bytes(content(2))
    tap = TapPlayer(config={"path": str(tmp_path)})
    tap.sync_all()
    progress = tap.progress
    assert progress.bytes == progress.bytes_expected > 0
    assert (progress.members, progress.members_expected, progress.records) == (3, 3, 502)


def test_an_improved_parser_reads_what_was_read(run: Callable[..., Imported], tmp_path: Path) -> None:
    class Better(TapPlayer):
        """Finds more."""

        parser_version = 2

    zipped(tmp_path / "a.zip", plays=content(1))
    assert moments(run(state=run().state, tap=Better)) == [1]


def test_accounts_are_kept_apart(run: Callable[..., Imported], tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", plays=content(1))
    ada = run(account="ada")
    assert ada.told("RECORD", "plays")[0]["provenance"]["account"] == "ada"
    assert not moments(run(state=ada.state, account="ada"))
    assert moments(run(state=ada.state, account="bob")) == [1]


def test_only_the_newest_export_says_what_is_gone(run: Callable[..., Imported], tmp_path: Path) -> None:
    for name, at in (("old", 1), ("new", 2)):
        path = zipped(tmp_path / f"{name}.zip", plays=content(at))
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo("plays.json", date_time=(2020 + at, 1, 1, 0, 0, 0))
            archive.writestr(info, content(at))
    said = run()
    assert moments(said) == [1, 2]
    absences = [message["schema"]["x-absence"] for message in said.told("SCHEMA", "plays")]
    assert absences[-1] == "full"
    assert set(absences[:-1]) == {"never"}
    ends = [m["type"] for m in said.messages if m.get("stream") == "plays"]
    assert ends[-1] == "ACTIVATE_VERSION"


def test_two_copies_of_an_export_are_one(run: Callable[..., Imported], tmp_path: Path) -> None:
    data = zipped(tmp_path / "a.zip", plays=content(1, 1)).read_bytes()
    (tmp_path / "copy.zip").write_bytes(data)
    (tmp_path / "plays.json").write_bytes(content(1, 1))
    said = run()
    assert moments(said) == [1, 1]
    (tmp_path / "a.zip").unlink()
    assert not moments(run(state=said.state))


def test_exports_in_which_nothing_is_known_are_told_each(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    zipped(tmp_path / "a.zip", news=b"1")
    zipped(tmp_path / "b.zip", other=b"2")
    (tmp_path / "c.txt").write_bytes(b"3")
    said = run()
    assert said.files() == {"a.zip/news.json": "unknown", "b.zip/other.json": "unknown", "c.txt": "unknown"}
    assert not run(state=said.state).told("RECORD", "_files")
    (tmp_path / "d.txt").write_bytes(b"4")
    zipped(tmp_path / "e.zip", news=b"5")
    assert run(state=said.state).files() == dict.fromkeys(("c.txt", "d.txt", "e.zip/news.json"), "unknown")


def test_an_older_export_that_comes_later_is_marked_and_says_nothing_of_what_is_gone(
    run: Callable[..., Imported], tmp_path: Path
) -> None:
    for name, year in (("new", 2022), ("old", 2021)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            info = zipfile.ZipInfo("plays.json", date_time=(year, 1, 1, 0, 0, 0))
            archive.writestr(info, content(year))
    newer = run(tmp_path / "new.zip")
    older = run(tmp_path / "old.zip", newer.state)
    assert moments(older) == [2021]
    assert [m["provenance"].get("degraded") for m in newer.told("RECORD", "plays")] == [None]
    assert [m["provenance"].get("degraded") for m in older.told("RECORD", "plays")] == [True]
    assert newer.ended == {"plays"}
    assert not older.ended


def test_a_deselected_stream_is_not_sent_and_a_deselected_field_is_left_out(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    (tmp_path / "plays.json").write_bytes(content({"at": 1, "title": "t"}))
    catalog = TapPlayer(config={"path": str(tmp_path)}).catalog_dict
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == ["properties", "title"]:
                entry["metadata"]["selected"] = False
            if stream["tap_stream_id"] == "_files":
                entry["metadata"]["selected"] = False
    tap = TapPlayer(config={"path": str(tmp_path)}, catalog=catalog)
    tap.sync_all()
    said = Imported(capsysbinary.readouterr().out.splitlines())
    (message,) = said.told("RECORD", "plays")
    assert message["record"] == {"at": 1}
    assert message["provenance"]["deselected"] == ["/title"]
    assert not said.told("RECORD", "_files")


class Daily(RawStream):
    """A stream that is no export."""

    name = "daily"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(th.Property("at", th.IntegerType)).to_dict()

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        yield {"at": 9}


def test_streams_of_an_api_stand_beside(run: Callable[..., Imported], tmp_path: Path) -> None:
    class Both(TapPlayer):
        """Has both."""

        path_required = False

        @override
        def discover_streams(self) -> list[Stream]:
            return [Daily(self), Files(self), Plays(self)]

    (tmp_path / "plays.json").write_bytes(content(1))
    said = run(tap=Both)
    assert moments(said) == [1]
    assert [message["record"] for message in said.told("RECORD", "daily")] == [{"at": 9}]
    Both(config={}).sync_all()
