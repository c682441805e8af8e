"""``bronze check``: levels, incidents and messages; ``bronze metrics``."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from target_postgres_bronze.operator.schedules import Schedule

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_httpserver import HTTPServer

    from operating.conftest import Operator

#: Apprise looks at images with a module that Python 3.13 dropped.
pytestmark = pytest.mark.filterwarnings("ignore:.imghdr. is deprecated:DeprecationWarning")

RUN = """
    INSERT INTO bronze.runs (run_id, source, environment, status, read_count, new_count, known_count, rejected_count, invalid_count,
        started_at, ended_at)
    SELECT 'run' || gen_random_uuid(), 'shop', 'dev', %s, %s, %s, %s, %s, %s,
        timezone('UTC', now()) - %s::interval, timezone('UTC', now()) - %s::interval + %s::interval
"""


def add_run(
    operator: Operator,
    *,
    ago: str = "1 hour",
    took: str = "1 minute",
    status: str = "succeeded",
    read: int = 0,
    new: int = 0,
    rejected: int = 0,
    invalid: int = 0,
) -> None:
    values = (status, read, new, read - new - rejected, rejected, invalid, ago, ago, took)
    operator.bronze.query(RUN, *values)


def levels(operator: Operator, **settings: Any) -> dict[str, str]:
    """Return the outcome of each level of shop and of the whole, with *settings* in levels.yml."""
    (operator.root / "levels.yml").write_text(yaml.safe_dump(settings))
    found = operator("check", "--json").json
    return {level["level"]: level["outcome"] for level in found if level["source"] in {"shop", ""}}


def test_figures_without_a_run_are_unknown_and_no_alarm(operator: Operator) -> None:
    assert operator("check").code == 0
    found = levels(operator)
    assert found.pop("schema_drift") == "met"
    assert set(found.values()) == {"unknown"}


def test_runs_within_the_levels_meet_them(operator: Operator) -> None:
    for hours in range(1, 8):
        add_run(operator, ago=f"{hours} hours", read=1000, new=1000)
    found = levels(operator)
    assert {name for name, outcome in found.items() if outcome == "met"} == {
        "accuracy",
        "completeness",
        "error_rate",
        "last_run",
        "run_time",
        "schema_drift",
        "yield",
    }
    assert operator("check").code == 0


@pytest.mark.parametrize(
    ("level", "run"),
    [
        ("completeness", {"read": 1000, "new": 990, "rejected": 10}),
        ("accuracy", {"read": 1000, "new": 1000, "invalid": 1}),
        ("error_rate", {"status": "failed"}),
        ("error_rate", {"status": "interrupted"}),
        ("last_run", {"status": "failed"}),
        ("last_run", {"status": "interrupted"}),
        ("run_time", {"took": "5 minutes 1 second"}),
    ],
    ids=["rejected", "invalid", "failed", "interrupted", "last failed", "last interrupted", "slow"],
)
def test_a_run_beyond_a_level_misses_it(operator: Operator, level: str, run: dict[str, Any]) -> None:
    add_run(operator, **run)
    assert levels(operator)[level] == "missed"
    assert operator("check").code == 1


def test_a_run_before_the_window_does_not_count(operator: Operator) -> None:
    add_run(operator, ago="31 days", status="failed", read=100, rejected=100)
    assert levels(operator)["completeness"] == "unknown"
    assert levels(operator, window="60 days")["completeness"] == "missed"


def test_a_run_that_brings_far_less_than_usual_misses_the_yield(operator: Operator) -> None:
    for hours in range(2, 8):
        add_run(operator, ago=f"{hours} hours", read=1000)
    add_run(operator, ago="1 hour", read=99)
    assert levels(operator)["yield"] == "missed"
    assert levels(operator, levels={"yield": 0.05})["yield"] == "met"


def test_a_failure_is_reported_after_the_first_time(operator: Operator) -> None:
    for hours in range(2, 400):
        add_run(operator, ago=f"{hours} hours", read=5)
    add_run(operator, ago="1 hour", status="failed")
    found = levels(operator)
    assert (found["error_rate"], found["last_run"]) == ("met", "missed")
    assert levels(operator, levels={"last_run": False}).get("last_run") is None


@pytest.mark.parametrize(
    ("reads", "outcome"),
    [([3] * 20, "missed"), ([0, 0, 0, *[3] * 17], "unknown"), ([0] * 20, "unknown")],
    ids=["always some", "often none", "never any"],
)
def test_reading_nothing_is_an_alarm_if_runs_nearly_always_read_something(
    operator: Operator, reads: list[int], outcome: str
) -> None:
    for hours, read in enumerate([0, *reads], start=1):
        add_run(operator, ago=f"{hours} hours", read=read)
    assert levels(operator)["yield"] == outcome


def test_four_runs_are_no_history(operator: Operator) -> None:
    for hours in range(2, 6):
        add_run(operator, ago=f"{hours} hours", read=1000)
    add_run(operator, ago="1 hour", read=1)
    assert levels(operator)["yield"] == "unknown"


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        ("30 2 * * *", "2024-03-30T12:00", "2024-03-31T01:30"),  # 02:30 does not exist: 03:30 summer time
        ("30 4 * * *", "2024-03-30T12:00", "2024-03-31T02:30"),
        ("30 4 * * *", "2024-10-26T12:00", "2024-10-27T03:30"),
        ("30 2 * * *", "2024-10-26T12:00", "2024-10-27T00:30"),
        ("30 2 * * *", "2024-10-27T00:30", "2024-10-28T01:30"),  # not a second time in the repeated hour
        ("17 * * * *", "2024-10-27T00:17", "2024-10-27T01:17"),  # an hourly one is due in both
        ("17 * * * *", "2024-10-27T01:17", "2024-10-27T02:17"),
        ("17 * * * *", "2024-03-31T00:17", "2024-03-31T01:17"),
    ],
)
def test_schedules_mean_the_time_that_clocks_show(
    monkeypatch: pytest.MonkeyPatch, cron: str, after: str, due: str
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        schedule = Schedule("daily", cron, ("shop",))
        assert schedule.due_after(datetime.fromisoformat(after)) == datetime.fromisoformat(due)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_storage_counts_the_database_and_the_archive(operator: Operator) -> None:
    assert levels(operator, capacity="1 TB")["storage"] == "met"
    assert levels(operator, capacity="1 MB")["storage"] == "missed"
    archive = operator.root / "data" / "bronze" / "shop" / "large"
    archive.parent.mkdir(parents=True)
    with archive.open("wb") as file:
        file.truncate(900 * 1000**3)
    assert levels(operator, capacity="1 TB")["storage"] == "missed"


def test_a_changed_schema_is_an_alarm_until_it_is_old(operator: Operator) -> None:
    make = operator.bronze
    for names in (["id"], ["id", "more"]):
        schema = make.schema(properties=dict.fromkeys(names, True))
        operator.load(schema, make.record({"id": 1}))
    assert levels(operator)["schema_drift"] == "missed"
    make.query("UPDATE bronze.schemas SET first_seen_at = first_seen_at - interval '8 days'")
    assert levels(operator)["schema_drift"] == "met"


SCHEDULED = """
project_id: test
jobs: [{name: shop, tasks: [tap-shop target-postgres]}]
schedules: [{name: hourly, interval: "@hourly", job: shop}]
"""


def test_freshness_counts_from_when_the_next_run_was_due(operator: Operator) -> None:
    (operator.root / "meltano.yml").write_text(SCHEDULED)
    add_run(operator, ago="3 hours")
    assert levels(operator)["freshness"] == "missed"
    assert levels(operator, sources={"shop": {"freshness": "1 day"}})["freshness"] == "met"
    add_run(operator, ago="1 minute")
    assert levels(operator)["freshness"] == "met"


def test_a_failed_run_does_not_refresh(operator: Operator) -> None:
    (operator.root / "meltano.yml").write_text(SCHEDULED)
    add_run(operator, ago="3 hours")
    add_run(operator, ago="1 minute", status="failed")
    assert levels(operator)["freshness"] == "missed"


def test_a_cron_expression_is_read_in_the_machines_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Zurich")
    import time  # noqa: PLC0415 - tzset is what this test is about

    time.tzset()
    try:
        schedule = Schedule("nightly", "0 4 * * *", ("shop",))
        assert schedule.due_after(datetime(2024, 7, 1, 12)) == datetime(2024, 7, 2, 2)  # noqa: DTZ001 - UTC without saying so
        assert schedule.due_after(datetime(2024, 1, 1, 12)) == datetime(2024, 1, 2, 3)  # noqa: DTZ001 - the same
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_level_that_is_null_is_not_judged(operator: Operator) -> None:
    add_run(operator, status="failed")
    assert "error_rate" not in levels(operator, levels={"error_rate": None})
    assert "error_rate" not in levels(operator, sources={"shop": {"error_rate": None}})


@pytest.mark.parametrize(
    "text",
    [
        "levels: {freshnes: 1 hour}",
        "levels: {accuracy: high}",
        "levels: {accuracy: 99.9}",
        "levels: {run_time: 5}",
        "levels: {run_time: soon}",
        "levels: [run_time]",
        "sources: {shop: 5}",
        "sources: {shop: {freshness: soon}}",
        "sources: {shoe: {yield: null}}",
        "window: often",
        "capacity: lots",
        "limits: {}",
        "a: [",
    ],
)
def test_levels_that_nobody_would_judge_are_refused(operator: Operator, text: str) -> None:
    (operator.root / "levels.yml").write_text(text)
    answer = operator("check")
    assert answer.code == 1
    assert "levels.yml" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_the_projects_levels_are_the_defaults() -> None:
    from target_postgres_bronze import project  # noqa: PLC0415 - of this checkout, not of a test's project
    from target_postgres_bronze.operator import levels as reading  # noqa: PLC0415 - the same

    root: Path = project.sql_dir().parent
    assert (root / "levels.yml").exists()
    assert reading.read(root) == reading.DEFAULTS


@pytest.fixture
def messages(httpserver: HTTPServer, operator: Operator) -> list[str]:
    """What was sent to the address in `.env`."""
    sent: list[str] = []

    def take(request: Any) -> Any:
        from werkzeug import Response  # noqa: PLC0415 - comes with the server

        sent.append(json.loads(request.get_data())["message"])
        return Response("ok")

    httpserver.expect_request("/told", method="POST").respond_with_handler(take)
    url = httpserver.url_for("/told").replace("http://", "json://")
    (operator.root / ".env").write_text(f"BRONZE_NOTIFY_URLS={url}\n")
    return sent


def test_an_incident_is_told_once_and_once_when_it_is_over(operator: Operator, messages: list[str]) -> None:
    add_run(operator, took="1 hour")
    for _ in range(3):
        assert operator("check", "--notify").code == 1
    assert messages == ["shop: run_time: 3600.0 s, wanted <= 5 minutes."]
    add_run(operator, ago="1 minute")
    for _ in range(2):
        assert operator("check", "--notify").code == 0
    assert len(messages) == 2
    assert "shop: run_time is met again" in messages[1]


def test_an_incident_that_nobody_could_be_told_of_is_told_later(
    operator: Operator, messages: list[str], httpserver: HTTPServer
) -> None:
    add_run(operator, took="1 hour")
    environment = operator.root / ".env"
    right = environment.read_text()
    environment.write_text("BRONZE_NOTIFY_URLS=json://geheim:passwort@127.0.0.1:1/none\n")
    answer = operator("check", "--notify")
    assert answer.code == 1
    assert "no address took the message" in answer.err
    assert "geheim" not in answer.err + answer.out
    environment.write_text(right)
    operator("check", "--notify")
    assert len(messages) == 1
    httpserver.check_assertions()


def test_an_address_that_is_down_does_not_tell_the_others_again_and_again(
    operator: Operator, messages: list[str]
) -> None:
    add_run(operator, took="1 hour")
    environment = operator.root / ".env"
    right = environment.read_text().strip()
    environment.write_text(f"{right} json://geheim:passwort@127.0.0.1:1/none\n")
    answer = operator("check", "--notify")
    assert answer.err == "BRONZE_NOTIFY_URLS: URL number 2 did not take the message. Check it in .env.\n"
    operator("check", "--notify")
    assert len(messages) == 1


def test_a_database_that_does_not_answer_is_told_once(
    operator: Operator, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setenv("PG_HOST", str(operator.root))
        for _ in range(2):
            assert operator("check", "--notify").code == 1
    assert len(messages) == 1
    assert "no server answers" in messages[0]
    operator("check", "--notify")
    assert len(messages) == 2


def test_a_database_that_does_not_answer_is_told_even_to_nobody(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_HOST", str(operator.root))
    said = operator("check", "--notify").err
    assert "set BRONZE_NOTIFY_URLS in .env" in said
    assert "no server answers" in said
    assert not (operator.root / "data" / "database-unreachable").exists()


def test_nobody_to_notify_is_a_sentence(operator: Operator) -> None:
    add_run(operator, took="1 hour")
    assert "set BRONZE_NOTIFY_URLS in .env" in operator("check", "--notify").err


def test_metrics_are_in_prometheus_format(orders: Operator) -> None:
    from prometheus_client.parser import text_string_to_metric_families as parse  # noqa: PLC0415 - used here alone

    found = {
        (sample.name, sample.labels.get("source"), sample.labels.get("level")): sample.value
        for family in parse(orders("metrics").out)
        for sample in family.samples
    }
    assert found["bronze_rows", "shop", None] == 6
    assert found["bronze_records", "shop", None] == 5
    assert found["bronze_last_run_succeeded", "shop", None] == 1
    assert found["bronze_level_met", "shop", "completeness"] == 1
    assert found["bronze_archive_bytes", None, None] > 0


def test_a_file_of_metrics_is_replaced_whole(orders: Operator) -> None:
    output = orders.root / "bronze.prom"
    output.write_text("old")
    assert orders("metrics", "--output", str(output)).out == ""
    assert output.read_text().startswith("# HELP")
    assert [file.name for file in orders.root.glob("*.prom*")] == ["bronze.prom"]
    assert "cannot be written" in orders("metrics", "--output", "/nowhere/x.prom").err
