from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_garmin import lists
from tap_garmin.standin import Reply

if TYPE_CHECKING:
    from conftest import Ledger, Runner


@pytest.mark.parametrize("stream", [stream.name for stream in lists.ALL if stream.name != "challenges"])
def test_each_list_is_read_whole_and_closed(runner: Runner, stream: str) -> None:
    outcome = runner.run(stream)
    assert outcome.gaps == []
    assert outcome.records(stream)
    assert {told["account"] for told in outcome.told(stream)} == {"70000001"}
    is_open = stream in {
        "profile",
        "user_settings",
        "personal_information",
        "lactate_threshold",
        "functional_threshold_power",
    }
    assert bool(outcome.of("ACTIVATE_VERSION", stream)) is not is_open


def test_what_is_no_longer_listed_is_gone(runner: Runner, ledger: Ledger) -> None:
    runner.standin.inject("deviceregistration", Reply(200, [{"deviceId": 1}, {"deviceId": 2}]))
    ledger.take(runner.run("devices"))
    runner.standin.inject("deviceregistration", Reply(200, [{"deviceId": 2}]))
    ledger.take(runner.run("devices"))
    assert ledger.gone["devices"] == {"1"}


def test_former_personal_records_are_asked_for_as_well(runner: Runner) -> None:
    runner.run("personal_records")
    assert [r.query for r in runner.standin.asked_for("personalrecord")] == [{"includeHistory": "true"}]


def test_a_list_that_fails_says_nothing_of_what_is_gone(runner: Runner) -> None:
    runner.standin.inject("deviceregistration", Reply(400, {}))
    outcome = runner.run("devices")
    assert outcome.of("ACTIVATE_VERSION") == []
    assert outcome.failed


@pytest.mark.parametrize("reply", [Reply(204), Reply(200, []), Reply(200, {}), Reply(200, b"null")])
def test_an_empty_list_says_nothing_of_what_is_gone(runner: Runner, reply: Reply) -> None:
    runner.run("devices", "goals")
    runner.standin.inject("deviceregistration", reply)
    runner.standin.inject("goal-service", reply, reply, reply)
    outcome = runner.run("devices", "goals")
    assert outcome.of("ACTIVATE_VERSION") == []
    assert outcome.gaps == []


def test_a_list_that_knows_no_pages_is_not_read_for_ever(runner: Runner) -> None:
    page = [{"workoutId": number} for number in range(100)]
    runner.standin.inject("workout-service", *[Reply(200, page)] * 9)
    assert len(runner.run("workouts").records("workouts")) == 100
    assert len(runner.standin.asked_for("workout-service")) == 2


def test_goals_of_all_states_are_asked_for_from_one_on_with_the_header(runner: Runner) -> None:
    outcome = runner.run("goals")
    asked = [request.query for request in runner.standin.asked_for("goal-service")]
    assert [query["status"] for query in asked] == ["active", "future", "past"]
    assert {query["start"] for query in asked} == {"1"}
    assert [record["id"] for record in outcome.records("goals")] == [5]


@pytest.mark.parametrize(
    ("reply", "values"),
    [
        (Reply(200, [{"speed": 1}, {"hearRate": 2}]), [{"speed": 1}, {"hearRate": 2}]),
        (Reply(200, {"speed": 1}), [{"speed": 1}]),
        (Reply(200, {}), []),
        (Reply(204), []),
        (Reply(404, {}), []),
    ],
    ids=["list", "object", "empty", "nothing", "not found"],
)
def test_what_counts_now_is_taken_in_either_shape(
    runner: Runner, reply: Reply, values: list[dict[str, int]]
) -> None:
    runner.standin.inject("latestLactateThreshold", reply)
    outcome = runner.run("lactate_threshold")
    assert outcome.gaps == []
    assert outcome.records("lactate_threshold") == values


def test_what_some_accounts_lack_is_no_error_and_says_nothing_of_what_is_gone(runner: Runner) -> None:
    runner.standin.inject("powerZones", Reply(404, {}))
    outcome = runner.run("power_zones")
    assert (outcome.gaps, outcome.of("ACTIVATE_VERSION")) == ([], [])


def test_pages_are_read_to_the_last(runner: Runner) -> None:
    pages = [[{"workoutId": number} for number in range(start, start + 100)] for start in (0, 100)]
    runner.standin.inject("workout-service", *(Reply(200, page) for page in pages), Reply(200, []))
    outcome = runner.run("workouts")
    assert len(outcome.records("workouts")) == 200
    assert [request.query["start"] for request in runner.standin.asked_for("workout-service")] == [
        "0",
        "100",
        "200",
    ]


def test_a_changed_profile_keeps_its_identity(runner: Runner) -> None:
    first = runner.run("personal_information").told("personal_information")
    runner.standin.inject("personal-information", Reply(200, {"userInfo": {"timeZone": "Europe/Rome"}}))
    second = runner.run("personal_information").told("personal_information")
    assert first[0]["raw_id"] == second[0]["raw_id"] == "70000001"
