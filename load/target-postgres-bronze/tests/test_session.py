"""The connection of a run: what it does while the database is away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_bronze import project
from target_postgres_bronze.database import DatabaseError, Target, explained
from target_postgres_bronze.errors import LoaderError
from target_postgres_bronze.layout import read_layout
from target_postgres_bronze.session import Session

if TYPE_CHECKING:
    from typing import NoReturn


def test_a_signal_ends_the_waiting_for_a_database_that_is_away(database: str) -> None:
    session = Session(lambda: Target(database, "the database"), read_layout(project.sql_dir()), pauses=(60,))
    session.open()
    session.is_stopped = lambda: True
    start = time.monotonic()

    def work(_connection: psycopg.Connection[object]) -> NoReturn:
        raise psycopg.OperationalError

    with pytest.raises(LoaderError, match="Stopped while waiting"):
        session.run(work)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("words", ["starting up", "shutting down", "not yet accepting connections"])
def test_a_server_that_is_starting_is_waited_for(
    database: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = psycopg.connect
    refused: list[bool] = []

    def connect(*arguments: Any, **options: Any) -> psycopg.Connection[Any]:
        if len(refused) < 3:
            refused.append(True)
            raise psycopg.OperationalError(f"connection failed: FATAL:  the database system is {words}")
        return honest(*arguments, **options)

    monkeypatch.setattr(psycopg, "connect", connect)
    session = Session(
        lambda: Target(database, "the database"), read_layout(project.sql_dir()), pauses=(0, 0, 0)
    )

    found = session.run(lambda connection: connection.execute("SELECT 1").fetchone())

    assert found == (1,)
    assert len(refused) == 3
    session.close()


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    target = Target("host=/nowhere", "the database")
    with pytest.raises(DatabaseError) as caught, explained(target):
        psycopg.connect(target.conninfo)
    assert not caught.value.is_passing

    session = Session(lambda: target, read_layout(project.sql_dir()), pauses=(60,))
    with pytest.raises(DatabaseError, match="no server answers there"):
        session.run(lambda _connection: None)
