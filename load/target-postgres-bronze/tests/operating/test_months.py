"""``bronze archive-month``: months in files and back; ``bronze export``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import zstandard

if TYPE_CHECKING:
    from pathlib import Path

    from operating.conftest import Operator

FINGERPRINT = "SELECT * FROM bronze.fingerprint('shop')"


def archive(operator: Operator) -> list[Path]:
    return sorted((operator.root / "data" / "bronze").rglob("*.csv.zst"))


def test_a_month_goes_to_a_file_and_comes_back_as_it_was(orders_everywhere: Operator) -> None:
    operator = orders_everywhere
    before = operator.bronze.query(FINGERPRINT)
    assert operator("archive-month", "shop", "2024-01", "2024-05").code == 0
    assert operator.bronze.query("SELECT count(*) FROM bronze_shop") == [(1,)]
    assert operator.bronze.query("SELECT to_regclass('bronze_shop_y2024m01')") == [(None,)]
    assert len(archive(operator)) == 2
    assert operator("archive-month", "shop", "2024-01", "2024-05", "--attach").code == 0
    assert operator.bronze.query(FINGERPRINT) == before
    indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = %s"
    assert operator.bronze.query(indexes, "bronze_shop_y2024m01") == operator.bronze.query(
        indexes, "bronze_shop_y2024m02"
    )


def test_records_of_an_archived_month_are_still_known(orders: Operator) -> None:
    make = orders.bronze
    orders("archive-month", "shop", "2024-02")
    schema = make.schema(x_source_timestamp="at", x_volatile=["/seen"])
    again = make.load(schema, make.record({"id": 2, "at": "2024-02-05", "total": 2 / 7}))
    assert ", 1 known," in again.log
    make.load(schema, make.record({"id": 2, "at": "2024-02-05", "total": 5}))
    assert make.query("SELECT version FROM bronze_shop WHERE raw_id = '2'") == [(2,)]
    assert orders("archive-month", "shop", "2024-02", "--attach").code == 0
    assert make.query("SELECT version FROM bronze_shop WHERE raw_id = '2' ORDER BY 1") == [(1,), (2,)]


def test_rows_that_come_later_for_an_archived_month_get_a_file_of_their_own(orders: Operator) -> None:
    make = orders.bronze
    before = make.query("SELECT count(*) FROM bronze_shop")
    orders("archive-month", "shop", "2024-02")
    make.load(make.schema(x_source_timestamp="at"), make.record({"id": 9, "at": "2024-02-09"}))
    orders("archive-month", "shop", "2024-02")
    assert [file.name[-9:] for file in archive(orders)] == ["1.csv.zst", "2.csv.zst"]
    assert len(orders("archive-month", "shop", "--json").json) == 2
    orders("archive-month", "shop", "2024-02", "--attach")
    assert make.query("SELECT count(*) FROM bronze_shop") == [(before[0][0] + 1,)]


def test_a_damaged_file_puts_nothing_back(orders: Operator) -> None:
    orders("archive-month", "shop", "2024-02")
    (file,) = archive(orders)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert "missing or damaged" in orders("archive-month", "shop", "2024-02", "--attach").err
    assert orders.bronze.query("SELECT count(*) FROM bronze_shop WHERE partition_key = '2024-02-05'") == [
        (0,)
    ]


def test_rows_that_are_not_in_the_file_keep_the_month_in_the_database(orders: Operator) -> None:
    columns = "(SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = 'bronze_shop'::regclass AND attnum > 0)"
    with pytest.raises(Exception, match="the file does not hold the rows of bronze_shop_y2024m01"):
        orders.bronze.query(
            f"SELECT bronze.detach_month('shop', '2024-01-01', 'f', 'h', {columns}, 3, 'other')"
        )


@pytest.mark.parametrize("month", ["2023-01", "2024-03"])
def test_a_month_without_rows_is_a_sentence(orders: Operator, month: str) -> None:
    assert f"There is no bronze_shop_y{month.replace('-', 'm')}" in orders("archive-month", "shop", month).err
    assert "is not archived" in orders("archive-month", "shop", month, "--attach").err


def test_every_row_is_exported_with_its_digits(orders: Operator) -> None:
    make = orders.bronze
    make.load(
        make.schema(),
        b'{"type": "RECORD", "stream": "orders", "record": {"id": 9, "a": 1.10, "b": 12345678901234567890123}}',
    )
    lines = orders("export", "shop").out.splitlines()
    assert len(lines) == 7
    assert '{"a": 1.10, "b": 12345678901234567890123, "id": 9}' in lines[-1]
    versions = [(row["raw_id"], row["version"]) for row in map(json.loads, lines)]
    assert versions[-2:] == [("0", 2), ("9", 1)]


def test_the_current_versions_of_one_stream_are_exported_compressed(orders: Operator) -> None:
    make = orders.bronze
    make.load(make.schema("items"), make.record({"id": 1}, "items"))
    output = orders.root / "out.jsonl.zst"
    answer = orders("export", "shop", "--current", "--stream", "orders", "--output", str(output))
    assert answer.code == 0
    with output.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read().decode()
    assert len(text.splitlines()) == 5
    assert "exists already" in orders("export", "shop", "--output", str(output)).err


def test_an_export_that_fails_leaves_no_part_of_a_file(orders: Operator) -> None:
    output = orders.root / "out.parquet"
    orders.bronze.query("ALTER TABLE bronze_shop RENAME TO bronze_gone")
    orders.bronze.query("DROP VIEW bronze_shop_current")
    assert orders("export", "shop", "--format", "parquet", "--output", str(output)).code == 1
    assert not output.exists()


def test_parquet_has_every_column(orders: Operator) -> None:
    from pyarrow import parquet  # noqa: PLC0415 - used here alone

    output = orders.root / "out.parquet"
    assert orders("export", "shop", "--format", "parquet", "--output", str(output)).code == 0
    table = parquet.read_table(output)
    assert table.num_rows == 6
    assert table.column_names[:3] == ["id", "source", "raw_data"]
    row = table.slice(5, 1).to_pylist()[0]
    assert json.loads(row["raw_data"])["total"] == 10
    assert row["parent_lineage_ids"] == ["shop/orders/0@1"]
    assert row["source_timestamp"].isoformat() == "2024-01-03T00:00:00"


def test_parquet_without_pyarrow_is_a_sentence(orders: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys  # noqa: PLC0415 - used here alone

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "Parquet needs pyarrow" in orders("export", "shop", "--format", "parquet").err
    assert "Sources: shop." in orders("export", "shoes").err
