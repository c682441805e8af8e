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
    (b'{"type": "UPSERT", "stream": "orders", "record": {"id": 1}}', "api", "none that Singer knows"),
    (b'{"type": "STATE", "value": "\x00"}', "api", "is no JSON"),
    (b'{"type": "STATE", "value": "\xff"}', "api", "is no JSON"),
    (b'{"type": "STATE"}', "api", "needs a value"),
    (b'{"type": "SCHEMA", "schema": {}}', "api", "needs a stream"),
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


WRONG: list[Any] = [
    0,
    -7,
    1.5,
    True,
    False,
    "odd",
    "1",
    [],
    [1],
    [None],
    ["odd", 7],
    {},
    {"odd": [1]},
    10**30,
]
ANNOTATIONS = [
    "x-source-timestamp",
    "x-volatile",
    "x-absence",
    "x-absence-window",
    "x-dead-letters",
    "x-tap",
    "$schema",
    "properties",
]
SCHEMA_MEMBERS = ["schema", "key_properties", "bookmark_properties", "version", "unheard"]
RECORD_MEMBERS = ["provenance", "time_extracted", "version", "unheard"]
PROVENANCE = [
    *(
        "account",
        "raw_id",
        "occurrence",
        "degraded",
        "dead_letter",
        "source_timestamp",
        "file_path",
        "file_hash",
        "file_size",
    ),
    *("encoding", "api_endpoint", "api_response_code", "api_rate_limit_info", "stream", "change", "redacted"),
]


def with_wrong_members(bronze: Bronze, value: Any) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return a SCHEMA and a RECORD for each member of them that is *value*, each of a stream of its own."""
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for name in [
        *ANNOTATIONS,
        *SCHEMA_MEMBERS,
        *RECORD_MEMBERS,
        *(f"provenance/{member}" for member in PROVENANCE),
    ]:
        schema, record = bronze.schema(name), bronze.record({"id": 1}, name)
        if name in ANNOTATIONS:
            schema["schema"][name] = value
        if name in SCHEMA_MEMBERS:
            schema[name] = value
        if name in RECORD_MEMBERS:
            record[name] = value
        if name.startswith("provenance/"):
            record["provenance"] = {name.partition("/")[2]: value}
        found.append((name, schema, record))
    return found


@pytest.mark.parametrize("value", WRONG, ids=str)
def test_a_wrong_annotation_or_member_of_a_message_costs_no_record(bronze_18: Bronze, value: Any) -> None:
    found = with_wrong_members(bronze_18, value)
    lines = [
        message for name, schema, record in found for message in (schema, record, bronze_18.finish(name))
    ]

    for _ in range(2):
        outcome = bronze_18.load(*lines, bronze_18.state(1), max_rejected_share=1)
        assert (outcome.code, outcome.states) == (0, [1]), outcome.log

    landed = {row[0] for row in bronze_18.query("SELECT metadata ->> 'stream' FROM bronze_shop")}
    letters = {row[0] for row in bronze_18.query("SELECT stream FROM bronze.dead_letters")}
    # the tap itself may say in a text that it could not read a record
    assert letters == ({"provenance/dead_letter"} if isinstance(value, str) else set())
    assert landed == {name for name, _, _ in found} - letters
    assert bronze_18.books()[1:4] == (len(found), 0, 0)


@pytest.mark.parametrize(
    ("schema", "record", "sentence"),
    [
        ({"x-absence": "window"}, {}, "x-absence"),
        ({"x-absence": "often"}, {}, "x-absence"),
        ({"x-absence": "window", "x-absence-window": {"from": "soon"}}, {}, "x-absence-window"),
        ({"x-source-timestamp": 7}, {}, "x-source-timestamp"),
        ({"x-volatile": "/a"}, {}, "x-volatile"),
        ({"x-tap": []}, {}, "x-tap"),
        ({"x-dead-letters": True}, {}, "x-dead-letters"),
        ({}, {"provenance": []}, "provenance"),
        ({}, {"provenance": "file"}, "provenance"),
        ({}, {"provenance": {"account": {}}}, "account"),
        ({}, {"provenance": {"raw_id": [1]}}, "raw_id"),
        ({}, {"provenance": {"file_size": "large"}}, "file_size"),
        ({}, {"provenance": {"degraded": "yes"}}, "degraded"),
        ({}, {"time_extracted": 1700000000}, "time_extracted"),
        ({}, {"time_extracted": "never"}, "time_extracted"),
        ({}, {"version": "1"}, "version"),
    ],
)
def test_what_is_wrong_with_annotations_and_messages_is_a_warning_and_one_log_line(
    bronze_18: Bronze, schema: dict[str, Any], record: dict[str, Any], sentence: str
) -> None:
    records = [bronze_18.record({"id": number}) | record for number in (1, 2, 3)]

    outcome = bronze_18.load(
        bronze_18.schema(**schema), *records, bronze_18.schema(**schema), bronze_18.finish()
    )

    assert bronze_18.column("raw_id") == ["1", "2", "3"]
    assert set(bronze_18.column("validation_status")) == {"warning"}
    assert all(sentence in message for message in bronze_18.column("error_message"))
    assert sum(sentence in line for line in outcome.log.splitlines()) >= 1
    assert outcome.log.count("It is ignored") <= 2


def test_a_wrong_source_timestamp_in_the_provenance_leaves_that_of_the_field(bronze_18: Bronze) -> None:
    record = bronze_18.record({"id": 1, "at": "2024-02-29T12:00:00Z"}, source_timestamp=["soon"])

    bronze_18.load(bronze_18.schema(x_source_timestamp="at"), record)

    assert bronze_18.column("source_timestamp::text || ' ' || validation_status") == [
        "2024-02-29 12:00:00 warning"
    ]


@pytest.mark.parametrize(
    "schema", [b"", b'"schema": [], ', b'"schema": null, ', b'"schema": {"title": "\xff", "default": NaN}, ']
)
def test_a_schema_message_without_a_usable_schema_costs_no_record(bronze_18: Bronze, schema: bytes) -> None:
    line = b'{"type": "SCHEMA", "stream": "orders", %b"key_properties": "id"}' % schema

    outcome = bronze_18.load(line, bronze_18.record({"id": 1}))

    assert (outcome.code, bronze_18.column("raw_id")) == (0, ["1"])


@pytest.mark.parametrize(
    "draft",
    [{}, {"$schema": "http://json-schema.org/draft-04/schema#"}, {"$schema": "http://example.com/own"}],
)
def test_a_schema_of_draft_4_is_checked(bronze_18: Bronze, draft: dict[str, Any]) -> None:
    number = {
        "type": ["null", "number"],
        "exclusiveMaximum": True,
        "maximum": 10000,
        "exclusiveMinimum": True,
        "minimum": -10000,
        "multipleOf": 1e-38,
    }
    schema = bronze_18.schema(properties={"id": {"type": "integer"}, "d": number}, **draft)

    outcome = bronze_18.load(
        schema, *(bronze_18.record({"id": key, "d": d}) for key, d in ((1, 1.5), (2, 99999), (3, 10000)))
    )

    assert bronze_18.column("validation_status") == ["valid", "invalid", "invalid"], outcome.log
    assert "breaks" in bronze_18.column("error_message")[1]
