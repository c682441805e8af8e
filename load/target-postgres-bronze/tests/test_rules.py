"""The rules that the database itself holds rows to: each accepts and refuses, by name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from conftest import Bronze

LEGAL: dict[str, dict[str, Any]] = {
    "bronze_shop": {"source": "shop", "raw_data": "{}", "environment": "test", "source_timestamp": "2024-02-29 23:59:59.999999", "partition_key": "2024-02-29"},
    "bronze.sources": {"source": "shop_2"},
    "bronze.runs": {"run_id": "r", "source": "shop", "environment": "test"},
    "bronze.heads": {"stream_id": 1, "raw_id": "1", "version": 2, "current_version": 2, "content_hash": "\\x00", "partition_key": "2024-01-01", "row_id": 1},
    "bronze.dead_letters": {"source": "shop", "category": "api", "reason": "r", "original": "\\x00", "original_hash": "\\x00", "first_run_id": "r", "last_run_id": "r"},
}  # fmt: skip
RULES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("bronze_shop", "validation_status_is_valid_warning_or_invalid", {"validation_status": "warning"}, {"validation_status": "odd"}),
    ("bronze_shop", "lineage_type_is_source_derived_or_enriched", {"lineage_type": "enriched"}, {"lineage_type": "guess"}),
    ("bronze_shop", "version_counts_from_one", {"version": 1}, {"version": 0}),
    ("bronze_shop", "quality_score_is_a_share", {"quality_score": 1}, {"quality_score": 1.1}),
    ("bronze_shop", "partition_key_is_the_day_of_the_event_or_of_the_landing", {}, {"partition_key": "2024-02-28"}),
    ("bronze_shop", "partition_key_is_the_day_of_the_event_or_of_the_landing", {"source_timestamp": None, "ingested_at": "2024-02-29 00:00"}, {"source_timestamp": None, "ingested_at": "2024-03-01 00:00"}),
    ("bronze_shop", "source_is_that_of_the_table", {}, {"source": "later"}),
    ("bronze.sources", "source_is_not_named_like_a_view_partition_or_index", {"source": "current"}, {"source": "shop_current"}),
    ("bronze.sources", "source_is_not_named_like_a_view_partition_or_index", {"source": "shop_y2024"}, {"source": "shop_y2024m01"}),
    ("bronze.sources", "source_is_not_named_like_a_view_partition_or_index", {"source": "rides_by_bike"}, {"source": "rides_by_content"}),
    ("bronze.sources", "source_is_a_short_lower_case_name", {}, {"source": "Shop"}),
    ("bronze.sources", "source_is_a_short_lower_case_name", {"source": "s" * 40}, {"source": "s" * 41}),
    ("bronze.sources", "source_is_listed_once", {}, {"source": "shop"}),
    ("bronze.runs", "run_is_running_succeeded_failed_or_interrupted", {"status": "interrupted"}, {"status": "done"}),
    ("bronze.runs", "run_that_succeeded_has_balanced_books", {"status": "succeeded", "read_count": 3, "new_count": 1, "known_count": 2}, {"status": "succeeded", "read_count": 3, "new_count": 1}),
    ("bronze.heads", "current_version_is_among_the_versions", {"current_version": 1}, {"current_version": 3}),
    ("bronze.heads", "current_version_is_among_the_versions", {}, {"current_version": 0}),
    ("bronze.dead_letters", "category_is_api_validation_database_system_or_source", {"category": "source"}, {"category": "bad"}),
    ("bronze.dead_letters", "dead_letter_is_open_replayed_or_given_up", {"status": "given_up"}, {"status": "lost"}),
]  # fmt: skip


def insert(connection: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> None:
    values = ", ".join(["%s"] * len(row))
    statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"
    connection.execute(statement.encode(), list(row.values()))


@pytest.mark.parametrize(
    ("table", "rule", "good", "bad"), RULES, ids=[f"{table}-{rule}" for table, rule, *_ in RULES]
)
def test_a_rule_accepts_and_refuses_by_its_name(
    bronze: Bronze, table: str, rule: str, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    with psycopg.connect(bronze.conninfo) as connection:
        connection.execute("SELECT create_partition_if_not_exists('shop', '2024-02-01')")
        connection.execute(
            "INSERT INTO bronze.streams (source, stream, lineage_prefix) VALUES ('shop', 'orders', 'shop/orders/')"
        )
        # heads are written by bronze.land alone
        connection.execute("SET LOCAL bronze.maintenance = 'on'")
        with connection.transaction(force_rollback=True):
            insert(connection, table, LEGAL[table] | good)
        with pytest.raises(psycopg.IntegrityError) as caught:
            insert(connection, table, LEGAL[table] | bad)
        assert caught.value.diag.constraint_name == rule


@pytest.mark.parametrize("table", ["bronze_shop", "bronze_shop_y2024m02"], ids=["table", "partition"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET raw_id = '2'", "DELETE FROM {}", "TRUNCATE {}"],
    ids=["update", "delete", "truncate"],
)
def test_rows_are_never_rewritten_outside_of_declared_maintenance(
    bronze: Bronze, table: str, statement: str
) -> None:
    bronze.load(bronze.schema(x_source_timestamp="at"), bronze.record({"id": 1, "at": "2024-02-29"}))
    rewriting = statement.format(table)

    with pytest.raises(psycopg.errors.RestrictViolation, match="never changed") as caught:
        bronze.query(rewriting)
    assert "bronze.maintenance" in (caught.value.diag.message_hint or "")
    assert bronze.column("raw_id") == ["1"]

    with psycopg.connect(bronze.conninfo) as connection:
        connection.execute("SET LOCAL bronze.maintenance = 'on'")
        connection.execute(rewriting.encode())
    assert bronze.column("raw_id") == (["2"] if "UPDATE" in statement else [])
    bronze.load(bronze.schema(x_source_timestamp="at"), bronze.record({"id": 2, "at": "2024-02-29"}))
    with pytest.raises(psycopg.errors.RestrictViolation):
        bronze.query(rewriting)


CONTROL_TABLES = (
    "layout", "sources", "schemas", "streams", "runs", "run_streams", "heads", "former_versions", "dead_letters", "incidents",
    "reconciliations", "differences", "archived_months",
)  # fmt: skip


def refused(connection: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="refused") as caught, connection.transaction():
        connection.execute(statement.encode())
    assert "bronze.maintenance" in (caught.value.diag.message_hint or "")


@pytest.mark.parametrize("role", ["origin", "replica"])
def test_nothing_is_removed_from_a_control_table_outside_of_declared_maintenance(
    bronze: Bronze, role: str
) -> None:
    broken = b'{"type": "RECORD", "stream": "orders", "record": '
    for content in ({"id": 1}, {"id": 1, "a": 2}):
        bronze.load(bronze.schema(), bronze.record(content), broken)
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'bronze'::regnamespace AND relkind = 'r' AND relname <> 'record'"
    assert {name for (name,) in bronze.query(tables)} == set(CONTROL_TABLES)
    with psycopg.connect(bronze.conninfo, autocommit=True) as connection:
        connection.execute(f"SET session_replication_role = {role}".encode())
        for name in CONTROL_TABLES:
            refused(connection, f"TRUNCATE bronze.{name} CASCADE")
        for name in ("heads", "former_versions", "dead_letters", "run_streams", "streams", "schemas"):
            refused(connection, f"DELETE FROM bronze.{name}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bronze.heads SET gone = TRUE",
        "INSERT INTO bronze.former_versions SELECT stream_id, raw_id, 1, content_hash, partition_key, row_id FROM bronze.heads",
    ],
    ids=["heads", "former_versions"],
)
def test_only_the_landing_writes_heads_and_former_versions(bronze: Bronze, statement: str) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": 1}))
    with psycopg.connect(bronze.conninfo, autocommit=True) as connection:
        refused(connection, statement)
        connection.execute("SET session_replication_role = replica")
        refused(connection, statement)
    assert bronze.query("SELECT raw_id FROM bronze_shop_current") == [("1",)]


@pytest.mark.parametrize("statement", ["UPDATE {} SET raw_id = '2'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_a_partition_keeps_its_rows_when_it_is_detached_and_whatever_the_replication_role(
    bronze: Bronze, role: str, statement: str
) -> None:
    bronze.load(bronze.schema(x_source_timestamp="at"), bronze.record({"id": 1, "at": "2024-02-29"}))
    with psycopg.connect(bronze.conninfo, autocommit=True) as connection:
        connection.execute(f"SET session_replication_role = {role}".encode())
        for table in ("bronze_shop", "bronze_shop_y2024m02"):
            refused(connection, statement.format(table))
        connection.execute("ALTER TABLE bronze_shop DETACH PARTITION bronze_shop_y2024m02")
        refused(connection, statement.format("bronze_shop_y2024m02"))
        connection.execute(
            "ALTER TABLE bronze_shop ATTACH PARTITION bronze_shop_y2024m02 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')"
        )
    assert bronze.column("raw_id") == ["1"]


def test_an_entry_of_another_record_hides_no_row(bronze: Bronze) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": 1}), bronze.record({"id": 2}))
    with psycopg.connect(bronze.conninfo) as connection:
        connection.execute("SET LOCAL bronze.maintenance = 'on'")
        connection.execute(
            "INSERT INTO bronze.former_versions SELECT stream_id, 'none' || raw_id, 1, content_hash, partition_key, row_id FROM bronze.heads"
        )
    assert bronze.query("SELECT raw_id FROM bronze_shop_current ORDER BY id") == [("1",), ("2",)]


@pytest.mark.parametrize(
    ("day", "name", "bounds"),
    [
        ("2024-02-29", "bronze_shop_y2024m02", "FROM ('2024-02-01') TO ('2024-03-01')"),
        ("2023-12-31", "bronze_shop_y2023m12", "FROM ('2023-12-01') TO ('2024-01-01')"),
        ("1900-01-01", "bronze_shop_y1900m01", "FROM ('1900-01-01') TO ('1900-02-01')"),
        ("0001-01-01", "bronze_shop_y0001m01", "FROM ('0001-01-01') TO ('0001-02-01')"),
        ("9999-12-31", "bronze_shop_y9999m12", "FROM ('9999-12-01') TO ('10000-01-01')"),
    ],
)
def test_a_partition_holds_the_month_of_its_day(bronze: Bronze, day: str, name: str, bounds: str) -> None:
    make = "SELECT create_partition_if_not_exists('shop', %s)"

    assert bronze.query(make, day) == [(name,)]
    assert bronze.query(make, day) == [(name,)]
    assert bronze.query(
        "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class AS c WHERE c.relispartition AND c.relkind = 'r'"
    ) == [(name, f"FOR VALUES {bounds}")]


@pytest.mark.parametrize("day", [None, "infinity", "0001-01-01 BC", "10000-01-01"])
def test_no_partition_is_made_for_a_day_that_is_none(bronze: Bronze, day: str | None) -> None:
    with pytest.raises(psycopg.errors.DatetimeFieldOverflow, match="no partition") as caught:
        bronze.query("SELECT create_partition_if_not_exists('shop', %s::date)", day)
    assert caught.value.diag.message_hint


@pytest.mark.parametrize("source", ["unheard", 'x"; DROP TABLE bronze_shop; --'])
def test_no_partition_is_made_for_a_source_that_is_not_known(bronze: Bronze, source: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable) as caught:
        bronze.query("SELECT create_partition_if_not_exists(%s, '2024-01-01')", source)
    assert "create_source" in (caught.value.diag.message_hint or "")


def test_several_may_want_the_same_partition_at_once(bronze: Bronze) -> None:
    def make(_number: int) -> list[tuple[Any, ...]]:
        return bronze.query("SELECT create_partition_if_not_exists('shop', '2024-01-01')")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(make, range(16))) == [[("bronze_shop_y2024m01",)]] * 16
