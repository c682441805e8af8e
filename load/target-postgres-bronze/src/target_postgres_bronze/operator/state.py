"""Meltano's state, as far as it lies in a SQLite file on this machine: how far each tap has come.

Source: Meltano's documentation of settings, "database_uri", and its table ``state`` (Meltano 4.4).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE: Final = "MELTANO_DATABASE_URI"
SQLITE: Final = "sqlite:///"
MISSING: Final = """
    INSERT INTO main.state (state_id, partial_state, completed_state, updated_at)
    SELECT s.state_id, s.partial_state, s.completed_state, s.updated_at FROM saved.state AS s
    WHERE s.state_id NOT IN (SELECT n.state_id FROM main.state AS n)
"""


def place(root: Path, variables: Mapping[str, str]) -> Path | None:
    """Return the file of Meltano's state for the project at *root*; None where it is kept by a database server."""
    system = root / variables.get("MELTANO_SYS_DIR_ROOT", ".meltano")
    uri = variables.get(VARIABLE)
    if not uri:
        return system / "meltano.db"
    if not uri.startswith(SQLITE):
        return None
    path = uri.removeprefix(SQLITE).partition("?")[0]
    for name, folder in (("MELTANO_SYS_DIR_ROOT", system), ("MELTANO_PROJECT_ROOT", root)):
        path = path.replace(f"${name}", str(folder)).replace(f"${{{name}}}", str(folder))
    return root / path


def save(state: Path, copy: Path) -> None:
    """Copy *state* as SQLite does it, whole even while somebody writes."""
    with closing(sqlite3.connect(state)) as source, closing(sqlite3.connect(copy)) as destination:
        source.backup(destination)


def put_back(copy: Path, state: Path) -> int:
    """Put into *state* what it lacks of *copy*, and return of how many pipelines; what is there stays.

    Setting a project up makes the file, so that it is there and empty when a backup is restored.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    if not state.exists() or state.stat().st_size == 0:
        save(copy, state)
        return _count(state)
    if not _count(copy):
        return 0
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("ATTACH ? AS saved", [str(copy)])
        with connection:
            return connection.execute(MISSING).rowcount


def _count(state: Path) -> int:
    """Return of how many pipelines *state* knows."""
    with closing(sqlite3.connect(state)) as connection:
        found: int = connection.execute("SELECT count(*) FROM state").fetchone()[0]
        return found
