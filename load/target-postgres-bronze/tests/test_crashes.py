"""Whatever dies, and whenever: a repeat at most, never a lost or a doubled record, and no state ahead of its rows."""

from __future__ import annotations

import itertools
import signal
import time
from typing import IO, TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_bronze import embedded
from target_postgres_bronze.session import Session

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Bronze

MANY = 12_000
BATCH = 400
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'bronze' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def long_input(bronze_18: Bronze, tmp_path: Path) -> Path:
    """Many records over three years, each tenth followed by the number of records up to it as STATE."""
    return written(bronze_18, tmp_path / "long.singer")


def written(bronze: Bronze, path: Path) -> Path:
    messages: list[dict[str, Any] | bytes] = [bronze.schema(x_source_timestamp="at", replication_key="at")]
    for number in range(MANY):
        day = f"20{21 + number % 3}-{number % 12 + 1:02}-11T00:00:00Z"
        messages.append(bronze.record({"id": number, "at": day, "a": "x" * (number % 200)}))
        if number % 10 == 9:
            messages.append(bronze.state(number + 1))
    path.write_bytes(bronze.lines(*messages))
    return path


def output(loader: subprocess.Popen[bytes]) -> IO[bytes]:
    assert loader.stdout is not None
    return loader.stdout


def assert_complete(bronze: Bronze) -> None:
    """Every record is there exactly once, and each run's figures add up."""
    assert bronze.query("SELECT count(*), count(DISTINCT raw_id), max(version) FROM bronze_shop") == [
        (MANY, MANY, 1)
    ]
    assert bronze.query("SELECT count(*) FROM bronze.heads") == [(MANY,)]
    assert bronze.query("SELECT sum(row_count), sum(record_count) FROM bronze.streams") == [(MANY, MANY)]
    figures = "read_count, new_count + changed_count + known_count + rejected_count"
    assert all(read == told for read, told in bronze.query(f"SELECT {figures} FROM bronze.runs"))
    assert bronze.query("SELECT sum(new_count) FROM bronze.runs") == [(MANY,)]


@pytest.mark.parametrize("states", [0, 1, 9])
def test_a_killed_loader_loses_and_doubles_nothing(bronze_18: Bronze, long_input: Path, states: int) -> None:
    loader = bronze_18.start(long_input, batch_size_rows=BATCH)
    confirmed = [int(output(loader).readline()) for _ in range(states)]
    if not states:
        time.sleep(0.4)
    loader.send_signal(signal.SIGKILL)
    loader.wait(timeout=30)
    confirmed += [int(line) for line in output(loader)]

    landed = {int(raw_id) for raw_id in bronze_18.column("raw_id")}
    assert len(landed) < MANY
    assert set(range(max(confirmed, default=0))) <= landed

    with long_input.open("rb") as source:
        outcome = bronze_18.load_from(source, batch_size_rows=BATCH)

    assert (outcome.code, outcome.states[-1]) == (0, MANY)
    assert_complete(bronze_18)
    statuses = [row[0] for row in bronze_18.query("SELECT status FROM bronze.runs ORDER BY started_at")]
    assert statuses[-1] == "succeeded"
    assert set(statuses[:-1]) <= {"interrupted"}


def test_a_connection_cut_again_and_again_loses_and_doubles_nothing(
    bronze_18: Bronze, long_input: Path
) -> None:
    loader = bronze_18.start(long_input, batch_size_rows=BATCH)
    output(loader).readline()
    for _ in range(3):
        bronze_18.query(TERMINATE)
        time.sleep(0.25)
    rest, said = loader.communicate(timeout=60)

    assert loader.returncode == 0, said
    assert rest.split()[-1] == b"%d" % MANY
    assert b"Trying again" in said
    assert b"Traceback" not in said
    assert_complete(bronze_18)


def test_a_commit_whose_answer_was_lost_is_not_done_twice(
    bronze_18: Bronze, long_input: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, calls = Session.run, itertools.count()

    def run(session: Session, work: Callable[[psycopg.Connection[Any]], Any]) -> Any:
        def and_hang_up(connection: psycopg.Connection[Any]) -> Any:
            result = work(connection)
            if next(calls) % 3 == 2:
                connection.close()
                raise psycopg.OperationalError("the connection is lost, the work is done")
            return result

        return honest(session, and_hang_up)

    monkeypatch.setattr(Session, "run", run)
    monkeypatch.setattr("target_postgres_bronze.session.time.sleep", lambda _seconds: None)

    with long_input.open("rb") as source:
        outcome = bronze_18.load_from(source, batch_size_rows=BATCH)

    assert (outcome.code, outcome.states[-1]) == (0, MANY), outcome.log
    assert_complete(bronze_18)
    assert bronze_18.books()[:2] == ("succeeded", MANY)


def test_a_work_that_was_cut_before_its_commit_is_done_again(
    bronze_18: Bronze, long_input: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bronze_18.query(
        """CREATE TABLE cuts (at timestamp DEFAULT now());
        CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('cutting') % 4 = 2 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
            RETURN NULL;
        END $$;
        CREATE SEQUENCE cutting;
        CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON cuts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut()"""
    )
    own = long_input.with_suffix(".sql")
    own.write_text("INSERT INTO cuts DEFAULT VALUES")
    # on one connection; what another one had staged ahead is in test_ahead.py
    monkeypatch.setattr(Session, "second", lambda _session: None)
    monkeypatch.setattr("target_postgres_bronze.session.time.sleep", lambda _seconds: None)

    with long_input.open("rb") as source:
        outcome = bronze_18.load_from(source, batch_size_rows=BATCH * 4, after_run_sql=str(own))

    assert outcome.code == 0, outcome.log
    assert "Trying again" in outcome.log
    assert_complete(bronze_18)


def test_a_server_that_restarts_in_the_middle_is_waited_for(
    own_server: tuple[Bronze, Path], tmp_path: Path
) -> None:
    bronze, data_dir = own_server
    loader = bronze.start(written(bronze, tmp_path / "long.singer"), batch_size_rows=BATCH)
    output(loader).readline()
    embedded.stop(data_dir)
    time.sleep(0.5)
    embedded.ensure_running(data_dir)
    _, said = loader.communicate(timeout=60)

    assert loader.returncode == 0, said
    assert_complete(bronze)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_lands_and_confirms_what_has_come(
    bronze_18: Bronze, number: signal.Signals, code: int
) -> None:
    loader = bronze_18.start(batch_size_rows=3)
    assert loader.stdin is not None
    records = [bronze_18.record({"id": number}) for number in range(5)]
    loader.stdin.write(bronze_18.lines(bronze_18.schema(), *records[:3], bronze_18.state(3)))
    loader.stdin.write(bronze_18.lines(*records[3:], bronze_18.state(5)) + b'{"type": "REC')
    loader.stdin.flush()
    while not bronze_18.query("SELECT count(*) FROM bronze_shop")[0][0]:
        assert loader.poll() is None
        time.sleep(0.05)
    loader.send_signal(number)
    out, said = loader.communicate(timeout=30)

    assert loader.returncode == code, said
    assert out.split()[-1] == b"5"
    assert len(bronze_18.column("id")) == 5
    assert bronze_18.books() == ("interrupted", 5, 5, 0, 0, 0)
    assert b"Traceback" not in said
    assert b"shop.orders: 5 read, 5 new" in said


def test_what_has_come_is_landed_when_the_tap_pauses(bronze_18: Bronze) -> None:
    loader = bronze_18.start(batch_wait_limit_seconds=0.2)
    assert loader.stdin is not None
    loader.stdin.write(bronze_18.lines(bronze_18.schema(), bronze_18.record({"id": 1}), bronze_18.state(1)))
    loader.stdin.flush()

    assert output(loader).readline() == b"1\n"
    assert loader.poll() is None
    assert bronze_18.column("raw_id") == ["1"]


def test_a_run_that_lives_is_not_taken_for_dead(bronze_18: Bronze) -> None:
    loader = bronze_18.start(batch_wait_limit_seconds=0)
    assert loader.stdin is not None
    loader.stdin.write(bronze_18.lines(bronze_18.schema(), bronze_18.record({"id": 1}), bronze_18.state(1)))
    loader.stdin.flush()
    output(loader).readline()

    bronze_18.load(bronze_18.schema(), bronze_18.record({"id": 1}))
    statuses = "SELECT status FROM bronze.runs ORDER BY started_at"
    assert bronze_18.query(statuses) == [("running",), ("succeeded",)]

    loader.communicate(timeout=30)
    assert bronze_18.query(statuses) == [("succeeded",), ("succeeded",)]


def test_two_loaders_of_one_source_at_once_land_each_record_once(bronze_18: Bronze, long_input: Path) -> None:
    loaders = [bronze_18.start(long_input, batch_size_rows=BATCH * 2) for _ in range(2)]
    ends = [loader.communicate(timeout=90) for loader in loaders]

    assert [loader.returncode for loader in loaders] == [0, 0], [said for _, said in ends]
    assert_complete(bronze_18)


def test_the_loader_ends_without_a_traceback_when_nobody_listens_to_its_states(
    bronze_18: Bronze, long_input: Path
) -> None:
    loader = bronze_18.start(long_input, batch_size_rows=BATCH)
    output(loader).readline()
    output(loader).close()
    loader.wait(timeout=60)
    assert loader.stderr is not None
    said = loader.stderr.read()

    assert loader.returncode == 1
    assert b"Traceback" not in said
    assert b"no longer takes" in said
    assert bronze_18.query("SELECT status FROM bronze.runs") == [("failed",)]


def test_a_run_that_dies_between_two_transactions_of_a_batch_has_counted_what_landed(
    bronze_18: Bronze, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [{"id": number % 3, "n": number} for number in range(9)]
    honest, calls = Session.run, itertools.count()

    def run(session: Session, work: Callable[[psycopg.Connection[Any]], Any]) -> Any:
        landed = bronze_18.query("SELECT count(*) FROM bronze_shop")[0][0]
        if landed == 6 and not next(calls):
            raise psycopg.errors.DiskFull("for good")
        return honest(session, work)

    monkeypatch.setattr(Session, "run", run)
    outcome = bronze_18.load(bronze_18.schema(), b"no json", *map(bronze_18.record, contents))

    assert outcome.code == 1
    assert bronze_18.books() == ("failed", 7, 3, 3, 0, 1)

    assert bronze_18.load(bronze_18.schema(), *map(bronze_18.record, contents[6:])).code == 0
    assert bronze_18.books() == ("succeeded", 3, 0, 3, 0, 0)
