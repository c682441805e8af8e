from __future__ import annotations

import base64
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tap_kit import TapError
from tap_toggl.standin import STUDIO, Answer, Clock, small_account, years_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Toggler

QUOTA_TEXT = "You have hit your hourly limit. It will reset in 1200 seconds."


def test_one_request_a_second_meets_no_burst_limit(
    make_toggler: Callable[..., Toggler], clock: Clock
) -> None:
    toggler = make_toggler(small_account(clock), plan="none", burst=True)
    toggler.pace = 1.0
    begin = clock.now()
    assert not toggler.run().failures
    calls = len(toggler.standin.requests)
    assert sum(toggler.waits) == calls - 1 == (clock.now() - begin).total_seconds()


def test_too_many_requests_are_sent_again_later(make_toggler: Callable[..., Toggler], clock: Clock) -> None:
    toggler = make_toggler(small_account(clock), plan="none", burst=True)
    outcome = toggler.run()
    assert not outcome.failures
    assert toggler.waits, "without pace the bucket overflows"


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [
        ("7", 7.5),
        (format_datetime(Clock().now(), usegmt=True).replace("12:00:00", "12:00:40"), 40.5),
        (None, 2.0),
    ],
    ids=["seconds", "date", "absent"],
)
def test_retry_after_is_obeyed(toggler: Toggler, retry_after: str | None, waited: float) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    toggler.standin.inject("/me/tags", Answer(429, "Slow down", headers, plain=True))
    outcome = toggler.run(streams={"tags"})
    assert toggler.waits == [waited]
    assert len(outcome.records("tags")) == 4


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_trouble_is_tried_again(toggler: Toggler, status: int) -> None:
    toggler.standin.inject("/me/tags", *[Answer(status, "Oops", plain=True)] * 2)
    outcome = toggler.run(streams={"tags"})
    assert len(outcome.records("tags")) == 4
    assert len(toggler.waits) == 2
    assert toggler.waits[1] == 2 * toggler.waits[0]


def test_lasting_trouble_ends_one_stream_after_five_attempts(toggler: Toggler) -> None:
    toggler.standin.inject("/me/tags", *[Answer(500, "Oops", plain=True)] * 5)
    outcome = toggler.run(streams={"tags", "tasks"})
    assert len(toggler.standin.asked("/me/tags")) == 5
    assert "tags: GET /api/v9/me/tags answered 500" in outcome.failures[0]
    assert outcome.records("tasks")


@pytest.mark.parametrize("status", [400, 405, 410, 418])
def test_refusal_for_good_ends_one_stream_at_once(toggler: Toggler, status: int) -> None:
    toggler.standin.inject("/me/preferences", Answer(status, "No longer here"))
    outcome = toggler.run(streams={"preferences", "goals"})
    assert len(toggler.standin.asked("/me/preferences")) == 1
    assert f"answered {status}: No longer here" in outcome.failures[0]
    assert outcome.records("goals")


def test_token_in_a_refusal_is_not_told(toggler: Toggler) -> None:
    toggler.standin.inject("/me/goals", Answer(400, f"{toggler.standin.token} has no goals"))
    assert "[token] has no goals" in toggler.run(streams={"goals"}).failures[0]


@pytest.mark.parametrize("form", ["{basic}", "{token}", "<p>{basic}</p>", "%22{token}%22", "{token}\\u0021"])
def test_page_that_repeats_the_sign_in_does_not_show_it(toggler: Toggler, form: str) -> None:
    token = toggler.standin.token
    basic = base64.b64encode(f"{token}:api_token".encode()).decode()
    page = f"Bad request: Authorization: Basic {form.format(basic=basic, token=token)}"
    toggler.standin.inject("/me/goals", Answer(400, page, plain=True))
    (failure,) = toggler.run(streams={"goals"}).failures
    assert "answered 400" in failure
    assert basic.rstrip("=") not in failure
    assert token not in failure


def test_escapes_in_an_answer_do_not_reach_the_terminal(toggler: Toggler) -> None:
    headers = {"X-Toggl-Request-Id": "r\x1b]0;title\x07" + "9" * 500}
    toggler.standin.inject("/me/goals", Answer(400, "no \x1b[2J goals \u202e", headers))
    (failure,) = toggler.run(streams={"goals"}).failures
    assert failure.isprintable()
    assert len(failure) < 400


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Toggl-Quota-Remaining": "0", "X-Toggl-Quota-Resets-In": "1e308"},
        {"X-Toggl-Quota-Remaining": "nan", "X-Toggl-Quota-Resets-In": "inf"},
        {"Date": "Fri, 31 Dec 9999 23:59:59 -1200"},
    ],
)
def test_header_that_makes_no_sense_stops_nothing(toggler: Toggler, headers: dict[str, str]) -> None:
    toggler.standin.inject("/me/goals", Answer(200, [], headers))
    assert not toggler.run(streams={"goals"}).failures


@pytest.mark.parametrize("content", [[{"id": 1}, 2], {"x": 1}, "text", [{}], [{"id": []}]], ids=repr)
@pytest.mark.parametrize("path", ["/me/workspaces", "/me/tags", "/me/time_entries"])
def test_answer_of_another_shape_costs_itself_alone(toggler: Toggler, path: str, content: object) -> None:
    toggler.standin.inject(path, Answer(200, content))
    assert toggler.run(streams={"workspaces", "tags", "time_entries", "goals"}).records("goals")


@pytest.mark.parametrize("status", [403, 404])
def test_part_that_is_not_the_users_is_left_out(toggler: Toggler, status: int) -> None:
    toggler.standin.inject("/me/goals", Answer(status, "Forbidden", plain=True))
    outcome = toggler.run(streams={"preferences", "goals"})
    assert not outcome.failures
    assert "may not read it" in outcome.gaps[0]
    assert outcome.records("preferences")


def test_answer_that_is_no_json_fails_one_stream_without_showing_it(toggler: Toggler) -> None:
    toggler.standin.inject("/me/goals", Answer(200, "<html>private</html>", plain=True))
    outcome = toggler.run(streams={"preferences", "goals"})
    assert "private" not in outcome.failures[0]
    assert outcome.records("preferences")


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_token_is_one_sentence_and_no_second_try(toggler: Toggler, status: int) -> None:
    toggler.standin.inject("/me", Answer(status, "", plain=True))
    with pytest.raises(TapError, match=r"Toggl refused the API token .* set TOGGL_API_KEY in \.env"):
        toggler.run()
    assert len(toggler.standin.requests) == 1


def test_refused_token_of_the_reports_stops_the_run(toggler: Toggler) -> None:
    toggler.standin.inject("/reports", Answer(401, "", plain=True))
    with pytest.raises(TapError, match="refused the API token"):
        toggler.run(streams={"report_time_entries"})


# Quotas


@pytest.mark.parametrize(
    "answer",
    [
        Answer(402, QUOTA_TEXT),
        Answer(402, QUOTA_TEXT, plain=True),
        Answer(402, "", {"X-Toggl-Quota-Remaining": "0", "X-Toggl-Quota-Resets-In": "1200"}, plain=True),
        Answer(402, "", {"X-Toggl-Quota-Remaining": "-3", "X-Toggl-Quota-Resets-In": "1200"}, plain=True),
    ],
    ids=["text as JSON", "bare text", "headers", "negative"],
)
def test_quota_refusal_within_the_allowed_wait_is_waited_for(toggler: Toggler, answer: Answer) -> None:
    toggler.standin.inject("/me/tags", answer)
    outcome = toggler.run(streams={"tags"}, quota_max_wait=1300)
    assert len(outcome.records("tags")) == 4
    assert toggler.waits == [1202]
    assert not outcome.gaps


def test_quota_refusal_beyond_the_allowed_wait_ends_cleanly_and_says_when(toggler: Toggler) -> None:
    toggler.standin.inject("/me/tags", Answer(402, QUOTA_TEXT))
    outcome = toggler.run(streams={"tags"})
    assert not outcome.failures
    assert not toggler.waits
    assert "run again after 12:20 UTC (in 21 minutes)" in outcome.gaps[0]
    assert len(toggler.standin.asked("/me/tags")) == 1


def test_used_up_bucket_is_not_asked_again(toggler: Toggler) -> None:
    toggler.standin.inject("/me/time_entries", Answer(402, QUOTA_TEXT))
    calls_of_user = {"goals", "projects", "tags", "time_entries"}
    outcome = toggler.run(streams=calls_of_user | {"workspaces", "report_time_entries"})
    assert len(outcome.gaps) == len(calls_of_user) + 1, "the fifth is the workspace that is closed"
    assert sum("run again after" in gap for gap in outcome.gaps) == 1
    assert len(toggler.standin.requests) == 3 + 23
    assert len(toggler.standin.asked("/reports")) == 23
    assert outcome.entry_ids(), "the organization's bucket is another one"


def test_some_calls_are_left_to_the_owners_other_clients(
    make_toggler: Callable[..., Toggler], clock: Clock
) -> None:
    toggler = make_toggler(years_account(clock), plan="free")
    toggler.run()
    clock.move(60)
    toggler.run()
    bucket = toggler.standin.limits.buckets["user"]
    assert bucket.total - bucket.used == 2
    assert all(bucket.used <= bucket.total for bucket in toggler.standin.limits.buckets.values())


def test_waits_for_quotas_are_bounded_in_all(toggler: Toggler) -> None:
    toggler.standin.inject("/me/tags", *[Answer(402, QUOTA_TEXT)] * 3)
    outcome = toggler.run(streams={"tags"}, quota_max_wait=3000)
    assert toggler.waits == [1202, 1202]
    assert "used up" in outcome.gaps[0]


def test_history_larger_than_an_hours_quota_comes_home_in_several_runs(
    make_toggler: Callable[..., Toggler], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_toggl.reports.PAGE_SIZE", 100)
    toggler = make_toggler(years_account(clock), plan="free")
    seen: list[set[int]] = []
    for _ in range(4):
        outcome = toggler.run(streams={"report_time_entries"})
        seen.append(set(outcome.entry_ids()))
        assert not outcome.failures
        clock.move(3600)
    account = toggler.standin.account
    assert set().union(*seen) == {
        entry.id
        for entry in account.entries.values()
        if entry.workspace_id == STUDIO and entry.user_id == account.user_id and entry.deleted_at is None
    }
    assert all(not first & second for first, second in pairwise(seen)), "no page is read twice"
    assert not seen[-1]
