from __future__ import annotations

import base64
import hashlib
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from tap_garmin.activities import Activities, mark_of
from tap_garmin.standin import Reply
from tap_garmin.standin.fitmaker import activity_fit
from tap_garmin.tap import TapGarmin

if TYPE_CHECKING:
    from conftest import Ledger, Outcome, Runner

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def ids(runner: Runner) -> list[int]:
    """Ids of the invented activities, the oldest first."""
    return sorted(runner.standin.account.activities)


def later(runner: Runner, days: float) -> None:
    runner.standin.account.clock.move(days=days)
    runner.standin.signin.write(runner.store)


def listed(outcome: Outcome) -> set[int]:
    return {record["activityId"] for record in outcome.records("activities")}


def detailed(outcome: Outcome) -> list[int]:
    return [record["activityId"] for record in outcome.records("activity_details")]


def closed(outcome: Outcome) -> bool:
    return bool(outcome.of("ACTIVATE_VERSION", "activities"))


def test_the_first_run_lists_all_and_looks_at_each(runner: Runner, ids: list[int]) -> None:
    outcome = runner.run()
    assert listed(outcome) == set(ids)
    assert detailed(outcome) == ids[::-1]
    for stream, fields in {
        "activity_splits": "lapDTOs",
        "activity_files": "content",
        "activity_hr_zones": "secsInZone",
    }.items():
        assert all(fields in record for record in outcome.records(stream))
        assert {told["activity_id"] for told in outcome.told(stream)} == {str(number) for number in ids}


def test_a_second_run_looks_at_none(runner: Runner, ids: list[int]) -> None:
    runner.run("activities", "activity_details", "activity_files")
    outcome = runner.run("activities", "activity_details", "activity_files")
    assert listed(outcome) == set(ids)
    assert detailed(outcome) == []
    assert outcome.records("activity_files") == []


def test_a_list_of_many_pages_is_read_whole_though_it_shifts(runner: Runner) -> None:
    account = runner.standin.account
    for number in range(250):
        account.add_activity(NOW - timedelta(days=40, hours=number))
    outcome = runner.run("activities")
    assert listed(outcome) == set(account.activities)
    assert len(outcome.records("activities")) == len(account.activities)
    assert closed(outcome)


def test_an_activity_that_goes_while_paging_shifts_no_other_out(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = runner.standin.account
    for number in range(250):
        account.add_activity(NOW - timedelta(days=40, hours=number))
    before = set(account.activities)
    whole = account.sorted_activities
    youngest = whole()[0]["activityId"]
    calls: list[int] = []

    def deleted_meanwhile() -> list[dict[str, Any]]:
        calls.append(1)
        if len(calls) == 2:
            account.delete_activity(youngest)
        return whole()

    monkeypatch.setattr(account, "sorted_activities", deleted_meanwhile)
    assert listed(runner.run("activities")) == before


def test_young_pages_are_read_each_day_and_the_whole_list_each_week(runner: Runner) -> None:
    account = runner.standin.account
    for number in range(250):
        account.add_activity(NOW - timedelta(days=40, hours=number))
    assert closed(runner.run("activities"))
    later(runner, 1)
    outcome = runner.run("activities")
    assert len(listed(outcome)) == 100
    assert not closed(outcome)
    later(runner, 6)
    assert closed(runner.run("activities"))


def test_a_deleted_activity_is_gone_after_the_next_whole_reading(
    runner: Runner, ids: list[int], ledger: Ledger
) -> None:
    ledger.take(runner.run("activities"))
    runner.standin.account.delete_activity(ids[3])
    ledger.take(runner.run("activities"))  # the count differs, so the whole list is read at once
    assert ledger.gone["activities"] == {str(ids[3])}
    assert str(ids[3]) not in runner.state["bookmarks"]["activities"]["seen"]


def test_a_list_shorter_than_garmin_counts_deletes_nothing(runner: Runner, ids: list[int]) -> None:
    runner.run("activities")
    runner.standin.inject("activities/count", Reply(200, {"totalCount": len(ids) + 5}))
    outcome = runner.run("activities")
    assert not closed(outcome)
    assert "counts 17 activities, its list has 12" in outcome.gaps[0]
    assert outcome.failed


def test_what_garmin_counts_and_never_lists_is_told_once(runner: Runner, ids: list[int]) -> None:
    outcomes = []
    for _ in range(3):
        later(runner, 7)
        runner.standin.inject("activities/count", Reply(200, {"totalCount": len(ids) + 1}))
        outcomes.append(runner.run("activities"))
    assert [outcome.failed for outcome in outcomes] == [True, False, False]
    assert [closed(outcome) for outcome in outcomes] == [False, True, True]


@pytest.mark.parametrize(
    "replies", [[Reply(404, {})], [Reply(503)] * 3, [Reply(200, {"total": 5})], [Reply(403, {})]],
    ids=["not found", "outage", "another shape", "forbidden"],
)  # fmt: skip
def test_without_a_count_the_list_is_read_and_nothing_deleted(
    runner: Runner, ids: list[int], replies: list[Reply]
) -> None:
    runner.run("activities", "activity_details")
    number = runner.standin.account.add_activity(NOW - timedelta(days=1))
    runner.standin.account.delete_activity(ids[3])
    runner.standin.inject("activities/count", *replies)
    outcome = runner.run("activities", "activity_details")
    assert "what was deleted cannot be told in this run" in outcome.gaps[0]
    assert outcome.failed
    assert detailed(outcome) == [number]
    assert not closed(outcome)
    assert closed(runner.run("activities"))


def test_a_list_that_knows_no_pages_is_not_read_for_ever(runner: Runner) -> None:
    account = runner.standin.account
    for hours in range(150):
        account.add_activity(NOW - timedelta(days=40, hours=hours))
    page = account.sorted_activities()[:100]
    runner.standin.inject("search/activities", *[Reply(200, page)] * 5)
    outcome = runner.run("activities")
    assert len(runner.standin.asked_for("search/activities")) == 2
    assert "counts 162 activities, its list has 100" in outcome.gaps[0]
    assert not closed(outcome)


def test_an_empty_list_deletes_nothing(runner: Runner, ids: list[int]) -> None:
    runner.run("activities")
    runner.standin.inject("activities/count", Reply(200, {"totalCount": 0}))
    runner.standin.inject("search/activities", Reply(200, []))
    runner.run("activities")
    assert len(runner.state["bookmarks"]["activities"]["seen"]) == len(ids)


def test_an_edited_activity_is_looked_at_again(runner: Runner, ids: list[int]) -> None:
    streams = ("activities", "activity_details", "activity_splits")
    runner.run(*streams)
    later(runner, 1)
    runner.standin.account.edit_activity(ids[5], activityName="Renamed")
    outcome = runner.run(*streams)
    assert detailed(outcome) == [ids[5]]
    assert outcome.records("activity_details")[0]["activityName"] == "Renamed"
    assert outcome.told("activity_splits")[0]["activity_id"] == str(ids[5])


def test_what_moves_by_itself_is_no_edit(runner: Runner, ids: list[int]) -> None:
    runner.run("activities", "activity_details")
    runner.standin.account.activities[ids[5]]["userRoles"] = ["ANOTHER"]
    assert detailed(runner.run("activities", "activity_details")) == []


def test_a_late_upload_of_an_old_activity_is_found(runner: Runner) -> None:
    account = runner.standin.account
    for number in range(150):
        account.add_activity(NOW - timedelta(days=40, hours=number))
    runner.run("activities", "activity_details")
    number = account.add_activity(NOW - timedelta(days=3000))
    outcome = runner.run("activities", "activity_details")
    assert number in listed(outcome)
    assert detailed(outcome) == [number]


def test_a_change_that_the_list_does_not_show_is_found_in_the_next_month(
    runner: Runner, ids: list[int]
) -> None:
    streams = ("activities", "activity_details", "activity_files")
    runner.standin.account.add_activity(NOW - timedelta(days=91))  # too old to be read once more
    runner.run(*streams)
    runner.standin.account.clock.move(days=1)
    runner.standin.account.updated[ids[2]] = runner.standin.account.clock.now()
    later(runner, 30)
    outcome = runner.run(*streams)
    assert sorted(detailed(outcome)) == ids
    assert [told["activity_id"] for told in outcome.told("activity_files")] == [str(ids[2])]
    assert detailed(runner.run(*streams)) == []


def test_the_parts_of_a_multisport_activity_are_read_with_it(runner: Runner, ids: list[int]) -> None:
    account = runner.standin.account
    child = account.add_activity(NOW - timedelta(days=2))
    account.activities[ids[0]]["childIds"] = [child]
    hidden = account.activities[child]
    visible = [item for item in account.sorted_activities() if item is not hidden]
    account.sorted_activities = lambda: visible  # type: ignore[method-assign] # children are not in the list
    runner.standin.inject("activities/count", Reply(200, {"totalCount": len(visible)}))
    outcome = runner.run("activities", "activity_details", "activity_splits")
    assert child in detailed(outcome)
    assert str(child) not in {told["activity_id"] for told in outcome.told("activity_splits")}
    account.edit_activity(ids[0], activityName="Triathlon")
    outcome = runner.run("activities", "activity_details", "activity_splits")
    assert str(child) in {told["activity_id"] for told in outcome.told("activity_splits")}


def test_a_part_that_is_refused_stays_due_and_the_others_go_on(runner: Runner, ids: list[int]) -> None:
    runner.standin.inject(f"activity/{ids[4]}/splits", Reply(500), Reply(500), Reply(500))
    outcome = runner.run("activities", "activity_splits")
    assert outcome.failed
    assert len(outcome.records("activity_splits")) == len(ids) - 1
    assert outcome.bookmark("activity_splits")["todo"] == [str(ids[4])]
    outcome = runner.run("activities", "activity_splits")
    assert [record["activityId"] for record in outcome.records("activity_splits")] == [ids[4]]
    assert not outcome.failed


def test_an_activity_in_a_shape_that_nobody_foresaw_holds_up_no_other(runner: Runner, ids: list[int]) -> None:
    runner.standin.inject(f"activity-service/activity/{ids[-1]}", Reply(200, {"metadataDTO": ["a list"]}))
    outcome = runner.run("activities", "activity_details")
    assert "another shape than is known here (AttributeError)" in outcome.gaps[0]
    assert detailed(outcome) == ids[-2::-1]
    assert outcome.bookmark("activity_details")["todo"] == [str(ids[-1])]


def test_another_persons_activity_is_left_out_without_failing_the_run(runner: Runner, ids: list[int]) -> None:
    runner.standin.inject(f"activity/{ids[4]}/splits", Reply(403, {"message": "Only owner of activity"}))
    outcome = runner.run("activities", "activity_splits")
    assert not outcome.failed
    assert "answered 403" in outcome.gaps[0]
    assert len(outcome.records("activity_splits")) == len(ids) - 1
    assert outcome.bookmark("activity_splits")["todo"] == []


def test_activities_that_fail_for_ever_hold_up_no_other(runner: Runner, ids: list[int]) -> None:
    for number in ids[-4:]:  # the youngest, which are first on the list
        runner.standin.inject(f"activity/{number}/splits", *[Reply(400)] * 9)
    read: set[int] = set()
    for _ in range(3):
        outcome = runner.run("activities", "activity_splits")
        read |= {record["activityId"] for record in outcome.records("activity_splits")}
    assert read == set(ids[:-4])
    assert set(outcome.bookmark("activity_splits")["todo"]) == {str(number) for number in ids[-4:]}


def test_a_stream_that_is_selected_later_takes_all_activities(runner: Runner, ids: list[int]) -> None:
    runner.run("activities", "activity_details")
    outcome = runner.run("activities", "activity_weather", "activity_splits")
    assert len(outcome.records("activity_splits")) == len(ids)


def test_the_original_is_kept_byte_by_byte(runner: Runner, ids: list[int]) -> None:
    outcome = runner.run("activities", "activity_files")
    packed = runner.standin.account.original(ids[0])
    assert packed is not None
    with zipfile.ZipFile(BytesIO(packed)) as archive:
        name = archive.namelist()[0]
        content = archive.read(name)
    record = next(r for r in outcome.records("activity_files") if r["activity_id"] == ids[0])
    assert base64.b64decode(record["content"]) == content
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["name"] == name
    told = next(t for t in outcome.told("activity_files") if t["activity_id"] == str(ids[0]))
    assert (told["file_path"], told["file_hash"], told["file_size"]) == (name, record["sha256"], len(content))


def test_the_messages_of_the_original_leave_with_its_hash(runner: Runner, ids: list[int]) -> None:
    outcome = runner.run("activities", "activity_files", "fit_messages", "_files")
    hashes = {record["sha256"] for record in outcome.records("activity_files")}
    assert {record["file_sha256"] for record in outcome.records("fit_messages")} == hashes
    assert {record["status"] for record in outcome.records("_files")} == {"parsed"}
    told = outcome.told("fit_messages")[0]
    assert told["api_endpoint"] == f"GET /download-service/files/activity/{ids[-1]}"
    assert told["file_hash"] in hashes
    assert "account" not in told
    assert told["source_timestamp"].startswith("2026-03-01T07:00:00")


def test_a_damaged_original_gives_what_it_holds_and_is_accounted_for(runner: Runner, ids: list[int]) -> None:
    content = activity_fit(NOW, 600)[:-50]
    runner.standin.inject(f"files/activity/{ids[3]}", Reply(200, content, "application/octet-stream"))
    outcome = runner.run("activities", "activity_files", "fit_messages", "fit_remains", "_files")
    digest = hashlib.sha256(content).hexdigest()
    assert [r for r in outcome.records("fit_messages") if r["file_sha256"] == digest]
    damaged = [record for record in outcome.records("_files") if record["status"] == "damaged"]
    assert [record["sha256"] for record in damaged] == [digest]
    assert "messages were read" in damaged[0]["reason"]
    assert [record["file_sha256"] for record in outcome.records("fit_remains")] == [digest]
    assert f"of the {len(content)} bytes of this FIT file" in outcome.told("fit_remains")[0]["dead_letter"]
    assert any(base64.b64decode(r["content"]) == content for r in outcome.records("activity_files"))


def test_a_manual_activity_has_no_original_and_that_is_no_error(runner: Runner) -> None:
    number = runner.standin.account.add_activity(NOW - timedelta(days=1), kind="manual")
    outcome = runner.run("activities", "activity_files")
    assert number not in {record["activity_id"] for record in outcome.records("activity_files")}
    assert outcome.gaps == []
    assert outcome.bookmark("activity_files")["todo"] == []


def _spoilt() -> bytes:
    """A zip whose packed bytes were changed under way."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.fit", bytes(range(256)) * 8)
    content = bytearray(packed.getvalue())
    content[40:50] = b"\xff" * 10
    return bytes(content)


@pytest.mark.parametrize("body", [b"PK\x03\x04junk", b"PK", _spoilt()], ids=["cut", "two bytes", "spoilt"])
def test_a_damaged_zip_stays_due(runner: Runner, ids: list[int], body: bytes) -> None:
    runner.standin.inject(f"files/activity/{ids[3]}", Reply(200, body, "application/x-zip-compressed"))
    outcome = runner.run("activities", "activity_files")
    assert "damaged zip" in outcome.gaps[0]
    assert outcome.bookmark("activity_files")["todo"] == [str(ids[3])]


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>Sign in</html>", "text/html;charset=UTF-8"), ({"message": "later"}, "application/json")],
    ids=["page", "message"],
)
def test_a_page_in_place_of_a_file_is_no_file_and_stays_due(
    runner: Runner, ids: list[int], body: object, kind: str
) -> None:
    runner.standin.inject(f"files/activity/{ids[3]}", Reply(200, body, kind))
    outcome = runner.run("activities", "activity_files")
    assert "in place of a file" in outcome.gaps[0]
    assert len(outcome.records("activity_files")) == len(ids) - 1
    assert outcome.bookmark("activity_files")["todo"] == [str(ids[3])]


@pytest.mark.parametrize("part", ["splits", "gear"])
def test_an_activity_that_went_away_meanwhile_is_no_error(runner: Runner, ids: list[int], part: str) -> None:
    runner.standin.inject({"splits": f"{ids[-1]}/splits", "gear": "filterGear"}[part], Reply(404, {}))
    outcome = runner.run("activities", f"activity_{part}")
    assert outcome.gaps == []
    assert outcome.bookmark(f"activity_{part}")["todo"] == []
    assert len({told["activity_id"] for told in outcome.told(f"activity_{part}")}) == len(ids) - 1


def test_power_and_sets_are_asked_for_where_the_list_shows_them(runner: Runner, ids: list[int]) -> None:
    runner.standin.account.activities[ids[1]]["avgPower"] = 210.0
    runner.standin.account.activities[ids[2]]["summarizedExerciseSets"] = [{"category": "SQUAT"}]
    runner.run("activities", "activity_power_zones", "activity_exercise_sets")
    assert [request.path for request in runner.standin.asked_for("powerTimeInZones")] == [
        f"/activity-service/activity/{ids[1]}/powerTimeInZones"
    ]
    assert [request.path for request in runner.standin.asked_for("exerciseSets")] == [
        f"/activity-service/activity/{ids[2]}/exerciseSets"
    ]


@pytest.mark.parametrize(
    ("item", "start"),
    [
        ({"startTimeGMT": "2026-03-01 07:00:00"}, datetime(2026, 3, 1, 7, tzinfo=UTC)),
        (
            {"startTimeGMT": "1969-12-31 23:59:59", "avgPower": 1},
            datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        ),
        ({"startTimeGMT": "soon"}, None),
        ({}, None),
    ],
    ids=["plain", "before 1970", "unreadable", "absent"],
)
def test_a_mark_tells_the_start(item: dict[str, Any], start: datetime | None) -> None:
    stream = Activities(TapGarmin(config={}))
    stream.seen["1"] = mark_of(item)
    assert stream.start_of("1") == start
    assert stream.start_of("2") is None
