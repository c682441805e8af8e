"""The second run: only what is new or changed, whatever became of the row numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from browsers import HOUR, JUNE, Chromium

from tap_browser_history.blocks import changed

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Runner


@pytest.fixture
def chrome(tmp_path: Path) -> Chromium:
    """Two blocks of visits of one page, an hour apart; in the layout whose row numbers begin anew."""
    chrome = Chromium(tmp_path / "Default" / "History", version=43)
    url = chrome.url()
    chrome.do(
        "INSERT INTO visits (url, visit_time) WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n LIMIT 700) "
        "SELECT ?, ? + i * ? FROM n",
        url,
        JUNE,
        HOUR,
    )
    return chrome


def test_nothing_new_gives_nothing(run: Runner, chrome: Chromium) -> None:
    first = run(chrome.path)
    second = run(chrome.path, state=first.state)

    assert len(first.records("chromium_visits")) == 700
    assert second.streams() == set()
    assert second.state == first.state


def test_a_new_visit_gives_the_last_block_and_moves_no_page(run: Runner, chrome: Chromium) -> None:
    first = run(chrome.path)
    chrome.visit(1, JUNE + 800 * HOUR)
    chrome.do("UPDATE urls SET visit_count = 701, last_visit_time = ?", JUNE + 800 * HOUR)

    second = run(chrome.path, state=first.state)

    assert second.streams() == {"chromium_visits"}
    assert len(second.records("chromium_visits")) == 202
    assert len(set(second.names("chromium_visits")) - set(first.names("chromium_visits"))) == 1


def test_a_visit_that_ended_gets_its_duration(run: Runner, chrome: Chromium) -> None:
    first = run(chrome.path)
    chrome.do("UPDATE visits SET visit_duration = 7 WHERE id = 650")

    second = run(chrome.path, state=first.state)

    changed_ones = [
        record for record in second.records("chromium_visits") if record["visit"]["visit_duration"]
    ]
    assert [record["visit"]["id"] for record in changed_ones] == [650]
    assert set(second.names("chromium_visits")) <= set(first.names("chromium_visits"))


def test_a_visit_that_sync_brings_late_is_found(run: Runner, chrome: Chromium) -> None:
    first = run(chrome.path)
    chrome.visit(1, JUNE - 50 * HOUR)

    second = run(chrome.path, state=first.state)

    assert JUNE - 50 * HOUR in [record["visit"]["visit_time"] for record in second.records("chromium_visits")]


def test_cleared_history_with_numbers_from_1_again_gives_new_records(run: Runner, chrome: Chromium) -> None:
    first = run(chrome.path)
    chrome.do("DELETE FROM visits")
    chrome.do("DELETE FROM urls")
    chrome.do("DELETE FROM sqlite_sequence")
    assert chrome.url("https://example.org/later") == 1
    assert chrome.visit(1, JUNE + 900 * HOUR) == 1

    second = run(chrome.path, state=first.state)

    assert len(second.records("chromium_visits")) == 1
    assert not set(second.names("chromium_visits")) & set(first.names("chromium_visits"))
    assert "browser forgot visits" in second.log
    assert "browser forgot visits" not in run(chrome.path, state=second.state).log


def test_forgotten_visits_are_not_told_as_gone(run: Runner, chrome: Chromium) -> None:
    first = run(chrome.path)
    chrome.do("DELETE FROM visits WHERE id < 500")

    second = run(chrome.path, state=first.state)

    assert second.streams() == set()
    absences = [m["schema"]["x-absence"] for m in second.messages if m["type"] == "SCHEMA"]
    assert set(absences) == {"never"}
    assert "ACTIVATE_VERSION" not in {message["type"] for message in second.messages}


def test_a_profile_made_anew_under_the_old_name_overwrites_nothing(run: Runner, chrome: Chromium) -> None:
    first = run(chrome.path)
    chrome.path.unlink()
    Chromium(chrome.path).visit(1, JUNE + HOUR // 2)

    second = run(chrome.path, state=first.state)

    assert not set(second.names("chromium_visits")) & set(first.names("chromium_visits"))


def test_killed_anywhere_the_next_run_completes_it(run: Runner, chrome: Chromium, tmp_path: Path) -> None:
    for number in range(3):
        chrome.url(f"https://example.org/{number}")
    second = Chromium(tmp_path / "Profile 1" / "History")
    second.visit(second.url())
    profiles = [{"path": str(path), "label": path.parent.name} for path in (chrome.path, second.path)]
    whole = run(*profiles)

    for end in range(0, len(whole.messages), 97):
        before = replace(whole, messages=whole.messages[:end])
        after = run(*profiles, state=before.state)
        for stream in ("chromium_visits", "chromium_urls"):
            assert {*before.names(stream), *after.names(stream)} == set(whole.names(stream))


def test_a_profile_that_cannot_be_read_keeps_its_state(run: Runner, chrome: Chromium, tmp_path: Path) -> None:
    first = run(chrome.path)
    moved = chrome.path.rename(tmp_path / "aside")
    chrome.path.write_bytes(b"")

    second = run(chrome.path, state=first.state)
    chrome.path.unlink()
    moved.rename(chrome.path)

    assert len(second.gaps) == 1
    assert run(chrome.path, state=second.state).streams() == set()


def test_two_copies_of_one_profile_are_one_history(run: Runner, chrome: Chromium, tmp_path: Path) -> None:
    early = tmp_path / "2026-06" / "History"
    early.parent.mkdir()
    early.write_bytes(chrome.path.read_bytes())
    chrome.visit(1, JUNE + 800 * HOUR)

    outcome = run(early, chrome.path)

    assert len(outcome.records("chromium_visits")) == 1401
    assert len(set(outcome.names("chromium_visits"))) == 701


@pytest.mark.parametrize("taken", [0, 1, 499, 500, 501, 1200, 1499])
def test_a_block_counts_as_sent_once_all_its_rows_were_taken(taken: int) -> None:
    rows = [(number, 10, str(number).encode(), number) for number in range(1, 1500)]
    state: dict[str, str] = {}
    broken_off = changed(rows, state)
    seen = [next(broken_off) for _ in range(taken)]
    del broken_off

    seen += changed(rows, state)

    assert sorted(set(seen)) == [number for number, *_ in rows]
    assert len(seen) - len(set(seen)) <= 500
