from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from tap_garmin import wellness
from tap_garmin.daystream import DETAIL_DAYS
from tap_garmin.standin import Reply

if TYPE_CHECKING:
    from conftest import Ledger, Runner

TODAY = date(2026, 3, 2)
SERIES = (
    "body_battery", "floors", "heart_rate", "hrv", "intensity_minutes", "respiration", "sleep", "spo2", "stress",
)  # fmt: skip
"""Streams with a record a day that lose their series."""


def back(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def asked_days(runner: Runner, part: str) -> list[str]:
    return [request.path[-10:] for request in runner.standin.asked_for(part)]


def test_the_first_run_reads_the_youngest_days_first_and_as_far_as_detail_lasts(runner: Runner) -> None:
    runner.run("stress", start_date=None)
    days = asked_days(runner, "dailyStress")
    assert days == sorted(days, reverse=True)
    assert (days[0], days[-1]) == (back(0), back(DETAIL_DAYS))
    assert len(days) == len(set(days)) == DETAIL_DAYS + 1


def test_a_later_run_reads_the_look_back_alone(runner: Runner) -> None:
    runner.run("stress")
    del runner.standin.asked[:]
    runner.run("stress")
    assert asked_days(runner, "dailyStress") == [back(number) for number in range(16)]


def test_a_record_is_the_answer_as_it_came_and_says_where_it_is_from(runner: Runner) -> None:
    outcome = runner.run("hrv")
    record = outcome.of("RECORD", "hrv")[0]
    assert record["record"]["hrvSummary"]["calendarDate"] == back(0)
    assert "calendarDate" not in record["record"]
    assert record["provenance"] == {
        "api_endpoint": f"GET /hrv-service/hrv/{back(0)}",
        "api_response_code": 200,
        "api_version": "connectapi",
        "account": "70000001",
        "day": back(0),
        "is_partial": True,
        "intraday_present": True,
        "raw_id": back(0),
        "source_timestamp": back(0),
    }


def test_today_is_partial_and_yesterday_is_not(runner: Runner) -> None:
    told = {told["day"]: told for told in runner.run("daily_summary").told("daily_summary")}
    assert told[back(0)]["is_partial"] is True
    assert "is_partial" not in told[back(1)]
    assert runner.state["bookmarks"]["daily_summary"]["bookmark"] == back(1)


@pytest.mark.parametrize("stream", SERIES)
def test_an_old_day_without_its_series_is_marked_degraded_and_a_young_one_is_not(
    runner: Runner, stream: str
) -> None:
    told = {told["day"]: told for told in runner.run(stream, start_date=None).told(stream)}
    young, old = told[back(3)], told[back(DETAIL_DAYS)]
    assert (young["intraday_present"], "degraded" in young) == (True, False)
    assert (old["intraday_present"], old["degraded"]) == (False, True)


def test_steps_that_are_not_loaded_are_told_from_a_day_in_bed(runner: Runner) -> None:
    outcome = runner.run("steps", start_date=None)
    told = [told for told in outcome.told("steps") if told["day"] == back(DETAIL_DAYS)]
    assert len(told) == 95
    assert all(provenance["degraded"] for provenance in told)
    assert len({provenance["raw_id"] for provenance in told}) == 95


def test_the_full_day_stays_current_when_garmin_forgets_its_series(runner: Runner, ledger: Ledger) -> None:
    ledger.take(runner.run("heart_rate", start_date=None))
    day = back(100)
    full = ledger.current["heart_rate"][day]["heartRateValues"]
    assert full
    runner.standin.account.clock.move(days=60)
    runner.standin.account.sync()
    runner.standin.signin.write(runner.store)
    outcome = runner.run("heart_rate", sweep_days=200)
    ledger.take(outcome)
    newest = [r for r in outcome.records("heart_rate") if r["calendarDate"] == day]
    assert newest[0]["heartRateValues"] is None
    assert ledger.current["heart_rate"][day]["heartRateValues"] == full


def test_a_day_whose_detail_was_loaded_again_becomes_current(runner: Runner, ledger: Ledger) -> None:
    ledger.take(runner.run("heart_rate", start_date=back(148)))
    day = date.fromisoformat(back(145))
    assert ledger.current["heart_rate"][day.isoformat()]["heartRateValues"] is None
    runner.standin.account.reloaded.add(day)
    runner.state = {}
    ledger.take(runner.run("heart_rate", start_date=back(148)))
    assert ledger.current["heart_rate"][day.isoformat()]["heartRateValues"]


def test_a_watch_that_was_offline_for_weeks_costs_these_weeks_once(runner: Runner, ledger: Ledger) -> None:
    account = runner.standin.account
    ledger.take(runner.run("stress"))
    for _ in range(4):
        account.clock.move(days=10)
        runner.standin.signin.write(runner.store)
        ledger.take(runner.run("stress", sweep_days=0))
    missing = account.today - timedelta(days=30)
    assert not ledger.current["stress"][missing.isoformat()]["stressValuesArray"]
    account.sync()
    del runner.standin.asked[:]
    ledger.take(runner.run("stress", sweep_days=0))
    assert ledger.current["stress"][missing.isoformat()]["stressValuesArray"]
    assert len(asked_days(runner, "dailyStress")) == 43
    del runner.standin.asked[:]
    runner.run("stress", sweep_days=0)
    assert len(asked_days(runner, "dailyStress")) == 16


def test_a_night_that_was_edited_days_later_is_read_again(runner: Runner, ledger: Ledger) -> None:
    ledger.take(runner.run("sleep"))
    day = date.fromisoformat(back(9))
    runner.standin.account.corrections["sleep", day] = {"restingHeartRate": 51}
    ledger.take(runner.run("sleep"))
    assert ledger.current["sleep"][day.isoformat()]["restingHeartRate"] == 51


def test_a_failed_day_holds_the_bookmark_and_is_read_in_the_next_run(runner: Runner) -> None:
    runner.run("stress")
    runner.standin.account.clock.move(days=1)
    runner.standin.signin.write(runner.store)
    runner.standin.inject(f"dailyStress/{back(3)}", Reply(500), Reply(500), Reply(500))
    outcome = runner.run("stress")
    assert outcome.failed
    assert f"stress: {back(3)}:" in outcome.gaps[0]
    state = outcome.bookmark("stress")
    assert state["gaps"] == {back(3): 1}
    assert state["bookmark"] == back(1)
    assert back(2) in outcome.raw_ids("stress")
    outcome = runner.run("stress")
    assert back(3) in outcome.raw_ids("stress")
    assert "gaps" not in outcome.bookmark("stress")
    assert outcome.bookmark("stress")["bookmark"] == back(0)
    assert not outcome.failed


def test_a_gap_older_than_the_look_back_is_retried_until_it_is_read(runner: Runner) -> None:
    runner.standin.inject(f"dailyStress/{back(25)}", *[Reply(502)] * 6)
    for tries in (1, 2):
        outcome = runner.run("stress")
        assert outcome.bookmark("stress")["gaps"] == {back(25): tries}
        assert outcome.bookmark("stress")["bookmark"] == back(1)
    assert back(25) in runner.run("stress").raw_ids("stress")


def test_a_gap_that_never_heals_is_told_with_the_number_of_tries(runner: Runner) -> None:
    for _ in range(5):
        runner.standin.inject(f"dailyStress/{back(4)}", Reply(404, {}))
        outcome = runner.run("stress")
    assert "Failed 5 times" in outcome.gaps[0]
    assert outcome.bookmark("stress")["bookmark"] == back(1)


def test_an_outage_ends_the_stream_after_some_days_and_holds_the_bookmark(runner: Runner) -> None:
    runner.run("stress")
    before = runner.state["bookmarks"]["stress"]["bookmark"]
    runner.standin.account.clock.move(days=1)
    runner.standin.signin.write(runner.store)
    runner.standin.inject("dailyStress", *[Reply(503)] * 9)
    outcome = runner.run("stress", "hrv")
    assert outcome.bookmark("stress")["bookmark"] == before
    assert outcome.records("stress") == []
    assert len(outcome.records("hrv")) > 10
    assert outcome.failed


def test_nothing_for_a_day_is_a_success(runner: Runner) -> None:
    account = runner.standin.account
    account.unworn |= {date.fromisoformat(back(number)) for number in (2, 3)}
    outcome = runner.run("hrv")
    assert back(2) not in outcome.raw_ids("hrv")
    assert back(4) in outcome.raw_ids("hrv")
    assert outcome.gaps == []
    assert outcome.bookmark("hrv")["bookmark"] == back(1)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}"], ids=["empty", "null", "list", "object"])
def test_every_kind_of_nothing_is_no_record_and_no_error(runner: Runner, body: bytes) -> None:
    runner.standin.inject(f"dailyStress/{back(1)}", Reply(200, body))
    outcome = runner.run("stress")
    assert back(1) not in outcome.raw_ids("stress")
    assert outcome.gaps == []


def test_an_answer_in_another_shape_is_told_and_not_taken(runner: Runner) -> None:
    runner.standin.inject(f"dailyStress/{back(1)}", Reply(200, ["not", "an object"]))
    outcome = runner.run("stress")
    assert "shape that is not known" in outcome.gaps[0]
    assert back(1) in outcome.bookmark("stress")["gaps"]


def test_an_answer_that_nobody_foresaw_costs_its_day_alone(runner: Runner) -> None:
    runner.standin.inject("dailySleepData", Reply(200, {"dailySleepDTO": ["a list"]}))
    outcome = runner.run("sleep", "stress")
    assert (
        f"sleep: {back(0)}: an answer has another shape than is known here (AttributeError)"
        in outcome.gaps[0]
    )
    assert outcome.failed
    assert outcome.raw_ids("sleep")[0] == back(1)
    assert outcome.bookmark("sleep")["gaps"] == {back(0): 1}
    assert outcome.records("stress")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Sign in</html>", "text/html"),
        Reply(200, b'{"cut', "application/json"),
        Reply(200, b"\xff\xfe", "application/json"),
        Reply(302, b"", headers={"Location": "https://sso.garmin.com/"}),
        Reply(404, {"message": "Not found"}),
        Reply(200, "text"),
        Reply(200, 7),
        Reply(200, [None]),
        Reply(200, [1, "x"]),
    ],
    ids=[
        "page",
        "cut",
        "no text",
        "redirect",
        "not found",
        "string",
        "number",
        "list of null",
        "list of other",
    ],
)
@pytest.mark.parametrize("stream", ["stress", "steps", "naps", "training_readiness"])
def test_no_odd_answer_stops_the_run_or_becomes_a_record(runner: Runner, stream: str, reply: Reply) -> None:
    part = {"stress": "dailyStress", "steps": "dailySummaryChart", "naps": "sleep/naps"}.get(
        stream, "trainingreadiness"
    )
    runner.standin.inject(part, reply)
    outcome = runner.run(stream)
    assert outcome.stopped == ""
    assert outcome.failed
    assert len(outcome.gaps) == 1
    assert back(0) not in {told["day"] for told in outcome.told(stream)}
    assert back(0) in outcome.bookmark(stream)["gaps"]
    assert outcome.bookmark(stream)["bookmark"] == back(1)


def test_days_in_a_row_that_always_fail_are_no_outage_for_ever(runner: Runner) -> None:
    for days in (3, 4, 5, 6):
        runner.standin.inject(f"dailyStress/{back(days)}", *[Reply(404, {})] * 20)
    ended = [runner.run("stress").bookmark("stress").get("bookmark") for _ in range(10)]
    assert ended[0] is None
    assert ended[-1] == back(1)
    assert set(runner.state["bookmarks"]["stress"]["gaps"]) == {back(days) for days in (3, 4, 5, 6)}
    assert "todo" not in runner.state["bookmarks"]["stress"]


def test_an_account_without_a_device_or_a_day_of_data_is_read_without_a_word(runner: Runner) -> None:
    account = runner.standin.account
    account.first_day = TODAY + timedelta(days=9000)
    account.activities.clear()
    account.weights.clear()
    account.pressures.clear()
    runner.standin.inject("deviceregistration", Reply(200, []))
    runner.standin.inject("mylastused", Reply(204))
    outcome = runner.run()
    assert (outcome.gaps, outcome.stopped) == ([], "")
    assert outcome.records("devices") == outcome.records("activities") == []
    assert {told["degraded"] for told in outcome.told("stress")} == {True}
    assert outcome.bookmark("stress")["bookmark"] == back(1)


def test_a_sync_that_lies_ahead_hides_no_later_one(runner: Runner) -> None:
    runner.standin.inject("mylastused", Reply(200, {"lastUsedDeviceUploadTime": 10**14}))
    assert "upload" not in runner.run("stress").bookmark("stress")
    runner.standin.inject("mylastused", Reply(200, {"lastUsedDeviceUploadTime": -5}))
    assert "upload" not in runner.run("stress").bookmark("stress")
    assert runner.run("stress").bookmark("stress")["upload"]


def test_days_that_always_fail_hold_up_no_other(runner: Runner) -> None:
    for days in (20, 22, 24, 26):
        runner.standin.inject(f"dailyStress/{back(days)}", *[Reply(404, {})] * 9)
    for _ in range(2):
        outcome = runner.run("stress")
    assert outcome.bookmark("stress")["bookmark"] == back(1)
    assert len(outcome.bookmark("stress")["gaps"]) == 4
    assert "todo" not in outcome.bookmark("stress")


def test_readings_of_one_day_are_records_of_their_own(runner: Runner) -> None:
    names = runner.run("training_readiness").raw_ids("training_readiness")
    today = [name for name in names if name.startswith(back(1))]
    assert today == [
        f"{back(1)}/{back(1)}T17:10:00.0/3900000001/AFTER_POST_EXERCISE_RESET",
        f"{back(1)}/{back(1)}T05:10:00.0/3900000001/AFTER_WAKEUP_RESET",
    ]


def test_the_owners_start_counts_for_what_lasts_and_not_for_what_expires(runner: Runner) -> None:
    outcome = runner.run("daily_summary", "stress", start_date=back(190))
    assert min(outcome.raw_ids("daily_summary")) == back(190)
    assert min(outcome.raw_ids("stress")) == back(DETAIL_DAYS)


@pytest.mark.parametrize("stream", [stream.name for stream in (*wellness.DETAILED, *wellness.OTHERS)])
def test_each_stream_reads_as_far_back_as_its_kind_is_worth(runner: Runner, stream: str) -> None:
    runner.run(stream, start_date=back(190))
    first = days_of(runner)
    assert (min(first), max(first)) == (back(190 if stream in LASTING else DETAIL_DAYS), back(0))
    del runner.standin.asked[:]
    runner.run(stream)
    assert days_of(runner) == [back(number) for number in range((30 if stream in LOGGED else 14) + 2)]


LOGGED = {"hydration", "lifestyle", "nutrition_logs", "nutrition_meals"}
"""What people log by hand, and correct for longer."""

LASTING = LOGGED | {"daily_summary", "sleep", "training_readiness", "training_status"}
"""What old days are served whole of, or for the better part."""


def days_of(runner: Runner) -> list[str]:
    """List the days that were asked for, wherever the question names them."""
    asked = (" ".join((request.path, *request.query.values())) for request in runner.standin.asked)
    found = (re.search(r"\d{4}-\d\d-\d\d", text) for text in asked)
    return [match[0] for match in found if match]


def test_an_earlier_start_later_reads_what_lies_between(runner: Runner) -> None:
    runner.run("daily_summary")
    outcome = runner.run("daily_summary", start_date=back(40))
    assert sorted(outcome.raw_ids("daily_summary"))[:11] == [back(days) for days in (*range(40, 30, -1), 15)]


def test_once_a_month_the_days_before_the_look_back_are_read_again(runner: Runner) -> None:
    runner.run("stress")
    runner.standin.account.clock.move(days=30)
    runner.standin.signin.write(runner.store)
    runner.standin.account.sync()
    names = runner.run("stress").raw_ids("stress")
    assert min(names) == (TODAY + timedelta(days=30 - 130)).isoformat()
    assert len(runner.run("stress").raw_ids("stress")) == 16


def test_days_are_those_of_the_owners_zone(runner: Runner) -> None:
    runner.standin.account.clock.move(11.5 * 3600)  # 23:30 UTC is half past midnight in Berlin
    outcome = runner.run("daily_summary")
    assert max(outcome.raw_ids("daily_summary")) == "2026-03-03"
    assert outcome.bookmark("daily_summary")["bookmark"] == "2026-03-02"


def test_without_a_zone_no_day_is_missed_and_none_is_closed_too_early(runner: Runner) -> None:
    runner.standin.inject("personal-information", Reply(403, {}))
    outcome = runner.run("daily_summary")
    assert max(outcome.raw_ids("daily_summary")) == "2026-03-03"
    assert outcome.bookmark("daily_summary")["bookmark"] == "2026-03-01"


def test_a_hidden_day_is_an_error_and_no_day_of_zeros(runner: Runner) -> None:
    hidden = {"calendarDate": back(2), "privacyProtected": True, "totalSteps": 0}
    runner.standin.inject("usersummary/daily", Reply(200, {**hidden, "calendarDate": back(0)}))
    outcome = runner.run("daily_summary")
    assert "privacyProtected" in outcome.gaps[0]
    assert back(0) not in outcome.raw_ids("daily_summary")


def test_the_files_of_each_day_are_fetched_on_demand_and_decoded(runner: Runner) -> None:
    streams = ("wellness_files", "fit_messages")
    assert runner.run(*streams).records("wellness_files") == []
    runner.standin.account.unworn.add(date.fromisoformat(back(170)))
    outcome = runner.run(*streams, wellness_files=True, start_date=back(180))
    files = {record["day"]: record for record in outcome.records("wellness_files")}
    assert (min(files), max(files), back(170) in files) == (back(180), back(0), False)
    old = [r for r in outcome.records("fit_messages") if r["file_sha256"] == files[back(180)]["sha256"]]
    assert {record["message"] for record in old} == {"monitoring_info", "monitoring"}
    assert outcome.gaps == []
