"""The connection of a run: what it does while the database is away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from target_postgres_bronze import project
from target_postgres_bronze.database import Target
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
