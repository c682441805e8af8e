from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_toggl.standin import CHOIR, STUDIO, TOKEN, Clock, StandIn, small_account, years_account

if TYPE_CHECKING:
    from collections.abc import Iterator

SEARCH = f"/reports/api/v3/workspace/{STUDIO}/search/time_entries"
NOW = int(Clock().now().timestamp())
DAY = 86_400


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.auth = (TOKEN, "api_token")
        yield session


def ask(standin: StandIn, session: requests.Session, path: str, **query: Any) -> requests.Response:
    return session.get(f"{standin.url}/api/v9{path}", params=query)


def test_invented_account_is_the_same_whenever_it_is_made() -> None:
    made = [years_account(Clock(ticking=True)) for _ in range(2)]
    assert made[0].entries == made[1].entries
    assert made[0].projects == made[1].projects


def test_account_of_years_has_imports_a_pause_and_four_thousand_entries() -> None:
    entries = years_account(Clock()).entries.values()
    assert 4000 < len(entries) < 4200
    assert {entry.start.year for entry in entries} == {2014, 2020, 2021, 2023, 2024, 2025, 2026}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"since": NOW - 100 * DAY}, "since must not be earlier than 2025-12-02"),
        (
            {"start_date": "2025-11-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"},
            "start_date must not be earlier",
        ),
        ({"since": NOW, "before": "2026-01-01"}, "can not be present simultaneously"),
        (
            {"since": NOW, "start_date": "2026-01-01", "end_date": "2026-01-02"},
            "can not be present simultaneously",
        ),
        ({"end_date": "2026-01-01"}, "need each other"),
    ],
    ids=["old since", "old start_date", "since with before", "since with range", "end alone"],
)
def test_parameters_that_toggl_refuses_are_refused(
    standin: StandIn, session: requests.Session, query: dict[str, Any], text: str
) -> None:
    answer = ask(standin, session, "/me/time_entries", **query)
    assert answer.status_code == 400
    assert text in answer.json()


def test_since_of_88_days_is_accepted_all_year_round(session: requests.Session) -> None:
    for days in range(0, 366, 5):
        clock = Clock()
        clock.move(days=days)
        with StandIn(small_account(clock), plan="none") as standin:
            since = int(clock.now().timestamp()) - 88 * DAY
            assert ask(standin, session, "/me/tags", since=since).status_code == 200


def test_deleted_entries_show_in_since_alone(standin: StandIn, session: requests.Session) -> None:
    changed = ask(standin, session, "/me/time_entries", since=NOW - 80 * DAY).json()
    ranged = ask(standin, session, "/me/time_entries", start_date="2026-01-01", end_date="2026-03-31").json()
    assert any(entry["server_deleted_at"] for entry in changed)
    assert not any(entry["server_deleted_at"] for entry in ranged)
    assert [entry["start"] for entry in changed] == sorted(
        (entry["start"] for entry in changed), reverse=True
    )


def test_answer_is_cut_at_1000_entries(standin: StandIn, session: requests.Session) -> None:
    for index in range(1100):
        standin.account.add(standin.account.clock.now(), index)
    assert len(ask(standin, session, "/me/time_entries", since=NOW - DAY).json()) == 1000


def test_sign_in_is_asked_for(standin: StandIn) -> None:
    missing = requests.get(standin.url + "/api/v9/me", timeout=10)
    assert (missing.status_code, missing.headers["X-Authorization-Missing"], missing.text) == (
        401,
        "true",
        "",
    )
    assert requests.get(standin.url + "/api/v9/me", auth=("x", "api_token"), timeout=10).status_code == 403


def test_quota_is_whole_again_an_hour_after_its_first_call(session: requests.Session) -> None:
    clock = Clock()
    with StandIn(small_account(clock), plan="free") as standin:
        clock.move(100)
        answers = [ask(standin, session, "/me") for _ in range(30)]
        assert [answer.status_code for answer in answers] == [200] * 30
        clock.move(600)
        refused = ask(standin, session, "/me")
        assert refused.status_code == 402
        assert refused.headers["X-Toggl-Quota-Remaining"] == "0"
        assert refused.headers["X-Toggl-Quota-Resets-In"] == "3000"
        assert "reset in 3000 seconds" in refused.json()
        assert ask(standin, session, f"/workspaces/{STUDIO}/clients").status_code == 200
        clock.move(3000)
        assert ask(standin, session, "/me").status_code == 200


def search(standin: StandIn, session: requests.Session, **body: Any) -> requests.Response:
    return session.post(standin.url + SEARCH, json=body)


def test_search_without_end_reports_seven_days_and_says_so_in_a_header(
    standin: StandIn, session: requests.Session
) -> None:
    answer = search(standin, session, start_date="2025-01-01")
    assert answer.headers["X-Range-End"] == "2025-01-07"


@pytest.mark.parametrize(
    "body", [{}, {"start_date": "2024-01-01", "end_date": "2025-01-01"}], ids=["empty", "367 days"]
)
def test_search_that_toggl_refuses_is_refused(
    standin: StandIn, session: requests.Session, body: dict[str, Any]
) -> None:
    assert search(standin, session, **body).status_code == 400


def test_search_rounds_and_shows_colleagues_unless_told_otherwise(
    standin: StandIn, session: requests.Session
) -> None:
    year = {"start_date": "2026-01-01", "end_date": "2026-12-31", "page_size": 1000}
    loose = search(standin, session, **year).json()
    strict = search(standin, session, **year, rounding=0, user_ids=[standin.account.user_id]).json()
    assert all(
        row["time_entries"][0]["seconds"] % 60 == 0 or row["time_entries"][0]["stop"] is None for row in loose
    )
    assert len(loose) == len(strict) + 1


def test_reports_of_one_workspace_are_closed(standin: StandIn, session: requests.Session) -> None:
    body = {"start_date": "2026-01-01", "end_date": "2026-12-31"}
    answer = session.post(standin.url + SEARCH.replace(str(STUDIO), str(CHOIR)), json=body)
    assert answer.status_code == 403


def test_command_prints_its_address_alone_and_serves() -> None:
    command = [sys.executable, "-m", "tap_toggl.standin", "--account", "small"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        answer = requests.get(url + "/api/v9/me", auth=(TOKEN, "api_token"), timeout=10)
        process.terminate()
        rest, _ = process.communicate(timeout=10)
    assert answer.json()["email"] == "rowan@example.test"
    assert not rest
