"""SQLite files from outside: what is hostile in them costs them alone, and nothing outside the private folder is touched."""

from __future__ import annotations

import os
import re
import sqlite3
import struct
import subprocess
import sys
import time
import tracemalloc
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_kit import sqlite
from tap_kit.sqlite import SnapshotError, take
from tap_kit.sqlite_rows import Part, read, repeated
from tap_kit.sqlite_suite import MAGIC, SECTOR, journal_naming, super_journal

if TYPE_CHECKING:
    from tap_kit.sqlite_rows import Row

SOURCES = Path(__file__).parents[3]
NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"
PARTS = (Part("note", "notes"),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A private folder."""
    path = tmp_path / "private"
    path.mkdir()
    return path


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file of the owner's."""
    path = tmp_path / "canary.txt"
    path.write_text("precious")
    return path


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PAUSE", 0.0)


def write_database(path: Path, *statements: str) -> Path:
    """Write a database with these statements; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


def rewrite_schema(path: Path, *statements: str) -> None:
    """Change the schema's own table, which SQLite does not check."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def rows(path: Path, folder: Path, parts: tuple[Part, ...] = PARTS) -> list[Row]:
    return list(read(take(path, folder), parts))


def notes(path: Path, *texts: str) -> Path:
    values = ", ".join(f"('{text}')" for text in texts)
    return write_database(path, NOTES, f"INSERT INTO notes (text) VALUES {values}")


# A journal that names another file


def journals(victim: Path) -> dict[str, bytes]:
    one = journal_naming(victim)
    return {
        "plain": one,
        "several headers": journal_naming(victim, headers=3),
        "name in the middle": super_journal(victim).ljust(SECTOR, b"\0") + one,
        "two names": one + super_journal(victim),
        "five names": one + super_journal(victim) * 4,
        "header alone of zeros": b"\0" * SECTOR + one,
        "first byte zero": b"\0" + one[1:],
        "name alone": super_journal(victim),
        "magic alone": one + MAGIC,
        "relative name": journal_naming(Path("../canary.txt")),
        "not at a sector": one[: SECTOR - 100] + super_journal(victim),
        "followed by a zero": one + b"\0",
    }


@pytest.mark.parametrize("kind", sorted(journals(Path("x"))))
def test_a_journal_that_names_another_file_deletes_nothing(
    tmp_path: Path, folder: Path, canary: Path, kind: str
) -> None:
    path = notes(tmp_path / "outside" / "notes.db", "one")
    path.with_name("notes.db-journal").write_bytes(journals(canary)[kind])
    before = {file: file.read_bytes() for file in path.parent.iterdir()}

    found = rows(path, folder)

    assert canary.read_text() == "precious"
    assert [row.record["text"] for row in found] == ["one"]
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before
    assert [file.name for file in folder.iterdir()] == ["whole.sqlite"]


def test_sqlite_itself_would_delete_it(
    tmp_path: Path, folder: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_forget_super_journal", lambda _journal: None)
    path = notes(tmp_path / "outside" / "notes.db", "one")
    path.with_name("notes.db-journal").write_bytes(journal_naming(canary))

    rows(path, folder)

    assert not canary.exists()


def test_the_journal_is_rolled_back_all_the_same(tmp_path: Path, folder: Path, canary: Path) -> None:
    path = notes(tmp_path / "outside" / "notes.db", "one")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 5")
        writer.execute("BEGIN")
        writer.execute(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 5000) "
            "INSERT INTO notes (text) SELECT 'half' || i FROM n"
        )
        copies = [(file, file.read_bytes()) for file in path.parent.iterdir()]
    for file, content in copies:
        is_journal = file.name.endswith("-journal")
        file.write_bytes(content + super_journal(canary) if is_journal else content)

    assert len(copies) == 2
    assert [row.record["text"] for row in rows(path, folder)] == ["one"]
    assert canary.exists()


def test_no_other_module_opens_sqlite() -> None:
    opening = re.compile(
        r"sqlite3\s*\.\s*(connect|Connection)\s*\(|(from|import) sqlite3(\.dbapi2)? (import|as)"
    )
    found = [
        path.relative_to(SOURCES).as_posix()
        for path in sorted(SOURCES.glob("extract/*/src/**/*.py"))
        if opening.search(path.read_text("utf-8")) and path.name != "sqlite.py"
    ]
    assert found == []


# Files that are none


@pytest.mark.parametrize("suffix", ["-journal", "-wal"])
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_side_file_that_might_never_end_is_refused(
    tmp_path: Path, folder: Path, canary: Path, suffix: str, kind: str
) -> None:
    path = notes(tmp_path / "outside" / "notes.db", "one")
    side = path.with_name(path.name + suffix)
    if kind == "pipe":
        os.mkfifo(side)
    else:
        side.symlink_to(canary)

    with pytest.raises(SnapshotError, match="not a regular file"):
        take(path, folder)


def test_of_a_linked_database_the_side_files_are_those_of_the_file_itself(
    tmp_path: Path, folder: Path
) -> None:
    path = notes(tmp_path / "outside" / "notes.db", "one")
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO notes (text) VALUES ('two')")

        assert len(rows(link, folder)) == 2


# Hostile schemas


MANY = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT {}) "


def test_a_check_is_not_evaluated(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "notes.db"
    write_database(path, NOTES, "INSERT INTO notes (text) VALUES ('one')")
    rewrite_schema(
        path,
        "UPDATE sqlite_master SET sql = 'CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, "
        "CHECK (length(randomblob(900000000)) > 0))'",
    )

    assert len(rows(path, folder)) == 1


@pytest.mark.parametrize("kind", ["VIRTUAL", "STORED"])
def test_a_column_that_is_computed_is_not_computed(tmp_path: Path, folder: Path, kind: str) -> None:
    path = tmp_path / "notes.db"
    write_database(
        path,
        f"CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, more BLOB NOT NULL AS (zeroblob(1000)) {kind})",
        "INSERT INTO notes (text) VALUES ('one')",
    )
    rewrite_schema(
        path,
        "UPDATE sqlite_master SET sql = replace(sql, 'zeroblob(1000)', 'instr(zeroblob(90000000), zeroblob(9000000) || 1)')",
    )

    (row,) = rows(path, folder)

    assert row.record == {"id": 1, "text": "one"}


def test_a_large_default_is_refused(tmp_path: Path, folder: Path) -> None:
    path = notes(tmp_path / "notes.db", "one")
    rewrite_schema(
        path,
        "UPDATE sqlite_master SET sql = replace(sql, 'text TEXT', 'text TEXT, more TEXT DEFAULT ''' || "
        "replace(hex(zeroblob(5000000)), '0', 'x') || '''')",
    )

    with pytest.raises(SnapshotError, match="is damaged"):
        take(path, folder)


def test_a_default_that_makes_a_small_file_large_ends_in_a_sentence(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_FREE_BYTES", 1 << 20)
    path = write_database(
        tmp_path / "notes.db", NOTES, f"INSERT INTO notes (id) {MANY.format(3000)} SELECT i FROM n"
    )
    rewrite_schema(
        path,
        "UPDATE sqlite_master SET sql = replace(sql, 'text TEXT', 'text TEXT, more TEXT DEFAULT ''' || "
        "replace(hex(zeroblob(400000)), '0', 'x') || '''')",
    )

    with pytest.raises(sqlite3.DatabaseError, match="more work than a file of this size"):
        rows(path, folder)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW notes AS SELECT 1 AS id, 'x' AS text",
        "CREATE VIEW notes AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i AS id FROM n",
        "CREATE VIRTUAL TABLE notes USING fts4(text)",
    ],
    ids=["view", "endless view", "virtual table"],
)
def test_only_real_tables_are_read(tmp_path: Path, folder: Path, statement: str) -> None:
    path = write_database(tmp_path / "notes.db", statement)

    assert rows(path, folder) == []


@pytest.mark.parametrize(
    "statement",
    ["CREATE VIEW notes AS SELECT 1 AS id", "CREATE VIRTUAL TABLE notes USING fts4(text)"],
    ids=["view", "virtual table"],
)
def test_a_schema_whose_names_lie_is_not_believed(tmp_path: Path, folder: Path, statement: str) -> None:
    path = write_database(
        tmp_path / "notes.db", NOTES, "CREATE TABLE other (id)", statement.replace("notes", "x")
    )
    rewrite_schema(
        path,
        "UPDATE sqlite_master SET sql = replace(sql, 'notes', 'y') WHERE name = 'notes'",
        "UPDATE sqlite_master SET sql = replace(sql, ' x ', ' notes '), type = 'table' WHERE name = 'x'",
    )

    with suppress(SnapshotError, sqlite3.Error):
        assert rows(path, folder) == []


def test_a_trigger_never_runs_and_nothing_can_be_attached(tmp_path: Path, folder: Path) -> None:
    path = notes(tmp_path / "notes.db", "one")
    other = tmp_path / "other.db"
    with closing(take(path, folder).connect()) as connection:
        for statement in (
            f"ATTACH '{other}' AS other",
            f"VACUUM INTO '{other}'",
            "INSERT INTO notes (text) VALUES ('two')",
            "CREATE TABLE more (id)",
            "PRAGMA journal_mode = WAL",
            "PRAGMA query_only = OFF",
            "SELECT randomblob(10)",
            "SELECT load_extension('x')",
        ):
            with pytest.raises(sqlite3.Error):
                connection.execute(statement)
    assert not other.exists()


def test_work_without_end_ends(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_FREE_STEPS", 20)
    path = write_database(
        tmp_path / "notes.db",
        "CREATE TABLE notes (id INTEGER)",
        f"INSERT INTO notes {MANY.format(3000)} SELECT 1 FROM n",
    )
    parts = (Part("note", "notes"), Part("same", "notes", '"same"."id" > "note"."id" + 1'))

    with pytest.raises(sqlite3.DatabaseError, match="more work than a file of this size"):
        rows(path, folder, parts)


# Large values


def test_a_row_that_is_too_large_is_named_and_the_others_are_read(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sqlite", "sqlite_rows"):
        monkeypatch.setattr(f"tap_kit.{module}.MAX_RECORD_BYTES", 1 << 20)
    large = {2: 3 << 20, 3: 2 << 20, 6: 900_000, 9: 5 << 20}
    path = write_database(
        tmp_path / "notes.db",
        NOTES,
        *(
            f"INSERT INTO notes VALUES ({i}, {f'zeroblob({large[i]})' if i in large else i})"
            for i in range(1, 10)
        ),
    )

    found = rows(path, folder)

    assert [row.number for row in found] == list(range(1, 10))
    references = [row for row in found if row.problem]
    assert {row.number: row.record["bytes"] for row in references if row.number != 6} == {
        number: size for number, size in large.items() if number != 6
    }
    assert [row.record for row in references if row.number == 6] == [
        {"table": "notes", "row": 6, "bytes": 1_200_029}  # as base64
    ]


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells the memory of one program"
)
def test_reading_hostile_values_takes_bounded_memory(tmp_path: Path, folder: Path) -> None:
    columns = ", ".join(f"c{i}" for i in range(8))
    path = write_database(
        tmp_path / "notes.db",
        f"CREATE TABLE notes (id INTEGER PRIMARY KEY, {columns})",
        "INSERT INTO notes (id, c0) VALUES (1, zeroblob(200000000))",
        f"INSERT INTO notes VALUES (2{', zeroblob(20000000)' * 8})",
        "INSERT INTO notes (id, c0) VALUES (3, zeroblob(12000000))",
        "INSERT INTO notes (id, c0) VALUES (4, 'small')",
    )
    code = (
        "import sys; from pathlib import Path; from tap_kit.sqlite import take; "
        "from tap_kit.sqlite_rows import Part, read\n"
        "found = [(row.number, bool(row.problem)) for row in read(take(*map(Path, sys.argv[1:])), [Part('n', 'notes')])]\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(found, int(status.partition('VmHWM:')[2].split()[0]) >> 10)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code, path, folder], capture_output=True, check=True, text=True, timeout=60
    )

    found, megabytes = ended.stdout.rsplit(maxsplit=1)
    assert found == "[(1, True), (2, True), (3, False), (4, False)]"
    assert int(megabytes) < 300


def test_values_that_repeat_are_found_unless_they_are_too_many(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = take(notes(tmp_path / "notes.db", "a", "a", "b", "c" * 2000, "c" * 2000), folder)

    assert repeated(snapshot, "notes", "text") == frozenset({"a"})
    assert repeated(snapshot, "notes", "absent") == frozenset()
    monkeypatch.setattr("tap_kit.sqlite_rows._MOST_REPEATED_BYTES", 1)
    assert repeated(snapshot, "notes", "text") is None


# Files that are unusual


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_text_of_any_encoding_is_read(tmp_path: Path, folder: Path, encoding: str) -> None:
    path = write_database(
        tmp_path / "notes.db",
        f"PRAGMA encoding = '{encoding}'",
        NOTES,
        "INSERT INTO notes (text) VALUES ('Tee, 茶, 🍵'), (CAST(x'ff41' AS TEXT))",
    )

    first, second = rows(path, folder)

    assert first.record["text"] == "Tee, 茶, 🍵"
    assert encoding != "UTF-8" or second.record["text"] == {"base64": "/0E="}


@pytest.mark.parametrize(
    "name",
    ['a "quoted" one', "it's", "[brackets]", "`ticks`", "🍵", "line\nend", "select", "", "x(y", "a--b"],
)
def test_a_table_of_any_name_is_read(tmp_path: Path, folder: Path, name: str) -> None:
    quoted = sqlite.quoted(name)
    path = write_database(
        tmp_path / "notes.db",
        f"CREATE TABLE {quoted} ({quoted} INTEGER PRIMARY KEY, text)",
        f"INSERT INTO {quoted} VALUES (1, 'x')",
    )

    (row,) = rows(path, folder, (Part("note", name),))

    assert row.record == {name: 1, "text": "x"}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE [notes] (id, text)",
        "CREATE TABLE `notes`(id, text)",
        "CREATE TABLE 'notes' (id, text)",
        "create table if not exists main.notes(id, text)",
        "CREATE TABLE notes -- mine\n /* all */ (id, text)",
        "CREATE TABLE notes AS SELECT NULL AS id, NULL AS text WHERE FALSE",
    ],
)
def test_a_table_however_it_was_made_is_read(tmp_path: Path, folder: Path, statement: str) -> None:
    path = write_database(tmp_path / "notes.db", statement, "INSERT INTO notes VALUES (1, 'x')")

    assert [row.record for row in rows(path, folder)] == [{"id": 1, "text": "x"}]


@pytest.mark.parametrize("taken", [["rowid"], ["rowid", "_rowid_"], ["RowID", "oid", "_rowid_"]])
def test_columns_that_hide_the_row_number_are_columns(tmp_path: Path, folder: Path, taken: list[str]) -> None:
    path = write_database(
        tmp_path / "notes.db",
        f"CREATE TABLE notes ({', '.join(taken)})",
        *(f"INSERT INTO notes VALUES ({', '.join(['7'] * len(taken))})" for _ in range(2)),
    )

    assert [row.record for row in rows(path, folder)] == [dict.fromkeys(taken, 7)] * 2


def test_a_null_that_the_schema_forbids_is_read(tmp_path: Path, folder: Path) -> None:
    path = write_database(tmp_path / "notes.db", NOTES, "INSERT INTO notes VALUES (1, NULL)")
    rewrite_schema(path, "UPDATE sqlite_master SET sql = replace(sql, 'TEXT', 'TEXT NOT NULL')")

    assert [row.record for row in rows(path, folder)] == [{"id": 1, "text": None}]


def test_tables_without_row_numbers_are_read(tmp_path: Path, folder: Path) -> None:
    path = write_database(
        tmp_path / "notes.db",
        "CREATE TABLE notes (a, b, PRIMARY KEY (b, a)) WITHOUT ROWID",
        "INSERT INTO notes VALUES (2, 'x'), (1, 'y'), (1, 'x')",
    )

    found = rows(path, folder, (*PARTS, Part("same", "notes", '"same"."a" = "note"."a" + 1')))

    assert [(row.number, row.record["note"]["a"], row.record["same"]) for row in found] == [
        (1, 1, {"a": 2, "b": "x"}),
        (2, 2, None),
        (3, 1, {"a": 2, "b": "x"}),
    ]


@pytest.mark.parametrize("count", [100, 1990, 2000])
def test_very_many_columns_are_read_or_refused(tmp_path: Path, folder: Path, count: int) -> None:
    columns = ", ".join(f"c{i}" for i in range(count))
    path = write_database(
        tmp_path / "notes.db", f"CREATE TABLE notes ({columns})", "INSERT INTO notes (c0) VALUES (1)"
    )

    if count < 2000:
        assert len(rows(path, folder)[0].record) == count
    else:
        with pytest.raises(sqlite3.Error, match="too many columns"):
            rows(path, folder)


def test_views_that_double_each_other_cost_nothing(tmp_path: Path, folder: Path) -> None:
    views = [
        f"CREATE VIEW v{i} AS SELECT * FROM v{i - 1} UNION ALL SELECT * FROM v{i - 1}" for i in range(1, 60)
    ]
    path = write_database(
        tmp_path / "notes.db",
        NOTES,
        "INSERT INTO notes VALUES (1, 'x')",
        "CREATE VIEW v0 AS SELECT * FROM notes",
        *views,
    )

    assert len(rows(path, folder)) == 1


# Files that are damaged, in ways that no program writes


def test_pages_that_do_not_exist_are_refused(tmp_path: Path, folder: Path) -> None:
    path = notes(tmp_path / "outside" / "notes.db", "one")
    content = bytearray(path.read_bytes())
    content[28:32] = struct.pack(">I", 4_000_000_000)
    content[92:96] = content[24:28]  # so that the number counts
    path.write_bytes(content)

    assert_bounded(path, folder)


def test_a_journal_that_claims_a_huge_database_is_refused(tmp_path: Path, folder: Path, canary: Path) -> None:
    path = notes(tmp_path / "outside" / "notes.db", "one")
    path.with_name("notes.db-journal").write_bytes(journal_naming(canary, pages=3_000_000_000))

    assert_bounded(path, folder)
    assert canary.exists()


def assert_bounded(path: Path, folder: Path) -> None:
    """Check that a file is read or refused with a sentence, and that little is written."""
    with suppress(SnapshotError, sqlite3.Error):
        rows(path, folder)
    assert sum(file.stat().st_blocks * 512 for file in folder.iterdir()) < 64 << 20


def test_a_log_that_does_not_belong_to_the_database_changes_nothing(tmp_path: Path, folder: Path) -> None:
    path = notes(tmp_path / "outside" / "notes.db", "one")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO notes (text) VALUES ('two')")
        content = path.read_bytes()
        log = bytearray(path.with_name("notes.db-wal").read_bytes())
    log[16:24] = b"\xff" * 8  # the salts
    path.write_bytes(content)
    path.with_name("notes.db-wal").write_bytes(log)

    assert [row.record["text"] for row in rows(path, folder)] == ["one"]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (4096 + 3, b"\xff\xff"),  # cells
        (4096 + 5, b"\x00\x01"),  # where cells begin
        (4096, b"\x05"),  # an inner page
        (4096, b"\x05\0\0\0\x01\0\0\0\0\0\0\x02"),  # an inner page whose child is itself
        (16, b"\x02\x00"),  # page size
        (18, b"\x09\x09"),  # version of the format
        (32, b"\0\0\0\x02\0\0\0\x01"),  # free pages
        (44, b"\0\0\0\x09"),  # schema format
        (56, b"\0\0\0\x07"),  # encoding
    ],
    ids=["cells", "cell area", "inner", "loop", "page size", "version", "free list", "schema", "encoding"],
)
def test_damage_is_refused_or_harmless(tmp_path: Path, folder: Path, at: int, value: bytes) -> None:
    path = notes(tmp_path / "outside" / "notes.db", "one")
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)

    assert_bounded(path, folder)


@pytest.mark.parametrize(
    ("name", "sql", "is_created"),
    [
        ("notes", NOTES, True),
        ("notes", "CREATE TABLE notes(a)", True),
        ("notes", "CREATE TABLE [notes] /* a * b **/ -- c\n\t(a)", True),
        ("no`tes", "CREATE TABLE `no``tes` (a)", True),
        ("notes", "CREATE TABLE notes_2 (a)", False),
        ("notes", "CREATE VIRTUAL TABLE notes USING fts5 (a)", False),
        ("notes", "CREATE VIEW notes AS SELECT (1)", False),
        ("notes", "CREATE TABLE notes AS SELECT (1)", False),
        ('"q', 'CREATE TABLE "q' + "/**/" * 200_000 + '"(a)', False),
        ('"q', 'CREATE TABLE "q' + "/*" * 200_000 + '"(a)', False),
        ("x" * (10 << 20), "CREATE TABLE y(a)", False),
    ],
    ids=[
        "plain", "no blank", "comments", "quoted", "longer name", "virtual", "view", "select", "many comments", "open comments",
        "long name",
    ],
)  # fmt: skip
def test_a_table_is_one_if_its_statement_creates_it_and_that_is_found_at_once(
    name: str, sql: str, *, is_created: bool
) -> None:
    tracemalloc.start()
    started = time.process_time()
    assert sqlite._creates(name, sql) is is_created
    taken = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 5
    assert peak < 150_000_000
