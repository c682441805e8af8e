from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from tap_garmin.exports import KINDS, RULES, moment_of
from tap_garmin.standin import Reply
from tap_garmin.standin.fitmaker import activity_fit
from tap_kit.export import Member

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Outcome, Runner

START = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
MAIL = "invented.person@example.org"

DAYS = [
    {"calendarDate": "2024-04-05", "totalSteps": 5000, "uuid": "a"},
    {"calendarDate": "2024-04-05", "hydration": {"valueInML": 300}},
]
FILES: dict[str, Any] = {
    "DI_CONNECT/DI-Connect-Aggregator/UDSFile_2024-04-05_2024-07-14.json": DAYS,
    "DI_CONNECT/DI-Connect-Aggregator/UDSFile_2024-07-14_2024-10-22.json": [
        {"calendarDate": "2024-07-14", "totalSteps": 6000}
    ],
    "DI_CONNECT/DI-Connect-Wellness/2024-04-05_2024-07-14_70000001_sleepData.json": [
        {"calendarDate": "2024-04-05", "sleepStartTimestampGMT": "2024-04-04T21:00:00.0"},
        {"retro": False},
    ],
    f"DI_CONNECT/DI-Connect-Fitness/{MAIL}_0_summarizedActivities.json": [
        {"summarizedActivitiesExport": [{"activityId": 11, "duration": 1.5}, {"activityId": 12}]}
    ],
    f"DI_CONNECT/DI-Connect-Fitness/{MAIL}_personalRecord.json": [
        {"personalRecords": [{"personalRecordId": 5, "prStartTimeGMT": "Tue Nov 25 15:12:58 GMT 2025"}]}
    ],
    "DI_CONNECT/DI-Connect-Metrics/EnduranceScore_20240405_20240714_70000001.json": [
        {"calendarDate": 1712275200000, "overallScore": 5000}
    ],
    "DI_CONNECT/DI-Connect-New/Surprise_2026.json": [{"something": 1}],
    "IT_DEVICE_AND_CONTENT/devicesandcontent.json": {"devices": []},
    "customer_data/customer.json": {"email": MAIL},
}


def packed(files: dict[str, bytes]) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 11, 1, 0, 0, 0)), each)
    return content.getvalue()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An account export, with the uploaded files in a zip of their own."""
    uploads = packed(
        {
            f"{MAIL}_900.fit": activity_fit(START, 120),
            f"{MAIL}_901.fit": activity_fit(START, 600)[:-40],
            f"{MAIL}_902.tcx": b"<x/>",
        }
    )
    files = {name: json.dumps(content).encode() for name, content in FILES.items()}
    files["DI_CONNECT/DI-Connect-Uploaded-Files/UploadedFiles_0-_Part1.zip"] = uploads
    path = tmp_path / "inbox" / "0f00d0aa_1.zip"
    path.parent.mkdir()
    path.write_bytes(packed(files))
    return path


@pytest.fixture
def outcome(runner: Runner, export: Path) -> Outcome:
    return read(runner, export)


def read(runner: Runner, path: Path) -> Outcome:
    tap_streams = [name for name in STREAMS if name != "profile"]
    return runner.run(*tap_streams, path=str(path))


STREAMS = ("fit_messages", "_files", *dict.fromkeys(stream for _, stream, *_ in KINDS))


def test_every_kind_goes_to_its_stream_untouched(outcome: Outcome) -> None:
    assert outcome.records("export_daily_summaries") == [
        *DAYS,
        {"calendarDate": "2024-07-14", "totalSteps": 6000},
    ]
    assert [r["activityId"] for r in outcome.records("export_activities")] == [11, 12]
    assert [r["personalRecordId"] for r in outcome.records("export_personal_records")] == [5]
    assert outcome.records("export_devices") == [{"devices": []}]
    assert outcome.records("export_other") == [{"something": 1}]


def test_records_say_when_they_happened_in_whatever_form_that_came(outcome: Outcome) -> None:
    moments = {
        stream: outcome.told(stream)[0]["source_timestamp"]
        for stream in ("export_daily_summaries", "export_endurance_score", "export_personal_records")
    }
    assert moments == {
        "export_daily_summaries": "2024-04-05T00:00:00",
        "export_endurance_score": "2024-04-05T00:00:00+00:00",
        "export_personal_records": "2025-11-25T15:12:58+00:00",
    }


def test_a_list_too_large_to_be_read_at_once_is_read_in_pieces(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_kit.export_items._LARGEST_ELEMENT", 400_000)
    items = [{"activityId": number, "name": "x" * 900 + "]}]"} for number in range(1500)]
    path = tmp_path / f"{MAIL}_0_summarizedActivities.json"
    path.write_text(json.dumps([{"summarizedActivitiesExport": items}], indent=1))
    outcome = read(runner, path)
    assert outcome.records("export_activities") == items
    assert not outcome.failed


@pytest.mark.parametrize(
    "content",
    [
        [
            {"summarizedActivitiesExport": [{"activityId": 1}]},
            {"summarizedActivitiesExport": [{"activityId": 2}]},
        ],
        [{"activityId": 1}, {"activityId": 2}],
        {"summarizedActivitiesExport": [{"activityId": 1}, {"activityId": 2}]},
    ],
    ids=["two lists", "plain list", "no list around"],
)
def test_another_layout_of_the_list_loses_nothing_silently(
    runner: Runner, tmp_path: Path, content: Any
) -> None:
    path = tmp_path / f"{MAIL}_0_summarizedActivities.json"
    path.write_text(json.dumps(content))
    outcome = read(runner, path)
    found = [record["activityId"] for record in outcome.records("export_activities")]
    assert found == [1, 2] or (found == [1] and outcome.failed)


def test_a_cut_list_gives_what_it_holds_and_is_told(runner: Runner, tmp_path: Path) -> None:
    path = tmp_path / f"{MAIL}_0_summarizedActivities.json"
    path.write_text('[{"summarizedActivitiesExport": [{"activityId": 1}, {"activityId": 2}, {"activ')
    outcome = read(runner, path)
    assert [record["activityId"] for record in outcome.records("export_activities")] == [1, 2]
    assert outcome.failed


def test_uploaded_files_inside_the_export_are_decoded(outcome: Outcome) -> None:
    paths = {told["file_path"].rpartition("/")[2] for told in outcome.told("fit_messages")}
    assert paths == {f"{MAIL}_900.fit", f"{MAIL}_901.fit"}


def test_each_file_is_accounted_for(outcome: Outcome) -> None:
    status = {record["path"].rpartition("/")[2]: record["status"] for record in outcome.records("_files")}
    assert status[f"{MAIL}_900.fit"] == "parsed"
    assert status[f"{MAIL}_901.fit"] == "damaged"
    assert status[f"{MAIL}_902.tcx"] == "ignored"
    assert set(status.values()) == {"parsed", "damaged", "ignored"}
    assert outcome.failed


@pytest.mark.parametrize("name", ["garmin_tokens.json", "oauth1_token.json", "oauth2_token.json"])
def test_a_token_beside_the_files_is_no_data(runner: Runner, tmp_path: Path, name: str) -> None:
    place = tmp_path / "files" / "store"
    place.mkdir(parents=True)
    (place / name).write_text('{"di_token": "secret"}')
    outcome = read(runner, tmp_path / "files")
    assert [record["status"] for record in outcome.records("_files")] == ["ignored"]
    assert b"secret" not in b"".join(runner.lines).replace(b"a secret", b"")


def test_an_export_read_before_is_not_read_again(runner: Runner, export: Path) -> None:
    read(runner, export)
    outcome = read(runner, export)
    assert outcome.of("RECORD") == []
    assert not outcome.failed


def test_what_a_later_export_lacks_is_not_gone(runner: Runner, export: Path) -> None:
    read(runner, export)
    later = packed({"UDSFile_2024-04-05_2024-07-14.json": json.dumps(DAYS[:1]).encode()})
    (export.parent / "later.zip").write_bytes(later)
    outcome = read(runner, export.parent)
    assert outcome.records("export_daily_summaries") == DAYS[:1]
    assert outcome.of("ACTIVATE_VERSION") == []


def test_names_of_people_in_names_of_files_stay_out_of_the_log(
    runner: Runner, export: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = read(runner, export)
    assert "messages were read" in caplog.text
    assert "[e-mail]_901.fit" in caplog.text
    assert MAIL not in caplog.text
    assert any(MAIL in record["path"] for record in outcome.records("_files"))


def test_the_rest_of_a_damaged_file_is_a_dead_letter_that_is_the_same_line_each_time(
    runner: Runner, tmp_path: Path
) -> None:
    content = activity_fit(START, 600)[:-40]
    number = min(runner.standin.account.activities)
    runner.standin.inject(f"files/activity/{number}", Reply(200, content, "application/octet-stream"))
    runner.run("activities", "activity_files", "fit_messages", "fit_remains")
    lines = [rest_line(runner)]
    for name in ("a.fit", "b.fit"):
        runner.standin.account.clock.move(days=1)
        runner.state = {}
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(content)
        runner.run("fit_messages", "fit_remains", path=str(tmp_path / name), account=name)
        lines.append(rest_line(runner))
    assert len(set(lines)) == 1
    message = json.loads(lines[0])
    record, told = message["record"], message["provenance"]
    offset = record["offset"]
    assert base64.b64decode(record["content"]) == content[offset:]
    assert record["file_sha256"] == told["file_hash"] == hashlib.sha256(content).hexdigest()
    assert told == {
        "dead_letter": f"the last {len(content) - offset} of the {len(content)} bytes of this FIT file cannot be read "
        f"({record['problem']})",
        "file_hash": record["file_sha256"],
        "file_size": len(content),
        "source_timestamp": "2024-05-01T08:00:00Z",
    }


def rest_line(runner: Runner) -> bytes:
    (line,) = [line for line in runner.lines if b'"RECORD"' in line and b'"fit_remains"' in line]
    return line


def test_a_rest_that_is_not_wanted_is_not_sent(runner: Runner, tmp_path: Path) -> None:
    content = activity_fit(START, 600)[:-40]
    (tmp_path / "cut.fit").write_bytes(content)
    number = min(runner.standin.account.activities)
    runner.standin.inject(f"files/activity/{number}", Reply(200, content, "application/octet-stream"))
    outcome = runner.run("activities", "activity_files", "fit_messages", "_files", path=str(tmp_path))
    assert outcome.records("fit_remains") == []
    damaged = [record for record in outcome.records("_files") if record["status"] == "damaged"]
    assert [record["records"] for record in damaged] == [{"fit_messages": 11}] * 2


def test_a_new_file_in_a_watchs_folder_has_its_month_read_and_not_the_years_before(
    runner: Runner, tmp_path: Path
) -> None:
    folder = tmp_path / "Activity"
    folder.mkdir()
    for number, moment in enumerate(("2024-01-05", "2024-01-09", "2024-02-03")):
        _write(folder / f"{number}.fit", activity_fit(START, 60 + 60 * number), moment)
    assert len(_hashes(runner.run("fit_messages", "_files", path=str(folder)))) == 3
    _write(folder / "new.fit", activity_fit(START, 900), "2024-02-20")
    outcome = runner.run("fit_messages", "_files", path=str(folder))
    assert len(_hashes(outcome)) == 2


def _write(path: Path, content: bytes, day: str) -> None:
    path.write_bytes(content)
    moment = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
    os.utime(path, (moment, moment))


def _hashes(outcome: Outcome) -> set[str]:
    return {record["file_sha256"] for record in outcome.records("fit_messages")}


def test_a_file_is_the_same_record_whatever_way_it_came(runner: Runner, tmp_path: Path) -> None:
    connect = runner.run("activities", "activity_files", "fit_messages")
    number = min(runner.standin.account.activities)
    with zipfile.ZipFile(BytesIO(runner.standin.account.original(number) or b"")) as archive:
        (tmp_path / "mine.fit").write_bytes(archive.read(archive.namelist()[0]))
    folder = runner.run("fit_messages", path=str(tmp_path / "mine.fit")).records("fit_messages")
    assert folder
    assert all(record in connect.records("fit_messages") for record in folder)


@pytest.mark.parametrize(
    ("record", "moment"),
    [
        ({"calendarDate": "2024-04-05"}, "2024-04-05T00:00:00"),
        ({"calendarDate": 1712275200000}, "2024-04-05T00:00:00+00:00"),
        ({"metaData": {"calendarDate": [2024, 4, 5, 7, 30]}}, "2024-04-05T07:30:00+00:00"),
        ({"metaData": {"calendarDate": [2024, 4, 5, 7, 30, 1, 500]}}, "2024-04-05T07:30:01+00:00"),
        ({"weight": {"timestampGMT": "2024-04-05T07:30:00.0"}}, "2024-04-05T07:30:00"),
        ({"calendarDate": "soon", "timestamp": "2024-04-05T07:30:00.85"}, "2024-04-05T07:30:00.850000"),
        ({"retro": False}, None),
        ({"calendarDate": [2024, "x"]}, None),
        ({"calendarDate": 10**20}, None),
        ({"calendarDate": True}, None),
    ],
    ids=[
        "date", "milliseconds", "list", "list with a fraction", "nested", "second field", "none", "odd list",
        "far", "no date",
    ],
)  # fmt: skip
def test_moments_of_exports(record: dict[str, Any], moment: str | None) -> None:
    assert moment_of(record) == moment


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("UDSFile_2024-04-05_2024-07-14.json", "export_daily_summaries"),
        ("HydrationLogFile_2024-04-05_2024-07-14.json", "export_hydration"),
        ("2024-04-05_2024-07-14_1_healthStatusData.json", "export_health_status"),
        ("1_userBioMetrics.json", "export_biometrics"),
        ("1_bioMetrics_latest.json", "export_biometrics_latest"),
        ("1_fitnessAgeData.json", "export_fitness_age"),
        ("1_heartRateZones.json", "export_heart_rate_zones"),
        ("BloodPressureFile_2024-04-05_2024-07-14.json", "export_blood_pressure"),
        ("TrainingReadinessDTO_20240405_20240714_1.json", "export_training_readiness"),
        ("MetricsAcuteTrainingLoad_20240405_20240714_1.json", "export_acute_training_load"),
        ("MetricsMaxMetData_20240405_20240714_1.json", "export_vo2max"),
        ("ActivityVo2Max_20240405_20240714_1.json", "export_activity_vo2max"),
        ("RunRacePredictions_20240405_20240714_1.json", "export_race_predictions"),
        ("x@y.org_1001_summarizedActivities.json", "export_activities"),
        ("x@y.org_gear.json", "export_gear"),
        ("x@y.org_workout.json", "export_workouts"),
        ("UserGoal_2024.json", "export_goals"),
        ("x-social-profile.json", "export_profile"),
        ("user_settings.json", "export_settings"),
    ],
)
def test_files_are_told_by_their_names(name: str, stream: str) -> None:
    member = Member(name, f"DI_CONNECT/Somewhere/{name}", lambda: BytesIO(b"[{}]"))
    rule = next(rule for rule in RULES if rule.matches(member))
    assert rule.parser is not None
    assert {found.stream for found in rule.parser(member)} == {stream}


def test_foreign_json_beside_fit_files_is_unknown(runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "2024-11"
    files = {
        "StreamingHistory_music_0.json": b"[]",
        "takeout/Records.json": b"{}",
        "morning.fit": activity_fit(START, 10),
        "DI_CONNECT/New/Surprise.json": b'{"a": 1}',
        "metrics/EnduranceScore_20240405_20240714_70000001.json": b"[]",
        "metrics/Surprise_2026.json": b'{"b": 1}',
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    os.utime(folder / "metrics" / "Surprise_2026.json", (0, 0))  # of another month than the file beside it
    outcome = runner.run("_files", "export_other", "fit_messages", "export_endurance_score", path=str(folder))
    status = {record["path"]: record["status"] for record in outcome.records("_files")}
    assert status == dict.fromkeys(files, "parsed") | {
        "StreamingHistory_music_0.json": "unknown",
        "takeout/Records.json": "unknown",
    }
    assert len(outcome.records("export_other")) == 2
