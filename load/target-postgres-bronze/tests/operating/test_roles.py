"""``sql/roles.sql``: who reads everything can change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_bronze import project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operating.conftest import Bronze

ROLES = (project.sql_dir() / "roles.sql").read_bytes()


@pytest.fixture
def reader(bronze: Bronze) -> Iterator[psycopg.Connection[Any]]:
    """A connection that may do what bronze_reader may; the roles were made twice, and a source came after."""
    make = bronze
    make.load(make.schema(x_source_timestamp="at"), make.record({"id": 1, "at": "2024-01-02"}))
    with psycopg.connect(bronze.conninfo, autocommit=True) as owner:
        owner.execute(ROLES)
        owner.execute(ROLES)
    make.load(make.schema(x_source_timestamp="at"), make.record({"id": 2, "at": "2024-05-06"}))
    make.load(make.schema(), make.record({"id": 3}), source="later")
    with psycopg.connect(bronze.conninfo, autocommit=True) as connection:
        connection.execute("SET ROLE bronze_reader")
        yield connection


#: Rows that each query gives.
READABLE = {
    "SELECT FROM bronze_shop": 2,
    "SELECT FROM bronze_shop_current": 2,
    "SELECT FROM bronze_shop_y2024m05": 1,
    "SELECT FROM bronze_later_current": 1,
    "SELECT FROM bronze.heads": 3,
    "SELECT FROM bronze.catalog": 2,
    "SELECT FROM bronze.history('shop', 'orders', '1')": 1,
    "SELECT FROM bronze.disagreements('shop')": 0,
}
REFUSED = (
    "UPDATE bronze_shop SET version = 2",
    "DELETE FROM bronze_shop_y2024m01",
    "TRUNCATE bronze_later",
    "INSERT INTO bronze.runs (run_id, source, environment) VALUES ('r', 'shop', 'dev')",
    "DELETE FROM bronze.heads",
    "UPDATE bronze.dead_letters SET status = 'given_up'",
    "ALTER TABLE bronze_shop DISABLE TRIGGER ALL",
    "DROP TABLE bronze_shop",
    "SELECT bronze.create_source('mine')",
    "SELECT public.create_partition_if_not_exists('shop', '1999-01-01')",
    "CREATE TABLE public.mine ()",
    "CREATE TABLE bronze.mine ()",
    "SELECT nextval(pg_get_serial_sequence('bronze_shop', 'id'))",
)


def test_a_reader_reads_everything(reader: psycopg.Connection[Any]) -> None:
    found = {query: len(reader.execute(query.encode()).fetchall()) for query in READABLE}
    assert found == READABLE


def test_a_reader_changes_nothing(reader: psycopg.Connection[Any]) -> None:
    reader.execute("SET bronze.maintenance = 'on'")
    for statement in REFUSED:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement.encode())
