"""Every oddity that a Singer stream can have, one per file, each with the rows that it must leave (``*.expected.json``).

A row is stream, raw_id, version, validation_status, source_timestamp, raw_data as PostgreSQL writes it (a long one by its length
and MD5); books are read, new, changed, known, rejected, of a first run and of the same run again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Bronze

DATA = Path(__file__).parent / "data"
ROWS = (
    "SELECT metadata ->> 'stream', raw_id, version, validation_status, source_timestamp::text, raw_data::text FROM bronze_shop "
    "ORDER BY (lineage_metadata ->> 'position')::int"
)
LETTERS = "SELECT category, reason, position FROM bronze.dead_letters ORDER BY position"
LONG = 200
MEGABYTE = 1024 * 1024


def short(text: str) -> str:
    """Return *text*, or of a long one what tells it from others."""
    if len(text) <= LONG:
        return text
    return f"{len(text)} characters, MD5 {hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"


def found(bronze: Bronze, file: Path) -> dict[str, Any]:
    """Load *file* twice; return what is there after the first time, and the books of both."""
    left: dict[str, Any] = {}
    for name in ("books", "again"):
        with file.open("rb") as source:
            outcome = bronze.load_from(source, max_rejected_share=1, max_invalid_share=1)
        assert "Traceback" not in outcome.log
        if name == "books":
            rows = [[*map(short_or_same, row)] for row in bronze.query(ROWS)]
            left = {"exit": outcome.code, "states": outcome.states, "rows": rows}
            left["letters"] = [list(row) for row in bronze.query(LETTERS)]
        left[name] = list(bronze.books())
    return left


def short_or_same(value: Any) -> Any:
    return short(value) if isinstance(value, str) else value


@pytest.mark.parametrize(
    "file", sorted(DATA.rglob("*.singer")), ids=lambda file: file.relative_to(DATA).with_suffix("").as_posix()
)
def test_an_odd_file_leaves_the_rows_that_are_written_next_to_it(bronze: Bronze, file: Path) -> None:
    expected = json.loads(file.with_suffix(".expected.json").read_text())

    assert found(bronze, file) == expected


def test_a_payload_of_20_megabytes_lands_whole(bronze: Bronze) -> None:
    text = "0123456789abcde\\n" * (20 * MEGABYTE // 16)

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1, "a": text}), bronze.record({"id": 2}))

    assert outcome.code == 0, outcome.log
    assert bronze.column("md5(raw_data ->> 'a')", "raw_id = '1'") == [
        hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    ]
    assert bronze.column("raw_id || ' ' || validation_status") == ["1 valid", "2 valid"]


def test_500_levels_land_whole(bronze: Bronze) -> None:
    lists = b'{"id":1,"a":%s%s}' % (b"[" * 500, b"]" * 500)
    objects = b'{"id":2,"a":%s1%s}' % (b'{"a": ' * 500, b"}" * 500)

    assert bronze.load(bronze.schema(), bronze.raw_record(lists), bronze.raw_record(objects)).code == 0

    assert [text.replace(" ", "") for text in bronze.column("(raw_data -> 'a')::text")] == [
        "[" * 500 + "]" * 500,
        '{"a":' * 500 + "1" + "}" * 500,
    ]


def test_300_streams_of_one_run_are_kept_apart(bronze: Bronze) -> None:
    names = [f"stream_{number:03}" for number in range(300)]
    schemas = [bronze.schema(name) for name in names]
    records = [bronze.record({"id": 1, "of": name}, name) for name in names]

    assert bronze.load(*schemas, *records, *records).code == 0

    assert sorted(bronze.query("SELECT stream, row_count FROM bronze.streams")) == [
        (name, 1) for name in names
    ]
    assert set(bronze.column("raw_data ->> 'of' = metadata ->> 'stream' AND raw_id = '1'")) == {True}
    assert bronze.books() == ("succeeded", 600, 300, 0, 300, 0)


def test_more_months_than_one_transaction_may_touch_land_in_their_partitions(bronze: Bronze) -> None:
    days = [f"{1990 + month // 12}-{month % 12 + 1:02}-15" for month in range(101)]
    records = [bronze.record({"id": number, "at": day}) for number, day in enumerate(days)]

    assert bronze.load(bronze.schema(replication_key="at"), *records).code == 0

    assert bronze.column("tableoid::regclass::text") == [f"bronze_shop_y{day[:4]}m{day[5:7]}" for day in days]
    assert [str(day) for day in bronze.column("partition_key")] == days
