from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tap_toggl.moments import parse
from tap_toggl.standin import Answer

if TYPE_CHECKING:
    from conftest import Ledger, Toggler

PATH = "/me/time_entries"
STREAMS = {"time_entries"}


def since_calls(toggler: Toggler) -> list[int]:
    return [int(r.query["since"]) for r in toggler.standin.asked(PATH) if "since" in r.query]


def window_calls(toggler: Toggler) -> int:
    return sum("start_date" in request.query for request in toggler.standin.asked(PATH))


def test_first_run_brings_three_months_with_tombstones_and_the_running_entry(toggler: Toggler) -> None:
    outcome = toggler.run(streams=STREAMS)
    account = toggler.standin.account
    floor = account.clock.now() - timedelta(days=88)
    expected = {e.id for e in account.entries.values() if e.user_id == account.user_id and e.start >= floor}
    assert set(outcome.ids("time_entries")) == expected
    assert len(outcome.ids("time_entries")) == len(expected)
    records = outcome.records("time_entries")
    assert sum(record["server_deleted_at"] is not None for record in records) == 2
    assert sum(record["duration"] < 0 for record in records) == 1


def test_run_without_news_costs_two_calls_beyond_the_account(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS)
    before = len(toggler.standin.requests)
    toggler.standin.account.clock.move(days=1)
    toggler.run(streams=STREAMS)
    assert [request.path for request in toggler.standin.requests[before:]] == [
        "/api/v9/me",
        "/api/v9" + PATH,
        "/api/v9" + PATH + "/current",
    ]


def test_started_stopped_and_deleted_entry_comes_three_times(toggler: Toggler, ledger: Ledger) -> None:
    account = toggler.standin.account
    ledger.take(toggler.run(streams=STREAMS))
    entry = account.start(description="Thrice")
    versions = []
    for step in range(3):
        if step == 1:
            account.stop(entry.id)
        if step == 2:
            account.delete(entry.id)
        outcome = toggler.run(streams=STREAMS)
        versions += [r for r in outcome.records("time_entries") if r["id"] == entry.id]
        ledger.take(outcome)
        account.clock.move(3600)
    assert [record["stop"] is None for record in versions] == [True, False, False]
    assert versions[0]["duration"] < 0
    assert ledger.records["time_entries"][str([entry.id])]["record"]["server_deleted_at"]


def test_edit_of_an_entry_of_years_ago_is_found(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS)
    oldest = min(toggler.standin.account.entries.values(), key=lambda entry: entry.start)
    toggler.standin.account.edit(oldest.id, description="Put right")
    changed = {record["id"]: record for record in toggler.run(streams=STREAMS).records("time_entries")}
    assert changed[oldest.id]["description"] == "Put right"


def test_bookmark_is_the_newest_change_wherever_it_stands_in_the_answer(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS)
    account = toggler.standin.account
    account.clock.move(days=2)
    oldest = min(account.entries.values(), key=lambda entry: entry.start)
    account.edit(oldest.id, description="Last in the answer")
    edited = account.clock.now()
    account.clock.move(3600)
    outcome = toggler.run(streams=STREAMS)
    assert outcome.ids("time_entries")[-1] == oldest.id
    assert parse(outcome.bookmark("time_entries")["replication_key_value"]) == edited


def test_since_overlaps_the_last_bookmark(toggler: Toggler) -> None:
    bookmark = parse(toggler.run(streams=STREAMS).bookmark("time_entries")["replication_key_value"])
    assert bookmark
    toggler.run(streams=STREAMS)
    assert since_calls(toggler)[-1] == int((bookmark - timedelta(hours=1)).timestamp())


@pytest.mark.parametrize("days", [89, 100, 400])
def test_bookmark_too_old_is_a_gap_and_never_asked_for(toggler: Toggler, days: int) -> None:
    toggler.run(streams=STREAMS)
    windows = window_calls(toggler)
    toggler.standin.account.clock.move(days=days)
    toggler.standin.account.add(toggler.standin.account.clock.now() - timedelta(days=60), description="Late")
    outcome = toggler.run(streams=STREAMS)
    now = toggler.standin.account.clock.now()
    assert since_calls(toggler)[-1] >= (now - timedelta(days=88)).timestamp()
    assert window_calls(toggler) > windows
    assert "Late" in [record["description"] for record in outcome.records("time_entries")]
    assert outcome.bookmark("report_time_entries")["stale_before"] == now.isoformat()
    assert "gap" not in outcome.bookmark("time_entries")


def test_quiet_account_does_not_fall_into_a_gap(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS)
    windows = window_calls(toggler)
    for _ in range(6):
        toggler.standin.account.clock.move(days=30)
        toggler.run(streams=STREAMS)
    assert window_calls(toggler) == windows


def test_answer_of_1000_entries_is_a_gap(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS)
    account = toggler.standin.account
    account.clock.move(days=2)
    for index in range(1100):
        account.add(account.clock.now() - timedelta(days=50, minutes=index), description="Imported")
    windows = window_calls(toggler)
    outcome = toggler.run(streams=STREAMS)
    imported = [r["id"] for r in outcome.records("time_entries") if r["description"] == "Imported"]
    assert len(set(imported)) == 1100
    assert window_calls(toggler) - windows > 3, "a full window has to be halved"
    assert outcome.bookmark("report_time_entries")["stale_before"] == account.clock.now().isoformat()


def test_bookmark_stays_while_a_gap_is_being_read(toggler: Toggler) -> None:
    before = toggler.run(streams=STREAMS).bookmark("time_entries")["replication_key_value"]
    account = toggler.standin.account
    account.clock.move(days=2)
    for index in range(1100):
        account.add(account.clock.now() - timedelta(days=50, minutes=index), description="Imported")
    outcome = toggler.run(streams=STREAMS, most=1050)
    assert outcome.bookmark("time_entries")["replication_key_value"] == before
    assert outcome.bookmark("time_entries")["gap"]


def test_gap_goes_on_at_the_window_that_the_quota_cut_off(toggler: Toggler) -> None:
    changes, window = Answer(200, []), Answer(200, [])
    quota = Answer(402, "You have hit your hourly limit. It will reset in 900 seconds.")
    toggler.standin.inject(PATH, changes, window, quota)
    toggler.run(streams=STREAMS)
    cut_off = toggler.standin.asked(PATH)[-1].query
    toggler.standin.account.clock.move(1000)
    toggler.run(streams=STREAMS)
    assert [r.query for r in toggler.standin.asked(PATH) if "start_date" in r.query][2][
        "start_date"
    ] == cut_off["start_date"]


def test_more_than_1000_entries_of_one_second_fail_the_run_and_say_when(toggler: Toggler) -> None:
    account = toggler.standin.account
    start = account.clock.now() - timedelta(days=20)
    for _ in range(1001):
        account.add(start, description="At once")
    outcome = toggler.run(streams=STREAMS)
    assert len(outcome.failures) >= 1
    assert start.isoformat()[:10] in outcome.failures[0]


def test_refused_since_heals_through_windows(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS)
    account = toggler.standin.account
    account.clock.move(days=1)
    new = account.add(account.clock.now() - timedelta(hours=5))
    toggler.standin.inject(PATH, Answer(400, "since must not be earlier than tomorrow"))
    outcome = toggler.run(streams=STREAMS)
    assert new.id in outcome.ids("time_entries")
    assert not outcome.failures


def test_running_entry_is_sent_even_if_it_was_modified_long_ago(toggler: Toggler) -> None:
    account = toggler.standin.account
    running = next(
        entry for entry in account.entries.values() if entry.stop is None and entry.seconds is None
    )
    running.at = running.start = account.clock.now() - timedelta(days=30)
    toggler.run(streams=STREAMS)
    account.clock.move(days=3)
    assert running.id in toggler.run(streams=STREAMS).ids("time_entries")


def test_short_form_of_the_running_entry_is_no_change(toggler: Toggler, ledger: Ledger) -> None:
    for _ in range(2):  # the second bookmark is later than the running entry
        ledger.take(toggler.run(streams=STREAMS))
        toggler.standin.account.clock.move(days=3)
    versions = ledger.versions["time_entries"]
    outcome = toggler.run(streams=STREAMS)
    assert any("wid" not in record for record in outcome.records("time_entries"))
    ledger.take(outcome)
    assert ledger.versions["time_entries"] == versions


@pytest.mark.parametrize("answer", [Answer(200, None), Answer(204)], ids=["null", "204"])
def test_nothing_running_is_no_record(toggler: Toggler, answer: Answer) -> None:
    toggler.standin.inject(PATH + "/current", answer)
    assert not toggler.run(streams=STREAMS).failures


def test_start_date_shortens_the_windows(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS, start_date="2026-02-20")
    starts = [r.query["start_date"] for r in toggler.standin.asked(PATH) if "start_date" in r.query]
    assert starts == ["2026-02-19T00:00:00+00:00"], "in the east the day begins earlier"


def test_ids_beyond_32_bits_and_both_null_and_empty_descriptions_leave_as_they_came(toggler: Toggler) -> None:
    records = toggler.run(streams=STREAMS).records("time_entries")
    assert min(record["id"] for record in records) > 2**31
    assert {None, ""} <= {record["description"] for record in records}
    assert any("pid" not in record and record["project_id"] is None for record in records)


@pytest.mark.parametrize("seconds", [-1, None], ids=["-1", "minus the epoch"])
def test_running_entry_leaves_with_the_duration_that_it_came_with(
    toggler: Toggler, seconds: int | None
) -> None:
    running = toggler.standin.account.start(description="Now", seconds=seconds)
    record = next(r for r in toggler.run(streams=STREAMS).records("time_entries") if r["id"] == running.id)
    assert record["duration"] == (-1 if seconds else -int(running.start.timestamp()))
    assert record["stop"] is None
