"""When it happened: the many ways in which services write a moment, and what becomes of those that cannot be read."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from target_postgres_bronze.timestamps import is_plausible, latest_plausible, read_timestamp

if TYPE_CHECKING:
    from conftest import Bronze

NOON = datetime(2024, 2, 29, 12)  # noqa: DTZ001 - the columns are in UTC without a zone
READABLE: list[tuple[Any, datetime]] = [
    *(
        (text, NOON)
        for text in ("2024-02-29T12:00:00Z", "2024-02-29 12:00:00+00:00", "2024-02-29T13:00+01:00")
    ),
    *(
        (text, NOON)
        for text in ("20240229T120000Z", "Thu, 29 Feb 2024 12:00:00 GMT", "Thu Feb 29 12:00:00 +0000 2024")
    ),
    *(
        (text, NOON)
        for text in ("2024-02-29 12:00:00 UTC", "2024-02-29 07:00:00 -0500", " 2024-02-29T12:00:00 ")
    ),
    *((number, NOON) for number in (1709208000, 1709208000000, 1709208000000000, 1709208000000000000)),
    *((str(number), NOON) for number in (1709208000, 1709208000000, 1709208000000000, 1709208000000000000)),
    (Decimal("1709208000.25"), NOON.replace(microsecond=250000)),
    ("2024-02-29T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
    ("2024-02-29", NOON.replace(hour=0)),
    ("2016-12-31T23:59:60Z", datetime(2017, 1, 1)),  # noqa: DTZ001 - the same
    ("1710123112345", datetime(2024, 3, 11, 2, 11, 52, 345000)),  # noqa: DTZ001 - the same
    (-86400, datetime(1969, 12, 31)),  # noqa: DTZ001 - the same
]


@pytest.mark.parametrize(("value", "moment"), READABLE, ids=[str(value) for value, _ in READABLE])
def test_a_moment_is_read_in_utc(value: object, moment: datetime) -> None:
    assert read_timestamp(value) == moment


@pytest.mark.parametrize(
    "value",
    [None, "", "soon", "2024-02-30", "2024-02-29T25:00Z", "24:00", True, [], {}, Decimal("NaN"), Decimal("Infinity"), 10**40, "9" * 40, "\x00"],
)  # fmt: skip
def test_what_is_no_moment_is_none(value: object) -> None:
    assert read_timestamp(value) is None


@pytest.mark.parametrize(
    ("year", "plausible"), [(1, False), (1899, False), (1900, True), (2024, True), (2033, True), (2035, False), (9999, False)]
)  # fmt: skip
def test_a_moment_outside_1900_to_ten_years_ahead_is_not_believed(year: int, *, plausible: bool) -> None:
    assert is_plausible(NOON.replace(year=year, day=1), latest_plausible(NOON)) is plausible


def test_a_moment_that_cannot_be_read_or_believed_leaves_the_column_empty_with_a_warning(
    bronze: Bronze,
) -> None:
    moments = ["2024-02-29T12:00:00Z", "soon", "1850-01-01", "", None]
    records = [bronze.record({"id": number, "at": at}) for number, at in enumerate(moments)]

    bronze.load(bronze.schema(x_source_timestamp="at"), *records, bronze.record({"id": 9}))

    assert bronze.column("source_timestamp::text") == ["2024-02-29 12:00:00", *[None] * 5]
    assert bronze.column("validation_status") == ["valid", "warning", "warning", "valid", "valid", "valid"]
    assert bronze.column("error_message", "raw_id IN ('1', '2')") == [
        "source_timestamp: cannot be read",
        "source_timestamp: outside 1900 to ten years ahead",
    ]
    assert bronze.column("partition_key = coalesce(source_timestamp, ingested_at)::date") == [True] * 6


@pytest.mark.parametrize(
    ("annotation", "content"),
    [
        ("at", {"at": "2024-02-29T12:00:00Z"}),
        ("/deep/at", {"deep": {"at": 1709208000}}),
        ("/list/0/a~1b", {"list": [{"a/b": "2024-02-29T13:00:00+01:00"}]}),
    ],
    ids=["name", "pointer", "pointer into a list"],
)
def test_the_stream_names_the_field_of_the_moment(
    bronze_18: Bronze, annotation: str, content: dict[str, Any]
) -> None:
    bronze_18.load(bronze_18.schema(x_source_timestamp=annotation), bronze_18.record({"id": 1, **content}))

    assert bronze_18.column("source_timestamp") == [NOON]


def test_the_replication_key_is_the_moment_where_no_field_is_named(bronze_18: Bronze) -> None:
    bronze_18.load(
        bronze_18.schema(replication_key="at"), bronze_18.record({"id": 1, "at": "2024-02-29T12:00:00Z"})
    )

    assert bronze_18.column("source_timestamp") == [NOON]


def test_the_provenance_may_say_the_moment(bronze_18: Bronze) -> None:
    record = bronze_18.record({"id": 1, "at": "2020-01-01"}, source_timestamp="2024-02-29T12:00:00Z")

    bronze_18.load(bronze_18.schema(replication_key="at"), record)

    assert bronze_18.column("source_timestamp") == [NOON]
    assert bronze_18.column("metadata ? 'source_timestamp'") == [False]
