"""SQLite files from outside: what is hostile in them costs them alone, and nothing outside the private folder is touched."""

from __future__ import annotations

import os
import re
import sqlite3
import struct
import subprocess
import sys
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


def test_reading_hostile_values_takes_bounded_memory(tmp_path: Path, folder: Path) -> None:
    columns = ", ".join(f"c{i}" for i in range(8))
    path = write_database(
        tmp_path / "notes.db",
        f"CREATE TABLE notes (id INTEGER PRIMARY KEY, {columns})",
        "INSERT INTO notes (id, c0) VALUES (1, zeroblob(200000000))",
        f"INSERT INTO notes VALUES (2{', zeroblob(20000000)' * 8})",
        "INSERT INTO notes (id, c0) VALUES (3, zeroblob(23000000))",
        "INSERT INTO notes (id, c0) VALUES (4, 'small')",
    )
    code = (
        "import resource, sys; from pathlib import Path; from tap_kit.sqlite import take; "
        "from tap_kit.sqlite_rows import Part, read\n"
        "found = [(row.number, bool(row.problem)) for row in read(take(*map(Path, sys.argv[1:])), [Part('n', 'notes')])]\n"
        "print(found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)"
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
