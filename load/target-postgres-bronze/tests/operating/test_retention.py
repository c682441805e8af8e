"""Rows are kept for ever: nothing in the project takes one away, and the database refuses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest

import target_postgres_bronze
from target_postgres_bronze import project

if TYPE_CHECKING:
    from pathlib import Path

    from operating.conftest import Operator

#: Statements that take something away, wherever they stand in SQL or Python.
TAKES_AWAY = re.compile(
    r"\b(?:DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?(?!\s+(?:ON|unless)\b)|DROP\s+(?:TABLE|SCHEMA|DATABASE|OWNED|COLUMN)|DETACH\s+PARTITION)\s+(?:IF\s+EXISTS\s+)?[\w.%{}]+",
    re.IGNORECASE,
)
#: Those that there are, each with the reason why no row of a source is lost by it.
ALLOWED = {
    (
        "59_archived_months.sql",
        "DETACH PARTITION public.%I",
    ): "a month whose rows are in a file that was read back and compared",
    ("59_archived_months.sql", "DROP TABLE public.%I"): "the same month",
    **{
        (
            "25_forget_source.sql",
            f"DELETE FROM bronze.{name}",
        ): "what is known of a source whose table was dropped by hand"
        for name in ("heads", "former_versions", "run_streams", "runs", "streams", "schemas", "sources")
    },
    ("pgtools.py", "DROP DATABASE IF EXISTS {}"): "the scratch database into which a backup was restored",
}
#: What a source has: its rows, and what tells them apart.
KEPT = (
    "bronze_shop",
    "bronze.heads",
    "bronze.former_versions",
    "bronze.schemas",
    "bronze.streams",
    "bronze.dead_letters",
    "bronze.runs",
)
#: Every command that works on rows, as a person may call it.
COMMANDS = (
    ("status",),
    ("catalog", "--gaps"),
    ("check",),
    ("metrics",),
    ("maintain",),
    ("verify",),
    ("export", "shop", "--output", "shop.jsonl"),
    ("backup", "saved"),
    ("dead-letters", "replay"),
    ("dead-letters", "give-up", "1", "--reason", "junk"),
    ("archive-month", "shop", "2024-01"),
    ("archive-month", "shop", "2024-01", "--attach"),
)


TEMPORARY = re.compile(r"CREATE TEMPORARY TABLE (?:IF NOT EXISTS )?(\w+)")


def temporary_tables() -> set[str]:
    """Return the names of the tables that a connection has for itself, and that end with it; those that last have a schema before them."""
    return {name for file in project.sql_dir().rglob("*.sql") for name in TEMPORARY.findall(file.read_text())}


def found_in(folder: Path, pattern: str) -> set[tuple[str, str]]:
    """Return file and statement of everything below *folder* that takes something away; comments are no statements."""
    found = set()
    for file in sorted(folder.rglob(pattern)):
        text = re.sub(r"^\s*(?:--|#).*$", "", file.read_text(), flags=re.MULTILINE)
        found |= {(file.name, " ".join(match[0].split())) for match in TAKES_AWAY.finditer(text)}
    return found


def test_no_statement_takes_rows_away() -> None:
    code = project.sql_dir().parent / "load" / "target-postgres-bronze" / "src"
    assert (code / target_postgres_bronze.__name__).is_dir()
    found = found_in(project.sql_dir(), "*.sql") | found_in(code, "*.py")
    temporary = temporary_tables()
    assert "bronze_stage" in temporary
    lasting = {(file, statement) for file, statement in found if statement.split()[-1] not in temporary}
    assert lasting == ALLOWED.keys()


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM bronze_toggl",
        "truncate public.bronze_toggl",
        "DROP TABLE IF EXISTS x",
        "ALTER TABLE a\nDETACH PARTITION b",
    ],
)
def test_the_search_knows_such_a_statement(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.sql").write_text(f"-- DELETE FROM nothing\nSELECT 1;\n{text};\n")
    assert len(found_in(tmp_path, "*.sql")) == 1


def test_no_command_removes_a_row(orders: Operator) -> None:
    make = orders.bronze
    make.load(make.schema(), b"nonsense", make.record({"id": 8}))
    before = _contents(orders)
    for words in COMMANDS:
        answer = orders(*words)
        # a letter that is refused again and a level that is missed are told by 1
        assert answer.code <= (words[0] in {"check", "dead-letters"}), (words, answer.err)
    after = _contents(orders)
    lost = {table: rows - after[table] for table, rows in before.items() if rows - after[table]}
    assert lost == {}


def _contents(operator: Operator) -> dict[str, set[str]]:
    """Return what each row is known by: its key, as other columns of the control tables move on."""
    keys = {
        "bronze_shop": "t::text",
        "bronze.heads": "format('%%s %%s', stream_id, raw_id)",
        "bronze.former_versions": "t::text",
        "bronze.schemas": "schema_hash",
        "bronze.streams": "id::text",
        "bronze.dead_letters": "original::text",
        "bronze.runs": "run_id",
    }
    assert keys.keys() == set(KEPT)
    return {
        table: {row[0] for row in operator.bronze.query(f"SELECT {key} FROM {table} AS t")}
        for table, key in keys.items()
    }


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM bronze_shop",
        "DELETE FROM bronze_shop WHERE id = 1",
        "DELETE FROM bronze_shop_y2024m01",
        "TRUNCATE bronze_shop",
        "TRUNCATE bronze_shop_y2024m01",
        "UPDATE bronze_shop SET raw_data = '{}'",
        "WITH gone AS (DELETE FROM bronze_shop RETURNING id) SELECT count(*) FROM gone",
    ],
)
def test_who_tries_is_refused_even_as_the_owner(orders: Operator, statement: str) -> None:
    before = _contents(orders)
    with pytest.raises(psycopg.errors.RestrictViolation, match="rows of the bronze layer are never changed"):
        orders.bronze.query(statement)
    assert _contents(orders) == before
