"""``bronze reconcile``: what a source gives now, compared with what is here."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from target_postgres_bronze.operator import meltano
from target_postgres_bronze.operator.reconciling import Reconciler

if TYPE_CHECKING:
    import psycopg

    from operating.conftest import Answer, Operator

ROWS = "SELECT count(*) FROM bronze_shop"


def source(operator: Operator, *messages: Any) -> Path:
    """Write what the source says now: its schema as in `orders`, and *messages*."""
    make = operator.bronze
    schema = make.schema(x_source_timestamp="at", x_volatile=["/seen"])
    path = operator.root / "now.singer"
    path.write_bytes(make.lines(schema, *messages))
    return path


def order(operator: Operator, number: int, **members: Any) -> dict[str, Any]:
    """Make an order as `orders` has it, with other *members*."""
    days = ("2024-01-03", "2024-01-04", "2024-02-05", "2024-05-06", "2024-05-07", "2024-06-08")
    total = 10 if number == 0 else number / 7
    return operator.bronze.record({"id": number, "at": days[number], "total": total} | members)


def reconcile(operator: Operator, path: Path, *words: str) -> Answer:
    return operator("reconcile", "shop", "--messages", str(path), *words)


def verdicts(answer: Answer) -> dict[str, str]:
    return {record["raw_id"]: record["verdict"] for record in answer.json["differences"]}


def test_the_same_on_both_sides_is_exit_code_0(orders: Operator) -> None:
    path = source(orders, *(order(orders, number, seen="just now") for number in range(5)))
    answer = reconcile(orders, path, "--json")
    assert answer.code == 0
    assert answer.json["equal"] == 5
    assert answer.json["ended_at"]


def test_missing_differing_and_gone_records_are_named(orders: Operator) -> None:
    path = source(orders, *(order(orders, number) for number in (0, 2, 3, 5)), order(orders, 4, total=99))
    answer = reconcile(orders, path, "--json")
    assert answer.code == 3
    assert verdicts(answer) == {"1": "gone", "4": "differing", "5": "missing"}
    assert answer.json["equal"] == 3
    assert orders.bronze.query(ROWS) == [(6,)]
    kept = orders.bronze.query("SELECT raw_id, verdict FROM bronze.differences ORDER BY raw_id")
    assert kept == [("1", "gone"), ("4", "differing"), ("5", "missing")]


def test_an_older_version_that_is_current_again_there_differs(orders: Operator) -> None:
    path = source(orders, order(orders, 0, total=0), *(order(orders, number) for number in range(1, 5)))
    assert verdicts(reconcile(orders, path, "--json")) == {"0": "differing"}


def test_a_range_of_days_leaves_the_others_out(orders: Operator) -> None:
    path = source(orders, order(orders, 5), order(orders, 2))
    answer = reconcile(orders, path, "--from", "2024-01-04", "--to", "2024-05-06", "--json")
    assert verdicts(answer) == {"1": "gone", "3": "gone"}


def test_what_differs_or_is_missing_within_a_range_of_days_is_named(orders: Operator) -> None:
    path = source(
        orders,
        order(orders, 1),
        order(orders, 3, total=99),
        order(orders, 5, at="2024-05-06"),
        order(orders, 5, id=6, at="2024-05-07"),
    )
    answer = reconcile(orders, path, "--from", "2024-01-04", "--to", "2024-05-06", "--json")
    assert verdicts(answer) == {"2": "gone", "3": "differing", "5": "missing"}


def test_a_record_that_moved_out_of_the_range_is_not_gone(orders: Operator) -> None:
    path = source(orders, order(orders, 2, at="2024-07-01"))
    answer = reconcile(orders, path, "--from", "2024-02-01", "--to", "2024-02-29", "--json")
    assert verdicts(answer) == {}


def test_repair_lands_what_is_missing_or_differs_and_nothing_else(orders: Operator) -> None:
    path = source(
        orders, order(orders, 0), order(orders, 4, total=99), order(orders, 5), orders.bronze.finish()
    )
    assert reconcile(orders, path, "--repair").code == 0
    assert orders.bronze.query(ROWS) == [(8,)]
    new = orders.bronze.query(
        "SELECT raw_id, version, metadata ->> 'change' FROM bronze_shop WHERE id > 6 ORDER BY raw_id"
    )
    assert [row[:2] for row in new if row[2] != "gone"] == [("4", 2), ("5", 1)]
    again = reconcile(orders, path, "--json")
    assert set(verdicts(again).values()) == {"gone"}


def test_records_without_a_key_are_counted_by_their_content(operator: Operator) -> None:
    make = operator.bronze
    schema = make.schema(key=None)
    operator.load(schema, make.record({"a": 1}), make.record({"a": 1}), make.record({"a": 2}))
    path = operator.root / "now.singer"
    path.write_bytes(make.lines(schema, make.record({"a": 2}), make.record({"a": 1}), make.record({"a": 3})))
    found = sorted(verdicts(reconcile(operator, path, "--json")).values())
    assert found == ["gone", "missing"]


def test_a_stream_that_is_not_known_here_is_missing(orders: Operator) -> None:
    make = orders.bronze
    path = orders.root / "now.singer"
    path.write_bytes(make.lines(make.schema("items"), make.record({"id": 1}, "items")))
    answer = reconcile(orders, path, "--json")
    assert [(stream["stream"], stream["missing"]) for stream in answer.json["streams"]] == [("items", 1)]


def test_one_stream_alone_is_compared(orders: Operator) -> None:
    make = orders.bronze
    orders.load(make.schema("items"), make.record({"id": 1}, "items"))
    path = source(orders, *(order(orders, number) for number in range(5)))
    assert reconcile(orders, path, "--stream", "orders").code == 0
    assert reconcile(orders, path, "--stream", "items").code == 0, "nothing was said of items"


def test_lines_that_cannot_be_read_are_counted(orders: Operator) -> None:
    path = source(orders, *(order(orders, number) for number in range(5)), b"nonsense")
    answer = reconcile(orders, path)
    assert answer.code == 0
    assert "1 lines could not be read;" in answer.err


def test_a_connection_that_breaks_makes_nothing_gone(
    orders: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = iter([True])

    def compare(self: Reconciler, part: Any, connection: psycopg.Connection[Any]) -> list[int]:
        found = compared(self, part, connection)
        if next(once, False):
            orders.bronze.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s",
                orders.bronze.env["PG_DB"],
            )
        return found

    compared = Reconciler._compare_part
    monkeypatch.setattr(Reconciler, "_compare_part", compare)
    path = source(orders, order(orders, 0), order(orders, 5))
    answer = reconcile(orders, path)
    assert answer.code == 1
    assert "what is gone there cannot be told" in answer.err
    assert orders.bronze.query("SELECT raw_id, verdict FROM bronze.differences") == [("5", "missing")]


def test_a_source_of_which_nothing_is_here_is_a_sentence(orders: Operator) -> None:
    assert "Sources: shop." in orders("reconcile", "shoes").err


TAP = """
import json, os
print(json.dumps({"type": "SCHEMA", "stream": "orders", "schema": {"type": "object", "x-source-timestamp": "at"}, "key_properties": ["id"]}))
print(json.dumps({"type": "RECORD", "stream": "orders", "record": {"id": 7, "start": os.environ.get("TAP_SHOP_START_DATE")}}))
"""


@pytest.fixture
def tap(orders: Operator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tap in a project that the real Meltano runs."""
    root = orders.root
    (root / "meltano.yml").write_text("project_id: test\ninclude_paths: [./plugins/*/*.meltano.yml]\n")
    (root / "tap.py").write_text(TAP)
    executable = root / "tap.sh"
    executable.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{root / "tap.py"}"\n')
    executable.chmod(0o755)
    definition = {
        "name": "tap-shop",
        "namespace": "tap_shop",
        "executable": "./tap.sh",
        "settings": [{"name": "start_date"}],
    }
    (root / "plugins" / "extractors").mkdir(parents=True)
    text = yaml.safe_dump({"plugins": {"extractors": [definition]}})
    (root / "plugins" / "extractors" / "tap-shop.meltano.yml").write_text(text)
    monkeypatch.setenv("MELTANO_AUTO_INSTALL", "false")
    assert shutil.which("meltano", path=Path(sys.executable).parent)
    return executable


@pytest.mark.usefixtures("tap")
def test_the_tap_is_run_without_state_from_the_first_day(orders: Operator) -> None:
    answer = orders("reconcile", "shop", "--from", "2024-05-01", "--json", "--repair")
    assert answer.code == 0, answer.err
    assert verdicts(answer) == {"3": "gone", "4": "gone", "7": "missing"}
    assert orders.bronze.query("SELECT raw_data ->> 'start' FROM bronze_shop WHERE raw_id = '7'") == [
        ("2024-05-01T00:00:00Z",)
    ]


def test_a_tap_that_fails_says_nothing_of_what_is_gone(
    orders: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orders.root / "tap.py").write_text(TAP)
    instead = orders.root / "meltano"
    instead.write_text(f'#!/bin/sh\n"{sys.executable}" "{orders.root / "tap.py"}"\nexit 1\n')
    instead.chmod(0o755)
    monkeypatch.setattr(meltano, "program", lambda: str(instead))
    answer = orders("reconcile", "shop")
    assert answer.code == 1
    assert "tap-shop failed (exit code 1" in answer.err
    assert orders.bronze.query("SELECT verdict FROM bronze.differences") == [("missing",)]
    assert orders.bronze.query("SELECT ended_at FROM bronze.reconciliations") == [(None,)]
