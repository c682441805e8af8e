"""New, changed, known: what makes a version, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Bronze

CHANGE = "metadata ->> 'change'"


def order(number: int, **content: Any) -> dict[str, Any]:
    return {"id": number, **content}


def test_a_record_that_changes_and_changes_back_has_three_versions(bronze: Bronze) -> None:
    for state in ("open", "paid", "open"):
        assert bronze.load(bronze.schema(), bronze.record(order(1, state=state))).code == 0

    assert bronze.column("version") == [1, 2, 3]
    assert bronze.column("raw_data ->> 'state'") == ["open", "paid", "open"]
    assert bronze.column(CHANGE) == ["new", "changed", "changed"]
    assert bronze.query("SELECT version FROM bronze_shop_current") == [(3,)]


def test_a_version_names_the_one_before_it_as_its_parent(bronze: Bronze) -> None:
    for state in ("open", "paid", "sent"):
        bronze.load(bronze.schema(), bronze.record(order(1, state=state)))

    assert bronze.column("lineage_id") == ["shop/orders/1@1", "shop/orders/1@2", "shop/orders/1@3"]
    assert bronze.column("parent_lineage_ids") == [None, ["shop/orders/1@1"], ["shop/orders/1@2"]]
    assert bronze.column("lineage_type") == ["source"] * 3


def test_running_again_without_news_writes_no_row(bronze: Bronze) -> None:
    messages = [bronze.schema(), *(bronze.record(order(number)) for number in range(5))]

    bronze.load(*messages)
    bronze.load(*messages)

    assert bronze.column("count(*) OVER ()") == [5] * 5
    assert bronze.books() == ("succeeded", 5, 0, 0, 5, 0)


def test_the_order_of_keys_and_blanks_are_no_change(bronze: Bronze) -> None:
    bronze.load(bronze.schema(), bronze.raw_record(b'{"id": 1, "a": {"x": 1, "y": [1, 2]}}'))
    bronze.load(bronze.schema(), bronze.raw_record(b'{ "a" : {"y":[1,2],"x":1},"id":1 }'))

    assert bronze.column("version") == [1]


def test_the_order_of_a_list_and_the_digits_of_a_number_are_change(bronze: Bronze) -> None:
    for content in (
        b'{"id":1,"a":[1,2]}',
        b'{"id":1,"a":[2,1]}',
        b'{"id":1,"a":[2,1.0]}',
        b'{"id":1,"a":[2,1.00]}',
    ):
        bronze.load(bronze.schema(), bronze.raw_record(content))

    assert bronze.column("version") == [1, 2, 3, 4]


def test_volatile_members_are_no_change_and_land_all_the_same(bronze: Bronze) -> None:
    schema = bronze.schema(x_volatile=["/at", "/items/*/seen", "/a~1b"])

    def content(moment: int, price: int) -> dict[str, Any]:
        return order(1, at=moment, items=[{"seen": moment, "price": price}], **{"a/b": moment})

    bronze.load(schema, bronze.record(content(1, 5)))
    bronze.load(schema, bronze.record(content(2, 5)))
    bronze.load(schema, bronze.record(content(3, 6)))

    assert bronze.column("raw_data ->> 'at'") == ["1", "3"]
    assert bronze.column("raw_data #>> '{items,0,seen}'") == ["1", "3"]


def test_an_older_version_sent_again_is_known(bronze: Bronze) -> None:
    schema = bronze.schema(replication_key="updated")
    old, newer = order(1, updated="2024-03-01T10:00:00Z", a=1), order(1, updated="2024-03-02T10:00:00Z", a=2)

    bronze.load(schema, bronze.record(old), bronze.record(newer))
    bronze.load(schema, bronze.record(old), bronze.record(newer))

    assert bronze.column("version") == [1, 2]
    assert bronze.books() == ("succeeded", 2, 0, 0, 2, 0)


def test_former_content_with_a_newer_replication_key_is_a_version(bronze: Bronze) -> None:
    schema = bronze.schema(replication_key="updated", x_volatile=["/updated"])

    for day, state in enumerate(("open", "paid", "open"), start=1):
        bronze.load(schema, bronze.record(order(1, updated=f"2024-03-{day:02}", state=state)))

    assert bronze.column("raw_data ->> 'state'") == ["open", "paid", "open"]


def test_replication_keys_are_compared_as_moments_and_as_numbers(bronze: Bronze) -> None:
    for key, older, newer in (
        ("offset", "2024-03-01T23:30:00-05:00", "2024-03-02T05:00:00Z"),
        ("digits", 9, 10),
        ("epoch", 999_999_999, 1_700_000_000_000),
    ):
        schema = bronze.schema(key, replication_key="at")
        first, second = bronze.record(order(1, at=older), key), bronze.record(order(1, at=newer), key)
        bronze.load(schema, first, second)
        bronze.load(schema, first)

        assert bronze.books() == ("succeeded", 1, 0, 0, 1, 0), key


def test_versions_of_one_key_in_one_batch_all_land_in_their_order(bronze: Bronze) -> None:
    states = ["open", "paid", "paid", "sent", "open", "open"]

    outcome = bronze.load(bronze.schema(), *(bronze.record(order(1, state=state)) for state in states))

    assert bronze.column("raw_data ->> 'state'") == ["open", "paid", "sent", "open"]
    assert bronze.column("version") == [1, 2, 3, 4]
    assert bronze.books() == ("succeeded", 6, 1, 3, 2, 0)
    assert "shop.orders: 6 read, 1 new, 3 changed, 2 known, 0 rejected, " in outcome.log


def test_a_degraded_answer_lands_and_the_full_one_stays_current(bronze: Bronze) -> None:
    full, poor = order(1, series=[1, 2, 3]), order(1, series=[])

    bronze.load(bronze.schema(), bronze.record(full))
    bronze.load(bronze.schema(), bronze.record(poor, degraded=True))
    bronze.load(bronze.schema(), bronze.record(poor, degraded=True))

    assert bronze.column(CHANGE) == ["new", "degraded"]
    assert bronze.query("SELECT raw_data FROM bronze_shop_current") == [(full,)]

    bronze.load(bronze.schema(), bronze.record(full))
    bronze.load(bronze.schema(), bronze.record(order(1, series=[4])))

    assert bronze.column("version") == [1, 2, 3]
    assert bronze.column("parent_lineage_ids")[2] == ["shop/orders/1@2"]
    assert bronze.query("SELECT raw_data FROM bronze_shop_current") == [(order(1, series=[4]),)]


def test_an_older_export_does_not_bring_back_what_is_gone(bronze: Bronze) -> None:
    whole = bronze.schema(x_absence="full")
    bronze.load(whole, bronze.record(order(1)), bronze.record(order(2)), bronze.finish())
    bronze.load(whole, bronze.record(order(2)), bronze.finish())

    bronze.load(bronze.schema(), bronze.record(order(1), degraded=True))

    assert bronze.column(CHANGE) == ["new", "new", "gone"]
    assert bronze.query("SELECT raw_id FROM bronze_shop_current") == [("2",)]


def test_the_history_of_a_record_has_all_its_versions_oldest_first(bronze: Bronze) -> None:
    bronze.load(bronze.schema(), bronze.record(order(1, a=1)), bronze.record(order(2, a=1)))
    bronze.load(bronze.schema(), bronze.record(order(1, a=2)))
    bronze.load(bronze.schema(), bronze.record(order(1), degraded=True))

    history = bronze.query("SELECT version, metadata ->> 'change' FROM bronze.history('shop', 'orders', '1')")

    assert history == [(1, "new"), (2, "changed"), (3, "degraded")]
    assert bronze.query("SELECT * FROM bronze.history('shop', 'orders', 'none')") == []


def test_a_row_says_which_run_tap_and_schema_it_came_from(bronze: Bronze) -> None:
    tap = {"name": "tap-shop", "version": "1.2", "settings": {"start": "2024", "api_token": "never-shown"}}
    record = bronze.record(order(1)) | {"time_extracted": "2024-05-01T12:00:00+02:00"}

    bronze.load(bronze.schema(x_tap=tap), record, environment="prod")

    (row,) = bronze.query(
        """SELECT r.pipeline_run_id = u.run_id, r.pipeline_version, r.pipeline_parameters, r.environment, r.lineage_source,
            r.lineage_timestamp::text, r.lineage_metadata ->> 'position',
            r.lineage_metadata ->> 'schema_hash' = s.schema_hash, r.processing_end_time - r.processing_start_time = r.processing_duration
        FROM bronze_shop AS r, bronze.runs AS u, bronze.schemas AS s"""
    )
    assert row[0] is True
    assert row[1].startswith("tap-shop 1.2, target-postgres-bronze ")
    assert row[2:] == ({"start": "2024"}, "prod", "tap-shop/orders", "2024-05-01 10:00:00", "2", True, True)


TWICE = [order(1, at="09:00"), order(1, at="10:00"), order(2)]


def run_of(
    bronze: Bronze, contents: list[dict[str, Any]], **settings: Any
) -> tuple[str, int, int, int, int, int]:
    outcome = bronze.load(bronze.schema(), *map(bronze.record, contents), bronze.state(1), **settings)
    assert outcome.code == 0, outcome.log
    assert bronze.query("SELECT * FROM bronze.disagreements('shop')") == []
    return bronze.books()


@pytest.mark.parametrize("batch_size", [100, 1], ids=["one batch", "a batch each"])
def test_a_key_that_comes_twice_in_every_run_is_no_news_after_the_first(
    bronze: Bronze, batch_size: int
) -> None:
    assert run_of(bronze, TWICE, batch_size_rows=batch_size) == ("succeeded", 3, 2, 1, 0, 0)
    for _ in range(4):
        assert run_of(bronze, TWICE, batch_size_rows=batch_size) == ("succeeded", 3, 0, 0, 3, 0)

    assert bronze.query("SELECT raw_data ->> 'at' FROM bronze_shop_current WHERE raw_id = '1'") == [
        ("10:00",)
    ]


@pytest.mark.parametrize("batch_size", [100, 1], ids=["one batch", "a batch each"])
def test_the_last_content_of_a_run_counts_even_if_the_record_had_it_before(
    bronze: Bronze, batch_size: int
) -> None:
    nine, ten, other = TWICE
    run_of(bronze, TWICE, batch_size_rows=batch_size)

    assert run_of(bronze, [nine, other], batch_size_rows=batch_size) == ("succeeded", 2, 0, 1, 1, 0)
    current = "SELECT version, raw_data ->> 'at' FROM bronze_shop_current WHERE raw_id = '1'"
    assert bronze.query(current) == [(3, "09:00")]
    assert run_of(bronze, [ten, nine, other], batch_size_rows=batch_size)[3] in {0, 2}
    assert bronze.query(current)[0][1] == "09:00"
    assert run_of(bronze, [nine, ten], batch_size_rows=batch_size) == ("succeeded", 2, 0, 1, 1, 0)
    assert bronze.query(current)[0][1] == "10:00"


def test_a_key_that_comes_twice_with_equal_replication_keys_is_no_news_after_the_first(
    bronze_18: Bronze,
) -> None:
    schema = bronze_18.schema(replication_key="updated")
    records = [bronze_18.record(order(1, updated="2024-03-01", a=a)) for a in (1, 2)]

    for _ in range(3):
        bronze_18.load(schema, *records)

    assert bronze_18.column("version") == [1, 2]
