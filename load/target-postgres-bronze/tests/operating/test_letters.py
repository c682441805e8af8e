"""``bronze dead-letters``: listed, shown, replayed, given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from operating.conftest import Operator

EARLY = b'{"type": "RECORD", "stream": "items", "record": {"id": 1, "price": 1.10}}'


@pytest.fixture
def letters(operator: Operator) -> Operator:
    """Three letters: an item before its schema, an order that is no object, and no JSON."""
    make = operator.bronze
    wrong = make.raw_record(b"5")  # type: ignore[attr-defined] # of the database in tests/conftest.py
    make.load(make.schema(), EARLY, wrong, b"nonsense \xff")
    return operator


def states(operator: Operator) -> list[str]:
    return [row[0] for row in operator.bronze.query("SELECT status FROM bronze.dead_letters ORDER BY id")]


def test_open_letters_are_listed_by_category(letters: Operator) -> None:
    assert len(letters("dead-letters", "list", "--json").json) == 3
    assert letters("dead-letters", "list", "--category", "database", "--json").json == []
    assert letters("dead-letters", "list", "--source", "other", "--json").json == []
    assert "SCHEMA of its stream" in letters("dead-letters", "list").out


def test_a_letter_is_shown_byte_for_byte(letters: Operator) -> None:
    number = letters.bronze.query("SELECT id FROM bronze.dead_letters WHERE stream = 'items'")[0][0]
    assert letters("dead-letters", "show", str(number), "--original").out == EARLY.decode() + "\n"
    assert letters("dead-letters", "show", str(number)).json["original"] == EARLY.decode()
    assert "There is no dead letter 99" in letters("dead-letters", "show", "99").err


def test_a_letter_becomes_a_row_once_its_cause_is_gone(letters: Operator) -> None:
    make = letters.bronze
    make.load(make.schema("items"))
    assert make.load(make.schema("items"), make.record({"id": 2}, "items")).code == 0
    answer = letters("dead-letters", "replay")
    assert answer.code == 1, "two of three are refused again"
    assert answer.out.startswith("1 of 3 letters")
    assert make.query("SELECT raw_data::text FROM bronze_shop WHERE raw_id = '1'") == [
        ('{"id": 1, "price": 1.10}',)
    ]
    assert sorted(states(letters)) == ["open", "open", "replayed"]
    run = (
        "SELECT count(*) FROM bronze.dead_letters AS d INNER JOIN bronze.runs AS r ON r.run_id = d.resolution"
    )
    assert make.query(run) == [(1,)]


def test_what_the_tap_could_not_read_lands_as_it_stands_in_a_replay(operator: Operator) -> None:
    make = operator.bronze
    rest = make.record({"id": 7, "bytes": "AAEC"}, "rests", dead_letter="the file breaks off")
    make.load(make.schema("rests"), rest)
    assert make.query("SELECT count(*) FROM bronze.dead_letters") == [(1,)]

    assert operator("dead-letters", "replay").code == 0

    assert make.query(
        "SELECT raw_id, validation_status, error_message, metadata ->> 'dead_letter' FROM bronze_shop"
    ) == [("7", "warning", "the file breaks off", "the file breaks off")]
    make.load(make.schema("rests"), rest)
    assert states(operator) == ["replayed"], "the file is as damaged as it was, and the row is there"


def test_only_the_letters_that_are_named_are_replayed(letters: Operator) -> None:
    make = letters.bronze
    make.load(make.schema("items"), make.record({"id": 2}, "items"))
    number = make.query("SELECT id FROM bronze.dead_letters WHERE stream = 'items'")[0][0]
    assert letters("dead-letters", "replay", str(number)).code == 0
    assert make.query("SELECT max(seen_count) FROM bronze.dead_letters") == [(1,)]


def test_a_letter_that_is_given_up_is_kept_with_its_reason(letters: Operator) -> None:
    numbers = [str(row[0]) for row in letters.bronze.query("SELECT id FROM bronze.dead_letters ORDER BY id")]
    assert letters("dead-letters", "give-up", *numbers[:2], "--reason", "junk").code == 0
    assert states(letters) == ["given_up", "given_up", "open"]
    assert letters.bronze.query(
        "SELECT DISTINCT resolution FROM bronze.dead_letters WHERE resolution IS NOT NULL"
    ) == [("junk",)]
    again = letters("dead-letters", "give-up", *numbers, "--reason", "junk")
    assert again.code == 1
    assert f"Not open, or not there: {numbers[0]}, {numbers[1]}." in again.err


def test_nothing_to_replay_is_fine(operator: Operator) -> None:
    assert operator("dead-letters", "replay").code == 0
