"""A run that dies anywhere, and the next one that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ledger, Runner

STREAMS = (
    "activities",
    "activity_details",
    "activity_files",
    "fit_messages",
    "_files",
    "stress",
    "hrv",
    "steps_daily",
    "devices",
)
START = "2026-02-10"


@pytest.fixture
def whole(runner: Runner, ledger: Ledger) -> Ledger:
    """What an undisturbed run leaves."""
    ledger.take(runner.run(*STREAMS, start_date=START))
    runner.state = {}
    return ledger


def test_a_run_killed_after_any_message_loses_nothing(runner: Runner, whole: Ledger) -> None:
    most = 1
    while True:
        runner.state = {}
        found = type(whole)()
        outcome = runner.run(*STREAMS, start_date=START, most=most)
        found.take(outcome)
        found.take(runner.run(*STREAMS, start_date=START))
        assert found.current == whole.current, f"killed after {most} messages"
        assert not any(found.gone.values())
        if not outcome.stopped:
            return
        most += 83


def test_a_run_killed_again_and_again_comes_to_its_end(runner: Runner, whole: Ledger) -> None:
    found = type(whole)()
    for _ in range(60):
        outcome = runner.run(*STREAMS, start_date=START, most=150)
        found.take(outcome)
        if not outcome.stopped:
            break
    assert found.current == whole.current


def test_the_state_of_a_killed_run_covers_what_was_sent_alone(runner: Runner) -> None:
    outcome = runner.run("activities", "activity_details", most=40)
    todo = set(outcome.bookmark("activity_details")["todo"])
    sent = {str(record["activityId"]) for record in outcome.records("activity_details")}
    assert todo | sent >= {str(number) for number in runner.standin.account.activities}


def test_no_network_is_one_sentence_after_the_attempts_of_one_request(runner: Runner) -> None:
    outcome = runner.run(api_url="http://127.0.0.1:9")
    assert "no answer after 3 attempts (the connection was refused). Check the network" in outcome.stopped
    assert runner.waits == [2.0, 4.0], "and not those of the other streams"
    assert outcome.gaps == []
