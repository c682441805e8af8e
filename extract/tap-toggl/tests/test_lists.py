from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_toggl.standin import CHOIR, STUDIO, Answer

if TYPE_CHECKING:
    from conftest import Ledger, Toggler

ONCE_A_DAY = ("organizations", "preferences", "goals", "track_reminders")


@pytest.mark.parametrize(
    ("stream", "key", "ids"),
    [
        ("clients", "id", {4001, 4002, 4003, 4004}),
        ("projects", "id", {5001, 5002, 5003, 5004}),
        ("tags", "id", {6001, 6002, 6003, 6004}),
        ("tasks", "id", {6501, 6502}),
        ("favorites", "favorite_id", {8001, 8002}),
        ("goals", "goal_id", {8501}),
        ("organizations", "id", {501, 502}),
        ("workspaces", "id", {STUDIO, CHOIR}),
        ("user", "id", {9_100_001}),
        ("track_reminders", "reminder_id", {8701}),
        ("preferences", "BeginningOfWeek", {1}),
    ],
)
def test_list_holds_archived_finished_and_deleted_ones_too(
    toggler: Toggler, stream: str, key: str, ids: set[int]
) -> None:
    assert set(toggler.run(streams={stream}).ids(stream, key)) == ids


@pytest.mark.parametrize("stream", ONCE_A_DAY)
def test_list_without_since_is_read_once_a_day(toggler: Toggler, stream: str) -> None:
    assert toggler.run(streams={stream}).records(stream)
    toggler.standin.account.clock.move(3600)
    later = toggler.run(streams={stream})
    assert not later.records(stream)
    assert not later.of("ACTIVATE_VERSION", stream), "nothing may be told gone by a list that was not read"
    toggler.standin.account.clock.move(3600 * 20)
    assert toggler.run(streams={stream}).records(stream)


def test_change_of_a_project_comes_in_the_next_run(toggler: Toggler) -> None:
    toggler.run(streams={"projects"})
    account = toggler.standin.account
    account.clock.move(7200)
    account.projects[0] |= {"name": "Catalogue II", "at": account.clock.now().isoformat()}
    outcome = toggler.run(streams={"projects"})
    assert [record["name"] for record in outcome.records("projects")] == ["Catalogue II"]
    assert not outcome.of("ACTIVATE_VERSION", "projects")


def test_tombstone_is_kept_until_the_whole_list_tells_that_it_is_gone(
    toggler: Toggler, ledger: Ledger
) -> None:
    account = toggler.standin.account
    ledger.take(toggler.run(streams={"tags"}))
    account.clock.move(7200)
    account.tags[0]["deleted_at"] = account.clock.now().isoformat()
    ledger.take(toggler.run(streams={"tags"}))
    assert ledger.records["tags"]["[6001]"]["record"]["deleted_at"]
    assert "[6001]" in ledger.current("tags")
    for _ in range(2):
        account.clock.move(days=1)
        ledger.take(toggler.run(streams={"tags"}))
    assert {"[6001]", "[6003]"} == ledger.gone["tags"]


def test_deletion_that_nobody_asked_for_in_time_is_found_by_absence(toggler: Toggler, ledger: Ledger) -> None:
    ledger.take(toggler.run(streams={"clients"}))
    del toggler.standin.account.clients[0]
    toggler.standin.account.clock.move(days=200)
    ledger.take(toggler.run(streams={"clients"}))
    assert "[4001]" in ledger.gone["clients"]
    assert {"[4002]", "[4004]"} <= ledger.current("clients")


def test_left_workspace_keeps_its_objects(toggler: Toggler, ledger: Ledger) -> None:
    streams = {"clients", "projects", "tags", "workspaces"}
    ledger.take(toggler.run(streams=streams))
    account = toggler.standin.account
    account.workspaces.pop()
    account.projects.pop()
    account.tags.pop()
    for _ in range(2):
        account.clock.move(days=2)
        ledger.take(toggler.run(streams=streams))
    assert "[4004]" in ledger.current("clients")
    assert "[5004]" in ledger.current("projects")
    assert "[6004]" in ledger.current("tags")
    assert ledger.gone["workspaces"] == {f"[{CHOIR}]"}


def test_workspace_that_is_not_the_users_any_more_is_not_judged_by_what_is_still_listed(
    toggler: Toggler, ledger: Ledger
) -> None:
    account = toggler.standin.account
    account.projects.append({**account.projects[3], "id": 5005})
    ledger.take(toggler.run(streams={"projects"}))
    account.workspaces.pop()
    account.projects.pop()
    account.clock.move(days=2)
    ledger.take(toggler.run(streams={"projects"}))
    assert {"[5004]", "[5005]"} <= ledger.current("projects")


@pytest.mark.parametrize("body", [None, []], ids=["null", "empty"])
def test_list_that_answers_empty_calls_nothing_gone(toggler: Toggler, ledger: Ledger, body: object) -> None:
    ledger.take(toggler.run(streams={"projects"}))
    toggler.standin.account.clock.move(days=2)
    toggler.standin.inject("/me/projects", Answer(200, body))
    ledger.take(toggler.run(streams={"projects"}))
    assert not ledger.gone["projects"]


def test_refused_since_is_replaced_by_the_whole_list(toggler: Toggler) -> None:
    toggler.run(streams={"projects"})
    toggler.standin.account.clock.move(7200)
    toggler.standin.inject("/me/projects", Answer(400, "since must not be earlier than tomorrow"))
    outcome = toggler.run(streams={"projects"})
    assert len(outcome.records("projects")) == 3
    assert not outcome.failures


def test_clients_of_a_refused_workspace_do_not_stop_those_of_the_others(toggler: Toggler) -> None:
    toggler.standin.inject(f"/workspaces/{STUDIO}/clients", Answer(403, "Forbidden", plain=True))
    outcome = toggler.run(streams={"clients"})
    assert 4004 in outcome.ids("clients")
    assert any(str(STUDIO) in gap for gap in outcome.gaps)
    assert not outcome.failures


def test_tracked_time_in_a_project_is_no_change(toggler: Toggler, ledger: Ledger) -> None:
    ledger.take(toggler.run(streams={"projects"}))
    account = toggler.standin.account
    account.add(account.clock.now(), 50, project_id=5001)
    account.clock.move(days=1)
    versions = ledger.versions["projects"]
    ledger.take(toggler.run(streams={"projects"}))
    assert ledger.versions["projects"] == versions + 1, "the deleted project is gone; nothing else changed"


def test_paid_feature_is_told_once_a_day_and_is_no_failure(toggler: Toggler) -> None:
    first, second = toggler.run(streams={"timesheets"}), toggler.run(streams={"timesheets"})
    assert "paid feature" in first.gaps[0]
    assert not second.gaps
    assert not first.failures
    assert len(toggler.standin.asked("timesheets")) == 1


def test_no_secret_leaves_the_tap(toggler: Toggler, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    toggler.standin.account.organizations[0]["invitation_code"] = "secret-invitation"
    outcome = toggler.run()
    assert "secret" not in repr(outcome.messages).replace("x-secret", "").replace("Secret: replaced", "")
    assert "secret" not in caplog.text
    assert toggler.standin.token not in repr(outcome.messages) + caplog.text
    user = outcome.of("RECORD", "user")[0]
    assert user["record"]["api_token"] == "[redacted]"
    assert user["provenance"]["redacted"] == ["/api_token", "/intercom_hash"]


def test_provenance_names_request_answer_and_quota(toggler: Toggler) -> None:
    outcome = toggler.run()
    track = outcome.of("RECORD", "projects")[0]["provenance"]
    assert track["api_endpoint"] == "GET /api/v9/me/projects"
    assert track["api_version"] == "v9"
    assert track["api_response_code"] == 200
    assert len(track["api_request_id"]) == 36
    assert set(track["api_rate_limit_info"]) == {"X-Toggl-Quota-Remaining", "X-Toggl-Quota-Resets-In"}
    report = outcome.of("RECORD", "report_time_entries")[0]["provenance"]
    assert report["api_endpoint"] == f"POST /reports/api/v3/workspace/{STUDIO}/search/time_entries"
    assert report["api_version"] == "reports v3"
    assert len(report["api_request_id"]) == 32


def test_numbers_leave_digit_by_digit(toggler: Toggler) -> None:
    toggler.standin.account.projects[0]["rate"] = 12.5
    toggler.standin.account.projects[0]["id"] = 2**62
    record = next(
        r for r in toggler.run(streams={"projects"}).records("projects") if r["name"] == "Catalogue"
    )
    assert record["id"] == 2**62
    assert record["rate"] == 12.5


def test_unknown_fields_and_both_forms_of_permissions_leave_as_they_came(toggler: Toggler) -> None:
    projects = toggler.standin.account.projects
    forms: list[object] = [None, [], "admin"]
    for project, form in zip(projects, forms, strict=False):
        project |= {"permissions": form, "brand_new": {"Deep": [1]}}
    records = {record["id"]: record for record in toggler.run(streams={"projects"}).records("projects")}
    assert [records[project["id"]]["permissions"] for project in projects[:3]] == forms
    assert records[5001]["brand_new"] == {"Deep": [1]}
    assert "permissions" not in records[5004]


def test_history_that_toggl_keeps_back_is_told(toggler: Toggler, caplog: pytest.LogCaptureFixture) -> None:
    toggler.standin.account.workspaces[0]["max_data_retention_days"] = 365
    toggler.run(streams={"workspaces"})
    assert "shows the last 365 days only" in caplog.text
