"""Indexes are built after a first load's rows, and for months that are over while its last parts land; at its end all are there."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_bronze import indexing
from target_postgres_bronze.indexing import Indexing
from target_postgres_bronze.worker import Worker

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from conftest import Bronze

BATCH = 5
MONTHS = 12
#: Indexes of the contract, that of the primary key included.
INDEXES = 8


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The months whose partitions were indexed before the last part had landed; a run waits for all that it can do so early."""
    found: list[str] = []
    build, stop = indexing._build, Indexing.stop

    def noted(connection: psycopg.Connection[Any], source: str, month: date) -> bool:
        found.append(month.isoformat())
        return build(connection, source, month)

    def patient(work: Indexing) -> None:
        work._early.wait()
        stop(work)

    monkeypatch.setattr(indexing, "_build", noted)
    monkeypatch.setattr(Indexing, "stop", patient)
    monkeypatch.setattr(Worker, "is_busy", property(lambda worker: worker._thread is not None))
    return found


def messages(bronze: Bronze) -> list[dict[str, Any]]:
    return [
        bronze.schema(x_source_timestamp="at"),
        *(
            bronze.record({"id": number, "at": f"2024-{number // 4 + 1:02d}-{number % 4 + 1:02d}"})
            for number in range(4 * MONTHS)
        ),
        bronze.state(1),
    ]


def assert_all_indexed(bronze: Bronze) -> None:
    assert bronze.query("SELECT count(*) FROM bronze.missing_indexes('shop')") == [(0,)]
    whole = (
        "SELECT DISTINCT count(*), bool_and(i.indisvalid), count(p.inhrelid) FROM pg_inherits AS h "
        "JOIN pg_index AS i ON i.indrelid = h.inhrelid LEFT JOIN pg_inherits AS p ON p.inhrelid = i.indexrelid "
        "WHERE h.inhparent = 'bronze_shop'::regclass GROUP BY h.inhrelid"
    )
    assert bronze.query(whole) == [(INDEXES, True, INDEXES)]
    assert bronze.query("SELECT count(*) FROM bronze_shop WHERE raw_data @> '{\"id\": 7}'") == [(1,)]
    assert bronze.query("SELECT count(*), count(DISTINCT raw_id) FROM bronze_shop") == [
        (4 * MONTHS, 4 * MONTHS)
    ]


def test_months_that_are_over_are_indexed_while_the_last_parts_land(bronze: Bronze, early: list[str]) -> None:
    done = bronze.load(*messages(bronze), batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert done.states == [1]
    assert len(early) > MONTHS / 2
    assert early == sorted(set(early), reverse=True), "whose rows came last is in memory still"
    assert f"2024-{MONTHS}-01" not in early, "into the last month something was still to come"
    assert_all_indexed(bronze)


def test_a_table_that_has_its_indexes_is_left_alone(bronze: Bronze, early: list[str]) -> None:
    first, *rest = messages(bronze)
    bronze.load(first, rest[0])
    assert not early

    done = bronze.load(first, *rest, batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert not early
    assert_all_indexed(bronze)


def test_a_connection_that_breaks_meanwhile_is_no_matter(
    bronze: Bronze, early: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = indexing._build

    def cut(connection: psycopg.Connection[Any], source: str, month: date) -> bool:
        if len(early) == 1:
            bronze.query(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        return noted(connection, source, month)

    monkeypatch.setattr(indexing, "_build", cut)

    done = bronze.load(*messages(bronze), batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert len(early) == 2, "what is optional is not tried again"
    assert_all_indexed(bronze)
    assert bronze.query("SELECT status, read_count, new_count FROM bronze.runs") == [
        ("succeeded", 4 * MONTHS, 4 * MONTHS)
    ]


def test_records_without_a_time_keep_their_month_to_the_end(bronze: Bronze, early: list[str]) -> None:
    done = bronze.load(
        bronze.schema(),
        *(bronze.record({"id": number}) for number in range(4 * MONTHS)),
        batch_size_rows=BATCH,
    )

    assert done.code == 0, done.log
    assert not early
    assert_all_indexed(bronze)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_leaves_the_indexes_to_the_next_run(
    bronze: Bronze, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    bronze.load(*messages(bronze))
    bronze.query("DROP INDEX bronze_shop_by_environment")
    path = tmp_path / "again.singer"
    path.write_bytes(bronze.lines(*messages(bronze)))
    with psycopg.connect(bronze.conninfo) as writer:
        # its transaction keeps everybody from building on the table
        writer.execute("LOCK TABLE bronze_shop IN ROW EXCLUSIVE MODE")
        loader = bronze.start(path)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
        while bronze.query(waiting) == [(0,)]:
            assert loader.poll() is None
            time.sleep(0.02)
        loader.send_signal(number)
        _, said = loader.communicate(timeout=30)

    assert loader.returncode == code, said
    assert b"Stopped by a signal" in said
    assert b"the indexes that are missing are built" in said
    assert b"Traceback" not in said
    last = "SELECT status FROM bronze.runs ORDER BY started_at DESC LIMIT 1"
    assert bronze.query(last) == [("interrupted",)]

    bronze.load(*messages(bronze))
    assert bronze.query(last) == [("succeeded",)]
    assert_all_indexed(bronze)


def test_one_month_can_be_indexed_alone(bronze: Bronze) -> None:
    bronze.load(*messages(bronze))
    bronze.query("DROP INDEX bronze_shop_by_environment")
    assert bronze.query("SELECT suffix FROM bronze.missing_indexes('shop')") == [("_by_environment",)]

    bronze.query("CALL bronze.index_partitions('shop', ARRAY[date '2024-03-01'])")

    there = "SELECT tablename FROM pg_indexes WHERE indexname LIKE 'bronze_shop%_by_environment'"
    assert bronze.query(there) == [("bronze_shop_y2024m03",)]
