"""SQL files of the owner run beside the landing, inside its transaction, and cannot take rows away unnoticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Bronze


def hook(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_hook_after_each_batch_sees_what_landed(bronze: Bronze, tmp_path: Path) -> None:
    bronze.query("CREATE TABLE seen (change text, number bigint)")
    own = hook(
        tmp_path,
        "own.sql",
        "INSERT INTO seen SELECT change, sum(record_count) FROM bronze_landed GROUP BY change",
    )

    bronze.load(
        bronze.schema(),
        *(bronze.record({"id": number}) for number in range(5)),
        after_run_sql=own,
        batch_size_rows=2,
    )

    assert bronze.query("SELECT change, number FROM seen") == [("new", 2), ("new", 2), ("new", 1)]


def test_a_hook_may_hold_several_statements_and_percent_signs_in_every_batch(
    bronze: Bronze, tmp_path: Path
) -> None:
    bronze.query("CREATE TABLE seen (text text)")
    own = hook(tmp_path, "own.sql", "INSERT INTO seen VALUES ('100 %');\nINSERT INTO seen VALUES ('%s');")

    outcome = bronze.load(
        bronze.schema(),
        *(bronze.record({"id": number}) for number in range(8)),
        after_run_sql=[own],
        batch_size_rows=1,
    )

    assert outcome.code == 0, outcome.log
    assert bronze.query("SELECT text, count(*) FROM seen GROUP BY text ORDER BY text") == [
        ("%s", 8),
        ("100 %", 8),
    ]


def test_a_folder_of_hooks_runs_in_name_order(bronze_18: Bronze, tmp_path: Path) -> None:
    bronze_18.query("CREATE TABLE seen (id integer GENERATED ALWAYS AS IDENTITY, text text)")
    (tmp_path / "hooks").mkdir()
    for name in ("20_b", "10_a"):
        hook(tmp_path / "hooks", f"{name}.sql", f"INSERT INTO seen (text) VALUES ('{name}')")

    bronze_18.load(bronze_18.schema(), bronze_18.record({"id": 1}), after_run_sql=str(tmp_path / "hooks"))

    assert bronze_18.query("SELECT text FROM seen ORDER BY id") == [("10_a",), ("20_b",)]


def test_a_hook_before_the_run_runs_once(bronze: Bronze, tmp_path: Path) -> None:
    bronze.query("CREATE TABLE seen (at timestamp)")
    own = hook(tmp_path, "before.sql", "INSERT INTO seen VALUES (now());")

    bronze.load(
        bronze.schema(),
        *(bronze.record({"id": number}) for number in range(3)),
        before_run_sql=own,
        batch_size_rows=1,
    )

    assert bronze.query("SELECT count(*) FROM seen") == [(1,)]


def test_a_hook_is_part_of_the_transaction(bronze: Bronze, tmp_path: Path) -> None:
    bronze.query("CREATE TABLE seen (number integer)")
    own = hook(tmp_path, "own.sql", "INSERT INTO seen VALUES (1); SELECT no_such_column FROM seen;")

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}), bronze.state(1), after_run_sql=own)

    assert (outcome.code, outcome.states) == (1, [])
    assert "own.sql" in outcome.log
    assert "no_such_column" in outcome.log
    assert "Traceback" not in outcome.log
    assert bronze.query("SELECT count(*) FROM seen") == [(0,)]
    assert bronze.query("SELECT count(*) FROM bronze_shop") == [(0,)]
    assert bronze.query("SELECT status FROM bronze.runs") == [("failed",)]


def test_a_hook_that_takes_records_away_is_caught(bronze: Bronze) -> None:
    early = bronze.query("SELECT prosrc FROM pg_proc WHERE oid = 'bronze.land()'::regprocedure")[0][0]
    thief = early.replace("BEGIN", "BEGIN\n    DELETE FROM bronze_stage WHERE ord = 2;", 1)
    bronze.query(
        f"CREATE OR REPLACE FUNCTION bronze.land() RETURNS void LANGUAGE plpgsql AS $thief${thief}$thief$"
    )

    outcome = bronze.load(
        bronze.schema(), *(bronze.record({"id": number}) for number in range(3)), bronze.state(1)
    )

    assert (outcome.code, outcome.states) == (1, [])
    assert "landed 2 of 3 records" in outcome.log
    assert bronze.query("SELECT count(*) FROM bronze_shop") == [(0,)]


def test_a_hook_that_is_not_there_is_one_sentence(bronze_18: Bronze, tmp_path: Path) -> None:
    outcome = bronze_18.load(bronze_18.schema(), after_run_sql=str(tmp_path / "missing.sql"))

    assert outcome.code == 1
    assert "missing.sql cannot be read" in outcome.log
    assert "after_run_sql" in outcome.log
    assert "Traceback" not in outcome.log
