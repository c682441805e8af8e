from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_garmin import ranges
from tap_garmin.standin import Reply

if TYPE_CHECKING:
    from conftest import Outcome, Runner

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def spans(runner: Runner, part: str) -> list[tuple[str, str]]:
    paths = [request.path.split("/") for request in runner.standin.asked_for(part)]
    return [(path[-2], path[-1]) for path in paths]


def windows(outcome: Outcome, stream: str) -> list[tuple[dict[str, Any], list[str], bool]]:
    """List the windows of a stream: bounds, the entries' keys, and whether it was closed."""
    found: list[tuple[dict[str, Any], list[str], bool]] = []
    for message in outcome.messages:
        if message.get("stream") != stream:
            continue
        if message["type"] == "SCHEMA":
            found.append((message["schema"]["x-absence-window"], [], False))
        elif message["type"] == "RECORD":
            found[-1][1].append(str(message["record"].get("samplePk")))
        elif message["type"] == "ACTIVATE_VERSION":
            found[-1] = (*found[-1][:2], True)
    return [window for window in found if window[0]["from"] != window[0]["to"]]


def test_aggregates_are_asked_for_in_ranges_that_garmin_answers(runner: Runner) -> None:
    outcome = runner.run("steps_daily", start_date="2025-09-01")
    assert outcome.gaps == []
    asked = spans(runner, "stats/steps")
    assert asked[0] == ("2026-02-03", "2026-03-02")
    assert all(date.fromisoformat(last) - date.fromisoformat(first) < timedelta(28) for first, last in asked)
    assert asked[-1][0] == "2025-09-01"
    days = [record["calendarDate"] for record in outcome.records("steps_daily")]
    assert len(days) == len(set(days))
    assert (min(days), max(days)) == ("2025-09-01", "2026-03-02")


def test_without_a_start_ten_years_of_aggregates_are_read(runner: Runner) -> None:
    runner.run("steps_daily", start_date=None)
    assert spans(runner, "stats/steps")[-1][0] == "2016-03-02"
    assert len(spans(runner, "stats/steps")) == 131


def test_a_later_run_asks_once(runner: Runner) -> None:
    runner.run("steps_daily")
    del runner.standin.asked[:]
    runner.run("steps_daily")
    assert spans(runner, "stats/steps") == [("2026-02-03", "2026-03-02")]


def test_once_a_year_everything_is_read_again(runner: Runner) -> None:
    runner.run("resting_heart_rate", start_date="2025-09-01")
    runner.standin.account.clock.move(days=310)
    runner.standin.signin.write(runner.store)
    runner.standin.account.sync()
    outcome = runner.run("resting_heart_rate", start_date="2025-09-01")
    days = [record["calendarDate"] for record in outcome.records("resting_heart_rate")]
    assert min(days) == "2025-09-01"
    runner.standin.account.clock.move(days=1)
    runner.standin.signin.write(runner.store)
    outcome = runner.run("resting_heart_rate", start_date="2025-09-01")
    assert len(outcome.records("resting_heart_rate")) == 28


def test_a_range_that_fails_holds_up_no_other_and_is_read_in_the_next_run(runner: Runner) -> None:
    runner.standin.inject("2025-12-", Reply(400, {"message": "odd"}))
    outcome = runner.run("steps_daily", start_date="2025-09-01")
    assert outcome.failed
    assert "steps_daily: 2025-12-09 to 2026-01-05: " in outcome.gaps[0]
    assert "answered 400" in outcome.gaps[0]
    assert min(record["calendarDate"] for record in outcome.records("steps_daily")) == "2025-09-01"
    assert outcome.bookmark("steps_daily")["aside"] == [["2025-12-09", "2026-01-05"]]
    outcome = runner.run("steps_daily", start_date="2025-09-01")
    assert min(record["calendarDate"] for record in outcome.records("steps_daily")) == "2025-12-09"
    assert not {"todo", "aside"} & outcome.bookmark("steps_daily").keys()
    assert not outcome.failed


def test_ranges_that_always_fail_end_the_stream_after_some_and_every_other_is_read(runner: Runner) -> None:
    read: set[str] = set()
    for _ in range(3):
        for month in ("2025-12-", "2025-11-", "2025-10-"):
            runner.standin.inject(f"steps/daily/{month}", *[Reply(400, {})] * 9)
        outcome = runner.run("steps_daily", start_date="2025-07-01")
        assert len([gap for gap in outcome.gaps if "answered 400" in gap]) <= 3
        read |= {record["calendarDate"] for record in outcome.records("steps_daily")}
    assert min(read) == "2025-08-14"  # the first day with a watch
    assert len(outcome.bookmark("steps_daily")["aside"]) == 3


def test_a_range_that_fails_again_waits_behind_the_others(runner: Runner) -> None:
    for month in ("2026-01-", "2025-11-"):
        runner.standin.inject(f"steps/daily/{month}", Reply(400, {}))
    first = runner.run("steps_daily", start_date="2025-09-01").bookmark("steps_daily")["aside"]
    runner.standin.inject(f"steps/daily/{first[0][0]}", Reply(400, {}))
    runner.standin.inject(f"steps/daily/{first[1][0]}", Reply(400, {}))
    assert runner.run("steps_daily", start_date="2025-09-01").bookmark("steps_daily")["aside"] == first
    runner.standin.inject(f"steps/daily/{first[0][0]}", Reply(400, {}))
    found = runner.run("steps_daily", start_date="2025-09-01")
    assert found.bookmark("steps_daily")["aside"] == first[:1]


def test_a_range_in_a_shape_that_nobody_foresaw_is_put_aside(runner: Runner) -> None:
    runner.standin.inject(
        "weight/range/2025-1", Reply(200, {"dailyWeightSummaries": [{"allWeightMetrics": 7}]})
    )
    outcome = runner.run("weight", start_date="2025-09-01")
    assert "another shape than is known here (TypeError)" in outcome.gaps[0]
    assert len(outcome.bookmark("weight")["aside"]) == 1
    assert outcome.records("weight")


@pytest.mark.parametrize("stream", [stream.name for stream in ranges.ALL])
def test_each_kind_of_range_gives_records_that_happened_some_day(runner: Runner, stream: str) -> None:
    outcome = runner.run(stream)
    assert outcome.gaps == []
    assert outcome.records(stream)
    schema = outcome.of("SCHEMA", stream)[0]
    told = outcome.told(stream)
    for record, provenance in zip(outcome.records(stream), told, strict=True):
        pointer = schema["schema"].get("x-source-timestamp")
        assert provenance.get("source_timestamp") or record[pointer]
        assert provenance.get("raw_id") or all(record[key] for key in schema["key_properties"])


def test_an_entry_that_was_deleted_is_gone_and_others_are_not(runner: Runner) -> None:
    account = runner.standin.account
    runner.run("weight")
    number = list(account.weights)[1]
    del account.weights[number]
    found = windows(runner.run("weight"), "weight")
    assert [closed for _, _, closed in found] == [True]
    bounds, keys, _ = found[0]
    assert str(number) not in keys
    assert len(keys) == 2
    assert datetime.fromisoformat(bounds["from"]) <= NOW - timedelta(days=28)
    assert NOW - timedelta(days=1) < datetime.fromisoformat(bounds["to"]) <= NOW


def test_entries_at_the_edge_of_a_range_are_in_the_request_that_judges_them(runner: Runner) -> None:
    account = runner.standin.account
    account.weights.clear()
    for day in range(120):
        for hour in (0, 22, 23):  # in Berlin that is another day
            account.add_weight(datetime(2025, 11, 4, hour, 30, tzinfo=UTC) + timedelta(days=day), 70_000.0)
    moments = {str(item["samplePk"]): item["timestampGMT"] / 1000 for item in account.weights.values()}
    outcome = runner.run("weight", start_date="2025-11-01")
    for bounds, keys, closed in windows(outcome, "weight"):
        first, last = (datetime.fromisoformat(bounds[name]).timestamp() for name in ("from", "to"))
        inside = {key for key, moment in moments.items() if first <= moment < last}
        assert closed
        assert inside <= set(keys)


def test_a_range_without_any_entry_judges_nothing(runner: Runner) -> None:
    runner.run("weight")
    runner.standin.account.weights.clear()
    assert windows(runner.run("weight"), "weight") == []


def test_a_late_entry_changes_the_entry_after_it_in_what_is_derived_alone(runner: Runner) -> None:
    schema = runner.run("weight").of("SCHEMA", "weight")[0]["schema"]
    assert schema["x-volatile"] == ["/weightDelta"]
    assert schema["x-source-timestamp"] == "timestampGMT"


def test_digits_leave_as_they_came(runner: Runner) -> None:
    body = b'[{"calendarDate": "2026-03-01", "totalDistance": 5159.10, "totalSteps": 12345678901234567890}]'
    runner.standin.inject("stats/steps", Reply(200, body))
    runner.run("steps_daily")
    line = next(line for line in runner.lines if b'"RECORD"' in line and b"5159" in line)
    assert b'"totalDistance":5159.10,"totalSteps":12345678901234567890}' in line
