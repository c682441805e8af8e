"""When it happened: the many ways in which services write a moment, and what becomes of those that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from target_postgres_bronze.timestamps import is_plausible, latest_plausible, read_plausible, read_timestamp

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
    *(
        (text, NOON)
        for text in (
            *(
                "20240229120000-0000",
                "20240229120000Z",
                "20240229070000-0500",
                "202402291200Z",
                "20240229T1200Z",
            ),
            *(
                "20240229 12:00:00",
                "20240229120000.0Z",
                "20240229120000",
                "2024-02-29T12",
                "2024-02-29t12:00:00z",
            ),
            *("2024-02-29T12:00:00,0+00", "2024-02-29 12:00:00 PM", "2024-02-29 12:00 p.m."),
            *(
                "Feb 29, 2024, 12:00:00 PM",
                "Feb 29, 2024, 12:00:00\u202fPM",
                "February 29, 2024 at 12:00 PM UTC",
            ),
            *("Thursday, February 29, 2024 at 12:00 GMT", "29 February 2024 12:00", "29 Feb 2024, 12:00"),
            *(
                "Thu, 29 Feb 2024 12:00 PM",
                "Thu, 29 Feb 2024 13:00:00 +0100 (CET)",
                "Thu, 29-Feb-2024 12:00:00 GMT",
            ),
            *(
                "Thu Feb 29 12:00:00 2024",
                "Thu Feb 29 12:00:00 UTC 2024",
                "Thu Feb 29 14:00:00 GMT+02:00 2024",
            ),
            *(
                "Thu Feb 29 2024 14:00:00 GMT+0200 (Eastern European Standard Time)",
                "Thu Feb 29 2024 12:00:00 GMT",
            ),
        )
    ),
    ("Feb 29, 2024, 10:00:00 PM", NOON.replace(hour=22)),
    ("Feb 29, 2024, 12:30 AM", NOON.replace(hour=0, minute=30)),
    ("2024-02-28T24:00:00Z", NOON.replace(hour=0)),
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
    [
        *("Thu Feb 29 10:00:00 CEST 2024", "Thu, 29 Feb 2024 10:00:00 CET", "Thu, 29 Feb 2024 10:00:00 EST", "2024-02-29 10:00 Europe/Berlin"),
        *("2024-02-29T12:00:00+24:00", "2024-02-29T12:00+01Z", "2024-02-29+02:00", "2024-02-29x12:00", "2024-02-29T12:00:00 and more"),
        *("Feb 29, 2024, 13:00 PM", "Feb 29, 2024, 0:30 AM", "Fri, 29 Feb 2024 12:00:00 GMT", "29 Febber 2024", "29 Feb 24 12:00"),
        *("2024-01-01T10:60:00", "2024-01-01T10:00:61Z", "2024-01-01T24:00:01Z", "02/03/2024 10:00", "2024-02-29T12:00:00Z Z", "20240230120000Z"),
        *("\uff12\uff10\uff12\uff14-02-29T12:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:00:00-05:00"),
        None, "", "soon", "2024-02-30", "2024-02-29T25:00Z", "24:00", True, [], {}, Decimal("NaN"), Decimal("Infinity"), 10**40, "9" * 40, "\x00"],
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


COUNTERS: list[Any] = [
    1,
    42,
    123456,
    0,
    -1,
    20240229,
    10**12 * 3,
    1709208000000000,
    10**40,
    "42",
    "0000000000004651",
    "12345678",
    "-7.5",
]


def test_a_counter_as_replication_key_is_no_moment_and_no_warning(bronze_18: Bronze) -> None:
    records = [bronze_18.record({"id": number, "at": at}) for number, at in enumerate(COUNTERS)]

    bronze_18.load(bronze_18.schema(replication_key="at"), *records)

    assert bronze_18.column("source_timestamp") == [None] * len(COUNTERS)
    assert bronze_18.column("validation_status") == ["valid"] * len(COUNTERS), bronze_18.column(
        "error_message"
    )


@pytest.mark.parametrize(
    "number",
    [1709208000, 1709208000000, "1709208000", "1709208000000", "20240229120000", Decimal("1709208000.0")],
)
def test_a_number_that_nothing_declares_is_a_moment_where_it_is_plausible(number: object) -> None:
    assert read_plausible(number, latest_plausible(NOON)) == NOON


@pytest.mark.parametrize(
    "schema",
    [
        {"x_source_timestamp": "at"},
        {"properties": {"id": {}, "at": {"type": "integer", "format": "date-time"}}},
        {
            "properties": {
                "id": {},
                "at": {"anyOf": [{"type": "integer", "format": "date-time"}, {"type": "null"}]},
            }
        },
    ],
    ids=["annotation", "format", "format of a choice"],
)
def test_any_number_is_a_moment_where_annotation_or_schema_says_so(
    bronze_18: Bronze, schema: dict[str, Any]
) -> None:
    records = [bronze_18.record({"id": at, "at": at}) for at in (42, -86400, 1709208000000000)]

    bronze_18.load(bronze_18.schema(replication_key="at", **schema), *records)

    assert bronze_18.column("source_timestamp::text") == [
        "1970-01-01 00:00:42",
        "1969-12-31 00:00:00",
        "2024-02-29 12:00:00",
    ]


DATES = ["%Y-%m-%d", "%Y%m%d", "%d %b %Y", "%a, %d %b %Y", "%B %d, %Y", "%a %b %d %Y", "%b %d %Y,"]
CLOCKS = ["%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H%M%S", "%H:%M:%S.%f", "%I:%M:%S%p"]
ZONES = [
    "",
    "Z",
    "z",
    " UTC",
    " GMT",
    "+00:00",
    "+02:00",
    "-0330",
    " +0545",
    "-05",
    " +1400",
    " CEST",
    " EST",
    " PM",
    "+25:00",
    " +02:00 Z",
]


def written(moments: list[datetime]) -> list[str]:
    """Return every moment in every combination of the forms above, sensible or not."""
    return [
        moment.strftime(f"{day}{between}{clock}") + zone
        for moment in moments
        for day in DATES
        for between in ("T", " ", ", ", "")
        for clock in CLOCKS
        for zone in ZONES
    ]


def test_every_moment_that_is_read_is_what_postgresql_reads(bronze_18: Bronze) -> None:
    moments = [
        NOON.replace(hour=22, minute=5, second=7),
        NOON.replace(year=1996, hour=0),
        NOON.replace(hour=7, second=59),
    ]
    read = {text: moment for text in written(moments) if (moment := read_timestamp(text)) is not None}
    bronze_18.query(
        """CREATE FUNCTION pg_temp_read(said text) RETURNS text LANGUAGE plpgsql SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
        BEGIN RETURN (said::timestamptz AT TIME ZONE 'UTC')::text; EXCEPTION WHEN OTHERS THEN RETURN 'unread'; END $$"""
    )
    found = dict(
        bronze_18.query("SELECT said, pg_temp_read(said) FROM unnest(%s::text[]) AS said", list(read))
    )

    wrong = {
        text: (str(moment), found[text])
        for text, moment in read.items()
        if found[text] not in {str(moment), "unread"}
    }
    assert not wrong, f"{len(wrong)} of {len(read)}: {list(wrong.items())[:5]}"
    assert sum(text != "unread" for text in found.values()) > len(read) * 0.5
    assert len(read) > 1000


@given(st.text(alphabet="0123456789-:T Z+.,APMGUTCJanFebThu()", max_size=40) | st.text(max_size=20))
def test_no_text_fails_the_reader(text: str) -> None:
    moment = read_timestamp(text)

    assert moment is None or moment.tzinfo is None


@given(st.datetimes(min_value=datetime(1000, 1, 1)), st.integers(-15 * 60, 15 * 60))  # noqa: DTZ001 - as above
def test_what_python_writes_is_read_back(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assume(1 < moment.year < 9999)
    expected = aware.astimezone(UTC).replace(tzinfo=None)

    for text in (
        aware.isoformat(),
        aware.isoformat(" "),
        f"{aware:%Y%m%dT%H%M%S.%f%z}",
        f"{aware:%Y%m%d%H%M%S.%f%z}",
    ):
        assert read_timestamp(text) == expected, text
    for text in (
        format_datetime(aware),
        f"{aware:%a %b %d %Y %H:%M:%S GMT%z (a zone)}",
        f"{aware:%b %d, %Y, %I:%M:%S %p %z}",
    ):
        assert read_timestamp(text) == expected.replace(microsecond=0), text
