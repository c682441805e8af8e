"""``sql/roles.sql``: who reads everything can change nothing; who loads can append, and not rewrite."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from target_postgres_bronze import project
from target_postgres_bronze.errors import LoaderError
from target_postgres_bronze.layout import ensure_layout, read_layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operating.conftest import Bronze, Operator

ROLES = (project.sql_dir() / "roles.sql").read_bytes()
LAYOUT = read_layout(project.sql_dir())
OWNER = "Bronze owner"
LOADER = "Bronze loader"


@pytest.fixture
def reader(bronze: Bronze) -> Iterator[psycopg.Connection[Any]]:
    """A connection that may do what bronze_reader may; the roles were made twice, and a source came after."""
    make = bronze
    make.load(make.schema(x_source_timestamp="at"), make.record({"id": 1, "at": "2024-01-02"}))
    with psycopg.connect(bronze.conninfo, autocommit=True) as owner:
        owner.execute(ROLES)
        # as a restore leaves it, which brings no privileges along
        owner.execute("GRANT EXECUTE ON FUNCTION bronze.create_source(text) TO public")
        owner.execute(ROLES)
        owner.execute(DIARY.encode())
    make.load(make.schema(x_source_timestamp="at"), make.record({"id": 2, "at": "2024-05-06"}))
    make.load(make.schema(), make.record({"id": 3}), source="later")
    with psycopg.connect(bronze.conninfo, autocommit=True) as connection:
        connection.execute("SET ROLE bronze_reader")
        yield connection


#: Rows that each query gives.
READABLE = {
    "SELECT FROM bronze_shop": 2,
    "SELECT FROM bronze_shop_current": 2,
    "SELECT FROM bronze_shop_y2024m05": 1,
    "SELECT FROM bronze_later_current": 1,
    "SELECT FROM bronze.heads": 3,
    "SELECT FROM bronze.catalog": 2,
    "SELECT FROM bronze.history('shop', 'orders', '1')": 1,
    "SELECT FROM bronze.disagreements('shop')": 0,
}
REFUSED = (
    "UPDATE bronze_shop SET version = 2",
    "DELETE FROM bronze_shop_y2024m01",
    "TRUNCATE bronze_later",
    "INSERT INTO bronze.runs (run_id, source, environment) VALUES ('r', 'shop', 'dev')",
    "DELETE FROM bronze.heads",
    "UPDATE bronze.dead_letters SET status = 'given_up'",
    "ALTER TABLE bronze_shop DISABLE TRIGGER ALL",
    "DROP TABLE bronze_shop",
    "SELECT bronze.create_source('mine')",
    "SELECT public.create_partition_if_not_exists('shop', '1999-01-01')",
    "SELECT bronze.build_index('shop', 'bronze_shop', '_by_content')",
    "SELECT bronze.merge_pending('bronze.record_by_content')",
    "SELECT bronze.describe_source('shop')",
    "CREATE TABLE public.mine ()",
    "CREATE TABLE bronze.mine ()",
    "SELECT nextval(pg_get_serial_sequence('bronze_shop', 'id'))",
    "TRUNCATE bronze.heads",
    "INSERT INTO bronze.former_versions SELECT stream_id, raw_id, 1, content_hash, partition_key, row_id FROM bronze.heads",
    "SELECT bronze.forget_source('shop')",
    "SET session_replication_role = 'replica'",
    "ALTER TABLE bronze_shop DETACH PARTITION bronze_shop_y2024m01",
    "SELECT * FROM diary",
    "SELECT * FROM bronze.diary",
)
#: A row of another source.
FORGED = """
    INSERT INTO bronze_shop (source, raw_data, environment, source_timestamp, partition_key)
    VALUES ('toggl', '{}', 'dev', '2024-01-02', '2024-01-02')
"""
#: What the owner creates after the roles, and is nobody else's.
DIARY = "CREATE TABLE public.diary (day integer); CREATE TABLE bronze.diary (day integer)"
REWRITING = (
    "UPDATE bronze_shop SET version = 2",
    "UPDATE bronze_shop_current SET version = 2",
    "DELETE FROM bronze_shop_y2024m01",
    "TRUNCATE bronze_shop",
    "TRUNCATE bronze_shop_y2024m01",
    "DROP TABLE bronze_shop",
    "DROP TABLE bronze_shop_y2024m01",
    "DROP TRIGGER refuse_update_and_delete ON bronze_shop",
    "ALTER TABLE bronze_shop DISABLE TRIGGER ALL",
    "ALTER TABLE bronze_shop DETACH PARTITION bronze_shop_y2024m01",
    "ALTER TABLE bronze_shop DROP COLUMN raw_data",
    "SET session_replication_role = 'replica'",
    "CREATE OR REPLACE FUNCTION bronze.refuse_rewriting() RETURNS trigger LANGUAGE sql AS ''",
    "CREATE TABLE public.mine ()",
    "CREATE TABLE bronze.mine ()",
    "DELETE FROM bronze.heads",
    "DELETE FROM bronze.dead_letters",
    "UPDATE bronze.former_versions SET row_id = 1",
    "UPDATE bronze.dead_letters SET original = ''",
    "UPDATE bronze.dead_letters SET original_hash = ''",
    "UPDATE bronze.heads SET raw_id = 'none'",
    "UPDATE bronze.streams SET source = 'other'",
    "UPDATE bronze.schemas SET json_schema = '{}'",
    "UPDATE bronze.runs SET started_at = '1970-01-01'",
    "TRUNCATE bronze.heads",
    "TRUNCATE bronze.former_versions",
    "DELETE FROM bronze.former_versions",
    "DELETE FROM bronze.streams",
    "INSERT INTO bronze_shop_y2024m01 (source, raw_data, environment, partition_key) VALUES ('shop', '{}', 'dev', '2024-01-02')",
    "SELECT bronze.forget_source('shop')",
    "SELECT bronze.protect_table('bronze_shop', 'mine', 'INSERT')",
    "ALTER TABLE bronze_shop ATTACH PARTITION bronze_shop_y2024m01 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
    "SELECT * FROM diary",
    "SELECT * FROM bronze.diary",
    "INSERT INTO diary VALUES (1)",
    "UPDATE bronze.archived_months SET file = 'elsewhere'",
    "INSERT INTO bronze.layout (version, fingerprint) VALUES (9, '')",
    "SELECT setval(pg_get_serial_sequence('bronze_shop', 'id'), 1)",
)


def test_a_reader_reads_everything(reader: psycopg.Connection[Any]) -> None:
    found = {query: len(reader.execute(query.encode()).fetchall()) for query in READABLE}
    assert found == READABLE


def test_a_reader_changes_nothing(reader: psycopg.Connection[Any]) -> None:
    reader.execute("SET bronze.maintenance = 'on'")
    for statement in REFUSED:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement.encode())


@pytest.fixture
def owner(bronze: Bronze, database: str) -> Bronze:
    """A database of an ordinary user who has loaded once and made the roles; the name needs quotes."""
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(bronze.conninfo, autocommit=True) as admin:
        _make_user(admin, OWNER, makes_roles=True)
        _make_user(admin, LOADER)
        admin.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(str(name)), Identifier(OWNER)))
    owner = _as(bronze, database, OWNER)
    _expect_success(
        owner.load(
            owner.schema(x_source_timestamp="at", x_absence="full"),
            *(owner.record({"id": number, "at": "2024-01-02"}) for number in range(3)),
        )
    )
    owner.query(ROLES.decode())
    owner.query(DIARY)
    with psycopg.connect(bronze.conninfo, autocommit=True) as admin:
        admin.execute(SQL("GRANT bronze_loader TO {}").format(Identifier(LOADER)))
    return owner


@pytest.fixture
def loader(owner: Bronze) -> Bronze:
    """The owner's database as the loader reaches it, in the role bronze_loader and nothing else."""
    return _as(owner, owner.conninfo, LOADER)


def _make_user(admin: psycopg.Connection[Any], name: str, *, makes_roles: bool = False) -> None:
    """Make a user, unless an earlier test on the same server has."""
    if not admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).rowcount:
        may = SQL("CREATEROLE" if makes_roles else "NOCREATEROLE")
        admin.execute(SQL("CREATE ROLE {} LOGIN {}").format(Identifier(name), may))


def _as(bronze: Bronze, conninfo: str, user: str) -> Bronze:
    """Return a copy of *bronze* that connects to *conninfo* as *user*."""
    other = copy(bronze)
    other.conninfo = make_conninfo(conninfo, user=user)
    other.env = bronze.env | {"PG_DB": str(conninfo_to_dict(conninfo)["dbname"]), "PG_USER": user}
    return other


def _expect_success(outcome: Any) -> None:
    assert outcome.code == 0, outcome.log


def _load_more(loader: Bronze, source: str, *records: dict[str, Any]) -> None:
    _expect_success(
        loader.load(
            loader.schema(x_source_timestamp="at", x_absence="full"),
            *map(loader.record, records),
            loader.finish(),
            source=source,
        )
    )


def _changes(bronze: Bronze, source: str) -> list[tuple[Any, ...]]:
    return bronze.query(f"SELECT raw_id, metadata ->> 'change' FROM bronze_{source} ORDER BY id")


def test_a_loader_goes_on_with_a_source_of_the_owner(loader: Bronze) -> None:
    _load_more(loader, "shop", {"id": 0, "at": "2024-01-02"}, {"id": 1, "at": "2030-09-09"})

    assert _changes(loader, "shop")[3:] == [("1", "changed"), ("2", "gone")]
    assert loader.query("SELECT * FROM bronze.disagreements('shop')") == []


def test_a_loader_makes_a_source_with_partitions_indexes_and_comments(loader: Bronze) -> None:
    _load_more(loader, "later", {"id": 1, "at": "2024-01-02"}, {"id": 2, "at": "2024-05-06"})
    _load_more(loader, "later", {"id": 1, "at": "2024-01-02"})

    assert _changes(loader, "later") == [("1", "new"), ("2", "new"), ("2", "gone")]
    assert loader.query("SELECT * FROM bronze.missing_indexes('later')") == []
    assert loader.query("SELECT * FROM bronze.disagreements('later')") == []
    (comment,) = loader.query("SELECT obj_description('bronze_later'::regclass)")
    assert "Streams: orders" in comment[0]
    (owner,) = loader.query("SELECT tableowner FROM pg_tables WHERE tablename = 'bronze_later_y2024m05'")
    assert owner == (OWNER,)


def test_a_loader_keeps_dead_letters_and_books(loader: Bronze) -> None:
    broken = b'{"type": "RECORD", "stream": "orders", "record": '
    outcome = loader.load(loader.schema(), broken, loader.record({"id": 7}), source="later")

    letters = loader.query("SELECT original, seen_count FROM bronze.dead_letters")
    assert [(bytes(original), count) for original, count in letters] == [(broken, 1)], outcome.log
    books = "SELECT read_count, new_count, rejected_count, ended_at IS NOT NULL FROM bronze.runs WHERE source = 'later'"
    assert loader.query(books) == [(2, 1, 1, True)]


def test_a_loader_works_on_after_the_owner_has_brought_the_layout_up_to_date(
    owner: Bronze, loader: Bronze
) -> None:
    with psycopg.connect(owner.conninfo, autocommit=True) as connection:
        for fingerprint in ("another", LAYOUT.fingerprint):
            assert ensure_layout(connection, replace(LAYOUT, fingerprint=fingerprint))

    _load_more(loader, "later", {"id": 1, "at": "2024-01-02"})

    assert _changes(loader, "later") == [("1", "new")]


def test_a_loader_does_not_make_a_layout(loader: Bronze) -> None:
    with (
        psycopg.connect(loader.conninfo, autocommit=True) as connection,
        pytest.raises(LoaderError, match="the database user may not make the layout"),
    ):
        ensure_layout(connection, replace(LAYOUT, fingerprint="another"))


def test_a_loader_cannot_rewrite_history(loader: Bronze) -> None:
    rows = loader.query("SELECT * FROM bronze_shop ORDER BY id")
    with psycopg.connect(loader.conninfo, autocommit=True) as connection:
        connection.execute("SET bronze.maintenance = 'on'")
        for statement in REWRITING:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
    assert loader.query("SELECT * FROM bronze_shop ORDER BY id") == rows


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (
            "INSERT INTO bronze.former_versions SELECT stream_id, raw_id, 1, content_hash, partition_key, row_id FROM bronze.heads",
            psycopg.errors.RestrictViolation,
        ),
        ("UPDATE bronze.heads SET gone = TRUE", psycopg.errors.RestrictViolation),
        (
            FORGED,
            psycopg.errors.CheckViolation,
        ),
    ],
    ids=["hiding", "gone", "forged"],
)
def test_a_loader_hides_and_forges_nothing_by_hand(
    loader: Bronze, statement: str, error: type[psycopg.Error]
) -> None:
    with pytest.raises(error):
        loader.query(statement)
    assert len(loader.query("SELECT id FROM bronze_shop_current")) == 3


def test_default_privileges_of_earlier_roles_end_with_an_update(owner: Bronze, loader: Bronze) -> None:
    owner.query(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA bronze, public GRANT SELECT, INSERT ON TABLES TO bronze_loader"
    )
    owner.query("GRANT UPDATE ON bronze.dead_letters TO bronze_loader")
    with psycopg.connect(owner.conninfo, autocommit=True) as connection:
        assert ensure_layout(connection, replace(LAYOUT, fingerprint="another"))
    owner.query("CREATE TABLE public.letters (day integer)")

    for statement in ("SELECT * FROM letters", "UPDATE bronze.dead_letters SET original = ''"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            loader.query(statement)


def test_only_the_owner_declares_maintenance(owner: Bronze, loader: Bronze) -> None:
    owner.query("GRANT ALL ON bronze_shop, bronze_shop_y2024m01 TO bronze_loader")
    statements = (
        "UPDATE bronze_shop SET raw_id = '7'",
        "DELETE FROM bronze_shop_y2024m01 WHERE id = 1",
        "TRUNCATE bronze_shop",
    )
    for statement in statements:
        rewriting = f"SET bronze.maintenance = 'on'; {statement}"
        with pytest.raises(psycopg.errors.RestrictViolation, match="never changed"):
            loader.query(rewriting)
        owner.query(rewriting)
    assert owner.query("SELECT FROM bronze_shop") == []


def test_a_loader_builds_indexes_on_tables_of_the_source_alone(owner: Bronze, loader: Bronze) -> None:
    owner.query("DROP INDEX bronze_shop_by_lineage_id")
    count = "SELECT count(*) FROM pg_index"
    ((before,),) = owner.query(count)

    loader.query("SELECT bronze.build_index('shop', 'bronze.record', '_by_lineage_id')")
    loader.query("SELECT bronze.build_index('shop', 'bronze_shop', '_by_raw_data')")
    assert owner.query(count) == [(before,)]

    loader.query("SELECT bronze.build_index('shop', 'bronze_shop', '_by_lineage_id')")
    # the table's, and that of its one partition
    assert owner.query(count) == [(before + 2,)]


def test_a_loader_replays_letters_reconciles_and_notes_incidents(
    orders: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = orders.bronze
    late = make.record({"id": 1}, "items")
    make.load(make.schema(), late, make.record({"id": 9}))
    with psycopg.connect(make.conninfo, autocommit=True) as admin:
        admin.execute(ROLES)
        _make_user(admin, LOADER)
        admin.execute(SQL("GRANT bronze_loader TO {}").format(Identifier(LOADER)))
    loader = _as(make, make.conninfo, LOADER)
    monkeypatch.setenv("PG_USER", LOADER)
    messages = orders.root / "now.singer"
    messages.write_bytes(make.lines(make.schema(), make.record({"id": 77}), make.finish()))
    _expect_success(loader.load(make.schema("items"), make.record({"id": 2}, "items")))

    assert orders("dead-letters", "replay").out.startswith("1 of 1 letters")
    assert {level["source"] for level in orders("check", "--json").json} >= {"shop"}
    loader.query("SELECT bronze.note_incidents('{}')")
    assert orders("reconcile", "shop", "--messages", str(messages), "--repair").code == 0
    assert make.query("SELECT count(*) FROM bronze_shop WHERE raw_id = '77'") == [(1,)]
