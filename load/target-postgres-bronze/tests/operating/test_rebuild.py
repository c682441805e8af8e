"""``bronze rebuild --swap``: rows that an earlier loader read otherwise, read again and put in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operating.conftest import Operator

TIMES = "SELECT raw_id, source_timestamp::text, partition_key::text FROM bronze_shop ORDER BY raw_id, version"


@pytest.fixture
def misread(operator: Operator) -> Operator:
    """The command, and three records of which an earlier loader read one hours wrong and one as an event of 1970."""
    make = operator.bronze
    with pytest.MonkeyPatch.context() as earlier:
        from target_postgres_bronze import records, timestamps  # noqa: PLC0415 - only here

        honest = timestamps.read_timestamp
        wrong = {
            "20240229220000-0800": "2024-02-29T08:00:00",
            7: "1970-01-01T00:00:07",
            "2024-03-01": "2024-03-01",
        }
        earlier.setattr(records, "read_timestamp", lambda said: honest(wrong.get(said, said)))
        earlier.setattr(records, "is_number_or_digits", lambda _said: False)
        schema = make.schema(replication_key="at")
        operator.load(schema, *(make.record({"id": number, "at": at}) for number, at in enumerate(wrong)))
    return operator


@pytest.fixture
def name(operator: Operator) -> Iterator[str]:
    """The name of a new database; afterwards it is gone, and what a swap kept as well."""
    present = operator.bronze.env["PG_DB"]
    yield f"{present}_new"
    with psycopg.connect(operator.bronze.conninfo, dbname="postgres", autocommit=True) as connection:
        for (found,) in connection.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s", [f"^{present}_(new|before)"]
        ).fetchall():
            connection.execute(f'DROP DATABASE "{found}" WITH (FORCE)'.encode())


def test_rows_that_were_read_wrong_are_replaced_by_a_rebuilt_database(misread: Operator, name: str) -> None:
    query = misread.bronze.query
    assert [row[1] for row in query(TIMES)] == [
        "2024-02-29 08:00:00",
        "1970-01-01 00:00:07",
        "2024-03-01 00:00:00",
    ]

    answer = misread("rebuild", "shop", "--database", name, "--swap")

    assert answer.code == 0, answer.err
    assert (
        "1 versions are equal, 2 differ only in source_timestamp, 0 in their content; 0 are only"
        in answer.out
    )
    assert [row[1] for row in query(TIMES)] == ["2024-03-01 06:00:00", None, "2024-03-01 00:00:00"]
    assert misread("verify", "--no-archive").code == 0
    kept = answer.out.rsplit(" ", 1)[1].strip().rstrip(".")
    with psycopg.connect(misread.bronze.conninfo, dbname=kept) as connection:
        assert connection.execute("SELECT count(*) FROM bronze_shop").fetchone() == (3,)


def test_nothing_is_swapped_if_the_archive_lacks_a_row(
    orders: Operator, rewrite: Callable[[str], None], name: str
) -> None:
    rewrite("UPDATE bronze_shop SET raw_data = raw_data || '{\"x\": 1}' WHERE raw_id = '3'")

    answer = orders("rebuild", "shop", "--database", name, "--swap")

    assert answer.code == 1
    assert "1 in their content" in answer.out
    assert "Nothing was swapped" in answer.err
    assert orders.bronze.query("SELECT count(*) FROM bronze_shop") == [(6,)]


def test_nothing_is_rebuilt_for_a_swap_that_would_leave_a_source_behind(orders: Operator, name: str) -> None:
    orders.bronze.query("SELECT bronze.create_source('toggl')")

    assert "also has toggl" in orders("rebuild", "shop", "--database", name, "--swap").err
    assert orders.bronze.query("SELECT FROM pg_database WHERE datname = %s", name) == []


def test_a_swap_waits_for_nobody_and_says_so(orders: Operator, name: str) -> None:
    with psycopg.connect(orders.bronze.conninfo):
        answer = orders("rebuild", "shop", "--database", name, "--swap")

    assert answer.code == 1
    assert "another program is connected" in answer.err
    assert orders.bronze.query("SELECT count(*) FROM bronze_shop") == [(6,)]


def test_a_comparison_alone_changes_nothing(orders: Operator, name: str) -> None:
    answer = orders("rebuild", "shop", "--database", name, "--compare")

    assert answer.code == 0
    assert "6 versions are equal, 0 differ" in answer.out
