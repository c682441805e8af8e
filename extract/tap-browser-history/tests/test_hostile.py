"""Databases that attack their reader: nothing outside the private folder is touched, and a bad row costs itself alone."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from browsers import JUNE, Chromium

from tap_kit import sqlite, sqlite_rows
from tap_kit.sqlite_suite import journal_naming

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run, Runner


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file of the owner's."""
    path = tmp_path / "canary.txt"
    path.write_text("precious")
    return path


@pytest.fixture
def laptop(tmp_path: Path, canary: Path) -> Path:
    """A folder with a profile whose journal names the canary as its super-journal."""
    chrome = Chromium(tmp_path / "laptop" / "Default" / "History")
    chrome.visit(chrome.url())
    pages = chrome.path.stat().st_size // 4096
    chrome.path.with_name("History-journal").write_bytes(journal_naming(canary, pages=pages))
    return tmp_path / "laptop"


def run_on(kind: str, run: Runner, laptop: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Hand the profile to the tap in one of the ways that there are."""
    profile = laptop / "Default"
    if kind == "folder":
        return run(path=str(laptop))
    if kind == "direct path":
        return run(path=str(profile / "History"))
    if kind == "named profile":
        return run(profile / "History")
    if kind == "live profile":
        monkeypatch.setattr(sys, "platform", "linux")
        shutil.copytree(profile, home / ".config" / "google-chrome" / "Default")
        return run()
    return run(path=shutil.make_archive(str(laptop.parent / "packed"), kind, laptop))


@pytest.mark.parametrize(
    "kind", ["folder", "zip", "tar", "gztar", "direct path", "named profile", "live profile"]
)
def test_a_journal_that_names_another_file_deletes_nothing(
    run: Runner, laptop: Path, home: Path, canary: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    outcome = run_on(kind, run, laptop, home, monkeypatch)

    assert canary.read_text() == "precious"
    assert len(outcome.records("chromium_visits")) == 1


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "gztar", "named profile", "live profile"])
def test_without_the_guard_the_canary_would_die(
    run: Runner, laptop: Path, home: Path, canary: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(sqlite, "_forget_super_journal", lambda _journal: None)

    run_on(kind, run, laptop, home, monkeypatch)

    assert not canary.exists()


@pytest.mark.parametrize("is_live", [True, False], ids=["profile in use", "copy"])
def test_a_row_that_exceeds_a_message_is_a_dead_letter_by_reference(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_live: bool
) -> None:
    for module in (sqlite, sqlite_rows):
        monkeypatch.setattr(module, "MAX_RECORD_BYTES", 1 << 20)
    chrome = Chromium(tmp_path / "laptop" / "History")
    small, large = chrome.url(), chrome.url("https://example.org/?" + "x" * (3 << 20))
    chrome.visit(small)
    chrome.visit(large, JUNE + 1)
    chrome.visit(small, JUNE + 2)

    outcome = run(chrome.path) if is_live else run(path=str(chrome.path))

    (letter,) = [told for told in outcome.provenances("chromium_visits") if "dead_letter" in told]
    assert "row 2 of table 'visits' has about" in letter["dead_letter"]
    assert {"account", "file_path", "file_hash", "raw_id", "row"} <= letter.keys()
    (reference,) = [record for record in outcome.records("chromium_visits") if "visit" not in record]
    assert reference == {"table": "visits", "row": 2, "bytes": (3 << 20) + 28}
    assert len(outcome.records("chromium_visits")) == 3
    assert len(outcome.records("chromium_urls")) == 2
    assert max(len(str(message)) for message in outcome.messages) < 1 << 20
