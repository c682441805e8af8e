"""Which records are one and the same: keys never meet, records without a key are told apart by content and occurrence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_postgres_bronze.identity import key_text

if TYPE_CHECKING:
    from conftest import Bronze

LONG = "k" * 600
SCALARS: list[Any] = [
    *(1, "1", 1.0, "1.0", 0, "0", -1, "-1", 10**30, str(10**30), True, "true", False, "false", "null", "nan"),
    *(
        "a",
        '"a"',
        "A",
        " a",
        "a ",
        "",
        '""',
        "[1]",
        "[1,2]",
        "{}",
        '{"a":1}',
        "#",
        "#1",
        "1e5",
        "a|b",
        "a#1",
        "\\",
        "%",
        "/",
        "é",
    ),
    *(
        [1],
        ["1"],
        [1, 2],
        [],
        {},
        {"a": 1},
        {"a": "1"},
        LONG,
        LONG + "k",
        [LONG],
        "a\x00",
        "a\ufffd",
        "a\\u0000",
    ),
]
PAIRS: list[list[Any]] = [
    *(
        ["a|b", "c"],
        ["a", "b|c"],
        ["a", "b"],
        ["a,b", ""],
        ["", "a,b"],
        ['a","b', ""],
        ["a", None],
        [None, "a"],
    ),
    *(
        ["a", "null"],
        ["a", ""],
        [1, "1"],
        ["1", 1],
        [1, 1],
        ["1", "1"],
        [True, 1],
        [LONG, "a"],
        [LONG, "b"],
        [LONG + "x", "a"],
    ),
]


def test_no_two_keys_of_one_field_meet(bronze: Bronze) -> None:
    outcome = bronze.load(bronze.schema(), *(bronze.record({"id": key}) for key in SCALARS))

    assert bronze.books() == ("succeeded", len(SCALARS), len(SCALARS), 0, 0, 0), outcome.log


def test_no_two_keys_of_two_fields_meet(bronze: Bronze) -> None:
    records = [bronze.record({"a": first, "b": second}) for first, second in PAIRS]

    bronze.load(bronze.schema(key=["a", "b"]), *records)

    assert bronze.books() == ("succeeded", len(PAIRS), len(PAIRS), 0, 0, 0)


_SCALAR = st.none() | st.booleans() | st.integers() | st.text()
_KEYS = _SCALAR | st.lists(_SCALAR, max_size=3) | st.dictionaries(st.text(), _SCALAR, max_size=2)


@given(first=_KEYS, second=_KEYS)
def test_raw_ids_are_equal_only_where_keys_are(first: Any, second: Any) -> None:
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)

    assert (key_text({"id": first}, ["id"]) == key_text({"id": second}, ["id"])) == same
    assert (key_text({"a": first, "b": 1}, ["a", "b"]) == key_text({"a": second, "b": 1}, ["a", "b"])) == same


def test_a_text_that_looks_like_a_shortened_key_is_not_taken_for_it() -> None:
    shortened = key_text({"id": LONG}, ["id"])

    assert key_text({"id": shortened}, ["id"]) != shortened


@pytest.mark.parametrize(
    ("content", "raw_id"),
    [
        ({"id": 7}, "7"),
        ({"id": "x-7"}, "x-7"),
        ({"id": "7"}, '"7"'),
        ({"id": True}, "true"),
        (
            {"id": LONG},
            f"{'k' * 64}...sha256:2d330bc98435ecd7cb32a036c14399b2ca5136f8e6f0bd5ccd2062cd04f2f944",
        ),
    ],
    ids=["number", "text", "digits as text", "bool", "long"],
)
def test_a_key_is_written_in_this_form_for_ever(content: dict[str, Any], raw_id: str) -> None:
    assert key_text(content, ["id"]) == raw_id


def test_a_record_whose_key_is_missing_or_null_lands_as_invalid(bronze: Bronze) -> None:
    messages = [
        bronze.schema(),
        bronze.record({"a": 1}),
        bronze.record({"id": None, "a": 1}),
        bronze.record({"a": 1}),
    ]

    bronze.load(*messages)
    bronze.load(*messages)

    assert bronze.column("validation_status") == ["invalid"] * 3
    assert bronze.column("error_message") == ['key "id": missing or null'] * 3
    assert all(raw_id.startswith("#") for raw_id in bronze.column("raw_id"))


def test_equal_records_without_a_key_both_land_and_a_second_import_adds_none(bronze: Bronze) -> None:
    schema = bronze.schema(key=None)
    messages = [schema, *(bronze.record({"steps": steps}) for steps in (5, 5, 6))]

    bronze.load(*messages)
    bronze.load(*messages)

    assert bronze.column("raw_data ->> 'steps'") == ["5", "5", "6"]
    assert bronze.column("version") == [1] * 3
    assert [raw_id.split("#")[1] for raw_id in bronze.column("raw_id")] == ["1", "2", "1"]
    assert bronze.books() == ("succeeded", 3, 0, 0, 3, 0)


def test_occurrences_are_counted_within_a_file(bronze: Bronze) -> None:
    schema = bronze.schema(key=None)
    one, two = ({"file_path": f"{name}.csv", "file_hash": name * 64} for name in "ab")
    fact = {"steps": 5}

    bronze.load(schema, bronze.record(fact, **one), bronze.record(fact, **one), bronze.record(fact, **two))
    bronze.load(schema, bronze.record(fact, **two))

    assert [raw_id.split("#")[1] for raw_id in bronze.column("raw_id")] == ["1", "2"]
    assert bronze.column("file_path") == ["a.csv", "a.csv"]


def test_one_file_in_two_exports_is_the_same_facts(bronze: Bronze) -> None:
    copies = [{"file_path": f"{name}.zip/steps.csv", "file_hash": "a" * 64} for name in ("old", "new")]

    bronze.load(bronze.schema(key=None), *[bronze.record({"steps": 5}, **copy) for copy in copies])

    assert bronze.books() == ("succeeded", 2, 1, 0, 1, 0)


def test_occurrences_go_on_across_batches(bronze_18: Bronze) -> None:
    records = [bronze_18.record({"steps": 5}) for _ in range(7)]

    bronze_18.load(bronze_18.schema(key=None), *records, batch_size_rows=2)

    assert [raw_id.split("#")[1] for raw_id in bronze_18.column("raw_id")] == list("1234567")


def test_the_taps_own_name_of_a_keyless_record_stands_for_its_content(bronze: Bronze) -> None:
    schema = bronze.schema(key=None)

    bronze.load(schema, bronze.record({"at": "<0x7f01>", "steps": 5}, raw_id="walk"))
    bronze.load(schema, bronze.record({"at": "<0x7f02>", "steps": 5}, raw_id="walk"))
    bronze.load(schema, *(bronze.record({"steps": 5}, raw_id="walk", occurrence=number) for number in (2, 3)))

    assert bronze.column("raw_id") == ["walk#1", "walk#2", "walk#3"]
    assert bronze.column("metadata ->> 'change'") == ["new"] * 3


def test_with_key_properties_the_taps_own_name_takes_their_place(bronze: Bronze) -> None:
    for state in ("open", "paid"):
        bronze.load(bronze.schema(), bronze.record({"order": {"id": 7}, "state": state}, raw_id="7-deep"))

    assert bronze.column("raw_id") == ["7-deep", "7-deep"]
    assert bronze.column("version") == [1, 2]


def test_the_account_is_part_of_the_identity(bronze: Bronze) -> None:
    content = {"id": 1}
    bronze.load(
        bronze.schema(),
        *(bronze.record(content, account=account) for account in ("me", "you", "a/b", "a~b", "a%2Fb")),
        bronze.record(content),
    )

    assert bronze.column("version") == [1] * 6
    assert len(set(bronze.column("lineage_id"))) == 6
    assert bronze.column("metadata ->> 'account'") == ["me", "you", "a/b", "a~b", "a%2Fb", None]


def test_streams_of_one_source_do_not_share_keys(bronze: Bronze) -> None:
    names = ["orders", "Orders", "or/ders", "or~ders", "or%2Fders", "n" * 80, 'quo"te', "a;--"]
    for name in names:
        bronze.load(bronze.schema(name), bronze.record({"id": 1}, name))

    assert bronze.column("version") == [1] * len(names)
    assert len(set(bronze.column("lineage_id"))) == len(names)


HEADS = "SELECT raw_id FROM bronze.heads ORDER BY row_id"


def sound(bronze: Bronze) -> bool:
    """Return whether rows, heads, versions and lineage agree."""
    return bronze.query("SELECT * FROM bronze.disagreements('shop')") == []


@pytest.mark.parametrize(
    "name", ["20000000004", "007", "1e5", '"a"', "[1]", "{}", "true", "null", "#1", "a\tb\\c", "é", "k" * 600]
)
def test_the_taps_own_name_is_stored_verbatim(bronze_18: Bronze, name: str) -> None:
    messages = [bronze_18.schema(), bronze_18.record({"a": 1}, raw_id=name)]

    bronze_18.load(*messages)
    bronze_18.load(*messages)

    assert bronze_18.column("raw_id") == [name]
    assert bronze_18.books() == ("succeeded", 1, 0, 0, 1, 0)
    assert sound(bronze_18)


def test_the_taps_own_name_and_a_number_do_not_meet(bronze: Bronze) -> None:
    for _ in range(2):
        bronze.load(bronze.schema(), bronze.record({"id": 7}), bronze.record({"id": 8}, raw_id="7"))

    assert bronze.column("raw_id") == ["7", "7"]
    assert bronze.column("version") == [1, 1]
    assert sound(bronze)


def test_a_record_with_a_verbatim_name_that_is_gone_is_not_current_and_comes_back(bronze: Bronze) -> None:
    schema = bronze.schema(x_absence="full")
    both = [bronze.record({"a": number}, raw_id=str(number)) for number in (7, 8)]
    for records in (both, both[:1], both):
        bronze.load(schema, *records, bronze.finish())
        assert sorted(bronze.query("SELECT raw_id FROM bronze_shop_current")) == [
            (str(number),) for number in (7, 8)[: len(records)]
        ]

    assert bronze.column("metadata ->> 'change'", "raw_id = '8'") == ["new", "gone", "back"]
    assert bronze.query("SELECT count(*) FROM bronze.history('shop', 'orders', '8')") == [(3,)]
    assert sound(bronze)


def test_a_name_that_landed_in_quotes_before_is_the_same_record(bronze: Bronze) -> None:
    schema = bronze.schema(x_absence="full")
    # a text as key was, and a name of the tap's own was, stored in quotes
    bronze.load(schema, bronze.record({"id": "7"}), bronze.finish())

    bronze.load(schema, bronze.record({"id": "7"}, raw_id="7"), bronze.finish())
    assert bronze.books() == ("succeeded", 1, 0, 0, 1, 0)
    bronze.load(schema, bronze.record({"id": "7", "a": 1}, raw_id="7"), bronze.finish())

    assert bronze.column("raw_id") == ['"7"', "7"]
    assert bronze.column("version") == [1, 2]
    assert bronze.query("SELECT version FROM bronze_shop_current") == [(2,)]
    assert sound(bronze)


def test_a_number_that_is_none_and_a_text_of_its_letters_are_two_records(bronze: Bronze) -> None:
    huge = "1e" + "9" * 30
    lines = [
        bronze.raw_record(f'{{"id": {key}}}'.encode())
        for number in ("NaN", "Infinity", "-Infinity", huge)
        for key in (number, f'"{number}"', f"[{number}]", f'["{number}"]')
    ]
    for _ in range(2):
        bronze.load(bronze.schema(), *lines)

    assert bronze.query("SELECT count(*), max(version) FROM bronze.heads") == [(16, 1)]
    assert bronze.books() == ("succeeded", 16, 0, 0, 16, 0)


def test_values_of_a_new_key_do_not_chain_to_records_of_the_old_one(bronze: Bronze) -> None:
    old, new = bronze.schema(key="id"), bronze.schema(key="no")
    records = [bronze.record({"id": number, "no": 3 - number}) for number in (1, 2)]

    bronze.load(old, *records)
    for _ in range(2):
        bronze.load(new, *records)
        assert bronze.column("raw_id") == ["1", "2", "2", "1"]
        assert bronze.column("version") == [1] * 4
    bronze.load(old, *records)

    assert bronze.column("version") == [1] * 4
    assert bronze.query(HEADS) == [("1",), ("2",), ('#{"no":2}',), ('#{"no":1}',)]
    assert sound(bronze)


@pytest.mark.parametrize(("old", "new"), [("id", "no"), (None, "id"), ("id", None), ("id", ["id", "no"])])
def test_after_a_change_of_the_key_a_complete_read_leaves_each_record_current_once(
    bronze_18: Bronze, old: str | None, new: str | list[str] | None
) -> None:
    records = [bronze_18.record({"id": number, "no": 3 - number}) for number in (1, 2)]
    for key in (old, new, new):
        bronze_18.load(bronze_18.schema(key=key, x_absence="full"), *records, bronze_18.finish())

    assert bronze_18.query("SELECT raw_data ->> 'id' FROM bronze_shop_current ORDER BY 1") == [("1",), ("2",)]
    assert bronze_18.column("metadata ->> 'change'") == ["new"] * 4 + ["gone"] * 2
    assert bronze_18.books() == ("succeeded", 2, 0, 0, 2, 0)
    assert sound(bronze_18)


def test_the_order_of_the_key_properties_is_no_part_of_the_identity(bronze_18: Bronze) -> None:
    for key in (["a", "b"], ["b", "a"]):
        bronze_18.load(bronze_18.schema(key=key), bronze_18.record({"a": 1, "b": 2}))

    assert bronze_18.column("raw_id") == ["[1,2]"]


def test_the_first_account_that_a_tap_names_takes_what_came_without_one(bronze: Bronze) -> None:
    schema = bronze.schema(x_absence="full")
    bronze.load(schema, *(bronze.record({"id": number}) for number in (1, 2)), bronze.finish())

    def load(account: str, *numbers: int) -> None:
        records = [bronze.record({"id": number}, account=account) for number in numbers]
        assert bronze.load(schema, *records, bronze.finish()).code == 0

    load("me", 1, 2)
    assert bronze.books() == ("succeeded", 2, 0, 0, 2, 0)
    load("me", 1)
    load("you", 1, 2)
    load("me", 1, 2)

    assert bronze.column("concat(raw_id, ' ', metadata ->> 'account', ' ', metadata ->> 'change')") == [
        "1  new", "2  new", "2 me gone", "1 you new", "2 you new", "2 me back",
    ]  # fmt: skip
    assert bronze.query("SELECT account FROM bronze.streams ORDER BY id") == [("me",), ("you",)]
    assert bronze.query("SELECT count(*) FROM bronze_shop_current") == [(4,)]
    assert sound(bronze)


def test_records_without_an_account_after_that_begin_their_own_lineage(bronze_18: Bronze) -> None:
    for provenance in ({}, {"account": "me"}, {}, {"account": "you"}):
        bronze_18.load(bronze_18.schema(), bronze_18.record({"id": 1}, **provenance))

    assert bronze_18.column("lineage_id") == ["shop/orders/1@1", "shop/orders~/1@1", "shop/orders~you/1@1"]
    assert sound(bronze_18)
