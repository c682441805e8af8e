"""Where a record came from: members of the provenance that are named like columns land there, the others in metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Bronze

COLUMNS: dict[str, Any] = {
    "file_path": "export.zip/a\tb.json",
    "file_hash": "f" * 64,
    "file_size": 2**40,
    "compression_type": "zip",
    "encoding": "utf-8",
    "api_version": "v9",
    "api_endpoint": "GET /me",
    "api_request_id": "r-1",
    "api_response_code": 200,
    "api_rate_limit_info": {"remaining": 7},
}


def test_members_named_like_columns_land_in_them(bronze: Bronze) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": 1}, **COLUMNS, page=3, redacted=["/token"]))

    assert bronze.query(f"SELECT {', '.join(COLUMNS)} FROM bronze_shop") == [tuple(COLUMNS.values())]
    assert bronze.column("metadata") == [
        {"stream": "orders", "change": "new", "page": 3, "redacted": ["/token"]}
    ]


def test_a_member_that_does_not_fit_its_column_is_kept_in_metadata(bronze: Bronze) -> None:
    odd: dict[str, Any] = {
        "file_size": "large",
        "api_response_code": 2**40,
        "file_path": ["a"],
        "encoding": 8,
    }

    bronze.load(bronze.schema(), bronze.record({"id": 1}, **odd))

    assert bronze.query(f"SELECT {', '.join(odd)} FROM bronze_shop") == [(None,) * 4]
    assert bronze.column("metadata - 'stream' - 'change'") == [odd]


def test_the_loaders_own_members_of_metadata_cannot_be_pretended(bronze: Bronze) -> None:
    pretended = {"stream": "other", "change": "gone", "account": "me"}

    bronze.load(bronze.schema(), bronze.record({"id": 1}) | {"provenance": pretended})

    assert bronze.column("metadata") == [
        {
            "stream": "orders",
            "change": "new",
            "account": "me",
            "provenance_stream": "other",
            "provenance_change": "gone",
        }
    ]


def test_records_of_one_run_do_not_take_each_others_provenance(bronze_18: Bronze) -> None:
    records = [
        bronze_18.record({"id": number}, file_path=f"{number % 7}.json", page=number)
        for number in range(3000)
    ]

    for _ in range(2):  # the second time their rows are made beside the reading
        bronze_18.load(bronze_18.schema(), *records, batch_size_rows=100)
        records = [record | {"record": {**record["record"], "again": 1}} for record in records]

    assert bronze_18.query(
        "SELECT count(*), count(*) FILTER (WHERE metadata ->> 'page' = raw_id AND file_path = raw_id::int %% 7 || '.json') FROM bronze_shop WHERE %s",
        True,  # noqa: FBT003 - a parameter, so that the sign above is doubled
    ) == [(6000, 6000)]


def test_a_null_provenance_is_none(bronze_18: Bronze) -> None:
    bronze_18.load(bronze_18.schema(), bronze_18.record({"id": 1}) | {"provenance": None})

    assert bronze_18.column("metadata") == [{"stream": "orders", "change": "new"}]


def test_what_the_tap_could_not_read_is_a_dead_letter(bronze: Bronze) -> None:
    rest = bronze.record(
        {"id": 2, "bytes": "AAEC"}, dead_letter="the file breaks off in the middle of a message"
    )

    done = bronze.load(bronze.schema(), *[bronze.record({"id": number}) for number in (1, 3)], rest)

    assert done.code == 0
    assert bronze.column("raw_data -> 'id'") == [1, 3]
    assert bronze.query("SELECT stream, category, reason FROM bronze.dead_letters") == [
        ("orders", "source", "the file breaks off in the middle of a message")
    ]


def test_a_number_of_any_length_in_the_provenance_shifts_no_other_row(bronze: Bronze) -> None:
    odd = b'{"type": "RECORD", "stream": "orders", "record": {"id": 2}, "provenance": {"x": %b}}' % (
        b"1" * 5000
    )
    around = [bronze.record({"id": number, "n": number}, page=number) for number in (1, 3, 4)]

    for _ in ("rows made as they are read", "only for news"):
        done = bronze.load(bronze.schema(), around[0], odd, *around[1:], bronze.record({"id": 5}))
        assert done.code == 0, done.log

    assert bronze.column("raw_id || ' ' || (metadata ->> 'page')", "raw_id <> '5'") == [
        "1 1",
        None,
        "3 3",
        "4 4",
    ]
    assert bronze.column("metadata ->> 'x'", "raw_id = '2'") == ["1" * 5000]
    assert bronze.query("SELECT * FROM bronze.dead_letters") == []
