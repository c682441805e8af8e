"""Failures of extractors, which Meltano records and the loader does not see."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_bronze import project as projects
from target_postgres_bronze.operator import outcomes

if TYPE_CHECKING:
    from operating.conftest import Operator

RUNS = """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, job_name VARCHAR, state VARCHAR(7), started_at DATETIME, ended_at DATETIME, payload VARCHAR,
        last_heartbeat_at DATETIME
    )
"""
#: As SQLAlchemy writes them.
STAMP = "%Y-%m-%d %H:%M:%S.%f"


class Meltano:
    """Meltano's system database of the project."""

    def __init__(self, operator: Operator) -> None:
        plugins = operator.root / "plugins" / "extractors"
        plugins.mkdir(parents=True)
        definition = {"plugins": {"extractors": [{"name": "tap-shop", "namespace": "tap_shop"}]}}
        (plugins / "tap-shop.meltano.yml").write_text(json.dumps(definition))
        self._file = operator.root / ".meltano" / "meltano.db"
        self._file.parent.mkdir()
        with closing(sqlite3.connect(self._file)) as connection:
            connection.execute(RUNS)

    def add(
        self,
        state: str = "FAIL",
        *,
        name: str = "dev:tap-shop-to-target-postgres",
        ago: timedelta = timedelta(minutes=1),
        error: str = "Extractor failed",
    ) -> None:
        """Add a run that began *ago*, and ends an hour later unless it goes on."""
        started = datetime.now(UTC) - ago
        ended = None if state == "RUNNING" else (started + timedelta(hours=1)).strftime(STAMP)
        values = (
            name,
            state,
            started.strftime(STAMP),
            ended,
            json.dumps({"error": error}),
            started.strftime(STAMP),
        )
        with closing(sqlite3.connect(self._file)) as connection, connection:
            connection.execute(
                "INSERT INTO runs (job_name, state, started_at, ended_at, payload, last_heartbeat_at) VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )


@pytest.fixture
def meltano(operator: Operator) -> Meltano:
    operator.load(operator.bronze.schema(), operator.bronze.record({"id": 1}))
    return Meltano(operator)


def outcome(operator: Operator) -> list[tuple[str, str | None]]:
    return operator.bronze.query("SELECT status, error_message FROM bronze.runs ORDER BY started_at")


def test_a_run_whose_extractor_failed_is_failed_for_every_command(
    operator: Operator, meltano: Meltano
) -> None:
    assert [status for status, _ in outcome(operator)] == ["succeeded"]
    meltano.add()

    shown = operator("status", "--json").json
    assert [stream["last_run_status"] for stream in shown["streams"]] == ["failed"]
    assert [run["source"] for run in shown["failed_runs"]] == ["shop"]
    [(status, reason)] = outcome(operator)
    assert status == "failed"
    assert reason is not None
    assert "Extractor failed" in reason
    found = {level["level"]: level["outcome"] for level in operator("check", "--json").json}
    assert found["last_run"] == "missed"
    assert 'bronze_last_run_succeeded{source="shop"} 0.0' in operator("metrics").out


def test_check_alone_records_it_too(operator: Operator, meltano: Meltano) -> None:
    meltano.add()
    assert operator("check").code == 1
    assert [status for status, _ in outcome(operator)] == ["failed"]


@pytest.mark.parametrize(
    "run",
    [
        {"state": "SUCCESS"},
        {"name": "demo:tap-shop-to-target-postgres"},
        {"name": "dev:tap-other-to-target-postgres"},
        {"name": "dev:tap-shop-to-target-jsonl"},
        {"state": "RUNNING"},
        {"state": "STATE_EDIT"},
        {"ago": timedelta(days=31)},
    ],
    ids=["succeeded", "demo", "unknown source", "other loader", "alive", "state edited", "long ago"],
)
def test_other_runs_of_meltano_change_nothing(
    operator: Operator, meltano: Meltano, run: dict[str, object]
) -> None:
    meltano.add(**run)  # type: ignore[arg-type]
    operator("status")
    assert outcome(operator) == [("succeeded", None)]


def test_a_failure_before_the_loader_began_is_a_run_of_its_own_once(
    operator: Operator, meltano: Meltano
) -> None:
    meltano.add(ago=timedelta(days=2))
    for _ in range(2):
        operator("status")
    assert [status for status, _ in outcome(operator)] == ["failed", "succeeded"]


def test_a_run_whose_meltano_was_killed_has_failed(operator: Operator, meltano: Meltano) -> None:
    meltano.add("RUNNING", ago=timedelta(hours=3))
    operator("status")
    assert [status for status, _ in outcome(operator)] == ["failed", "succeeded"]


def test_other_texts_of_meltano_stay_out_of_the_database(operator: Operator, meltano: Meltano) -> None:
    meltano.add(error="password=s3cret")
    operator("status")
    [(_, reason)] = outcome(operator)
    assert "s3cret" not in str(reason)


@pytest.mark.usefixtures("meltano")
def test_a_role_that_only_reads_sees_the_status_nevertheless(operator: Operator, meltano: Meltano) -> None:
    meltano.add()
    with psycopg.connect(operator.bronze.conninfo) as connection:
        connection.execute("SET default_transaction_read_only = on")
        connection.commit()
        outcomes.record_failures(connection, projects.find_root())
        assert connection.execute("SELECT status FROM bronze.runs").fetchall() == [("succeeded",)]


@pytest.mark.parametrize("content", [None, b"", b"no database"], ids=["absent", "empty", "damaged"])
def test_without_a_usable_database_of_meltano_nothing_is_recorded(
    operator: Operator, content: bytes | None
) -> None:
    operator.load(operator.bronze.schema(), operator.bronze.record({"id": 1}))
    if content is not None:
        (operator.root / ".meltano").mkdir()
        (operator.root / ".meltano" / "meltano.db").write_bytes(content)
    assert operator("status").code == 0


def test_the_servers_clock_may_differ_from_this_machines(
    operator: Operator, meltano: Meltano, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run in the database is of now; this machine believes that it is three days later, and so did Meltano."""
    later = timedelta(days=3)

    class Late(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + later

    monkeypatch.setattr(outcomes, "datetime", Late)
    meltano.add(ago=timedelta(minutes=1) - later)
    for _ in range(2):
        operator("status")
    assert [status for status, _ in outcome(operator)] == ["failed"]
