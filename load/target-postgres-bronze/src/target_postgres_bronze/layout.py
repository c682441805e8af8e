"""Brings a database to the layout of ``sql/bronze``, when it is older."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from target_postgres_bronze.errors import LoaderError

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

_VERSION: Final = re.compile(r"^-- layout version: (\d+)$", re.MULTILINE)
_LOCK: Final = "bronze layout"


@dataclass(frozen=True)
class Layout:
    """The files of ``sql/bronze``: their order is that of their names.

    Attributes:
        version: Number in ``00_layout.sql``.
        fingerprint: SHA-256 over names and contents.
        files: Name and content of each.
    """

    version: int
    fingerprint: str
    files: tuple[tuple[str, str], ...]


def read_layout(sql_dir: Path) -> Layout:
    """Read the layout in *sql_dir* (the folder that holds ``bronze/``)."""
    files = tuple((path.name, path.read_text("utf-8")) for path in sorted((sql_dir / "bronze").glob("*.sql")))
    found = _VERSION.search("\n".join(text for _name, text in files[:1]))
    if found is None:
        raise LoaderError(
            "sql/bronze/00_layout.sql names no layout version. Restore the file from the repository."
        )
    digest = sha256()
    for name, text in files:
        digest.update(f"{name}\0{text}\0".encode())
    return Layout(int(found[1]), digest.hexdigest(), files)


def present_layout(connection: psycopg.Connection[Any]) -> tuple[int, str] | None:
    """Return version and fingerprint of the layout that the database has, or None."""
    # to_regclass would remember in this transaction that the table was not there
    found = connection.execute(
        "SELECT FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'bronze' AND c.relname = 'layout'"
    )
    if not found.rowcount:
        return None
    row: tuple[int, str] | None = connection.execute(
        "SELECT version, fingerprint FROM bronze.layout ORDER BY version DESC, applied_at DESC LIMIT 1"
    ).fetchone()
    return row


def ensure_layout(connection: psycopg.Connection[Any], layout: Layout) -> bool:
    """Apply *layout* unless the database has it; several loaders may do so at once.

    Args:
        connection: In autocommit mode.
        layout: What the database shall have.

    Returns:
        Whether files were applied.

    Raises:
        LoaderError: The database has a newer layout, or the user may not make one.
    """
    if _is_present(connection, layout):
        return False
    with connection.transaction():
        connection.execute("SET LOCAL client_min_messages = warning")
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_LOCK])
        if _is_present(connection, layout):
            return False
        _apply(connection, layout)
    return True


def _is_present(connection: psycopg.Connection[Any], layout: Layout) -> bool:
    present = present_layout(connection)
    if present and present[0] > layout.version:
        raise LoaderError(
            f"The database has layout {present[0]}, and this loader knows {layout.version}. Update the project "
            "(git pull, ./bronze setup): an older loader must not write into a newer layout."
        )
    return present == (layout.version, layout.fingerprint)


def _apply(connection: psycopg.Connection[Any], layout: Layout) -> None:
    import psycopg  # noqa: PLC0415 - loaded already where a connection exists

    for name, text in layout.files:
        try:
            connection.execute(text.encode())
        except psycopg.errors.InsufficientPrivilege as error:
            raise LoaderError(
                f"sql/bronze/{name}: the database user may not make the layout. Run once as the owner of the tables, and "
                "sql/roles.sql after it (docs/moving.md); or grant CREATE on the database and on the schema public."
            ) from error
    connection.execute(
        "INSERT INTO bronze.layout (version, fingerprint) VALUES (%s, %s) "
        "ON CONFLICT (version, fingerprint) DO UPDATE SET applied_at = excluded.applied_at",
        [layout.version, layout.fingerprint],
    )
