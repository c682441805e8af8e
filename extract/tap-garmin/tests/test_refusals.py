"""What each refusal of Garmin does to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_garmin.connect import PACE
from tap_garmin.standin import Reply
from tap_garmin.tap import TapGarmin

if TYPE_CHECKING:
    from conftest import Ledger, Runner

STREAMS = ("profile", "activities", "activity_details", "heart_rate", "stress", "sleep", "steps_daily")


@pytest.mark.parametrize("status", [429, 427])
def test_a_limit_stops_the_run_at_once_with_one_sentence(runner: Runner, status: int) -> None:
    runner.standin.inject("dailyStress", Reply(status, b"", "text/html"))
    outcome = runner.run(*STREAMS)
    assert f"answered {status}" in outcome.stopped
    assert "run again in some hours" in outcome.stopped
    assert len(runner.standin.asked_for("dailyStress")) == 1
    assert runner.standin.asked_for("dailySleepData") == []
    assert runner.standin.asked[-1].path.startswith("/wellness-service/wellness/dailyStress")


def test_runs_that_are_stopped_again_and_again_come_to_the_same_end(runner: Runner, ledger: Ledger) -> None:
    for _ in range(16):  # no run is long enough for what is read each day
        runner.standin.patience = 45
        ledger.take(runner.run(*STREAMS))
        runner.standin.account.clock.move(900)
    runner.standin.patience = None
    state, runner.state = runner.state, {}
    whole = type(ledger)()
    whole.take(runner.run(*STREAMS))
    assert ledger.current == whole.current
    assert not [name for name, bookmark in state["bookmarks"].items() if bookmark.get("todo")]


def test_a_block_by_the_firewall_stops_the_run(runner: Runner) -> None:
    runner.standin.inject("dailyStress", Reply(403, b"<html>Attention required</html>", "text/html"))
    outcome = runner.run(*STREAMS)
    assert "blocks this address" in outcome.stopped


def test_a_feature_that_the_account_lacks_ends_its_stream_alone(runner: Runner) -> None:
    runner.standin.inject("nutrition-service/meals", Reply(403, {"message": "no consent"}))
    outcome = runner.run("nutrition_meals", "hydration")
    assert (outcome.stopped, outcome.failed) == ("", False)
    assert "nutrition_meals: GET /nutrition-service/meals/2026-03-02 answered 403" in outcome.gaps[0]
    assert len(runner.standin.asked_for("nutrition-service/meals")) == 1
    assert outcome.records("hydration")


def test_an_outage_is_tried_three_times_with_growing_waits(runner: Runner) -> None:
    runner.standin.inject("socialProfile", Reply(503), Reply(502))
    assert runner.run("profile").gaps == []
    assert [wait for wait in runner.waits if wait] == [2.0, 4.0]


def test_a_login_page_instead_of_json_is_told_by_size_and_not_by_content(runner: Runner) -> None:
    runner.standin.inject("deviceregistration", Reply(200, b"<html>secret</html>", "text/html"))
    outcome = runner.run("devices")
    assert "19 bytes (text/html)" in outcome.gaps[0]
    assert "secret" not in outcome.gaps[0]
    assert outcome.failed


@pytest.mark.parametrize(
    "body",
    [{"hello": "world"}, {"profileId": None, "displayName": "x"}, {"profileId": 7, "displayName": None}, [], None, "x"],
    ids=["other", "no number", "no name", "list", "null", "text"],
)  # fmt: skip
def test_without_a_profile_the_run_ends_with_a_sentence(runner: Runner, body: object) -> None:
    runner.standin.inject("socialProfile", Reply(200, body))
    outcome = runner.run()
    assert "without a profile; does api_url lead to Garmin Connect?" in outcome.stopped
    assert len(runner.standin.asked) == 1


def test_a_stop_keeps_what_was_read_since_the_last_state(runner: Runner) -> None:
    runner.interval = 60.0
    runner.standin.patience = 25
    outcome = runner.run("stress")
    assert outcome.stopped
    runner.standin.patience = None
    again = runner.run("stress")
    assert len(outcome.records("stress")) + len(again.records("stress")) <= 31 + 16


def test_states_are_a_minute_apart_however_many_steps_there_are(runner: Runner) -> None:
    runner.interval = 60.0
    assert len(runner.run("stress").of("STATE")) < 5
    assert runner.run("stress").of("RECORD")


def test_an_outage_of_the_question_for_the_last_sync_fails_nothing(runner: Runner) -> None:
    runner.run("stress")
    runner.standin.inject("mylastused", *[Reply(503)] * 3)
    outcome = runner.run("stress")
    assert (outcome.gaps, outcome.stopped) == ([], "")
    assert outcome.bookmark("stress")["upload"]


def test_requests_keep_their_distance_from_garmin_and_not_from_this_machine() -> None:
    assert TapGarmin(config={}).client.min_interval == PACE == 1
    assert TapGarmin(config={}).client.attempts == 3
    assert TapGarmin(config={}).connect.jitter > 0
    assert TapGarmin(config={"api_url": "http://127.0.0.1:9"}).client.min_interval == 0


def test_a_little_chance_is_added_to_the_distance(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TapGarmin, "_is_local", False)
    runner.run("profile", "devices", "gear")
    assert runner.waits == [0.2, 0.2]  # the middle of 0 to 0.4 s, before each request but the first


def test_neither_token_nor_address_is_in_any_message(
    runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    runner.standin.inject("dailyStress", Reply(500), Reply(500), Reply(500), Reply(429, b""))
    outcome = runner.run(*STREAMS)
    said = caplog.text + outcome.stopped + b"".join(runner.lines).decode()
    assert runner.standin.signin.access not in said
    assert runner.standin.signin.refresh not in said
    assert "Bearer" not in said
