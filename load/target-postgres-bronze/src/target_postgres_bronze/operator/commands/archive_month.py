"""``bronze archive-month``: old months in verified files instead of the database, and back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import backups, session
from target_postgres_bronze.operator.commands.backup import places
from target_postgres_bronze.operator.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from pathlib import Path

    import psycopg
    from psycopg.rows import DictRow

FOLDER: Final = "months"
CHUNK: Final = 1024 * 1024
COLUMNS: Final = """
    SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
LISTED: Final = """
    SELECT id, source, month, row_count, file, archived_at, attached_at FROM bronze.archived_months
    WHERE source = %s ORDER BY month, id
"""
OUT: Final = """
    SELECT * FROM bronze.archived_months WHERE source = %s AND month = %s AND attached_at IS NULL ORDER BY id
"""


@click.command(
    epilog="Example: bronze archive-month toggl 2014-01 2014-02; bronze archive-month toggl 2014-01 --attach. Exit code 0, or 1 when "
    "it cannot be done; then nothing was taken out."
)
@click.argument("source")
@click.argument("months", nargs=-1, type=click.DateTime(["%Y-%m"]), metavar="[YYYY-MM]...")
@click.option("--attach", is_flag=True, help="Put the months back into the database.")
@click.option("--json", "as_json", is_flag=True, help="With no month: the list as JSON.")
def command(source: str, months: Sequence[datetime], *, attach: bool, as_json: bool) -> None:
    """Move months of SOURCE to compressed files under the raw archive; without a month, list what was moved.

    Records of such a month stay known, so that a tap that brings them again adds nothing; their rows show again after --attach.
    """
    if not months:
        _list(source, as_json=as_json)
        return
    root = places(project.find_root()).archive
    for month in months:
        with session.connected() as connection:
            if attach:
                _attach(connection, root, source, month.date())
            else:
                _detach(connection, root, source, month.date())


def _list(source: str, *, as_json: bool) -> None:
    with session.connected() as connection:
        found = session.rows(connection, LISTED.encode(), source)
    if as_json:
        session.show_json(found)
    else:
        columns = ["#id", "source", "month", "#rows", "file", "archived", "attached"]
        session.show_table("Archived months", columns, (list(row.values()) for row in found))


def _detach(connection: psycopg.Connection[DictRow], root: Path, source: str, month: date) -> None:
    """Write a month to a file, read that file back, and take the month out if both are the same."""
    partition = f"bronze_{source}_y{month:%Y}m{month:%m}"
    columns = [row["name"] for row in session.rows(connection, COLUMNS, f"public.{partition}")]
    if not columns:
        raise session.OperatorError(
            f"There is no {partition}: nothing of {source} happened in {month:%Y-%m}, or it is archived."
        )
    path = _free_name(root / source / FOLDER, partition)
    with progress(f"Writing {partition}, and reading it back"):
        _write(connection, path, partition, columns)
        _read(connection, path, columns)
        (found,) = session.rows(
            connection, "SELECT * FROM bronze.relation_digest('bronze_month'::regclass, %s)", columns
        )
    values = [
        str(path.relative_to(root)),
        backups.digest_of(path),
        columns,
        found["row_count"],
        found["digest"],
    ]
    # a reader that takes its time must not hold up all others behind this
    connection.execute("SET LOCAL lock_timeout = '30s'")
    connection.execute("SELECT bronze.detach_month(%s, %s, %s, %s, %s, %s, %s)", [source, month, *values])
    # from here on the file stays whatever happens: a commit whose answer is lost may have gone through
    connection.commit()
    click.echo(
        f"{partition}: {found['row_count']:,} rows are in {path} ({session.size(path.stat().st_size)}), and out of the database."
    )


def _free_name(folder: Path, partition: str) -> Path:
    """Return a name that no file has: rows may come for a month that was archived before."""
    number = 1
    while (path := folder / f"{partition}-{number}.csv.zst").exists():
        number += 1
    return path


def _write(connection: psycopg.Connection[DictRow], path: Path, partition: str, columns: list[str]) -> None:
    import zstandard  # noqa: PLC0415 - used here alone
    from psycopg import sql  # noqa: PLC0415 - half a second for --help

    query = sql.SQL("COPY public.{} ({}) TO STDOUT (FORMAT csv, HEADER)").format(
        sql.Identifier(partition), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file, connection.cursor() as cursor:
            writer = zstandard.ZstdCompressor(level=10, write_checksum=True).stream_writer(
                file, closefd=False
            )
            with writer, cursor.copy(query) as copy:
                for data in copy:
                    writer.write(data)
            file.flush()
            os.fsync(file.fileno())
        _sync(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise session.OperatorError(
            f"{path} cannot be written: {error.strerror}. Nothing was taken out."
        ) from error


def _read(connection: psycopg.Connection[DictRow], path: Path, columns: list[str]) -> None:
    """Read a file into the temporary table bronze_month."""
    import zstandard  # noqa: PLC0415 - used here alone
    from psycopg import sql  # noqa: PLC0415 - half a second for --help

    from target_postgres_bronze.copying import copy_in  # noqa: PLC0415 - the same

    connection.execute("CREATE TEMPORARY TABLE bronze_month (LIKE bronze.record) ON COMMIT DROP")
    query = sql.SQL("COPY bronze_month ({}) FROM STDIN (FORMAT csv, HEADER MATCH)").format(
        sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    try:
        with (
            path.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as reader,
            connection.cursor() as cursor,
            copy_in(cursor, query) as copy,
        ):
            while data := reader.read(CHUNK):
                copy.write(data)
    except (OSError, zstandard.ZstdError) as error:
        raise session.OperatorError(f"{path} cannot be read. Take it from a backup.") from error


def _attach(connection: psycopg.Connection[DictRow], root: Path, source: str, month: date) -> None:
    entries: list[Any] = session.rows(connection, OUT.encode(), source, month)
    if not entries:
        raise session.OperatorError(
            f"{month:%Y-%m} of {source} is not archived. See `bronze archive-month {source}`."
        )
    for entry in entries:
        path = root / entry["file"]
        if not path.exists() or backups.digest_of(path) != entry["file_hash"]:
            raise session.OperatorError(f"{path} is missing or damaged. Take it from a backup.")
        with progress(f"Putting {path.name} back"):
            _read(connection, path, entry["columns"])
            connection.execute("SELECT bronze.attach_month(%s)", [entry["id"]])
            connection.commit()
        click.echo(
            f"{source} {month:%Y-%m}: {entry['row_count']:,} rows are back in the database; the file stays."
        )


def _sync(folder: Path) -> None:
    """Make a new file's name durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
