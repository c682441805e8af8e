"""Puts a rebuilt database in the place of the present one, by renaming both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from target_postgres_bronze.operator import pgtools, session
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_postgres_bronze.database import Target

#: A database that every server has, to be connected to while others are renamed.
_TEMPLATE: Final = "template1"


def expect_all(here: Target, sources: Sequence[str]) -> None:
    """Check that *sources* are all that the present database has: the others would not be in the new one.

    Raises:
        OperatorError: Some are not named.
    """
    with session.connected(here) as connection:
        known = [
            row["source"]
            for row in session.rows(connection, "SELECT source FROM bronze.sources ORDER BY source")
        ]
    if left_out := [source for source in known if source not in sources]:
        raise OperatorError(
            f"Nothing was rebuilt: the database also has {', '.join(left_out)}, which a swap would leave behind. Name every source."
        )


def swap(here: Target, name: str) -> str:
    """Rename the present database, and database *name* to its name, both or none; return the present one's new name.

    Raises:
        OperatorError: Somebody is connected to one of them, or the user may not rename them.
    """
    import psycopg  # noqa: PLC0415 - half a second for --help
    from psycopg import sql  # noqa: PLC0415 - the same
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - the same

    present = str(conninfo_to_dict(here.conninfo)["dbname"])
    kept = f"{present[:40]}_before_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    try:
        with pgtools.sibling(here, _TEMPLATE).connect() as connection:
            connection.execute(rename.format(sql.Identifier(present), sql.Identifier(kept)))
            connection.execute(rename.format(sql.Identifier(name), sql.Identifier(present)))
    except psycopg.errors.ObjectInUse:
        raise OperatorError(
            f"Nothing was swapped: another program is connected to {present} or {name}. Close it, and run again with another database."
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise OperatorError(
            "Nothing was swapped: the user may not rename databases. Grant it CREATEDB and the ownership of both."
        ) from None
    return kept
