"""Sentences for what PostgreSQL refuses, by SQLSTATE (PostgreSQL 18, appendix A).

Codes of class ZB are raised by the functions in ``sql/bronze``; their message and hint quote no row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psycopg

#: Class of the project's own codes: ZB001 pooler, ZB002 rows left out, ZB003 table dropped, ZB004 name taken.
OWN_CLASS: Final = "ZB"
_POOLER: Final = (
    "a connection pooler changes the server session under the loader's connection. Connect to PostgreSQL itself, or through a "
    "pool in session mode (pgbouncer: pool_mode = session)"
)
_READ_ONLY: Final = (
    "transactions are read-only here. Connect to the primary server, or let an administrator set "
    "default_transaction_read_only = off for the role and the database"
)
_REASONS: Final = {
    "25006": _READ_ONLY,
    "26000": _POOLER,
    "42P05": _POOLER,
    "42501": (
        "the database user may not do this. Connect as the owner of the tables; or let the owner run sql/roles.sql and grant "
        "bronze_loader to the user (docs/moving.md). The owner itself needs CREATE on the schema public"
    ),
    "42P01": (
        "a table of the layout is missing. If it was dropped by hand, restore a backup into a new database (bronze restore), or "
        "rebuild the source from the raw archive (bronze rebuild)"
    ),
}


def sentence(error: psycopg.Error) -> str:
    """Return what *error* means and what to do, without PostgreSQL's own words about a row."""
    state = error.sqlstate or ""
    if state.startswith(OWN_CLASS):
        said = f"{error.diag.message_primary}. {error.diag.message_hint}"
        return said[:1].upper() + said[1:]
    if state in _REASONS:
        return f"PostgreSQL refuses (SQLSTATE {state}): {_REASONS[state]}."
    return (
        f"PostgreSQL refuses: {type(error).__name__} (SQLSTATE {error.sqlstate}). What was confirmed is safe; the "
        "server's log has more."
    )
