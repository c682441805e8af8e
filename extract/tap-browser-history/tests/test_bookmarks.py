"""Bookmarks in files beside the history."""

from __future__ import annotations

import json
import plistlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from browsers import JUNE, SAFARI, Chromium, Database

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Runner


def node(title: str, **more: Any) -> dict[str, Any]:
    kind = "folder" if "children" in more else "url"
    return {"date_added": str(JUNE), "guid": f"guid-{title}", "id": "1", "name": title, "type": kind, **more}


def write(chrome: Chromium, *nodes: dict[str, Any]) -> None:
    roots = {"bookmark_bar": node("Bar", children=list(nodes)), "other": node("Other", children=[])}
    content = {"checksum": "c", "roots": {**roots, "sync_transaction_version": "1"}, "version": 1}
    (chrome.path.parent / "Bookmarks").write_text(json.dumps(content))


def test_chromium_bookmarks_come_with_the_folders_that_they_are_in(run: Runner, tmp_path: Path) -> None:
    chrome = Chromium(tmp_path / "History")
    inner = node("Tea", url="https://example.org/", meta_info={"note": "x"})
    write(chrome, node("Drinks", children=[node("Hot", children=[inner])]))

    outcome = run(chrome.path)

    records = outcome.records("chromium_bookmarks")
    assert [(record["root"], record["folders"], record["node"]["name"]) for record in records] == [
        ("bookmark_bar", [], "Bar"),
        ("bookmark_bar", ["Bar"], "Drinks"),
        ("bookmark_bar", ["Bar", "Drinks"], "Hot"),
        ("bookmark_bar", ["Bar", "Drinks", "Hot"], "Tea"),
        ("other", [], "Other"),
    ]
    assert records[3]["node"] == inner
    told = outcome.provenances("chromium_bookmarks")[3]
    assert told["source_timestamp"] == "2026-06-04T18:40:00.000001+00:00"
    assert told["file_path"] == str(tmp_path / "Bookmarks")


def test_an_opened_bookmark_has_not_changed_and_a_renamed_one_has(run: Runner, tmp_path: Path) -> None:
    chrome = Chromium(tmp_path / "History")
    write(chrome, node("Tea"))
    first = run(chrome.path)
    write(chrome, node("Tea", date_last_used=str(JUNE + 1)))
    second = run(chrome.path, state=first.state)
    write(chrome, node("Tea", name="Green tea"))
    third = run(chrome.path, state=second.state)

    assert second.streams() == set()
    assert third.names("chromium_bookmarks") == first.names("chromium_bookmarks")
    assert third.records("chromium_bookmarks")[1]["node"]["name"] == "Green tea"


def test_damaged_bookmarks_are_one_sentence_and_the_history_comes(run: Runner, tmp_path: Path) -> None:
    chrome = Chromium(tmp_path / "History")
    chrome.visit(chrome.url())
    (tmp_path / "Bookmarks").write_text('{"roots": {"bookmark_bar": ')

    outcome = run(chrome.path)

    (sentence,) = outcome.gaps
    assert sentence.startswith("Profile browser/Default: chromium_bookmarks cannot be read (not JSON")
    assert len(outcome.records("chromium_visits")) == 1


def test_safari_bookmarks_come_with_dates_and_bytes_as_text(run: Runner, tmp_path: Path) -> None:
    safari = Database(tmp_path / "History.db", SAFARI)
    leaf = {
        "WebBookmarkType": "WebBookmarkTypeLeaf",
        "WebBookmarkUUID": "U1",
        "URLString": "https://example.org/",
        "URIDictionary": {"title": "Example"},
        "ReadingList": {"DateAdded": datetime(2026, 6, 4, 18, 40)},  # noqa: DTZ001 - as plistlib has it
        "Sync": {"Data": b"\x00"},
    }
    folder = {
        "WebBookmarkType": "WebBookmarkTypeList",
        "WebBookmarkUUID": "U0",
        "Title": "Later",
        "Children": [leaf],
    }
    root = {"WebBookmarkFileVersion": 1, "Title": "", "Children": [folder]}
    (tmp_path / "Bookmarks.plist").write_bytes(plistlib.dumps(root, fmt=plistlib.FMT_BINARY))

    outcome = run(safari.path)

    record = outcome.records("safari_bookmarks")[2]
    assert record["folders"] == ["", "Later"]
    assert record["node"]["ReadingList"] == {"DateAdded": "2026-06-04T18:40:00Z"}
    assert record["node"]["Sync"] == {"Data": {"base64": "AA=="}}
    assert outcome.provenances("safari_bookmarks")[2]["base64"] == ["/node/Sync/Data"]


def test_a_file_that_is_no_property_list_is_one_sentence(run: Runner, tmp_path: Path) -> None:
    safari = Database(tmp_path / "History.db", SAFARI)
    (tmp_path / "Bookmarks.plist").write_bytes(b"bplist00 broken")

    (sentence,) = run(safari.path).gaps

    assert "Bookmarks.plist is no property list" in sentence
