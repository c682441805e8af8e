"""Copies of profiles that were handed in: folders, archives and databases alone."""

from __future__ import annotations

import errno
import json
import re
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from browsers import JUNE, QUTEBROWSER, Chromium, Database, Firefox

from tap_kit import sqlite

if TYPE_CHECKING:
    from conftest import Run, Runner

DEFINITION = Path(__file__).parents[3] / "plugins" / "extractors" / "tap-browser-history.meltano.yml"


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    """The folder of a profile with what browsers keep in one."""
    folder = tmp_path / "laptop"
    chrome = Chromium(folder / "Default" / "History")
    chrome.visit(chrome.url())
    node = {"guid": "g", "date_added": str(JUNE), "name": "Tea", "type": "url", "url": "https://example.org/"}
    roots = {"other": {**node, "guid": "f", "type": "folder", "children": [node]}}
    (folder / "Default" / "Bookmarks").write_text(json.dumps({"roots": roots}))
    (folder / "Default" / "Bookmarks.bak").write_text("{}")
    (folder / "Default" / "Preferences").write_text('{"secret": 1}')
    (folder / "Default" / "Code Cache" / "js").mkdir(parents=True)
    (folder / "Default" / "Code Cache" / "js" / "0a1b_0").write_bytes(b"\x00")
    Database(folder / "Default" / "Cookies", "CREATE TABLE cookies (value TEXT);")
    Database(folder / "Default" / "heavy_ad.db", "CREATE TABLE ads (value TEXT);")
    (folder / "Default" / "notes.odt").write_bytes(b"?")
    (folder / "Default" / "AccountBookmarks").write_text("{}")
    return folder


def packed(folder: Path, to: Path) -> Path:
    return Path(shutil.make_archive(str(to), "zip", folder))


def statuses(outcome: Run) -> dict[str, str]:
    return {record["path"].rpartition("/")[2]: record["status"] for record in outcome.records("_files")}


def test_a_profiles_folder_gives_history_and_bookmarks_and_tells_what_it_leaves(
    run: Runner, laptop: Path
) -> None:
    outcome = run(path=str(laptop))

    assert outcome.streams() == {"chromium_visits", "chromium_urls", "chromium_bookmarks", "_files"}
    assert len(outcome.records("chromium_bookmarks")) == 2
    assert statuses(outcome) == {
        "History": "parsed",
        "Bookmarks": "parsed",
        "Bookmarks.bak": "ignored",
        "Preferences": "ignored",
        "0a1b_0": "ignored",
        "Cookies": "ignored",
        "heavy_ad.db": "ignored",
        "notes.odt": "unknown",
        "AccountBookmarks": "unknown",
    }
    assert all(record["reason"] for record in outcome.records("_files") if record["status"] != "parsed")
    assert outcome.gaps == []


def test_a_zip_of_it_gives_the_same_records_and_is_no_news_after_it(
    run: Runner, laptop: Path, tmp_path: Path
) -> None:
    first = run(path=str(laptop))
    archive = packed(laptop, tmp_path / "backup")

    again = run(path=str(archive))

    for stream in ("chromium_visits", "chromium_urls", "chromium_bookmarks"):
        assert again.names(stream) == first.names(stream)
        assert again.records(stream) == first.records(stream)
    (told,) = again.provenances("chromium_visits")
    assert told["account"] == "Default"
    assert told["file_path"] == "backup.zip/Default/History"
    assert (told["table"], told["row"], told["layout"]) == ("visits", 1, "chromium 70")
    assert (told["encoding"], told["compression_type"]) == ("UTF-8", "deflate")
    assert told["source_timestamp"] == "2026-06-04T18:40:00.000001+00:00"
    assert run(path=str(archive), state=first.state).streams() == set()


def test_a_copy_and_the_profile_in_use_are_one_history_under_one_label(run: Runner, laptop: Path) -> None:
    copied = run(path=str(laptop), account="chrome/Default")
    in_use = run({"path": str(laptop / "Default" / "History"), "label": "chrome/Default"})

    for stream in ("chromium_visits", "chromium_urls", "chromium_bookmarks"):
        assert copied.names(stream) == in_use.names(stream)


def test_with_both_settings_both_are_read(run: Runner, laptop: Path, tmp_path: Path) -> None:
    chrome = Chromium(tmp_path / "here" / "History")
    chrome.visit(chrome.url())

    first = run(chrome.path, path=str(laptop))
    second = run(chrome.path, path=str(laptop), state=first.state)

    assert [account for account, _ in first.names("chromium_visits")] == ["Default", "browser/Default"]
    assert second.streams() <= {"_files"}


@pytest.mark.parametrize(
    ("inside", "named", "label"),
    [
        ("Default/History", "backup.zip", "Default"),
        ("User Data/Profile 1/History", "backup.zip", "Profile 1"),
        ("History", "laptop.zip", "laptop"),
    ],
    ids=["a profile", "deep inside", "alone"],
)
def test_the_label_is_the_folder_or_the_name_of_the_archive(
    run: Runner, tmp_path: Path, inside: str, named: str, label: str
) -> None:
    chrome = Chromium(tmp_path / "History")
    chrome.visit(chrome.url())
    with zipfile.ZipFile(tmp_path / named, "w") as archive:
        archive.write(chrome.path, inside)

    assert [account for account, _ in run(path=str(tmp_path / named)).names("chromium_visits")] == [label]


def test_what_stands_in_the_log_beside_the_database_comes_and_is_news(run: Runner, tmp_path: Path) -> None:
    chrome = Chromium(tmp_path / "used" / "History")
    chrome.do("PRAGMA journal_mode = WAL")
    copy = tmp_path / "laptop"
    copy.mkdir()
    first = run(path=str(taken_while_open(chrome, copy)))
    second = run(path=str(taken_while_open(chrome, copy)), state=first.state)

    assert len(first.records("chromium_visits")) == 1
    assert len(second.records("chromium_visits")) == 2
    assert first.records("_files")[0]["sha256"] == second.records("_files")[0]["sha256"]
    assert statuses(second) == {"History": "parsed", "History-wal": "parsed"}
    assert "no records in" not in second.log  # a log has none of its own


def taken_while_open(chrome: Chromium, copy: Path) -> Path:
    """Copy main file and log while a browser has written a visit into the log alone."""
    browser = sqlite3.connect(chrome.path)
    with closing(browser):
        browser.execute("PRAGMA wal_autocheckpoint = 0")
        browser.execute(
            f"INSERT INTO visits (url, visit_time) VALUES (1, {JUNE} + (SELECT count(*) FROM visits))"
        )
        browser.commit()
        for name in ("History", "History-wal"):
            (copy / name).write_bytes((chrome.path.parent / name).read_bytes())
        # it dies without playing back its log
        kept = {path: path.read_bytes() for path in (chrome.path, chrome.path.with_name("History-wal"))}
    for path, content in kept.items():
        path.write_bytes(content)
    return copy


@pytest.mark.parametrize("large", [False, True], ids=["small", "its tables lie far behind"])
def test_a_database_of_another_name_is_known_by_its_tables(
    run: Runner, tmp_path: Path, *, large: bool
) -> None:
    path = tmp_path / "old.sqlite"
    if large:
        Database(path, "CREATE TABLE first (value BLOB); INSERT INTO first VALUES (zeroblob(200000));")
    chrome = Chromium(path)
    chrome.visit(chrome.url())

    assert len(run(path=str(path)).records("chromium_visits")) == 1


def test_a_database_that_is_damaged_or_none_costs_itself_alone(run: Runner, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    Database(copies / "a" / "history.sqlite", QUTEBROWSER).add(
        "History", url="https://example.org/", title="", atime=1780598400, redirect=0
    )
    chrome = Chromium(copies / "b" / "History")
    chrome.do(
        "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n LIMIT 3000) "
        "INSERT INTO visits (url, visit_time) SELECT 1, i FROM n"
    )
    chrome.path.write_bytes(chrome.path.read_bytes()[:-20000])
    (copies / "c").mkdir()
    (copies / "c" / "History").write_bytes(b"encrypted")
    Database(copies / "d" / "History", "CREATE TABLE other (value TEXT);")

    outcome = run(path=str(copies))

    assert outcome.streams() == {"qutebrowser_history", "_files", "_unread"}
    assert [record["status"] for record in outcome.records("_files")] == [
        "parsed",
        "damaged",
        "damaged",
        "damaged",
    ]
    damaged, encrypted, other = outcome.gaps
    assert damaged.startswith("b/History is damaged")
    assert encrypted.startswith("c/History is not an SQLite database, or it is encrypted")
    assert other.startswith("d/History is a database, but of no browser known here")


def test_a_database_that_is_written_while_it_is_read_is_tried_again(
    run: Runner, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = sqlite._described
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "_described", lambda name, copy: ("0" * 64, really(name, copy)[1]))
        first = run(path=str(laptop))
    second = run(path=str(laptop), state=first.state)

    assert statuses(first)["History"] == "locked"
    assert "Default/History changes while it is read. Close the program" in first.gaps[0]
    assert len(second.records("chromium_visits")) == 1


def test_a_disk_that_is_full_is_told_and_the_copy_tried_again(
    run: Runner, laptop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Path.open

    def full(path: Path, mode: str = "r", **more: Any) -> Any:
        if path.name == "copy.sqlite" and "w" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(path, mode, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full)
        first = run(path=str(laptop))

    assert statuses(first)["History"] == "locked"
    assert first.gaps[0] == (
        "Default/History cannot be copied: No space left on device. Check the disk and its free space."
    )
    assert len(run(path=str(laptop), state=first.state).records("chromium_visits")) == 1


def test_bookmarks_that_are_damaged_cost_themselves_alone(run: Runner, laptop: Path) -> None:
    (laptop / "Default" / "Bookmarks").write_text('{"roots": ')

    outcome = run(path=str(laptop))

    assert len(outcome.records("chromium_visits")) == 1
    (sentence,) = outcome.gaps
    assert sentence.startswith("Default/Bookmarks: not JSON")


def test_private_copies_are_gone_when_the_database_has_been_read(run: Runner, laptop: Path) -> None:
    run(path=str(laptop))

    assert list(run.scratch.iterdir()) == []


def test_new_columns_are_said_aloud_once_for_profiles_in_use(run: Runner, tmp_path: Path) -> None:
    for name in ("a", "b"):
        chrome = Chromium(tmp_path / name / "History")
        chrome.do("ALTER TABLE downloads_url_chains ADD COLUMN mood TEXT")
        chrome.do("ALTER TABLE urls ADD COLUMN mood TEXT")
        chrome.visit(chrome.url())
        chrome.add("downloads", guid="g", target_path="/d", start_time=JUNE, hash=b"", opened=0)
        chrome.add("downloads_url_chains", id=1, chain_index=0, url="https://example.org/")

    outcome = run(tmp_path / "a" / "History", tmp_path / "b" / "History")

    for stream, column in (
        ("chromium_visits", "url.mood"),
        ("chromium_urls", "mood"),
        ("chromium_downloads", "url_chain.mood"),
    ):
        assert outcome.log.count(f"{stream}: there are fields that are not described yet: {column}. ") == 1


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("laptop/History", True),
        ("backup.zip/User Data/Default/History", True),
        ("old.tar.gz/ab12.default/places.sqlite", True),
        ("History", True),
        ("laptop/my chrome 2020.sqlite", True),
        ("takeout.zip/Chrome/History.json", False),
        ("laptop/Cookies", False),
        ("chrome/wallet.sqlite", False),
        ("waterfox.sqlite", True),
        ("palemoon.sqlite", True),
        ("Pale Moon 28.sqlite", True),
        ("qutebrowser.sqlite", True),
        ("librewolf.db", True),
        ("laptop/old-edge.sqlite", True),
        ("edge_2020.sqlite3", True),
        ("brave.db", True),
        ("Default/Bookmarks", True),
        ("Safari/Bookmarks.plist", True),
        ("Bookmarks.html", False),
        ("knowledgeC.db", False),
        ("backup/ledger.db", False),
        ("operations.db", False),
        ("workplaces.sqlite", False),
        ("frozen.db", False),
        ("archive.db", False),
    ],
)
def test_the_inbox_knows_copies_in_any_packing(name: str, *, fits: bool) -> None:
    (plugin,) = yaml.safe_load(DEFINITION.read_text())["plugins"]["extractors"]
    signs = plugin["annotations"]["bronze"]["inbox"]["signs"]
    assert any(re.fullmatch(sign["member"], name, re.IGNORECASE) for sign in signs) is fits


@pytest.mark.parametrize(
    ("content", "fits"),
    [
        (b'{\n   "checksum": "0",\n   "roots": {', True),
        (b'{"roots":{}}', True),
        (b'[{"title": "Tea"}]', False),
        (b"https://example.org/", False),
    ],
)
def test_the_inbox_knows_bookmarks_alone_by_their_content(content: bytes, *, fits: bool) -> None:
    (plugin,) = yaml.safe_load(DEFINITION.read_text())["plugins"]["extractors"]
    signs = plugin["annotations"]["bronze"]["inbox"]["signs"]
    (sign,) = [sign for sign in signs if re.fullmatch(sign["member"], "Bookmarks", re.IGNORECASE)]
    assert bool(re.search(sign["content"].encode(), content)) is fits


def test_bookmarks_alone_are_read(run: Runner, laptop: Path) -> None:
    outcome = run(path=str(laptop / "Default" / "Bookmarks"))

    assert outcome.streams() == {"chromium_bookmarks", "_files"}
    assert outcome.gaps == []


@pytest.mark.parametrize("kind", ["zip", "tar", "hidden folder itself", "named in the settings"])
def test_a_copied_linux_home_with_hidden_folders_is_read(run: Runner, tmp_path: Path, kind: str) -> None:
    home = tmp_path / "copy"
    chrome = Chromium(home / ".config" / "google-chrome" / "Default" / "History")
    chrome.visit(chrome.url())
    firefox = Firefox(home / ".mozilla" / "firefox" / "ab12.default" / "places.sqlite")
    firefox.visit(firefox.place(), JUNE)

    if kind == "named in the settings":
        outcome = run({"path": str(home)})
    elif kind == "hidden folder itself":
        outcome = run(path=str(home / ".mozilla"))
    else:
        outcome = run(path=shutil.make_archive(str(tmp_path / "home"), kind, home))

    assert [account for account, _ in outcome.names("firefox_visits")] == ["firefox/ab12.default"]
    if kind != "hidden folder itself":
        assert [account for account, _ in outcome.names("chromium_visits")] == ["chrome/Default"]


def test_every_record_names_its_account(run: Runner, laptop: Path) -> None:
    firefox = Firefox(laptop / "ab12.default" / "places.sqlite")
    firefox.visit(firefox.place(), JUNE)

    for outcome in (run(path=str(laptop)), run({"path": str(laptop)})):
        records = [m for m in outcome.messages if m["type"] == "RECORD" and m["stream"] != "_files"]
        assert {message["stream"] for message in records} > {"chromium_bookmarks", "firefox_visits"}
        assert all(message["provenance"]["account"] for message in records)
