"""A part is staged on a connection of its own while the one before it lands: nothing that a record goes through changes by it."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_bronze.ahead import Ahead
from target_postgres_bronze.batch import Part
from target_postgres_bronze.session import Session
from target_postgres_bronze.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Bronze


BATCH = 5
LAST = 40
#: Every key comes three times, each time with another content, in three different batches.
ROUNDS = 3


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Parts are staged ahead whenever that can be; for each part that landed, whether it was."""
    found: list[bool] = []
    honest = Ahead.take

    def take(ahead: Ahead, part: Part) -> psycopg.Connection[Any] | None:
        connection = honest(ahead, part)
        found.append(connection is not None)
        return connection

    monkeypatch.setattr(Worker, "is_busy", property(lambda worker: worker._thread is not None))
    monkeypatch.setattr(Ahead, "take", take)
    monkeypatch.setattr("target_postgres_bronze.session.time.sleep", lambda _seconds: None)
    return found


def messages(bronze: Bronze) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = [bronze.schema()]
    for turn in range(ROUNDS):
        for number in range(LAST):
            sent.append(bronze.record({"id": number, "turn": turn}))
            if number % BATCH == BATCH - 1:
                sent.append(bronze.state(turn * LAST + number))
    return sent


def assert_all_landed(bronze: Bronze) -> None:
    assert bronze.query(
        "SELECT raw_id::integer, version, (raw_data ->> 'turn')::integer FROM bronze_shop ORDER BY 1, 2"
    ) == [(number, turn + 1, turn) for number in range(LAST) for turn in range(ROUNDS)]
    assert bronze.query("SELECT raw_id::integer FROM bronze_shop ORDER BY id") == [
        (number,) for _turn in range(ROUNDS) for number in range(LAST)
    ]
    assert bronze.query(
        "SELECT status, read_count, new_count, changed_count, known_count FROM bronze.runs ORDER BY started_at DESC LIMIT 1"
    ) == [("succeeded", ROUNDS * LAST, LAST, (ROUNDS - 1) * LAST, 0)]


def test_versions_order_and_states_are_those_of_one_connection(bronze: Bronze, taken: list[bool]) -> None:
    done = bronze.load(*messages(bronze), batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert_all_landed(bronze)
    assert done.states == sorted(done.states)
    assert done.states[-1] == ROUNDS * LAST - 1
    assert sum(taken) > len(taken) / 4, "the test is of parts that are staged ahead"


def test_a_record_that_postgresql_refuses_is_found(bronze: Bronze, taken: list[bool]) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": "first"}))
    bronze.query("ALTER TABLE bronze_shop ADD CONSTRAINT lucky CHECK (raw_data ->> 'id' <> '13')")

    done = bronze.load(
        bronze.schema("others"),
        *[bronze.record({"id": number}, "others") for number in range(LAST)],
        batch_size_rows=BATCH,
    )

    assert done.code == 0, done.log
    assert any(taken)
    landed = bronze.column("raw_data -> 'id'")
    assert landed == ["first", *(number for number in range(LAST) if number != 13)]
    assert bronze.query("SELECT category, reason FROM bronze.dead_letters") == [
        ("database", "PostgreSQL refuses it: lucky (SQLSTATE 23514)")
    ]


def test_a_hook_sees_the_news_alone(bronze: Bronze, taken: list[bool], tmp_path: Path) -> None:
    bronze.query("CREATE TABLE seen (number integer)")
    hook = tmp_path / "count.sql"
    hook.write_text("INSERT INTO seen SELECT (raw_data ->> 'id')::integer FROM bronze_stage")
    sent = [bronze.record({"id": number}) for number in range(LAST)]
    again = [record for start in range(0, LAST, 2) for record in (sent[start], sent[start // 2])]

    # every batch has news, so that rows go on being made
    done = bronze.load(
        bronze.schema(), *again, *sent[1::2], batch_size_rows=BATCH * 2, after_run_sql=str(hook)
    )

    assert done.code == 0, done.log
    assert any(taken)
    assert bronze.query("SELECT number FROM seen ORDER BY number") == [(number,) for number in range(LAST)]


def test_a_commit_whose_answer_is_lost_is_not_done_twice(
    bronze: Bronze, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, lost = psycopg.Connection.commit, []

    def commit(connection: psycopg.Connection[Any]) -> None:
        honest(connection)
        if not connection.autocommit and len(taken) % 3 == 2:
            lost.append(True)
            connection.close()
            raise psycopg.OperationalError("the connection is lost, the work is done")

    monkeypatch.setattr(psycopg.Connection, "commit", commit)

    done = bronze.load(*messages(bronze), batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert lost
    assert_all_landed(bronze)


def test_a_connection_that_is_cut_before_its_commit_lands_elsewhere(
    bronze: Bronze, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, cut = psycopg.Connection.commit, []

    def commit(connection: psycopg.Connection[Any]) -> None:
        if not connection.autocommit and len(taken) % 3 == 2:
            cut.append(True)
            bronze.query(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        honest(connection)

    monkeypatch.setattr(psycopg.Connection, "commit", commit)

    done = bronze.load(*messages(bronze), batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert cut
    assert_all_landed(bronze)


def test_connections_that_break_while_staging_are_no_matter(bronze: Bronze, tmp_path: Path) -> None:
    hook = tmp_path / "cut.sql"
    hook.write_text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
    )

    done = bronze.load(*messages(bronze), batch_size_rows=BATCH, after_run_sql=str(hook))

    assert done.code == 0, done.log
    assert_all_landed(bronze)


def test_a_connection_that_breaks_before_its_first_use_is_no_matter(
    bronze: Bronze, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, broken = Session.second, []

    def second(session: Session) -> psycopg.Connection[Any] | None:
        connection = honest(session)
        if connection is not None:
            broken.append(connection.info.backend_pid)
            bronze.query(f"SELECT pg_terminate_backend({connection.info.backend_pid})")
        return connection

    monkeypatch.setattr(Session, "second", second)

    done = bronze.load(*messages(bronze), batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert broken
    assert_all_landed(bronze)


def test_preparing_opens_a_connection_once_and_only_before_there_is_one(bronze: Bronze) -> None:
    opened: list[psycopg.Connection[Any]] = []

    def connect() -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(bronze.conninfo))
        return opened[-1]

    ahead, part = Ahead(connect, lambda _connection, _part: None), Part()
    ahead.prepare()
    ahead.prepare()
    ahead.start(part)
    taken = ahead.take(part)
    ahead.prepare()

    assert opened == [taken]
    ahead.give_back(opened[0])
    ahead.close()
    assert opened[0].closed


def test_a_part_waits_for_the_one_before_it_and_is_staged_then(bronze: Bronze) -> None:
    staged: list[Part] = []
    ahead = Ahead(lambda: psycopg.connect(bronze.conninfo), lambda _connection, part: staged.append(part))
    first, second, third = Part(), Part(), Part()

    ahead.start(first)
    ahead.start(second)
    connections = [ahead.take(first), ahead.take(second)]
    ahead.start(third)
    third_connection = ahead.take(third)

    assert [id(part) for part in staged] == [id(first), id(second), id(third)]
    assert None not in [*connections, third_connection]
    assert len({id(connection) for connection in connections}) == len(connections), "one lands, one is staged"
    for connection in (*connections, third_connection):
        assert connection is not None
        ahead.give_back(connection)
    ahead.close()


def test_a_part_that_still_waits_at_the_end_is_staged_nowhere(bronze: Bronze) -> None:
    staged: list[Part] = []
    begun = Event()

    def stage(_connection: psycopg.Connection[Any], part: Part) -> None:
        staged.append(part)
        begun.set()

    ahead, first = Ahead(lambda: psycopg.connect(bronze.conninfo), stage), Part()
    ahead.start(first)
    ahead.start(Part())
    assert begun.wait(timeout=30)
    ahead.close()

    assert [id(part) for part in staged] == [id(first)]


def test_a_server_without_a_second_connection_is_enough(
    bronze: Bronze, taken: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "second", lambda _session: None)

    done = bronze.load(*messages(bronze), batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert not any(taken)
    assert_all_landed(bronze)


def test_what_is_watched_is_seen_on_one_connection(bronze: Bronze, taken: list[bool]) -> None:
    schema = bronze.schema(x_absence="full")
    end = {"type": "ACTIVATE_VERSION", "stream": "orders", "version": 1}
    everything = [bronze.record({"id": number}) for number in range(LAST)]
    bronze.load(schema, *everything, end, batch_size_rows=BATCH)

    done = bronze.load(schema, *everything[1:], end, batch_size_rows=BATCH)

    assert done.code == 0, done.log
    assert not any(taken)
    assert bronze.query("SELECT raw_id FROM bronze.heads WHERE gone") == [("0",)]


def test_a_run_that_fails_closes_what_it_opened(bronze: Bronze, tmp_path: Path) -> None:
    hook = tmp_path / "late.sql"
    hook.write_text(
        "DO $$ BEGIN IF (SELECT count(*) FROM bronze.heads) > 4 THEN RAISE undefined_table; END IF; END $$"
    )

    done = bronze.load(*messages(bronze), batch_size_rows=2, after_run_sql=str(hook))

    assert done.code == 1, done.log
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for _ in range(100):
        # the server notices a moment later, that of the last question as well
        if (left := bronze.query(others)) == [(0,)]:
            break
        Event().wait(0.05)
    assert left == [(0,)]
