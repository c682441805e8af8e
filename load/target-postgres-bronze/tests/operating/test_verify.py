"""``bronze verify`` and ``bronze rebuild``: every disagreement is named; the archive alone gives an equal database."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import psycopg
import pytest

from target_postgres_bronze.operator import archives, loading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from operating.conftest import Operator

#: A row without what is a clock or an identity.
CONTENT = """
    SELECT raw_id, version, raw_data::text, source_timestamp::text, validation_status, error_message, metadata::text, lineage_id,
        parent_lineage_ids::text, lineage_metadata ->> 'content_hash', quality_score, file_path
    FROM bronze_shop ORDER BY lineage_id
"""

#: The rows that are current by the heads.
CURRENT = """
    SELECT h.row_id FROM bronze.heads AS h INNER JOIN bronze.streams AS s ON s.id = h.stream_id
    WHERE s.source = 'shop' AND NOT h.gone ORDER BY h.row_id
"""
#: Without the check that would refuse it.
MOVED = """
    ALTER TABLE bronze_shop DROP CONSTRAINT partition_key_is_the_day_of_the_event_or_of_the_landing;
    UPDATE bronze_shop SET source_timestamp = '2024-02-06' WHERE raw_id = '2'
"""
#: A version that claims the row of a record's newest one, so that the current view leaves it out.
HIDDEN = """
    INSERT INTO bronze.former_versions SELECT stream_id, raw_id, version + 1, content_hash, partition_key, row_id FROM bronze.heads
    WHERE raw_id = '2'
"""
FORGED = """
    ALTER TABLE bronze_shop DROP CONSTRAINT source_is_that_of_the_table;
    UPDATE bronze_shop SET source = 'toggl' WHERE raw_id = '2'
"""
EMPTIED = """
    INSERT INTO bronze.dead_letters (source, category, reason, original, original_hash, first_run_id, last_run_id)
    VALUES ('shop', 'api', 'unreadable', '', sha256('content'), 'r', 'r')
"""


def rules(operator: Operator) -> set[str]:
    return {found["rule"] for found in operator("verify", "--json").json["shop"]["disagreements"]}


def test_a_sound_database_agrees_with_itself(orders_everywhere: Operator) -> None:
    answer = orders_everywhere("verify")
    assert answer.code == 0, answer.out
    assert answer.out == "shop: 6 rows, everything agrees.\n"


def test_every_kind_of_content_gives_its_hash_again(operator: Operator) -> None:
    make = operator.bronze
    odd = [
        b'{"id": 1, "n": 1.10, "m": -0.0, "e": 1e-7, "f": 1.5E3, "g": 12345678901234567890123}',
        b'{"id": 2, "s": "\\u0000 \\ud800 \\u00e9 \\/", "a": 1, "a": 2}',
        b'{"id": 3, "not": NaN, "big": 1e999999}',
        b'{"id": 4, "seen": {"deep": 1}, "keep": [1, {"seen": 2}]}',
    ]
    schema = make.schema(x_volatile=["/seen", "/keep/*/seen"], x_absence="full")
    operator.load(schema, *map(make.raw_record, odd))  # type: ignore[attr-defined] # of the database in tests/conftest.py
    operator.load(schema, make.record({"id": 1}), make.finish())
    assert operator.bronze.query("SELECT count(*) FROM bronze_shop") == [(8,)]
    found = operator("verify", "--json").json["shop"]
    assert (found["disagreements"], found["not_verifiable"]) == ([], 0)


def test_a_number_whose_form_jsonb_forgets_is_no_disagreement(operator: Operator) -> None:
    make = operator.bronze
    operator.load(make.schema(), make.raw_record(b'{"id": 1, "n": 1E+20}'))  # type: ignore[attr-defined] # as above
    found = operator("verify", "--json").json["shop"]
    assert (found["disagreements"], found["not_verifiable"]) == ([], 1)


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (
            "UPDATE bronze_shop SET raw_data = raw_data || '{\"total\": 1}' WHERE raw_id = '2'",
            "the content gives its hash",
        ),
        ("DELETE FROM bronze_shop WHERE raw_id = '2'", "every version has its row"),
        ("DELETE FROM bronze_shop WHERE raw_id = '0' AND version = 1", "every version has its row"),
        ("UPDATE bronze_shop SET version = 7 WHERE raw_id = '2'", "a version and its row say the same"),
        ("DELETE FROM bronze.heads WHERE raw_id = '2'", "every row is a known version"),
        ("DELETE FROM bronze.former_versions", "versions are counted without a gap"),
        (
            "UPDATE bronze_shop SET parent_lineage_ids = NULL WHERE version = 2",
            "lineage names the version and the one before it",
        ),
        ("UPDATE bronze.streams SET record_count = 9", "the catalog counts what is there"),
        (
            "UPDATE bronze.run_streams SET known_count = 1",
            "a run is the sum of its streams",
        ),
        (
            "UPDATE bronze.runs SET status = 'failed', read_count = 9 WHERE read_count = 5",
            "the books of a run balance",
        ),
        (
            "UPDATE bronze_shop SET pipeline_run_id = 'other' WHERE raw_id = '2'",
            "a run has the rows that its books say",
        ),
        ("UPDATE bronze.heads SET gone = TRUE", "a record is gone where its newest row says so"),
        (HIDDEN, "a version and its row say the same"),
        (FORGED, "every row is of its source"),
        (EMPTIED, "a dead letter has the content of its hash"),
        (
            MOVED,
            "rows lie in the month of their event",
        ),
    ],
)
def test_a_disagreement_is_named(
    orders: Operator, rewrite: Callable[[str], None], damage: str, rule: str
) -> None:
    rewrite(damage)
    assert rule in rules(orders)
    answer = orders("verify")
    assert answer.code == 1
    assert f"not true: {rule}" in answer.out


def test_rows_of_an_archived_month_are_not_missed(orders: Operator) -> None:
    orders("archive-month", "shop", "2024-02")
    assert orders("verify").code == 0


@pytest.mark.parametrize("fault", ["missing", "damaged", "early"])
def test_a_faulty_archive_file_is_named(orders: Operator, fault: str) -> None:
    file = archives.files(orders.root / "data" / "bronze", "shop")[0]
    content = file.read_bytes()
    if fault == "missing":
        file.unlink()
    else:
        file.write_bytes(content[:-8] if fault == "early" else b"x" + content[1:])
    assert rules(orders) == {"each run has its archive"}
    assert orders("verify", "--no-archive").code == 0


def test_a_source_that_is_not_here_is_a_sentence(orders: Operator) -> None:
    assert "There is no such source here." in orders("verify", "shoes").err


@pytest.fixture
def rebuilt(operator: Operator) -> Iterator[Callable[[], list[tuple[object, ...]]]]:
    """Rebuilds shop into a new database, and gives the content of its rows."""
    name = f"{operator.bronze.env['PG_DB']}_rebuilt"

    def rebuild() -> list[tuple[object, ...]]:
        answer = operator("rebuild", "shop", "--database", name)
        assert answer.code == 0, answer.err
        with psycopg.connect(operator.bronze.conninfo, dbname=name) as connection:
            return connection.execute(CONTENT).fetchall()

    yield rebuild
    with psycopg.connect(operator.bronze.conninfo, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def test_the_archive_alone_gives_an_equal_database(
    operator: Operator, rebuilt: Callable[[], list[tuple[object, ...]]]
) -> None:
    make = operator.bronze
    schema = make.schema(x_source_timestamp="at", x_absence="full")
    first = [make.record({"id": number, "at": "2024-01-02", "a": 1}) for number in range(4)]
    operator.load(schema, *first, make.finish())
    operator.load(schema, make.record({"id": 0, "at": "2024-01-02", "a": 2}), *first[2:], make.finish())
    operator.load(schema, first[1], make.record({"id": 9, "at": "2024-03-04"}, file_path="a.zip/b"))
    operator.load(
        make.schema("marks", key=None),
        *([make.record({"m": 1}, "marks")] * 2),
        make.record({"m": 2}, "marks", degraded=True),
    )
    original = make.query(CONTENT)
    assert len(original) == 11
    assert rebuilt() == original


def test_a_run_that_was_killed_gives_its_whole_lines(
    operator: Operator, rebuilt: Callable[[], list[tuple[object, ...]]]
) -> None:
    make = operator.bronze
    operator.load(make.schema(), make.record({"id": 1}))
    folder = operator.root / "data" / "bronze" / "shop"
    cut_short(
        folder / "shop-20000101T000000Z-000000.singer.zst",
        make.lines(make.schema(), make.record({"id": 2})) + b'{"type": "REC',
    )
    rows = rebuilt()
    assert [row[0] for row in rows] == ["1", "2"]
    with psycopg.connect(make.conninfo, dbname=f"{make.env['PG_DB']}_rebuilt") as connection:
        assert connection.execute("SELECT count(*) FROM bronze.dead_letters").fetchone() == (0,)


def cut_short(path: Path, content: bytes) -> None:
    """Write an archive as a killed loader leaves it: flushed, and never closed."""
    import zstandard  # noqa: PLC0415 - used here alone

    with path.open("wb") as file:
        writer = zstandard.ZstdCompressor(write_checksum=True).stream_writer(file, closefd=False)
        writer.write(content)
        writer.flush(zstandard.FLUSH_BLOCK)


def test_a_rebuild_overwrites_nothing(orders: Operator) -> None:
    name = orders.bronze.env["PG_DB"]
    assert "has a bronze_shop already" in orders("rebuild", "shop", "--database", name).err
    assert "has no file of shoes" in orders("rebuild", "shoes", "--database", name).err


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_history_agrees_with_itself_and_is_rebuilt(
    operator: Operator, rebuilt: Callable[[], list[tuple[object, ...]]], seed: int
) -> None:
    chance = random.Random(seed)
    make = operator.bronze
    full = make.schema(x_source_timestamp="at", x_absence="full", replication_key="at", x_volatile=["/seen"])
    marks = make.schema("marks", key=None, x_absence=chance.choice(["full", "never"]))
    for _ in range(6):
        orders = [
            make.record(
                {
                    "id": number,
                    "at": f"2024-0{chance.randint(1, 3)}-01",
                    "a": chance.randint(1, 2),
                    "seen": chance.random(),
                },
                account=chance.choice(["", "second"]),
                degraded=chance.random() < 0.2,
            )
            for number in chance.choices(range(8), k=12)
        ]
        notes = [make.record({"m": chance.randint(1, 4)}, "marks") for _ in range(5)]
        ends = [make.finish(), make.finish("marks")] if chance.random() < 0.7 else []
        operator.load(full, *orders, marks, *notes, *ends)
    changes = {row[0] for row in make.query("SELECT metadata ->> 'change' FROM bronze_shop")}
    assert {"new", "changed", "gone", "back", "degraded"} <= changes
    assert operator("verify").code == 0, operator("verify").out
    assert make.query("SELECT id FROM bronze_shop_current ORDER BY id") == make.query(CURRENT)
    assert rebuilt() == make.query(CONTENT)


def test_a_rebuild_that_fails_leaves_no_half_database(
    orders: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "land", lambda *_arguments: 130)
    answer = orders("rebuild", "shop", "--database", "half_rebuilt")
    assert answer.code == 1
    assert "was not landed (exit code 130, see above)" in answer.err
    assert "database half_rebuilt beside" in answer.err
    assert "was removed again" in answer.err
    assert orders.bronze.query("SELECT FROM pg_database WHERE datname = 'half_rebuilt'") == []


def test_a_table_that_was_dropped_is_reported_and_rebuilt_in_its_place(orders: Operator) -> None:
    make = orders.bronze
    content = make.query(CONTENT)
    make.query("DROP TABLE bronze_shop CASCADE")
    for words in (("verify",), ("maintain",)):
        assert "SELECT bronze.forget_source('shop')" in orders(*words).err

    make.query("SELECT bronze.forget_source('shop')")
    answer = orders("rebuild", "shop", "--database", make.env["PG_DB"])

    assert answer.code == 0, answer.err
    assert make.query(CONTENT) == content
    assert orders("verify", "--no-archive").code == 0
