"""What a tap may get wrong: each line becomes a row or a dead letter, and the rest goes on."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Bronze

LETTERS = "SELECT stream, category, reason, original, position FROM bronze.dead_letters ORDER BY position"
BAD_LINES: list[tuple[bytes, str, str]] = [
    (b"no json at all", "api", "no JSON"),
    (b'{"type": "RECORD", "stream": "orders", "record": {"id": 1', "validation", "no JSON"),
    (b'{"type": "RECORD", "stream": "orders", "record": {"id": 1}} {}', "validation", "no JSON"),
    (b'["RECORD"]', "api", "no Singer message"),
    (b"7", "api", "no Singer message"),
    (b'{"stream": "orders"}', "api", "type"),
    (b'{"type": "RECORD", "stream": "orders"}', "api", "record"),
    (b'{"type": "RECORD", "stream": "orders", "record": null}', "api", "no JSON object"),
    (b'{"type": "RECORD", "stream": "orders", "record": [1]}', "api", "no JSON object"),
    (b'{"type": "RECORD", "stream": "unheard", "record": {"id": 1}}', "api", "before the SCHEMA"),
    (b'{"type": "RECORD", "stream": 7, "record": {"id": 1}}', "api", "no Singer message"),
    (b'{"type": "RECORD", "stream": "orders", "record": {"id": 1}, "provenance": "file"}', "api", "provenance"),
    (b'{"type": "UPSERT", "stream": "orders", "record": {"id": 1}}', "api", "none that Singer knows"),
    (b'{"type": "STATE", "value": "\x00"}', "api", "is no JSON"),
    (b'{"type": "STATE", "value": "\xff"}', "api", "is no JSON"),
    (b'{"type": "STATE"}', "api", "needs a value"),
    (b'{"type": "SCHEMA", "stream": "orders"}', "api", "needs a stream and a schema"),
    (b'{"type": "SCHEMA", "stream": "other", "schema": {"title": "\xff"}}', "api", "is no JSON"),
    (b'{"type": "SCHEMA", "schema": {}}', "api", "needs a stream and a schema"),
    (b'{"type": "SCHEMA", "stream": "orders", "schema": [], "key_properties": []}', "api", "needs a stream and a schema"),
    (b'{"type": "SCHEMA", "stream": "orders", "schema": {"x-absence": "often"}}', "api", "x-absence"),
    (b'{"type": "ACTIVATE_VERSION", "stream": "unheard", "version": 1}', "api", "before the SCHEMA"),
    (b'{"type": "RECORD", "stream": "orders", "record": ' + b'{"a":' * 6000 + b"1" + b"}" * 6001, "validation", "deeper"),
    (b"\xff\xfe\x00\x01", "api", "no JSON"),
    (b'{"type": "RECORD", "stream": "orders", "record": {"id": \xff}}', "validation", "no JSON"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "category", "reason"), BAD_LINES, ids=[str(line[:60]) for line, *_ in BAD_LINES]
)
def test_a_line_that_is_no_good_message_becomes_a_dead_letter_and_the_rest_lands(
    bronze_18: Bronze, line: bytes, category: str, reason: str
) -> None:
    records = [bronze_18.record({"id": number}) for number in (1, 2)]

    outcome = bronze_18.load(bronze_18.schema(), records[0], line, records[1], bronze_18.state(1))

    assert (outcome.code, outcome.states) == (0, [1])
    assert bronze_18.books() == ("succeeded", 3, 2, 0, 0, 1)
    ((_, found_category, found_reason, original, position),) = bronze_18.query(LETTERS)
    assert (found_category, original, position) == (category, line, 3)
    assert reason in found_reason
    assert "Traceback" not in outcome.log


def test_every_line_that_is_no_good_message_at_once_balances(bronze: Bronze) -> None:
    lines = [line for line, _, _ in BAD_LINES]

    outcome = bronze.load(bronze.schema(), *lines, max_rejected_share=1)

    assert outcome.code == 0
    assert bronze.books() == ("succeeded", len(lines), 0, 0, 0, len(lines))
    assert [row[3] for row in bronze.query(LETTERS)] == lines


def test_the_same_bad_line_again_is_one_letter_that_was_seen_twice(bronze: Bronze) -> None:
    for _ in range(2):
        bronze.load(bronze.schema(), b"no json")

    assert bronze.query(
        "SELECT seen_count, first_run_id <> last_run_id, status FROM bronze.dead_letters"
    ) == [(2, True, "open")]


def test_the_tap_broke_off_in_the_middle_of_a_line(bronze: Bronze) -> None:
    cut = b'{"type": "RECORD", "stream": "orders", "record": {"id": 2, "a": "b'
    whole = bronze.lines(bronze.schema(), bronze.record({"id": 1}))

    bronze.load_from(io.BytesIO(whole + cut))

    ((_, category, reason, original, _),) = bronze.query(LETTERS)
    assert (category, original) == ("api", cut)
    assert "broke off" in reason
    assert bronze.column("raw_id") == ["1"]


def test_a_last_line_without_a_line_end_counts_when_it_is_whole(bronze_18: Bronze) -> None:
    messages = bronze_18.lines(bronze_18.schema(), bronze_18.record({"id": 1})).removesuffix(b"\n")

    assert bronze_18.load_from(io.BytesIO(messages)).code == 0
    assert bronze_18.column("raw_id") == ["1"]
    assert bronze_18.query(LETTERS) == []


@pytest.mark.parametrize("end", [b"\r\n", b"\n\n\n", b" \n"], ids=["windows", "blank lines", "blanks"])
def test_lines_may_end_in_any_way(bronze_18: Bronze, end: bytes) -> None:
    messages = bronze_18.lines(bronze_18.schema(), bronze_18.record({"id": 1}), bronze_18.state(1))

    outcome = bronze_18.load_from(io.BytesIO(messages.replace(b"\n", end)))

    assert (outcome.states, bronze_18.books()) == ([1], ("succeeded", 1, 1, 0, 0, 0))


def test_messages_may_come_in_pieces_of_any_size(bronze_18: Bronze) -> None:
    class Drops(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002 - that is its point
            return super().read(7)

    records = [bronze_18.record({"id": number, "a": "é🚲\\n"}) for number in range(20)]

    bronze_18.load_from(Drops(bronze_18.lines(bronze_18.schema(), *records)))

    assert bronze_18.column("raw_id::int") == list(range(20))
    assert set(bronze_18.column("raw_data ->> 'a'")) == {"é🚲\\n"}


def test_batch_messages_are_refused_in_one_sentence(bronze: Bronze) -> None:
    batch = {"type": "BATCH", "stream": "orders", "encoding": {"format": "jsonl"}, "manifest": ["file:///x"]}

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}), bronze.state(1), batch, bronze.state(2))

    assert outcome.code == 1
    assert outcome.states in ([], [1])
    assert "BATCH messages" in outcome.log
    assert bronze.query("SELECT status FROM bronze.runs") == [("failed",)]


def test_a_schema_that_changes_in_the_middle_counts_from_there(bronze: Bronze) -> None:
    first = bronze.schema(properties={"id": {"type": "integer"}})
    second = bronze.schema(properties={"id": {"type": "integer"}, "a": {"type": "integer"}})

    bronze.load(first, bronze.record({"id": 1, "a": 1}), second, bronze.record({"id": 2, "a": 1}))

    assert bronze.column("validation_status") == ["warning", "valid"]
    hashes = bronze.column("lineage_metadata ->> 'schema_hash'")
    assert sorted(hashes) == sorted(row[0] for row in bronze.query("SELECT schema_hash FROM bronze.schemas"))
    assert len(set(hashes)) == 2


def test_a_key_that_changes_in_the_middle_counts_from_there(bronze_18: Bronze) -> None:
    bronze_18.load(
        bronze_18.schema(),
        bronze_18.record({"id": 1, "no": 5}),
        bronze_18.schema(key="no"),
        bronze_18.record({"id": 1, "no": 5}),
    )

    assert bronze_18.column("raw_id") == ["1", "5"]


@pytest.mark.parametrize(
    "schema",
    [{"type": 7}, {"$ref": "#/nowhere"}, {"$ref": "http://127.0.0.1:9/schema.json"}, {"properties": []}, {"properties": {"id": {"pattern": "("}}}],
    ids=["type", "reference", "remote reference", "properties", "pattern"],
)  # fmt: skip
def test_a_schema_that_is_no_json_schema_lets_its_records_land_with_a_warning(
    bronze_18: Bronze, schema: dict[str, Any]
) -> None:
    message = bronze_18.schema()
    message["schema"] = schema

    outcome = bronze_18.load(message, bronze_18.record({"id": 1}))

    assert outcome.code == 0
    assert bronze_18.column("validation_status") == ["warning"], outcome.log


def test_names_that_postgresql_cannot_hold_stop_nothing(bronze_18: Bronze) -> None:
    lines: list[dict[str, Any] | bytes] = [
        bronze_18.schema(),
        b'{"type":"SCHEMA","stream":"a\\u0000b","schema":{},"key_properties":["id"]}',
        b'{"type":"RECORD","stream":"a\\u0000b","record":{"id":1}}',
        b'{"type":"SCHEMA","stream":"\\ud800","schema":{},"key_properties":["id"]}',
        b'{"type":"RECORD","stream":"\\ud800","record":{"id":1}}',
        b'{"type":"SCHEMA","stream":"keys","schema":{},"key_properties":["i\\u0000d"],"bookmark_properties":["\\u0000"]}',
        b'{"type":"RECORD","stream":"keys","record":{"i\\u0000d":1}}',
        b'{"type":"RECORD","stream":"orders","record":{"id":1},"provenance":{"account":"a\\u0000","file_path":"\\u0000","x":"\\\\u0000"}}',
        bronze_18.record({"id": 2}),
    ]

    outcome = bronze_18.load(*lines, max_rejected_share=1)

    assert outcome.code == 0, outcome.log
    assert bronze_18.column("raw_data ->> 'id'", "raw_id = '2'") == ["2"]
    (books,) = bronze_18.query("SELECT read_count, new_count + rejected_count FROM bronze.runs")
    assert books[0] == books[1] >= 5
    assert bronze_18.column("metadata ->> 'x'", "metadata ? 'x'") == ["\\u0000"]
