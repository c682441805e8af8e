"""Records that went away at the source, and came back: only where the tap says that it read everything."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_bronze.landing import Lander

if TYPE_CHECKING:
    from conftest import Bronze

CHANGE = "metadata ->> 'change'"
JANUARY = {"from": "2024-01-01", "to": "2024-02-01"}


def orders(bronze: Bronze, *numbers: int, **provenance: Any) -> list[dict[str, Any]]:
    return [bronze.record({"id": number}, **provenance) for number in numbers]


def changes(bronze: Bronze) -> list[str]:
    return bronze.column("raw_id || ' ' || (metadata ->> 'change')")


def read_all(bronze: Bronze, *numbers: int) -> None:
    schema = bronze.schema(x_absence="full")
    assert bronze.load(schema, *orders(bronze, *numbers), bronze.finish()).code == 0


def test_a_record_missing_from_the_whole_stream_is_gone_and_can_come_back(bronze: Bronze) -> None:
    read_all(bronze, 1, 2)
    read_all(bronze, 1)
    read_all(bronze, 1)
    read_all(bronze, 1, 2)

    assert changes(bronze) == ["1 new", "2 new", "2 gone", "2 back"]
    assert bronze.column("version", "raw_id = '2'") == [1, 2, 3]
    assert bronze.column("raw_data", "raw_id = '2'") == [{"id": 2}] * 3


def test_a_gone_record_is_not_current_and_its_books_say_so(bronze: Bronze) -> None:
    read_all(bronze, 1, 2)
    read_all(bronze, 1)

    assert bronze.query("SELECT raw_id FROM bronze_shop_current") == [("1",)]
    assert bronze.books() == ("succeeded", 1, 0, 0, 1, 0)
    assert bronze.query("SELECT gone_count FROM bronze.runs ORDER BY started_at") == [(0,), (1,)]
    assert bronze.query("SELECT row_count, record_count, gone_count FROM bronze.streams") == [(3, 2, 1)]


def test_the_gone_version_points_to_the_last_one_and_repeats_where_it_came_from(bronze: Bronze) -> None:
    schema = bronze.schema(x_absence="full", x_source_timestamp="at")
    first = bronze.record({"id": 1, "at": "2024-01-05T10:00:00Z"}, file_path="orders.json", page=3)
    keeps = bronze.record({"id": 2})
    bronze.load(schema, first, keeps, bronze.finish())
    bronze.load(schema, keeps, bronze.finish())

    assert bronze.column("parent_lineage_ids", f"{CHANGE} = 'gone'") == [["shop/orders/1@1"]]
    assert bronze.column("source_timestamp::text", "raw_id = '1'") == ["2024-01-05 10:00:00"] * 2
    assert bronze.column("file_path || (metadata ->> 'page')", "raw_id = '1'") == ["orders.json3"] * 2


@pytest.mark.parametrize("absence", ["never", "full"])
def test_nothing_is_gone_without_the_end_of_the_stream(bronze_18: Bronze, absence: str) -> None:
    schema = bronze_18.schema(x_absence=absence)
    read_all(bronze_18, 1, 2)

    bronze_18.load(schema, *orders(bronze_18, 1))
    bronze_18.load(schema, bronze_18.finish(), *orders(bronze_18, 1))

    assert changes(bronze_18) == ["1 new", "2 new"]


def test_nothing_is_gone_from_an_empty_answer(bronze_18: Bronze) -> None:
    read_all(bronze_18, 1, 2)
    read_all(bronze_18)

    assert changes(bronze_18) == ["1 new", "2 new"]


def test_nothing_is_gone_where_the_tap_says_that_absence_means_nothing(bronze_18: Bronze) -> None:
    read_all(bronze_18, 1, 2)
    bronze_18.load(bronze_18.schema(x_absence="never"), *orders(bronze_18, 1), bronze_18.finish())

    assert changes(bronze_18) == ["1 new", "2 new"]


def test_the_tap_may_be_from_elsewhere_and_the_settings_say_what_absence_means(bronze_18: Bronze) -> None:
    settings = {"stream_annotations": {"orders": {"x-absence": "full"}}}
    for numbers in ((1, 2), (1,)):
        messages = [bronze_18.schema(), *orders(bronze_18, *numbers), bronze_18.finish()]
        bronze_18.load(*messages, **settings)

    assert changes(bronze_18) == ["1 new", "2 new", "2 gone"]


def test_another_account_of_the_stream_is_left_alone(bronze: Bronze) -> None:
    schema = bronze.schema(x_absence="full")
    bronze.load(
        schema, *orders(bronze, 1, 2, account="a"), *orders(bronze, 1, 2, account="b"), bronze.finish()
    )
    bronze.load(schema, *orders(bronze, 1, account="a"), bronze.finish())

    gone = bronze.column("metadata ->> 'account'", f"{CHANGE} = 'gone'")
    assert gone == ["a"]
    assert bronze.column("raw_id", f"{CHANGE} = 'gone'") == ["2"]


def test_a_record_that_was_refused_is_not_gone(bronze_18: Bronze) -> None:
    read_all(bronze_18, 1, 2)
    schema = bronze_18.schema(x_absence="full")
    refused = b'{"type": "RECORD", "stream": "orders", "record": {"id": 2, "a": tru}}'

    bronze_18.load(schema, *orders(bronze_18, 1), refused, bronze_18.finish())

    assert changes(bronze_18) == ["1 new", "2 new"]


def dated(bronze: Bronze, number: int, day: str, **content: Any) -> dict[str, Any]:
    return bronze.record({"id": number, "at": day, **content})


def window(bronze: Bronze, **bounds: Any) -> dict[str, Any]:
    return bronze.schema(x_source_timestamp="at", x_absence="window", x_absence_window=bounds)


def test_a_window_ends_just_before_its_last_moment(bronze: Bronze) -> None:
    days = [
        "2023-12-31T23:59:59.999999Z",
        "2024-01-01T00:00:00Z",
        "2024-01-31T23:59:59.999999Z",
        "2024-02-01T00:00:00Z",
    ]
    records = [dated(bronze, number, day) for number, day in enumerate(days)]
    bronze.load(bronze.schema(x_source_timestamp="at"), *records)

    seen = dated(bronze, 9, "2024-01-15T00:00:00Z")
    bronze.load(window(bronze, **JANUARY), seen, bronze.finish())

    assert bronze.column("raw_id", f"{CHANGE} = 'gone'") == ["1", "2"]


def test_a_window_takes_in_only_what_its_match_contains(bronze: Bronze) -> None:
    records = [
        dated(bronze, number, "2024-01-05", workspace_id=number % 2, tags=[number]) for number in (1, 2, 3)
    ]
    bronze.load(bronze.schema(x_source_timestamp="at"), *records)

    bronze.load(window(bronze, **JANUARY, match={"workspace_id": 1}), records[0], bronze.finish())

    assert bronze.column("raw_id", f"{CHANGE} = 'gone'") == ["3"]


def test_an_empty_window_of_a_stream_with_one_account_makes_its_records_gone(bronze: Bronze) -> None:
    bronze.load(
        bronze.schema(x_source_timestamp="at"), dated(bronze, 1, "2024-01-05"), dated(bronze, 2, "2024-03-05")
    )

    bronze.load(window(bronze, **JANUARY), bronze.finish())

    assert changes(bronze) == ["1 new", "2 new", "1 gone"]


def test_windows_follow_each_other_and_one_without_an_end_makes_nothing_gone(bronze: Bronze) -> None:
    kept = [dated(bronze, 1, "2024-01-05"), dated(bronze, 3, "2024-02-05")]
    lost = [dated(bronze, 2, "2024-01-06"), dated(bronze, 4, "2024-02-06")]
    bronze.load(bronze.schema(x_source_timestamp="at"), *kept, *lost)
    february = window(bronze, **{"from": "2024-02-01", "to": "2024-03-01"})

    bronze.load(window(bronze, **JANUARY), kept[0], bronze.finish(), february, kept[1])

    assert bronze.column("raw_id", f"{CHANGE} = 'gone'") == ["2"]


def test_the_window_of_one_account_says_nothing_of_another(bronze: Bronze) -> None:
    january, february = (
        window(bronze, **JANUARY),
        window(bronze, **{"from": "2024-02-01", "to": "2024-03-01"}),
    )

    def content(account: str, number: int, day: str) -> dict[str, Any]:
        return bronze.record({"id": number, "at": day}, account=account)

    def run() -> None:
        bronze.load(
            *(january, content("a", 1, "2024-01-05"), bronze.finish()),
            *(january, content("b", 1, "2024-01-05"), bronze.finish()),
            *(february, content("a", 2, "2024-02-05"), bronze.finish()),
            *(february, content("b", 2, "2024-02-05"), bronze.finish()),
        )

    run()
    run()

    assert bronze.column("version") == [1] * 4


def test_records_without_a_time_are_gone_only_from_a_window_without_bounds(bronze: Bronze) -> None:
    timeless = [bronze.record({"id": number}) for number in (1, 2)]
    bronze.load(bronze.schema(), *timeless)

    bronze.load(window(bronze, **JANUARY), timeless[0], bronze.finish())
    assert bronze.column(CHANGE) == ["new", "new"]

    bronze.load(window(bronze), timeless[0], bronze.finish())
    assert changes(bronze) == ["1 new", "2 new", "2 gone"]


@pytest.mark.parametrize(
    "bounds", [{"from": "soon", "to": "2024-02-01"}, {"match": 7}], ids=["time", "match"]
)
def test_a_window_that_cannot_be_read_makes_nothing_gone(bronze_18: Bronze, bounds: dict[str, Any]) -> None:
    bronze_18.load(bronze_18.schema(x_source_timestamp="at"), dated(bronze_18, 1, "2024-01-05"))

    outcome = bronze_18.load(window(bronze_18, **bounds), bronze_18.finish())

    assert changes(bronze_18) == ["1 new"]
    assert "x-absence-window" in outcome.log


def test_more_gone_records_than_one_transaction_takes_are_all_recorded(
    bronze_18: Bronze, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("target_postgres_bronze.landing._GONE_AT_ONCE", 3)
    read_all(bronze_18, *range(10))
    read_all(bronze_18, 0, 1)

    assert bronze_18.column("raw_id::int", f"{CHANGE} = 'gone'") == list(range(2, 10))
    assert bronze_18.column(CHANGE, "raw_id in ('0', '1')") == ["new", "new"]


def test_nothing_is_gone_from_a_run_that_a_signal_stopped(bronze_18: Bronze) -> None:
    read_all(bronze_18, 1, 2)
    loader = bronze_18.start(batch_wait_limit_seconds=0)
    assert loader.stdin is not None
    assert loader.stdout is not None
    schema = bronze_18.schema(x_absence="full")
    loader.stdin.write(bronze_18.lines(schema, *orders(bronze_18, 1), bronze_18.finish(), bronze_18.state(1)))
    loader.stdin.flush()
    loader.stdout.readline()
    loader.send_signal(signal.SIGTERM)
    loader.wait(timeout=30)

    assert changes(bronze_18) == ["1 new", "2 new"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_nothing_seen_is_gone_when_the_connection_breaks_at_the_very_end(
    bronze_18: Bronze, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    read_all(bronze_18, 1, 2, 3)
    honest, breaks = Lander._write_gone, [True]

    def write_gone(self: Lander, *arguments: Any) -> int:
        connection: psycopg.Connection[Any] = arguments[-1]
        if not breaks:
            return honest(self, *arguments)
        breaks.clear()
        if moment == "after":
            honest(self, *arguments)
        connection.close()
        raise psycopg.OperationalError("lost, and with it the list of what was seen")

    monkeypatch.setattr(Lander, "_write_gone", write_gone)
    read_all(bronze_18, 1, 2)

    assert "1 gone" not in changes(bronze_18)
    assert "2 gone" not in changes(bronze_18)
    assert bronze_18.books()[0] == "succeeded"


def test_what_an_older_export_of_the_same_run_had_does_not_count_as_seen(bronze: Bronze) -> None:
    older = [bronze.schema(), bronze.record({"id": 1}), bronze.record({"id": 2})]
    newest = [bronze.schema(x_absence="full"), bronze.record({"id": 2}), bronze.finish()]

    bronze.load(*older, *newest)

    assert bronze.column("raw_id", "metadata ->> 'change' = 'gone'") == ["1"]


def test_what_another_run_landed_in_the_meantime_is_not_gone(bronze: Bronze) -> None:
    read_all(bronze, 1, 2)
    schema = bronze.schema(x_absence="full")
    first = bronze.start(batch_wait_limit_seconds=0)
    assert first.stdin is not None
    assert first.stdout is not None
    first.stdin.write(bronze.lines(schema, *orders(bronze, 1), bronze.state(1)))
    first.stdin.flush()
    first.stdout.readline()  # it has begun, and confirmed what it read
    bronze.load(
        schema, *orders(bronze, 1, 2, 3)
    )  # another one reads what is new since, and does not end the stream

    first.stdin.write(bronze.lines(bronze.finish()))
    first.stdin.close()
    assert first.wait(timeout=30) == 0

    # 2 was there before the run began, and the run did not see it
    assert changes(bronze) == ["1 new", "2 new", "3 new", "2 gone"]
    read_all(bronze, 1, 2)
    assert changes(bronze)[4:] == ["2 back", "3 gone"]
