"""``bronze backup``, ``bronze restore`` and ``bronze maintain``."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from target_postgres_bronze import project
from target_postgres_bronze.operator import backups, meltano, pgtools, session
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operating.conftest import Operator
    from target_postgres_bronze.database import Target

FINGERPRINTS = b"SELECT * FROM bronze.fingerprints ORDER BY name"


@pytest.fixture
def restored(orders_everywhere: Operator) -> Iterator[str]:
    """The name of a database that a test may restore to."""
    name = f"{orders_everywhere.bronze.env['PG_DB']}_restored"
    yield name
    with psycopg.connect(orders_everywhere.bronze.conninfo, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def name_database(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make another database the project's."""
    parts = conninfo_to_dict(conninfo)
    for name, part in (("HOST", "host"), ("PORT", "port"), ("DB", "dbname"), ("USER", "user")):
        monkeypatch.setenv(f"PG_{name}", str(parts[part]))


def meltano_state(file: Path, *pipelines: str, value: str = "saved") -> Path:
    """Make Meltano's database as Meltano 4.4 makes it, with a state for each of *pipelines*."""
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "CREATE TABLE state (state_id VARCHAR(900) PRIMARY KEY, partial_state VARCHAR, completed_state VARCHAR, updated_at DATETIME)"
        )
        rows = [(pipeline, "{}", value) for pipeline in pipelines]
        database.executemany("INSERT INTO state VALUES (?, ?, ?, '2024-01-01')", rows)
    return file


def states(file: Path) -> dict[str, str]:
    """Return the state of each pipeline."""
    with closing(sqlite3.connect(file)) as database:
        return dict(database.execute("SELECT state_id, completed_state FROM state"))


def backup(operator: Operator) -> Path:
    answer = operator("backup", "saved", "--no-verify")
    assert answer.code == 0, answer.err
    return next(file for file in (operator.root / "saved").iterdir() if file.name != "archive")


def test_what_was_saved_is_restored_row_by_row(orders_everywhere: Operator, restored: str) -> None:
    operator = orders_everywhere
    (operator.root / ".env").write_text("SHOP_TOKEN=geheim\n")
    state = meltano_state(operator.root / ".meltano" / "meltano.db", "dev:tap-shop-to-target-postgres")
    answer = operator("backup", "saved")
    assert answer.code == 0, answer.err
    assert "restored into a scratch database and found equal" in answer.out
    saved = operator.root / "saved"
    assert not any(b"geheim" in file.read_bytes() for file in saved.rglob("*") if file.is_file())
    state.unlink()
    for file in (operator.root / "data" / "bronze" / "shop").iterdir():
        file.unlink()
    folder = next(file for file in saved.iterdir() if file.name != "archive")
    answer = operator("restore", str(folder), "--database", restored, "--state")
    assert answer.code == 0, answer.err
    before = operator.bronze.query(FINGERPRINTS.decode())
    with psycopg.connect(operator.bronze.conninfo, dbname=restored) as connection:
        assert connection.execute(FINGERPRINTS).fetchall() == before
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("DELETE FROM bronze_shop")
    assert len(list((operator.root / "data" / "bronze" / "shop").iterdir())) == 2
    assert state.exists()
    scratch = "SELECT count(*) FROM pg_database WHERE datname LIKE 'bronze_verify_%%'"
    assert operator.bronze.query(scratch) == [(0,)]


def test_what_was_saved_here_is_restored_on_another_server(
    orders: Operator, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = backup(orders)
    name_database(database, monkeypatch)
    answer = orders("restore", str(folder))
    assert answer.code == 0, answer.err
    with psycopg.connect(database) as connection:
        assert connection.execute(FINGERPRINTS).fetchall() == orders.bronze.query(FINGERPRINTS.decode())
    assert orders("verify", "--no-archive").code == 0


class Frozen(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # Python's stub says Self
        """Return the same second always."""
        return datetime(2024, 1, 31, 4, tzinfo=tz)


def test_backups_of_the_same_second_share_the_archive_and_keep_each_other(
    orders: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "datetime", Frozen)
    first = Path(orders("backup", "saved", "--json").json["folder"])
    archive = orders.root / "saved" / "archive" / "shop"
    times = {file.name: file.stat().st_mtime_ns for file in archive.iterdir()}
    make = orders.bronze
    orders.load(make.schema(), make.record({"id": 77}))
    second = Path(orders("backup", "saved", "--json").json["folder"])
    assert first.name == f"{orders.bronze.env['PG_DB']}-20240131T040000Z"
    assert second.name == f"{first.name}-2"
    assert {file.name: file.stat().st_mtime_ns for file in archive.iterdir()}.items() >= times.items()
    assert len(list(archive.iterdir())) == 3
    assert [_saved_rows(folder) for folder in (first, second)] == [6, 7]


def _saved_rows(folder: Path) -> int:
    entries = json.loads((folder / "manifest.json").read_text())["fingerprints"]
    (count,) = (entry["row_count"] for entry in entries if entry["name"] == "bronze_shop")
    return int(count)


def test_a_damaged_backup_is_not_restored(orders: Operator) -> None:
    folder = backup(orders)
    dump = folder / "database.dump"
    dump.write_bytes(dump.read_bytes() + b"x")
    answer = orders("restore", str(folder), "--database", "never_made")
    assert "is damaged (SHA-256 differs)" in answer.err
    dump.unlink()
    assert "is no whole backup" in orders("restore", str(folder), "--database", "never_made").err
    assert orders.bronze.query("SELECT FROM pg_database WHERE datname = 'never_made'") == []


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_raw_archive_that_is_not_whole_is_not_called_so(
    orders_everywhere: Operator, restored: str, damage: str
) -> None:
    operator = orders_everywhere
    folder = backup(operator)
    shutil.rmtree(operator.root / "data" / "bronze")
    file = min((folder.parent / "archive" / "shop").iterdir())
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    answer = operator("restore", str(folder), "--database", restored)
    assert answer.code == 1
    assert f"1 files of the raw archive are missing or cut short in {folder.parent / 'archive'}" in answer.err
    assert "every row is as it was saved" in answer.out
    assert len(list((operator.root / "data" / "bronze" / "shop").iterdir())) == (
        1 if damage == "missing" else 2
    )


def test_a_script_is_told_where_the_backup_is(orders: Operator) -> None:
    said = orders("backup", "saved", "--json").json
    assert said["verified"] is True
    assert said["bytes"] > 1000
    assert orders("restore", said["folder"]).code == 1, "this database is not empty"


def test_the_state_that_the_set_up_has_made_gets_what_it_lacks(
    orders: Operator, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = meltano_state(orders.root / ".meltano" / "meltano.db", "dev:shop", "dev:toggl")
    folder = backup(orders)
    name_database(database, monkeypatch)
    file.unlink()
    meltano_state(file, "dev:toggl", value="newer")  # as `meltano install` and a run leave it
    answer = orders("restore", str(folder))
    assert "Meltano's state of 1 pipelines is restored" in answer.out
    assert states(file) == {"dev:shop": "saved", "dev:toggl": "newer"}


def test_a_copy_beside_does_not_move_the_projects_state_on(
    orders_everywhere: Operator, restored: str
) -> None:
    operator = orders_everywhere
    file = meltano_state(operator.root / ".meltano" / "meltano.db", "dev:shop")
    folder = backup(operator)
    file.unlink()
    answer = operator("restore", str(folder), "--database", restored)
    assert answer.code == 0
    assert f"When {restored} becomes the project's database" in answer.err
    assert not file.exists()


@pytest.mark.parametrize(
    ("variable", "value", "where"),
    [
        ("MELTANO_DATABASE_URI", "sqlite:///{root}/data/meltano.db", "data/meltano.db"),
        ("MELTANO_DATABASE_URI", "sqlite:///$MELTANO_PROJECT_ROOT/x.db?timeout=1", "x.db"),
        ("MELTANO_DATABASE_URI", "sqlite:///data/here.db", "data/here.db"),
        ("MELTANO_SYS_DIR_ROOT", "{root}/system", "system/meltano.db"),
    ],
)
def test_the_state_is_saved_from_where_meltano_keeps_it(
    orders: Operator, variable: str, value: str, where: str
) -> None:
    meltano_state(orders.root / where, "dev:shop")
    (orders.root / ".env").write_text(f"{variable}='{value.format(root=orders.root)}'\n")
    assert states(backup(orders) / "meltano.db") == {"dev:shop": "saved"}


def test_a_state_that_cannot_be_read_is_reported_as_missing(
    orders: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELTANO_DATABASE_URI", "postgresql+psycopg://127.0.0.1:9/meltano")
    answer = orders("backup", "saved", "--no-verify")
    assert answer.code == 0
    assert "Not in it: Meltano's state" in answer.err


def test_the_state_of_a_state_backend_is_saved_and_put_back(
    orders: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def state(folder: str, *words: str, content: str = "") -> str:
        monkeypatch.setenv("MELTANO_STATE_BACKEND_URI", f"file://{orders.root / folder}")
        command = [meltano.program(), "--log-level=error", "state", *words]
        done = subprocess.run(
            command, cwd=orders.root, capture_output=True, text=True, check=True, input=content
        )
        return done.stdout

    kept = {
        "dev:shop": {"completed": {"last": 1}, "partial": {}},
        "dev:toggl": {"completed": {"last": 2}, "partial": {}},
    }
    state("there", "import", content=json.dumps(kept))
    saved = backup(orders)
    assert not (saved / "meltano.db").exists()

    newer = {"dev:toggl": {"completed": {"last": 3}, "partial": {}}}
    state("elsewhere", "import", content=json.dumps(newer))
    answer = orders("restore", str(saved), "--database", f"restored_{secrets.token_hex(4)}", "--state")
    assert answer.code == 0, answer.err
    assert json.loads(state("elsewhere", "export")) == {**kept, **newer}


@pytest.mark.parametrize("reason", [KeyboardInterrupt, OperatorError])
def test_a_restore_that_does_not_end_leaves_no_half_database(
    orders: Operator, monkeypatch: pytest.MonkeyPatch, reason: type[BaseException]
) -> None:
    folder = backup(orders)

    def restore(target: Target, _file: Path, *, major: int) -> None:
        with target.connect(autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA bronze AUTHORIZATION CURRENT_USER -- {major}".encode())
        raise reason

    monkeypatch.setattr(pgtools, "restore", restore)
    answer = orders("restore", str(folder), "--database", "half_made")
    assert answer.code == 1
    assert "The database half_made beside embedded" not in answer.err
    assert "database half_made" in answer.err
    assert "was removed again" in answer.err
    assert orders.bronze.query("SELECT FROM pg_database WHERE datname = 'half_made'") == []
    assert orders("backup", "again").code == 1
    assert orders.bronze.query("SELECT FROM pg_database WHERE datname LIKE 'bronze_verify%%'") == []
    assert list((orders.root / "again").glob("*/manifest.json")) == []


def test_a_part_of_a_restore_in_the_projects_database_is_told(
    orders: Operator, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = backup(orders)
    name_database(database, monkeypatch)

    def restore(_target: Target, _file: Path, *, major: int) -> None:
        raise OperatorError(f"The connection to PostgreSQL {major} broke.")

    monkeypatch.setattr(pgtools, "restore", restore)
    answer = orders("restore", str(folder))
    assert "holds a part of the backup, and is of no use. Restore with --database NAME" in answer.err
    assert answer.err.endswith(" broke.\n")


def test_a_restore_mixes_nothing_up(orders: Operator) -> None:
    folder = backup(orders)
    assert "has a bronze layer already" in orders("restore", str(folder)).err
    name = orders.bronze.env["PG_DB"]
    assert f"The database {name} exists already" in orders("restore", str(folder), "--database", name).err


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(orders: Operator) -> None:
    (orders.root / "file").write_text("")
    assert "cannot be written" in orders("backup", "file/folder").err
    assert list(orders.root.glob("**/*.part")) == []


def test_a_backup_does_not_go_into_what_it_saves(orders: Operator) -> None:
    assert "lies in" in orders("backup", "data/bronze/saved").err


def test_programs_of_the_servers_version_or_the_next_newer_one_are_taken() -> None:
    assert pgtools.find("pg_dump", 17).endswith("pginstall18/bin/pg_dump")
    assert pgtools.find("pg_dump", 16).endswith("pginstall/bin/pg_dump")
    with pytest.raises(Exception, match="postgresql-client-99"):
        pgtools.find("pg_dump", 99)


def test_maintenance_makes_partitions_and_indexes_and_vacuums(orders_everywhere: Operator) -> None:
    operator = orders_everywhere
    make = operator.bronze
    make.query("DROP INDEX bronze_shop_by_lineage_id")
    make.query("CREATE TABLE bronze.waste AS SELECT generate_series(1, 5000)")
    answer = operator("maintain", "--json")
    assert answer.code == 0, answer.err
    statements = [due["statement"] for due in answer.json["done"]]
    assert "ANALYZE public.bronze_shop" in statements
    assert make.query("SELECT to_regclass('bronze_shop_by_lineage_id') IS NOT NULL") == [(True,)]
    months = "SELECT to_regclass('bronze_shop_y' || to_char(now() + i * interval '1 month', 'YYYY\"m\"MM')) IS NOT NULL FROM generate_series(0, 1) AS i"
    assert make.query(months) == [(True,), (True,)]
    comment = "SELECT obj_description('bronze_shop'::regclass), col_description('bronze_shop'::regclass, 3)"
    ((table, payload),) = make.query(comment)
    assert table.endswith("Streams: orders.")
    assert "orders: id (Number of the order), at, total" in payload


def test_an_index_twice_the_size_it_needs_is_built_anew(orders: Operator) -> None:
    make = orders.bronze
    make.query("CREATE TABLE bronze.swollen AS SELECT n FROM generate_series(1, 1200000) AS n")
    make.query("CREATE INDEX swollen_by_n ON bronze.swollen (n)")
    make.query("DELETE FROM bronze.swollen WHERE n % 6 <> 0")
    make.query("VACUUM (ANALYZE) bronze.swollen")
    ((before,),) = make.query("SELECT pg_relation_size('bronze.swollen_by_n')")
    done = orders("maintain", "--json").json["done"]
    (due,) = (step for step in done if step["relation"] == "bronze.swollen_by_n")
    assert due["statement"] == "REINDEX INDEX CONCURRENTLY bronze.swollen_by_n"
    ((after,),) = make.query("SELECT pg_relation_size('bronze.swollen_by_n')")
    assert after < before / 3
    again = orders("maintain", "--dry-run", "--json").json["done"]
    assert [step for step in again if step["relation"] == "bronze.swollen_by_n"] == []


def test_an_index_whose_building_was_interrupted_is_built_anew(
    orders: Operator, rewrite: Callable[[str], None]
) -> None:
    rewrite(
        "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'bronze.record_has_one_head'::regclass"
    )
    due = "REINDEX INDEX CONCURRENTLY bronze.record_has_one_head"
    dry = orders("maintain", "--dry-run", "--json").json["done"]
    assert due in [step["statement"] for step in dry]
    orders("maintain")
    assert orders.bronze.query(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'bronze.record_has_one_head'::regclass"
    ) == [(True,)]


#: One column of each kind that a fingerprint must see.
CHANGES = (
    "UPDATE bronze_shop SET file_path = 'elsewhere' WHERE id = 3",
    "UPDATE bronze_shop SET quality_score = 0.1 WHERE id = 3",
    "UPDATE bronze_shop SET raw_data = raw_data || '{\"total\": 1.0}' WHERE id = 3",
    "UPDATE bronze_shop SET raw_data = raw_data || '{\"total\": 1.00}' WHERE id = 3",
    "UPDATE bronze_shop SET error_message = '' WHERE id = 3",
    "UPDATE bronze_shop SET processing_duration = '1 second' WHERE id = 3",
    "UPDATE bronze.runs SET status = 'failed'",
    "UPDATE bronze.schemas SET json_schema = '{}'",
    "INSERT INTO bronze.incidents (source, level) VALUES ('shop', 'freshness')",
)


def test_a_fingerprint_sees_every_column_of_every_table(
    orders: Operator, rewrite: Callable[[str], None]
) -> None:
    seen = {str(orders.bronze.query(FINGERPRINTS.decode()))}
    for change in CHANGES:
        rewrite(change)
        seen.add(str(orders.bronze.query(FINGERPRINTS.decode())))
    assert len(seen) == 1 + len(CHANGES)


def test_a_fingerprint_is_the_same_whatever_the_servers_settings(orders: Operator) -> None:
    digest = "SELECT * FROM bronze.relation_digest('bronze_shop', '{id, ingested_at, processing_duration, quality_score}')"
    settings = "SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -5; "
    for query in (FINGERPRINTS.decode(), digest):
        with psycopg.connect(orders.bronze.conninfo) as connection:
            plain = connection.execute(query.encode()).fetchall()
            connection.execute(settings.encode())
            assert connection.execute(query.encode()).fetchall() == plain


def test_the_fingerprints_of_an_earlier_layout_are_replaced(orders: Operator) -> None:
    orders.bronze.query("DROP VIEW bronze.fingerprints")
    orders.bronze.query(
        "CREATE VIEW bronze.fingerprints AS SELECT 'bronze_' || source AS name, 1::bigint AS row_count, '' AS digest FROM bronze.sources"
    )
    with psycopg.connect(orders.bronze.conninfo) as connection:
        connection.execute((project.sql_dir() / "bronze" / "58_fingerprints.sql").read_bytes())
    found = [row[0] for row in orders.bronze.query(FINGERPRINTS.decode())]
    assert {"bronze_shop", "bronze.heads", "bronze.runs"} <= set(found)
    assert found == sorted(found)


@pytest.mark.parametrize(
    "said",
    [
        'pg_dump: error: query failed: ERROR:  out of shared memory\nHINT:  You might need to increase "max_locks_per_transaction".\n',
        "pg_dump: error: Anfrage fehlgeschlagen: FEHLER:  Shared Memory aufgebraucht\nTIP:  Sie müssen möglicherweise »max_locks_per_transaction« erhöhen.\n",
    ],
)
@pytest.mark.usefixtures("operator")
def test_a_server_with_too_few_locks_is_told_with_the_setting(said: str) -> None:
    target = session.target()
    with pytest.raises(OperatorError, match=r"too few locks.*Raise max_locks_per_transaction to 1024"):
        pgtools._check(target, 1, said)


@pytest.mark.usefixtures("operator")
def test_too_few_locks_for_reading_every_row_are_told_with_the_setting() -> None:
    refuse = "DO $$ BEGIN RAISE out_of_memory USING HINT = 'You might need to increase \"max_locks_per_transaction\".'; END $$"
    with pytest.raises(OperatorError, match="too few locks"), session.connected() as connection:
        connection.execute(refuse)
