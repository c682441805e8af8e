"""The layout: applied by whoever comes first, brought up to date without touching rows, complete to the last comment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from target_postgres_bronze import project
from target_postgres_bronze.layout import ensure_layout, read_layout

if TYPE_CHECKING:
    from conftest import Bronze

EARLIER = Path(__file__).parent / "data" / "layout_of_2026_11_25.sql"
LAYOUT = read_layout(project.sql_dir())
#: What a database's layout consists of, one line each; names alone would not show a changed type or body.
CATALOG = """
    SELECT format('column %s.%s %s not null %s default %s comment %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v') AND {ours}
    UNION ALL SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(o.oid))
    FROM pg_constraint AS o JOIN pg_class AS c ON c.oid = o.conrelid
    WHERE {ours} AND o.contype <> 'n'
    UNION ALL SELECT format('index %s valid %s', pg_get_indexdef(i.indexrelid), i.indisvalid)
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid WHERE {ours}
    UNION ALL SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE {ours} AND NOT t.tgisinternal
    UNION ALL SELECT format('%s %s %s', c.relkind, c.oid::regclass, obj_description(c.oid, 'pg_class')) FROM pg_class AS c
    WHERE {ours} AND c.relkind IN ('r', 'p', 'v', 'S')
    UNION ALL SELECT format('view %s %s', c.oid::regclass, pg_get_viewdef(c.oid)) FROM pg_class AS c WHERE {ours} AND c.relkind = 'v'
    UNION ALL SELECT format('routine %s gives %s comment %s body %s', p.oid::regprocedure, p.prorettype::regtype, obj_description(p.oid, 'pg_proc'),
        md5(p.prosrc)) FROM pg_proc AS p WHERE p.pronamespace IN ('bronze'::regnamespace, 'public'::regnamespace)
    ORDER BY 1
""".format(ours="c.relnamespace IN ('bronze'::regnamespace, 'public'::regnamespace) AND NOT c.relispartition")


def catalog(conninfo: str) -> list[str]:
    with psycopg.connect(conninfo) as connection:
        return [row[0] for row in connection.execute(CATALOG.encode())]


def apply(conninfo: str, *, check: bool = True) -> bool:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        applied = ensure_layout(connection, LAYOUT if check else replace(LAYOUT, fingerprint="another"))
        connection.execute("SELECT bronze.create_source('shop')")
        return applied


def test_applied_twice_it_is_the_same(database: str) -> None:
    apply(database)
    first = catalog(database)

    assert apply(database, check=False)
    assert catalog(database) == first


def test_nothing_is_executed_when_nothing_is_missing(bronze: Bronze) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": 1}))
    written = "SELECT max(xmin::text::bigint) FROM (SELECT xmin FROM pg_class UNION ALL SELECT xmin FROM pg_proc UNION ALL SELECT xmin FROM pg_description) AS c"
    with psycopg.connect(bronze.conninfo, autocommit=True) as connection:
        before = connection.execute(written.encode()).fetchone()
        assert ensure_layout(connection, LAYOUT) is False
        assert connection.execute(written.encode()).fetchone() == before


def test_a_run_does_not_wait_for_those_who_read_the_current_view(bronze: Bronze) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": 1}))
    with psycopg.connect(bronze.conninfo) as reader:
        reader.execute("SELECT * FROM bronze_shop_current, bronze_shop LIMIT 1")
        bronze.query(f"ALTER DATABASE {reader.info.dbname} SET lock_timeout = '2s'")

        outcome = bronze.load(bronze.schema(), bronze.record({"id": 2}))

    assert outcome.code == 0, outcome.log


def test_several_loaders_may_apply_it_at_once(database: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        applied = list(pool.map(apply, [database] * 6))

    assert applied.count(True) == 1
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT version, fingerprint FROM bronze.layout").fetchall() == [
            (LAYOUT.version, LAYOUT.fingerprint)
        ]


def test_an_older_database_gets_todays_layout_and_keeps_its_rows(
    bronze: Bronze, database: str, tmp_path: Path
) -> None:
    rows = (
        "SELECT tableoid::text, ctid::text, xmin::text, to_jsonb(r) FROM public.bronze_shop AS r ORDER BY id"
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(EARLIER.read_bytes())
        before = connection.execute(rows.encode()).fetchall()
    assert len(before) == 5

    older = type(bronze)(database, tmp_path)
    for each in (older, bronze):  # today's loader, on the older database and on a fresh one
        outcome = each.load(each.schema("later"), each.record({"id": 1}, "later"))
        assert outcome.code == 0, outcome.log
        # the streams that a source has are in its comments, and the older database has one more
        each.query("SELECT bronze.create_source('shop')")

    after = older.query(rows)
    assert [row[:3] for row in after[:5]] == [row[:3] for row in before]
    assert all(new[3].items() >= old[3].items() for new, old in zip(after, before, strict=False))
    assert len(after) == 6
    assert catalog(database) == catalog(bronze.conninfo)


def test_records_of_an_older_database_are_known_to_todays_loader(
    bronze: Bronze, database: str, tmp_path: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(EARLIER.read_bytes())
    older = type(bronze)(database, tmp_path)
    orders = [
        {"id": number, "at": f"2024-0{number}-05T10:00:00Z", "state": state}
        for number, state in ((1, "paid"), (2, "open"))
    ]

    older.load(older.schema(x_source_timestamp="at"), *(older.record(order) for order in orders))

    assert older.books() == ("succeeded", 2, 0, 0, 2, 0)


def test_partitions_of_an_older_database_keep_their_rows_when_they_are_detached(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(EARLIER.read_bytes() + b"SET search_path = public;")
        assert ensure_layout(connection, LAYOUT)
        ((partition,), *_) = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'bronze_shop'::regclass ORDER BY 1"
        ).fetchall()
        connection.execute(f"ALTER TABLE bronze_shop DETACH PARTITION {partition}".encode())
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(f"DELETE FROM {partition}".encode())


def test_what_newer_rules_refuse_stays_in_an_older_database_and_stops_no_update(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(EARLIER.read_bytes() + b"SET search_path = public;")
        connection.execute("INSERT INTO bronze.sources (source) VALUES ('later_current')")
        connection.execute("SET bronze.maintenance = 'on'")
        connection.execute("UPDATE bronze_shop SET source = 'another' WHERE id = 1")

        assert ensure_layout(connection, LAYOUT)

        valid = connection.execute(
            "SELECT DISTINCT convalidated FROM pg_constraint WHERE conname LIKE 'source_is_%that%'"
        )
        assert valid.fetchall() == [(False,)]
        rules = connection.execute("SELECT rule, detail FROM bronze.disagreements('shop')").fetchall()
        assert ("every row is of its source", "row 1") in rules
        assert ensure_layout(connection, replace(LAYOUT, fingerprint="another"))


@pytest.mark.parametrize("provenance", [{}, {"account": "me"}], ids=["no account", "a first account"])
def test_a_complete_read_of_an_older_databases_records_writes_nothing(
    bronze: Bronze, database: str, tmp_path: Path, provenance: dict[str, str]
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(EARLIER.read_bytes())
    older = type(bronze)(database, tmp_path)
    orders = [
        {"id": number, "at": f"2024-0{number}-05T10:00:00Z", "state": state}
        for number, state in ((1, "paid"), (2, "open"))
    ]
    records = [older.record(order, **provenance) for order in orders]
    schema = older.schema(x_source_timestamp="at", x_absence="full")

    older.load(schema, *records, older.finish())

    assert older.books() == ("succeeded", 2, 0, 0, 2, 0)
    assert older.query("SELECT account, identity_keys FROM bronze.streams") == [
        (provenance.get("account", ""), ["id"])
    ]

    older.load(schema, *records[:1], older.finish())
    assert older.query("SELECT raw_id FROM bronze_shop_current") == [("1",)]
    assert older.query("SELECT * FROM bronze.disagreements('shop')") == []


def test_a_newer_database_is_refused_with_the_way_out(bronze: Bronze) -> None:
    bronze.query("INSERT INTO bronze.layout (version, fingerprint) VALUES (%s, 'newer')", LAYOUT.version + 1)

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}), bronze.state(1))

    assert (outcome.code, outcome.states) == (1, [])
    assert (
        f"The database has layout {LAYOUT.version + 1}, and this loader knows {LAYOUT.version}."
        in outcome.log
    )
    assert "git pull" in outcome.log
    assert bronze.query("SELECT count(*) FROM bronze_shop") == [(0,)]


def test_everything_has_a_comment(bronze: Bronze) -> None:
    bare = """
        SELECT c.oid::regclass::text FROM pg_class AS c WHERE {ours} AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL SELECT c.oid::regclass || '.' || a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE {ours} AND c.relkind <> 'v' AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc AS p
        WHERE p.pronamespace IN ('bronze'::regnamespace, 'public'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL
    """.format(
        ours="c.relnamespace IN ('bronze'::regnamespace, 'public'::regnamespace) AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition"
    )
    assert bronze.query(bare) == []


def test_every_index_of_the_contract_is_on_the_table_and_on_each_partition_and_valid(bronze: Bronze) -> None:
    schema = bronze.schema(x_source_timestamp="at")
    bronze.load(
        schema, bronze.record({"id": 1, "at": "2024-01-05"}), bronze.record({"id": 2, "at": "2024-02-05"})
    )
    bronze.load(schema, bronze.record({"id": 3, "at": "2024-03-05"}))

    tables = bronze.query(
        """SELECT i.indrelid::regclass::text, array_agg(regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '')), bool_and(i.indisvalid)
        FROM pg_index AS i
        WHERE i.indrelid = 'bronze_shop'::regclass OR i.indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bronze_shop'::regclass)
        GROUP BY i.indrelid ORDER BY 1"""
    )
    assert [row[0] for row in tables] == [
        "bronze_shop",
        *(f"bronze_shop_y2024m0{month}" for month in (1, 2, 3)),
    ]
    for _, indexes, valid in tables:
        assert valid
        columns = (
            "source_timestamp",
            "validation_status",
            "lineage_id",
            "pipeline_run_id",
            "environment",
            "quality_score",
        )
        assert {f"btree ({column})" for column in columns} <= set(indexes)
        assert any(index.startswith("gin (raw_data") for index in indexes)
        assert "btree (id, partition_key)" in indexes
    detached = "SELECT count(*) FROM pg_index AS i JOIN pg_inherits AS h ON h.inhrelid = i.indrelid WHERE h.inhparent = 'bronze_shop'::regclass AND NOT EXISTS (SELECT FROM pg_inherits AS p WHERE p.inhrelid = i.indexrelid)"
    assert bronze.query(detached) == [(0,)]
