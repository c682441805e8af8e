"""``bronze catalog``: streams, months, fields and changes as the views tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operating.conftest import Operator


def test_the_catalog_tells_a_streams_key_counts_and_events(orders: Operator) -> None:
    (entry,) = orders("catalog", "--json").json
    assert (
        entry
        | {
            "source": "shop",
            "key_properties": ["id"],
            "row_count": 6,
            "record_count": 5,
            "field_count": 3,
            "schema_count": 1,
            "first_event": "2024-01-03T00:00:00",
            "last_event": "2024-05-07T00:00:00",
            "annotations": {"x-source-timestamp": "at", "x-volatile": ["/seen"]},
            "invalid_share": 0.0,
            "dead_letter_count": 0,
        }
        == entry
    )
    assert entry["source_bytes"] > 0
    assert 0 <= entry["age"] < 60


def test_months_without_a_record_are_gaps(orders: Operator) -> None:
    coverage = {
        month["month"]: month["record_count"] for month in orders("catalog", "--coverage", "--json").json
    }
    assert coverage == {
        "2024-01-01": 2,
        "2024-02-01": 1,
        "2024-03-01": 0,
        "2024-04-01": 0,
        "2024-05-01": 2,
    }
    (gap,) = orders("catalog", "shop", "--gaps", "--json").json
    assert (gap["first_month"], gap["last_month"], gap["month_count"]) == ("2024-03-01", "2024-04-01", 2)


def test_fields_come_from_the_schema_with_what_it_says_of_them(orders: Operator) -> None:
    fields = {field["field"]: field for field in orders("catalog", "--fields", "--json").json}
    assert fields.keys() == {"id", "at", "total"}
    assert (fields["id"]["type"], fields["id"]["description"]) == ("integer", "Number of the order.")


def test_a_new_schema_is_told_field_by_field(operator: Operator) -> None:
    make = operator.bronze
    before = {"id": {"type": "integer"}, "old": {"type": "string"}, "price": {"type": "string"}}
    after = {"id": {"type": "integer"}, "fresh": {"type": "string"}, "price": {"type": ["number", "null"]}}
    for properties in (before, after):
        operator.load(make.schema(properties=properties), make.record({"id": 1}))
    changes = {change["field"]: change for change in operator("catalog", "--changes", "--json").json}
    assert {name: change["change"] for name, change in changes.items()} == {
        "old": "vanished",
        "fresh": "new",
        "price": "retyped",
    }
    assert (changes["price"]["former_type"], changes["price"]["type"]) == ("string", '["number", "null"]')


def test_a_stream_without_a_usable_schema_is_in_the_catalog(operator: Operator) -> None:
    make = operator.bronze
    operator.load({**make.schema(), "schema": {"properties": ["no", "object"]}}, make.record({"id": 1}))
    assert operator("catalog", "--json").json[0]["field_count"] == 0


def test_a_source_of_which_nothing_is_here_is_a_sentence(orders: Operator) -> None:
    for words in (["catalog", "shoes"], ["catalog", "shoes", "--gaps"]):
        answer = orders(*words)
        assert (answer.code, answer.err) == (1, "Nothing of a source shoes is here. Sources: shop.\n")
    assert orders("catalog", "shop", "--changes").code == 0, "a source whose schema never changed"


def test_a_layout_of_an_earlier_version_is_told_as_such(orders: Operator) -> None:
    orders.bronze.query("DROP VIEW bronze.gaps")
    answer = orders("catalog", "--gaps")
    assert answer.code == 1
    assert (
        'the layout is not this version\'s (relation "bronze.gaps" does not exist). The next run'
        in answer.err
    )


def test_the_catalog_is_a_table_for_people(orders: Operator) -> None:
    shown = orders("catalog").out
    row = next(line for line in shown.splitlines() if "orders" in line)
    assert "ago" in row
    assert "2024-05-07" in row
