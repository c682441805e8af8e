from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_toggl.moments import parse
from tap_toggl.standin import CHOIR, STUDIO, Answer, Clock, years_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ledger, Toggler

    from tap_toggl.standin import Account

PATH = f"/workspace/{STUDIO}/search"
STREAMS = {"report_time_entries"}


def own_entries(account: Account, workspace_id: int = STUDIO) -> set[int]:
    return {
        entry.id
        for entry in account.entries.values()
        if entry.workspace_id == workspace_id
        and entry.user_id == account.user_id
        and entry.deleted_at is None
    }


def years_asked(toggler: Toggler, begin: int = 0) -> list[int]:
    return [int(request.body["start_date"][:4]) for request in toggler.standin.asked(PATH)[begin:]]


@pytest.fixture
def years_toggler(make_toggler: Callable[..., Toggler], clock: Clock) -> Toggler:
    return make_toggler(years_account(clock), plan="none")


def test_whole_history_comes_in_spite_of_years_without_entries(years_toggler: Toggler) -> None:
    outcome = years_toggler.run(streams=STREAMS)
    assert set(outcome.entry_ids()) == own_entries(years_toggler.standin.account)
    assert len(outcome.entry_ids()) == len(set(outcome.entry_ids()))
    assert years_asked(years_toggler) == list(range(2027, 2005, -1))


def test_colleagues_entries_are_not_asked_for(toggler: Toggler) -> None:
    outcome = toggler.run(streams=STREAMS)
    assert {row["user_id"] for row in outcome.records("report_time_entries")} == {
        toggler.standin.account.user_id
    }


def test_times_come_unrounded(toggler: Toggler) -> None:
    rows = toggler.run(streams=STREAMS).records("report_time_entries")
    inner = [row["time_entries"][0] for row in rows]
    lengths = {
        entry["id"]: (parse(entry["stop"]) or datetime.max.replace(tzinfo=UTC))
        - (parse(entry["start"]) or datetime.max.replace(tzinfo=UTC))
        for entry in inner
        if entry["stop"]
    }
    assert all(lengths[entry["id"]].total_seconds() == entry["seconds"] for entry in inner if entry["stop"])
    assert any(entry["seconds"] % 60 for entry in inner)


def test_local_time_is_the_moment_that_the_track_api_tells(toggler: Toggler) -> None:
    account = toggler.standin.account
    for row in toggler.run(streams=STREAMS).records("report_time_entries"):
        entry = row["time_entries"][0]
        assert parse(entry["start"]) == account.entries[entry["id"]].start
    offsets = {
        row["time_entries"][0]["start"][-6:]
        for row in toggler.run(streams=STREAMS).records("report_time_entries")
    }
    assert offsets <= {"+01:00", "+02:00"}


def test_row_is_identified_by_workspace_and_entry(toggler: Toggler) -> None:
    for message in toggler.run(streams=STREAMS).of("RECORD", "report_time_entries"):
        entry_id = message["record"]["time_entries"][0]["id"]
        assert message["provenance"]["raw_id"] == f"{STUDIO}/{entry_id}"
        assert message["provenance"]["workspace_id"] == STUDIO
        assert "workspace_id" not in message["record"]


def test_pages_follow_the_cursor_to_the_end(toggler: Toggler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_toggl.reports.PAGE_SIZE", 50)
    outcome = toggler.run(streams=STREAMS)
    assert set(outcome.entry_ids()) == own_entries(toggler.standin.account)
    cursors = [
        r.body.get("first_row_number")
        for r in toggler.standin.asked(PATH)
        if r.body["start_date"] == "2025-01-01"
    ]
    assert cursors[:3] == [None, 51, 101]


def test_run_killed_between_pages_goes_on_at_the_next_page(
    toggler: Toggler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_toggl.reports.PAGE_SIZE", 50)
    first = toggler.run(streams=STREAMS, most=250)
    page = first.bookmark("report_time_entries")["workspaces"][str(STUDIO)]["page"]
    calls = len(toggler.standin.asked(PATH))
    second = toggler.run(streams=STREAMS)
    assert (
        toggler.standin.asked(PATH)[calls].body["first_row_number"] == page["cursor"]["first_row_number"] > 1
    )
    assert set(first.entry_ids()) | set(second.entry_ids()) == own_entries(toggler.standin.account)


def test_interrupted_after_three_years_reads_none_of_them_again(years_toggler: Toggler) -> None:
    first = years_toggler.run(streams=STREAMS, most=1800)
    done = set(first.bookmark("report_time_entries")["workspaces"][str(STUDIO)]["years"])
    calls = len(years_toggler.standin.asked(PATH))
    second = years_toggler.run(streams=STREAMS)
    assert len(done) >= 3
    assert not done & {str(year) for year in years_asked(years_toggler, calls)}
    assert set(first.entry_ids()) | set(second.entry_ids()) == own_entries(years_toggler.standin.account)


def test_same_day_asks_for_nothing_again(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS)
    calls = len(toggler.standin.asked(PATH))
    toggler.standin.account.clock.move(3600)
    toggler.run(streams=STREAMS)
    assert len(toggler.standin.asked(PATH)) == calls


def test_next_day_brings_what_was_updated_in_one_call_a_year(toggler: Toggler) -> None:
    account = toggler.standin.account
    account.clock.move(days=1)  # away from the last entries, which the overlap would bring again
    toggler.run(streams=STREAMS)
    account.clock.move(days=1)
    oldest = min(account.entries.values(), key=lambda entry: entry.start)
    account.edit(oldest.id, description="Put right")
    account.clock.move(3600 * 2)
    calls = len(toggler.standin.asked(PATH))
    outcome = toggler.run(streams=STREAMS)
    assert outcome.entry_ids() == [oldest.id]
    assert years_asked(toggler, calls) == [2027, 2026, 2025, 2024]


def test_update_that_became_visible_late_is_found_by_the_overlap(toggler: Toggler) -> None:
    account = toggler.standin.account
    account.clock.move(days=1)
    toggler.run(streams=STREAMS)
    late = account.add(
        account.clock.now() - timedelta(days=2), at=account.clock.now() - timedelta(minutes=50)
    )
    account.clock.move(days=1)
    assert toggler.run(streams=STREAMS).entry_ids() == [late.id]


@pytest.mark.parametrize(
    "moments",
    [
        ["2026-03-04T09:00:00+00:00", "2026-03-04T10:00:00+00:00"],
        ["2020-01-01T00:00:00+00:00", "2026-03-04T10:00:00+00:00"],
        ["2026-03-04T10:00:00+00:00", None],
    ],
    ids=["oldest first", "an old one first", "one unknown"],
)
def test_updates_out_of_order_make_the_year_be_read_whole(
    toggler: Toggler, moments: list[str | None]
) -> None:
    toggler.run(streams=STREAMS)
    account = toggler.standin.account
    account.clock.move(days=2)
    new = account.add(account.clock.now() - timedelta(hours=1))
    rows = [{"user_id": 1, "time_entries": [{"id": index, "at": at}]} for index, at in enumerate(moments)]
    nothing = Answer(200, [])
    toggler.standin.inject(PATH, nothing, Answer(200, rows))
    assert new.id in toggler.run(streams=STREAMS).entry_ids()
    assert toggler.standin.asked(PATH)[-3].body["order_by"] == "date"


def test_more_updates_than_a_page_come_in_several(toggler: Toggler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_toggl.reports.NEWS_PAGE_SIZE", 7)
    toggler.run(streams=STREAMS)
    account = toggler.standin.account
    account.clock.move(days=2)
    edited = sorted(own_entries(account))[:30]
    for entry_id in edited:
        account.edit(entry_id, description="Put right")
        account.clock.move(1)
    assert set(edited) <= set(toggler.run(streams=STREAMS).entry_ids())


def test_year_that_answered_empty_for_no_reason_is_still_asked_for_updates(toggler: Toggler) -> None:
    toggler.run(streams=STREAMS)
    account = toggler.standin.account
    kept, account.entries = account.entries, {}
    account.clock.move(days=31)
    toggler.run(streams=STREAMS)
    account.entries = kept
    account.clock.move(days=1)
    oldest = min(kept)
    account.edit(oldest, description="Put right")
    account.clock.move(7200)
    assert oldest in toggler.run(streams=STREAMS).entry_ids()


def test_month_later_what_was_deleted_is_gone_and_nothing_else(toggler: Toggler, ledger: Ledger) -> None:
    ledger.take(toggler.run(streams=STREAMS))
    account = toggler.standin.account
    victims = sorted(own_entries(account))[::50]
    for entry_id in victims:
        account.delete(entry_id)
    account.clock.move(days=31)
    ledger.take(toggler.run(streams=STREAMS))
    assert ledger.gone["report_time_entries"] == {f"{STUDIO}/{entry_id}" for entry_id in victims}


def test_entries_at_the_turn_of_the_year_belong_to_the_profiles_year(
    toggler: Toggler, ledger: Ledger
) -> None:
    account = toggler.standin.account
    turn = [
        account.add(datetime(2024, 12, 31, 22, tzinfo=UTC) + timedelta(minutes=30 * i), 5).id
        for i in range(6)
    ]
    ledger.take(toggler.run(streams=STREAMS))
    account.clock.move(days=31)
    ledger.take(toggler.run(streams=STREAMS))
    assert not ledger.gone["report_time_entries"]
    account.delete(turn[0])
    account.delete(turn[5])
    account.clock.move(days=31)
    ledger.take(toggler.run(streams=STREAMS))
    assert ledger.gone["report_time_entries"] == {f"{STUDIO}/{turn[0]}", f"{STUDIO}/{turn[5]}"}


def test_whole_account_that_answers_empty_is_not_gone(toggler: Toggler, ledger: Ledger) -> None:
    ledger.take(toggler.run(streams=STREAMS))
    toggler.standin.account.entries.clear()
    toggler.standin.account.clock.move(days=31)
    ledger.take(toggler.run(streams=STREAMS))
    assert not ledger.gone["report_time_entries"]


def test_year_emptied_by_its_owner_is_gone(toggler: Toggler, ledger: Ledger) -> None:
    ledger.take(toggler.run(streams=STREAMS))
    account = toggler.standin.account
    victims = {entry.id for entry in account.entries.values() if entry.start.year == 2024} & own_entries(
        account
    )
    for entry_id in victims:
        account.delete(entry_id)
    account.clock.move(days=31)
    ledger.take(toggler.run(streams=STREAMS))
    assert ledger.gone["report_time_entries"] == {f"{STUDIO}/{entry_id}" for entry_id in victims}


def test_rescan_that_breaks_off_calls_nothing_gone_and_is_done_again(
    toggler: Toggler, ledger: Ledger
) -> None:
    ledger.take(toggler.run(streams=STREAMS))
    account = toggler.standin.account
    victim = max(own_entries(account) & {e.id for e in account.entries.values() if e.start.year == 2025})
    account.delete(victim)
    account.clock.move(days=31)
    ledger.take(toggler.run(streams=STREAMS, most=200))
    assert not ledger.gone["report_time_entries"]
    ledger.take(toggler.run(streams=STREAMS))
    assert ledger.gone["report_time_entries"] == {f"{STUDIO}/{victim}"}


def test_gap_makes_all_years_be_read_again(toggler: Toggler) -> None:
    toggler.run()
    calls = len(toggler.standin.asked(PATH))
    toggler.standin.account.clock.move(days=10)
    toggler.standin.inject("/me/time_entries", Answer(400, "since must not be earlier than tomorrow"))
    toggler.run()
    assert years_asked(toggler, calls) == list(range(2027, 2005, -1))


def test_refused_workspace_does_not_stop_the_others_and_is_asked_again_a_day_later(toggler: Toggler) -> None:
    outcome = toggler.run(streams=STREAMS)
    assert outcome.entry_ids()
    assert not outcome.failures
    assert [gap for gap in outcome.gaps if str(CHOIR) in gap]
    toggler.run(streams=STREAMS)
    assert len(toggler.standin.asked(str(CHOIR))) == 1
    toggler.standin.account.closed_reports.clear()
    toggler.standin.account.clock.move(days=1)
    second = toggler.run(streams=STREAMS)
    assert own_entries(toggler.standin.account, CHOIR) <= set(second.entry_ids())


def test_left_workspace_keeps_its_entries(toggler: Toggler, ledger: Ledger) -> None:
    toggler.standin.account.closed_reports.clear()
    ledger.take(toggler.run(streams=STREAMS))
    left = own_entries(toggler.standin.account, CHOIR)
    del toggler.standin.account.workspaces[1]
    toggler.standin.account.clock.move(days=31)
    ledger.take(toggler.run(streams=STREAMS))
    assert left
    assert {f"{CHOIR}/{entry_id}" for entry_id in left} <= ledger.current("report_time_entries")


def report_headers(**changed: str) -> dict[str, str]:
    return {"X-Range-Start": "2027-01-01", "X-Range-End": "2027-12-31", **changed}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (report_headers(**{"X-Range-End": "2027-01-07"}), "asked for 2027-01-01 to 2027-12-31"),
        (report_headers(**{"X-Range-Start": "2027-01-02"}), "Toggl reported 2027-01-02 to 2027-12-31"),
    ],
    ids=["end", "start"],
)
def test_other_days_than_asked_for_fail_the_run_and_take_nothing(
    toggler: Toggler, headers: dict[str, str], told: str
) -> None:
    row = {"user_id": 1, "time_entries": [{"id": 1}]}
    toggler.standin.inject(PATH, Answer(200, [row], headers))
    outcome = toggler.run(streams=STREAMS)
    assert not outcome.entry_ids()
    assert told in outcome.failures[0]


def test_cursor_that_stands_still_fails_the_run(toggler: Toggler) -> None:
    cursor = {"X-Next-ID": "5", "X-Next-Row-Number": "2", "X-Next-Timestamp": "1700000000"}
    row: dict[str, Any] = {"user_id": 1, "time_entries": [{"id": 1}]}
    toggler.standin.inject(PATH, *[Answer(200, [row], report_headers(**cursor)) for _ in range(2)])
    outcome = toggler.run(streams=STREAMS)
    assert "the next page of 2027 is the page just read" in outcome.failures[0]
    assert len(toggler.standin.asked(PATH)) == 2


@pytest.mark.parametrize("stop", [None, "", "absent"])
def test_running_entry_may_lack_its_stop(toggler: Toggler, stop: str | None) -> None:
    entry: dict[str, Any] = {"id": 77, "seconds": -1, "start": "2027-01-01T09:00:00+01:00", "stop": stop}
    if stop == "absent":
        del entry["stop"]
    toggler.standin.inject(PATH, Answer(200, [{"user_id": 1, "time_entries": [entry]}], report_headers()))
    assert toggler.run(streams=STREAMS).records("report_time_entries")[0]["time_entries"] == [entry]


def test_row_of_two_entries_is_named_by_both(toggler: Toggler) -> None:
    row = {"user_id": 1, "time_entries": [{"id": 1}, {"id": 2}]}
    toggler.standin.inject(PATH, Answer(200, [row], report_headers()))
    first = toggler.run(streams=STREAMS).of("RECORD", "report_time_entries")[0]
    assert first["provenance"]["raw_id"] == f"{STUDIO}/1,2"


def test_rows_without_entries_are_told_apart_by_content(toggler: Toggler) -> None:
    rows = [
        {"user_id": 1, "description": text, "time_entries": [], "row_number": n}
        for n, text in enumerate("aba")
    ]
    toggler.standin.inject(PATH, Answer(200, rows, report_headers()))
    found = [
        m["provenance"]["raw_id"]
        for m in toggler.run(streams=STREAMS).of("RECORD", "report_time_entries")[:3]
    ]
    assert found[0] == found[2] != found[1]


def test_null_page_is_an_empty_one(toggler: Toggler) -> None:
    toggler.standin.inject(PATH, Answer(200, None, report_headers()))
    assert not toggler.run(streams=STREAMS).failures


def test_start_date_moved_back_reads_what_was_left_out(toggler: Toggler) -> None:
    first = toggler.run(streams=STREAMS, start_date="2025-06-01")
    second = toggler.run(streams=STREAMS, start_date="2025-01-15")
    account = toggler.standin.account
    wanted = {
        e for e in own_entries(account) if account.entries[e].start >= datetime(2025, 1, 15, tzinfo=UTC)
    }
    assert set(first.entry_ids()) < wanted
    assert set(first.entry_ids()) | set(second.entry_ids()) == wanted
