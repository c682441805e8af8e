"""What the loader's surroundings can do to a run: poolers, time limits, missing rights, triggers and dropped tables end in a sentence, and never in wrong rows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from target_postgres_bronze import project
from target_postgres_bronze.layout import read_layout

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from conftest import Bronze

USER = "bronze somebody"


def expect_refusal(outcome: Any, *words: str) -> None:
    """Check that a run failed with one line that has *words*, and confirmed nothing."""
    assert (outcome.code, outcome.states) == (1, []), outcome.log
    for word in words:
        assert word in outcome.log
    assert "Traceback" not in outcome.log


@pytest.fixture
def somebody(bronze: Bronze) -> Bronze:
    """The same database as another user reaches it, who was granted nothing."""
    with psycopg.connect(bronze.conninfo, autocommit=True) as admin:
        if not admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [USER]).rowcount:
            admin.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(USER)))
    other = type(bronze)(bronze.conninfo, bronze.folder)
    other.env = bronze.env | {"PG_USER": USER}
    return other


def name_of(bronze: Bronze) -> str:
    return str(conninfo_to_dict(bronze.conninfo)["dbname"])


def test_a_session_that_a_pooler_changes_is_refused_before_a_row_lands(
    bronze: Bronze, tmp_path: Path
) -> None:
    # another client's loader was prepared on the session that this one is given now
    taken = tmp_path / "taken.sql"
    taken.write_text("SELECT set_config('bronze.session', 'of another client', FALSE)")

    outcome = bronze.load(
        bronze.schema(), bronze.record({"id": 1}), bronze.state(1), before_run_sql=str(taken)
    )

    expect_refusal(outcome, "connection pooler", "pool_mode = session")
    assert bronze.column("raw_id") == []


def test_every_transaction_looks_whether_the_session_is_its_own(bronze: Bronze, tmp_path: Path) -> None:
    taken = tmp_path / "taken.sql"
    taken.write_text("SELECT set_config('bronze.session', 'of another client', FALSE)")
    records = [bronze.record({"id": number}) for number in range(4)]

    # what is seen of such a stream is noted on one connection, so that no batch goes over another
    schema = bronze.schema(x_absence="full")
    outcome = bronze.load(schema, *records, after_run_sql=str(taken), batch_size_rows=2)

    expect_refusal(outcome, "connection pooler")
    assert bronze.column("raw_id") == ["0", "1"]


def test_a_session_with_the_tables_of_another_client_is_refused(bronze: Bronze) -> None:
    with psycopg.connect(bronze.conninfo, autocommit=True) as connection:
        connection.execute("SELECT bronze.open_session()")
        with pytest.raises(psycopg.Error, match="another client has used") as caught:
            connection.execute("SELECT bronze.open_session()")
    assert caught.value.sqlstate == "ZB001"
    assert "DISCARD ALL" in (caught.value.diag.message_hint or "")


def test_time_limits_of_the_database_do_not_end_a_run(bronze: Bronze, tmp_path: Path) -> None:
    name = Identifier(name_of(bronze))
    limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
    with psycopg.connect(bronze.conninfo, autocommit=True) as admin:
        limits += ["transaction_timeout"] if admin.info.server_version >= 170_000 else []
        for limit in limits:
            admin.execute(SQL("ALTER DATABASE {} SET {} = '200ms'").format(name, Identifier(limit)))
    slow = tmp_path / "slow.sql"
    slow.write_text("SELECT pg_sleep(0.3)")

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}), after_run_sql=str(slow))

    assert outcome.code == 0, outcome.log
    assert bronze.column("raw_id") == ["1"]


def test_a_database_that_is_read_only_is_refused_with_the_remedy(bronze: Bronze) -> None:
    with psycopg.connect(bronze.conninfo, autocommit=True) as admin:
        admin.execute(
            SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(
                Identifier(name_of(bronze))
            )
        )

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}), bronze.state(1))

    expect_refusal(outcome, "default_transaction_read_only = off")


def test_a_read_replica_is_refused_with_the_remedy(bronze: Bronze) -> None:
    # what a standby answers, by a function that is found before PostgreSQL's own
    bronze.query("CREATE FUNCTION public.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT TRUE'")
    bronze.query(f'ALTER DATABASE "{name_of(bronze)}" SET search_path = public, pg_catalog')

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}), bronze.state(1))

    expect_refusal(outcome, "read replica", "primary server")


def test_a_user_without_temporary_tables_is_refused_with_the_remedy(bronze: Bronze, somebody: Bronze) -> None:
    bronze.query(f'REVOKE TEMPORARY ON DATABASE "{name_of(bronze)}" FROM public')

    outcome = somebody.load(somebody.schema(), somebody.record({"id": 1}), somebody.state(1))

    expect_refusal(outcome, f'GRANT TEMPORARY ON DATABASE "{name_of(bronze)}" TO "{USER}"')


def test_a_user_who_does_not_own_the_tables_is_refused_with_the_remedy(
    bronze: Bronze, somebody: Bronze
) -> None:
    outcome = somebody.load(somebody.schema(), somebody.record({"id": 1}), somebody.state(1))

    expect_refusal(outcome, "the tables belong to", "sql/roles.sql", f'GRANT bronze_loader TO "{USER}"')

    bronze.query(f'GRANT USAGE ON SCHEMA bronze TO "{USER}"')
    outcome = somebody.load(somebody.schema(), somebody.record({"id": 1}), somebody.state(1))

    expect_refusal(outcome, "SQLSTATE 42501", "sql/roles.sql")


@pytest.mark.parametrize("table", ["bronze_shop", "bronze.heads"])
def test_rows_that_a_trigger_leaves_out_fail_the_run_and_are_not_counted(bronze: Bronze, table: str) -> None:
    bronze.query(
        "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN CASE WHEN NEW.raw_id = ''1'' THEN NULL ELSE NEW END; END'"
    )
    bronze.query(
        f"CREATE TRIGGER leave_out BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION leave_out()"
    )

    outcome = bronze.load(
        bronze.schema(), bronze.record({"id": 1}), bronze.record({"id": 2}), bronze.state(1)
    )

    expect_refusal(outcome, "a trigger or a rule left some out", "Remove the trigger")
    assert bronze.column("raw_id") == []
    assert bronze.books()[2] == 0


def test_a_table_that_was_dropped_is_named_with_the_way_back(bronze: Bronze) -> None:
    messages = [bronze.schema(), bronze.record({"id": 1})]
    bronze.load(*messages)
    bronze.query("DROP TABLE bronze_shop CASCADE")

    outcome = bronze.load(*messages, bronze.state(1))
    expect_refusal(outcome, "bronze_shop is missing", "bronze.forget_source('shop')", "./bronze rebuild shop")

    bronze.query("SELECT bronze.forget_source('shop')")
    assert bronze.load(*messages).code == 0
    assert bronze.column("raw_id") == ["1"]
    assert bronze.query("SELECT * FROM bronze.disagreements('shop')") == []


def test_a_table_that_was_dropped_does_not_keep_an_update_of_the_layout_from_other_sources(
    bronze: Bronze,
) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": 1}))
    bronze.query("DROP TABLE bronze_shop CASCADE")
    bronze.query("UPDATE bronze.layout SET fingerprint = 'another'")

    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}), source="later")

    assert outcome.code == 0, outcome.log
    layout = read_layout(project.sql_dir())
    assert (layout.version, layout.fingerprint) in bronze.query(
        "SELECT version, fingerprint FROM bronze.layout"
    )


def test_what_is_known_of_a_source_with_a_table_is_not_forgotten(bronze_18: Bronze) -> None:
    bronze_18.load(bronze_18.schema(), bronze_18.record({"id": 1}))
    with pytest.raises(psycopg.errors.RestrictViolation, match="not forgotten"):
        bronze_18.query("SELECT bronze.forget_source('shop')")


@pytest.mark.parametrize(
    "source",
    ["shop_current", "shop_y2024m01", "shop_y2024m01_pkey", "shop_pkey", "shop_id_seq", "shop_by_content"],
)
def test_a_source_that_would_take_the_name_of_something_of_another_is_refused_at_the_start(
    bronze: Bronze, source: str
) -> None:
    outcome = bronze.load(bronze.schema(), bronze.record({"id": 1}), bronze.state(1), source=source)

    expect_refusal(outcome, f"cannot be named {source}", "setting source")
    assert bronze.query("SELECT source FROM bronze.sources") == [("shop",)]
    assert bronze.query("SELECT to_regclass('bronze_shop_current') IS NOT NULL") == [(True,)]


@pytest.mark.parametrize("name", ["bronze_later", "bronze_later_current"])
def test_a_source_whose_name_is_taken_by_something_else_is_refused_at_the_start(
    bronze_18: Bronze, name: str
) -> None:
    bronze_18.query(f"CREATE TABLE {name} (id integer)")

    outcome = bronze_18.load(
        bronze_18.schema(), bronze_18.record({"id": 1}), bronze_18.state(1), source="later"
    )

    expect_refusal(outcome, f"public.{name} exists")


def test_a_month_that_was_detached_by_hand_is_a_sentence_and_makes_no_dead_letters(bronze: Bronze) -> None:
    schema = bronze.schema(x_source_timestamp="at")
    bronze.load(schema, bronze.record({"id": 1, "at": "2024-01-05"}))
    bronze.query("ALTER TABLE bronze_shop DETACH PARTITION bronze_shop_y2024m01")

    outcome = bronze.load(schema, bronze.record({"id": 2, "at": "2024-01-06"}), bronze.state(1))

    expect_refusal(outcome, "bronze_shop_y2024m01 exists, but it is not a partition")
    assert bronze.query("SELECT id FROM bronze.dead_letters") == []


def test_ten_years_ahead_are_counted_by_the_servers_clock(
    bronze_18: Bronze, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NeverSet(datetime):
        """A clock that was never set."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(1970, 1, 1, tzinfo=tz)

    for module in ("pipeline", "landing"):
        monkeypatch.setattr(f"target_postgres_bronze.{module}.datetime", NeverSet, raising=False)

    outcome = bronze_18.load(
        bronze_18.schema(x_source_timestamp="at"), bronze_18.record({"id": 1, "at": "2024-01-05"})
    )

    assert outcome.code == 0, outcome.log
    assert bronze_18.column("source_timestamp::text || validation_status") == ["2024-01-05 00:00:00valid"]
    ((named,),) = bronze_18.query("SELECT run_id FROM bronze.runs")
    assert "-1970" not in named
