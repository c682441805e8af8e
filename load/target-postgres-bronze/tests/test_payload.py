"""The payload in the database is the one that came: any JSON, every digit, every byte."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_postgres_bronze.payload import content_hash, read_payload

if TYPE_CHECKING:
    from conftest import Bronze


def exact(text: str | bytes) -> Any:
    """Read JSON with numbers that compare by their digits: 1.10 is not 1.1."""
    return json.loads(
        text, parse_float=lambda digits: ("number", digits), parse_int=lambda digits: ("number", digits)
    )


def plain(text: bytes) -> Any:
    """Read JSON with numbers that compare by value and by decimal places, as JSONB keeps them."""

    def number(digits: str) -> tuple[Decimal, int]:
        value = Decimal(digits)
        return value, max(0, -int(value.as_tuple().exponent))

    return json.loads(text, parse_float=number, parse_int=number)


# what JSONB can hold: no U+0000, no lone surrogates
_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
_NUMBER = (
    st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBER | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


def write(value: Any) -> str:
    """Write JSON, decimals in all their digits."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {write(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


@given(contents=st.lists(st.dictionaries(_TEXT, _JSON, max_size=4), min_size=10, max_size=40))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_json_object_comes_out_as_it_went_in(bronze: Bronze, contents: list[dict[str, Any]]) -> None:
    sent = [write(content).encode() for content in contents]
    stream = f"s{blake2b(b''.join(sent), digest_size=16).hexdigest()}"

    outcome = bronze.load(bronze.schema(stream, key=None), *(bronze.raw_record(raw, stream) for raw in sent))

    assert outcome.code == 0, outcome.log
    rows = bronze.query(
        "SELECT raw_data::text, validation_status, metadata ->> 'raw_base64' FROM bronze_shop "
        "WHERE metadata ->> 'stream' = %s ORDER BY (lineage_metadata ->> 'position')::int",
        stream,
    )
    assert len(rows) == len(sent)
    for raw, (text, status, kept) in zip(sent, rows, strict=True):
        if status == "warning":  # a negative zero, which JSONB does not know
            assert b"-0" in raw
            assert base64.b64decode(kept) == raw
        assert plain(text.encode()) == plain(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":1.10,"Id":0.1000,"ID":100}',
        b'{"id":9223372036854775808,"a":-170141183460469231731687303715884105729}',
        b'{"id":123456789.123456789123456789123456789123456789}',
        b'{"id":"\\u00e9 \xc3\xa9 \xf0\x9f\x9a\xb2 \xe2\x80\xa8"}',
        b'{"id":"\\\\N","a":"\\t\\n\\r\\b\\f\\"\\\\","\\\\.":"\\\\."}',
        b'{"id":" -0 ","a":"x:-0,"}',
        b'{"id":"\\\\u0000 \\\\ud800"}',
        b'{"id":"","":{"":[[[]]]}}',
    ],
    ids=[
        "digits",
        "integers",
        "decimals",
        "unicode",
        "copy escapes",
        "minus zero in a text",
        "escaped escapes",
        "empty names",
    ],
)
def test_what_jsonb_can_hold_lands_digit_by_digit_without_a_warning(bronze_18: Bronze, raw: bytes) -> None:
    bronze_18.load(bronze_18.schema(), bronze_18.raw_record(raw))

    assert [exact(text) for text in bronze_18.column("raw_data::text")] == [exact(raw)]
    assert bronze_18.column("validation_status") == ["valid"]
    assert bronze_18.column("metadata ? 'raw_base64'") == [False]


@pytest.mark.parametrize(
    ("raw", "nearest", "loss"),
    [
        (b'{"id":1,"a":NaN}', {"id": 1, "a": "NaN"}, "NaN"),
        (b'{"id":1,"a":[Infinity,-Infinity]}', {"id": 1, "a": ["Infinity", "-Infinity"]}, "Infinity"),
        (b'{"id":1,"a":"x\\u0000y"}', {"id": 1, "a": "x\ufffdy"}, "U+0000"),
        (b'{"id":1,"a\\u0000":1}', {"id": 1, "a\ufffd": 1}, "U+0000"),
        (b'{"id":1,"a":"\\ud83d"}', {"id": 1, "a": "\ufffd"}, "surrogate"),
        (b'{"id":1,"a":"\xff\xfe"}', {"id": 1, "a": "\ufffd\ufffd"}, "UTF-8"),
        (b'{"id":1,"a":1e999999}', {"id": 1, "a": "1E+999999"}, "out of range"),
        (b'{"id":1,"a":1e9999999999999999999}', {"id": 1, "a": "1e9999999999999999999"}, "out of range"),
        (b'{"id":1,"a":1e-20000}', {"id": 1, "a": "1E-20000"}, "out of range"),
        (b'{"id":1,"a":-0}', {"id": 1, "a": 0}, "negative zero"),
        (b'{"id":1,"a":-0.0}', {"id": 1, "a": 0}, "negative zero"),
        (b'{"id":1,"a":1,"a":2}', {"id": 1, "a": 2}, "twice"),
        (b'{"id":1,"a" :1,"a":2}', {"id": 1, "a": 2}, "twice"),
        (b'{"id":1,"a":1,"a":2,"b":"\\u0022:"}', {"id": 1, "a": 2, "b": '":'}, "twice"),
    ],
)  # fmt: skip
def test_what_jsonb_cannot_hold_lands_with_a_warning_and_its_own_bytes(
    bronze_18: Bronze, raw: bytes, nearest: dict[str, Any], loss: str
) -> None:
    outcome = bronze_18.load(bronze_18.schema(), bronze_18.raw_record(raw))

    assert bronze_18.books() == ("succeeded", 1, 1, 0, 0, 0), outcome.log
    (row,) = bronze_18.query(
        "SELECT raw_data, validation_status, error_message, metadata ->> 'raw_base64', raw_id FROM bronze_shop"
    )
    assert row[:2] == (nearest, "warning")
    assert loss in row[2]
    assert base64.b64decode(row[3]) == raw
    assert row[4] == "1"


@pytest.mark.parametrize(
    "raw", [b'{"id":1,"a":1e400}', b'{"id":1,"a":1.5e-300}', b'{"id":1,"a":%s}' % (b"9" * 5000)], ids=["large", "small", "long"]
)  # fmt: skip
def test_large_numbers_that_jsonb_can_hold_are_held_by_value(bronze_18: Bronze, raw: bytes) -> None:
    bronze_18.load(bronze_18.schema(), bronze_18.raw_record(raw))

    (text,) = bronze_18.column("raw_data::text")
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == json.loads(
        raw, parse_float=Decimal, parse_int=Decimal
    )
    assert bronze_18.column("validation_status") == ["valid"]


@pytest.mark.parametrize(
    "value", [b"NaN", b"Infinity", b"1e-20000", b"1e999999", b'"\\ud800"', b'"\\u0000"', b"[]", b"-0"]
)
def test_an_odd_key_time_or_replication_key_stops_nothing(bronze_18: Bronze, value: bytes) -> None:
    schema = bronze_18.schema(
        replication_key="at", properties={"id": {}, "at": {"type": ["number", "string"]}}
    )
    odd = b'{"id":%s,"at":%s}' % (value, value)

    outcome = bronze_18.load(
        schema, bronze_18.raw_record(odd), bronze_18.raw_record(b'{"id":2,"at":"2024-01-01"}')
    )

    assert bronze_18.books() == ("succeeded", 2, 2, 0, 0, 0), outcome.log


def test_two_records_that_only_jsonb_takes_for_the_same_are_two_versions(bronze_18: Bronze) -> None:
    for raw in (
        b'{"id":1,"a":"\\u0000"}',
        b'{"id":1,"a":"\\ufffd"}',
        b'{"id":1,"a":"NaN"}',
        b'{"id":1,"a":NaN}',
    ):
        bronze_18.load(bronze_18.schema(), bronze_18.raw_record(raw))

    assert bronze_18.column("version") == [1, 2, 3, 4]


def test_a_field_that_the_schema_does_not_name_lands_with_a_warning_that_names_it(bronze_18: Bronze) -> None:
    schema = bronze_18.schema(properties={"id": {"type": "integer"}, "a": {}})

    bronze_18.load(schema, bronze_18.record({"id": 1, "surprise": "secret", "A": 2}))

    assert bronze_18.column("raw_data") == [{"id": 1, "surprise": "secret", "A": 2}]
    assert bronze_18.column("validation_status") == ["warning"]
    assert bronze_18.column("error_message") == ['not declared: "A", "surprise"']
    assert bronze_18.column("quality_metrics") == [{"declared": 2, "present": 1}]
    assert bronze_18.column("quality_score") == [0.5]


def test_a_schema_that_lets_in_more_than_it_declares_counts_what_it_declares(bronze_18: Bronze) -> None:
    schema = bronze_18.schema(properties={"id": {}, "a": {}})
    schema["schema"]["additionalProperties"] = True

    bronze_18.load(schema, bronze_18.record({"id": 1, "b": 2, "c": 3, "d": 4}))

    assert bronze_18.column("quality_score") == [0.5]
    assert bronze_18.column("validation_status") == ["valid"]


def test_a_record_that_breaks_its_schema_lands_as_invalid_and_its_values_are_not_told(
    bronze_18: Bronze,
) -> None:
    schema = bronze_18.schema(properties={"id": {"type": "integer"}, "mail": {"type": "integer"}}, key="id")
    schema["schema"]["required"] = ["id", "when"]

    bronze_18.load(schema, bronze_18.record({"id": 1, "mail": "me@example.org"}))

    assert bronze_18.column("validation_status") == ["invalid"]
    (message,) = bronze_18.column("error_message")
    assert "/mail: breaks type (integer)" in message
    assert 'breaks required "when"' in message
    assert "example.org" not in message
    assert bronze_18.column("quality_checks ->> 'schema'") == ["fail"]
    assert bronze_18.query("SELECT invalid_count FROM bronze.runs") == [(1,)]


@pytest.mark.parametrize(
    ("raw", "pinned"),
    [
        (b'{"id": 1}', "6dbc2ea685505a5de3248e0c8a59ab5c"),
        (
            b'{"b": [1.10, 1e400, null, true], "a": "\\u00e9\\ud83d\\udeb2/"}',
            "31f14d00b3074b341f3d4a7e19caf1c1",
        ),
        (
            b'{"n": 123456789012345678901234567890, "m": -0.50, "t": "a\\"\\\\\\n\\u007f"}',
            "42235abea8840b8abc7b979c498fb668",
        ),
        (b'{"a": NaN, "b": "\\ud800"}', "1fd83dea571f97d1754489637086d51a"),
        (b'{"a": 1, "a": 2}', "570689825579ffe41bc72802e522e317"),
    ],
)
def test_a_content_hash_is_the_same_with_every_release_of_every_library(raw: bytes, pinned: str) -> None:
    assert content_hash(read_payload(raw), []) == pinned


def test_compression_is_lz4_where_the_server_has_it(bronze: Bronze) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": 1, "a": "lorem ipsum " * 5000}))
    with psycopg.connect(bronze.conninfo) as connection:
        (available,) = connection.execute(
            "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
        ).fetchone() or (None,)

    assert bronze.column("pg_column_compression(raw_data)") == ["lz4" if available else "pglz"]
