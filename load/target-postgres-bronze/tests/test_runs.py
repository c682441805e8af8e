"""A run as its owner sees it: books, exit code, sentences; never a traceback, never a secret."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from target_postgres_bronze.pipeline import run_loader

if TYPE_CHECKING:
    from conftest import Bronze, Outcome


def bad(number: int) -> bytes:
    return b'{"type": "RECORD", "stream": "orders", "record": %d}' % number


def invalid(bronze: Bronze, number: int) -> dict[str, Any]:
    return bronze.record({"id": number, "a": "no number"})


def loaded(bronze: Bronze, rejected: int, broken: int, good: int, **settings: Any) -> Outcome:
    schema = bronze.schema(properties={"id": {}, "a": {"type": "number"}})
    records: list[dict[str, Any] | bytes] = [bronze.record({"id": number, "a": 1}) for number in range(good)]
    odd = [invalid(bronze, 1000 + number) for number in range(broken)]
    return bronze.load(schema, *records, *odd, *map(bad, range(rejected)), bronze.state("end"), **settings)


def test_each_stream_ends_with_a_line_of_its_books(bronze: Bronze) -> None:
    records = [bronze.record({"id": number}) for number in range(1200)]
    messages: list[dict[str, Any] | bytes] = [bronze.schema(), *records, bad(1)]
    bronze.load(*messages)
    outcome = bronze.load(
        *messages, bronze.record({"id": 1, "a": 1}), bronze.schema("other"), bronze.record({"id": 1}, "other")
    )

    lines = [line for line in outcome.log.splitlines() if "read," in line]
    assert re.fullmatch(
        r"shop\.orders: 1,202 read, 0 new, 1 changed, 1,200 known, 1 rejected, \d+\.\d s", lines[0]
    )
    assert re.fullmatch(r"shop\.other: 1 read, 1 new, 0 changed, 0 known, 0 rejected, \d+\.\d s", lines[1])
    assert bronze.books() == ("succeeded", 1203, 1, 1, 1200, 1)
    assert bronze.query(
        "SELECT stream, s.read_count, s.new_count FROM bronze.run_streams AS s JOIN bronze.runs USING (run_id) "
        "WHERE runs.changed_count = 1 ORDER BY stream"
    ) == [("orders", 1202, 0), ("other", 1, 1)]


@pytest.mark.parametrize(
    ("counts", "settings", "code"),
    [
        ((1, 0, 0), {}, 0),
        ((2, 0, 0), {}, 1),
        ((2, 0, 38), {}, 0),
        ((3, 0, 37), {}, 1),
        ((3, 0, 37), {"max_rejected_share": 0.5}, 0),
        ((2, 0, 98), {"max_rejected_share": 0}, 1),
        ((0, 3, 3), {}, 0),
        ((0, 4, 3), {}, 1),
        ((0, 4, 3), {"max_invalid_share": 1}, 0),
    ],
)
def test_a_run_fails_above_its_share_of_rejected_or_invalid_records_and_all_has_landed(
    bronze_18: Bronze, counts: tuple[int, int, int], settings: dict[str, float], code: int
) -> None:
    rejected, broken, good = counts
    outcome = loaded(bronze_18, rejected, broken, good, **settings)

    assert (outcome.code, outcome.states) == (code, ["end"]), outcome.log
    status, read, new, _, _, letters = bronze_18.books()
    assert (status, read, new, letters) == (
        "failed" if code else "succeeded",
        rejected + broken + good,
        broken + good,
        rejected,
    )
    assert ("share" in outcome.log) == bool(code)


def test_a_record_that_postgresql_refuses_is_a_dead_letter_and_its_neighbours_land(bronze: Bronze) -> None:
    bronze.query(
        "ALTER TABLE bronze_shop ADD CONSTRAINT no_seven CHECK (raw_data ->> 'n' IS DISTINCT FROM '7')"
    )
    records = [bronze.record({"id": number, "n": number, "secret": "s3cret"}) for number in range(20)]

    outcome = bronze.load(bronze.schema(), *records, bronze.state(20))

    assert (outcome.code, outcome.states) == (0, [20])
    assert bronze.column("raw_id::int") == [number for number in range(20) if number != 7]
    assert bronze.books() == ("succeeded", 20, 19, 0, 0, 1)
    ((category, reason, original),) = bronze.query(
        "SELECT category, reason, original FROM bronze.dead_letters"
    )
    assert (category, original) == ("database", bronze.lines(records[7]).rstrip(b"\n"))
    assert "no_seven" in reason
    assert "23514" in reason
    assert "s3cret" not in reason + outcome.log


def test_state_goes_out_only_when_what_came_before_it_is_committed(bronze: Bronze) -> None:
    messages: list[dict[str, Any]] = [bronze.schema()]
    for number in range(50):
        messages += [bronze.record({"id": number}), bronze.state(number)]

    class Watched(io.BytesIO):
        ahead = 0

        def write(self, data: Any, /) -> int:
            committed = bronze.query("SELECT count(*) FROM bronze_shop")[0][0]
            self.ahead += int(bytes(data)) >= committed
            return super().write(data)

    out = Watched()
    assert (
        run_loader(bronze.config(batch_size_rows=7), io.BytesIO(bronze.lines(*messages)), out, bronze.env)
        == 0
    )
    assert out.ahead == 0
    assert out.getvalue().split()[-1] == b"49"
    assert len(out.getvalue().split()) > 3


def test_state_is_passed_on_byte_for_byte(bronze_18: Bronze) -> None:
    out = io.BytesIO()
    value = b'{"b": 1.10, "a": "\\u00e9", "c":  [ ]}'
    run_loader(
        bronze_18.config(), io.BytesIO(b'{"type": "STATE", "value": %s}\n' % value), out, bronze_18.env
    )

    assert out.getvalue() == value + b"\n"


def test_no_secret_of_the_settings_reaches_rows_or_logs(bronze: Bronze) -> None:
    settings = {
        "api_token": "s3cret-1",
        "start_date": "2024-01-01",
        "login": {"password": "s3cret-2", "user": "me"},
        "accounts": [{"client_secret": "s3cret-3", "name": "a"}],
    }
    tap = {"name": "tap-shop", "version": "1", "settings": settings}

    outcome = bronze.load(bronze.schema(x_tap=tap), bronze.record({"id": 1}))

    stored = [
        str(bronze.query(f"SELECT * FROM {table}"))
        for table in ("bronze_shop", "bronze.runs", "bronze.schemas", "bronze.streams")
    ]
    assert "s3cret" not in "".join(stored) + outcome.log
    assert bronze.column("pipeline_parameters") == [
        {"start_date": "2024-01-01", "login": {"user": "me"}, "accounts": [{"name": "a"}]}
    ]


def test_the_source_is_named_by_setting_extractor_or_tap(bronze_18: Bronze) -> None:
    tap = bronze_18.schema(x_tap={"name": "tap-corner-shop", "version": "1"})

    bronze_18.load(tap, bronze_18.record({"id": 1}), source=None)
    bronze_18.env["MELTANO_EXTRACTOR_NAME"] = "tap-big-shop"
    bronze_18.load(tap, bronze_18.record({"id": 1}), source=None)

    tables = "SELECT source FROM bronze.sources WHERE source <> 'shop' ORDER BY created_at"
    assert bronze_18.query(tables) == [("corner_shop",), ("big_shop",)]


def test_the_tap_is_known_from_a_schema_message_of_any_size(bronze_18: Bronze) -> None:
    class Pipe(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            return super().read(65536)

    properties = {f"field_{number}": {"description": "d" * 100} for number in range(2000)}
    schema = bronze_18.schema(properties=properties, x_tap={"name": "tap-large", "version": "7"})

    outcome = bronze_18.load_from(
        Pipe(bronze_18.lines(bronze_18.state(0), schema, bronze_18.record({}))), source=None
    )

    assert outcome.code == 0, outcome.log
    assert bronze_18.query("SELECT pipeline_version LIKE 'tap-large 7, %%' FROM bronze.runs") == [(True,)]


def test_a_source_that_cannot_be_named_is_one_sentence(bronze_18: Bronze) -> None:
    outcome = bronze_18.load(bronze_18.schema(), bronze_18.record({"id": 1}), source="Shop; DROP")

    assert outcome.code == 1
    assert "The source has no usable name" in outcome.log


def test_a_run_without_a_single_message_has_failed(bronze: Bronze) -> None:
    outcome = bronze.load()

    assert (outcome.code, outcome.states) == (1, [])
    assert bronze.books() == ("failed", 0, 0, 0, 0, 0)


REPORTING = {"name": "tap-shop", "version": "1", "settings": {}, "reports_completion": True}


def test_a_run_whose_tap_reports_completion_has_succeeded(bronze_18: Bronze) -> None:
    schema = bronze_18.schema(x_tap=REPORTING)
    completed = {**bronze_18.state(2), "completed": True}

    outcome = bronze_18.load(schema, bronze_18.record({"id": 1}), bronze_18.state(1), completed)

    assert (outcome.code, outcome.states) == (0, [bronze_18.state(2)["value"]])
    assert bronze_18.books() == ("succeeded", 1, 1, 0, 0, 0)


def test_a_run_whose_tap_ends_without_its_completion_has_failed_and_keeps_what_came(
    bronze_18: Bronze,
) -> None:
    schema = bronze_18.schema(x_tap=REPORTING)

    outcome = bronze_18.load(schema, bronze_18.record({"id": 1}), bronze_18.state(1))

    assert (outcome.code, outcome.states) == (1, [bronze_18.state(1)["value"]])
    assert bronze_18.books() == ("failed", 1, 1, 0, 0, 0)
    [(reason,)] = bronze_18.query("SELECT error_message FROM bronze.runs")
    assert "extractor" in reason


def test_a_completion_without_a_state_confirms_none(bronze_18: Bronze) -> None:
    schema = bronze_18.schema(x_tap=REPORTING)

    outcome = bronze_18.load(schema, {"type": "STATE", "value": {}, "completed": True})

    assert (outcome.code, outcome.states) == (0, [])


def test_an_empty_input_of_nobody_is_nothing(bronze_18: Bronze) -> None:
    assert bronze_18.load(source=None).code == 0
    assert bronze_18.query("SELECT count(*) FROM bronze.runs") == [(0,)]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"batch_size_rows": 0}, "batch_size_rows"),
        ({"max_rejected_share": "much"}, "max_rejected_share"),
        ({"stream_annotations": {"orders": "full"}}, "stream_annotations"),
        ({"archive": "s3cret"}, "archive"),
    ],
    ids=["bounds", "type", "annotations", "boolean"],
)
def test_a_setting_that_is_not_usable_is_one_sentence(
    bronze_18: Bronze, settings: dict[str, Any], sentence: str
) -> None:
    outcome = bronze_18.load(bronze_18.schema(), **settings)

    assert outcome.code == 1
    assert sentence in outcome.log
    assert "s3cret" not in outcome.log
    assert len(outcome.log.splitlines()) == 1


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PG_HOST": "127.0.0.1", "PG_PORT": "9"}, "no server answers there"),
        ({"PG_HOST": "no-such-host.invalid"}, "the host name is unknown"),
        ({"PG_DB": "missing"}, "the database does not exist"),
        ({"PG_USER": "nobody_here"}, "does not let this user in"),
    ],
    ids=["port", "host", "database", "user"],
)
def test_a_database_that_cannot_be_reached_is_one_sentence(
    bronze_18: Bronze, variables: dict[str, str], sentence: str
) -> None:
    bronze_18.env |= variables | {"PG_PASS": "s3cret"}

    outcome = bronze_18.load(bronze_18.schema(), bronze_18.record({"id": 1}), bronze_18.state(1))

    assert (outcome.code, outcome.states) == (1, [])
    assert sentence in outcome.log
    assert "s3cret" not in outcome.log
    assert "Traceback" not in outcome.log


def test_a_user_who_may_not_make_tables_is_told_so(bronze: Bronze) -> None:
    if not bronze.query("SELECT FROM pg_roles WHERE rolname = 'visitor'"):
        bronze.query("CREATE ROLE visitor LOGIN")
    bronze.env["PG_USER"] = "visitor"

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}))

    assert outcome.code == 1
    assert "Traceback" not in outcome.log
    assert re.search(r"Grant|privilege|permission|42501", outcome.log), outcome.log
