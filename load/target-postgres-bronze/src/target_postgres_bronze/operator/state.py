"""Meltano's state: how far each tap has come.

By default it is a table of a SQLite file on this machine, which is copied as a file. If it is elsewhere (a database server, a state
backend), Meltano's own commands read and write it.

Source: Meltano's documentation of settings, "database_uri" and "state_backend.uri", its commands ``state export`` and ``state import``,
and its table ``state`` (Meltano 4.4).
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import yaml

from target_postgres_bronze.operator import meltano
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE: Final = "MELTANO_DATABASE_URI"
BACKEND: Final = "MELTANO_STATE_BACKEND_URI"
SYSTEM_DATABASE: Final = "systemdb"
SQLITE: Final = "sqlite:///"
MISSING: Final = """
    INSERT INTO main.state (state_id, partial_state, completed_state, updated_at)
    SELECT s.state_id, s.partial_state, s.completed_state, s.updated_at FROM saved.state AS s
    WHERE s.state_id NOT IN (SELECT n.state_id FROM main.state AS n)
"""


def place(root: Path, variables: Mapping[str, str]) -> Path | None:
    """Return the file with Meltano's state for the project at *root*; None if a server or a state backend has it."""
    configured = yaml.safe_load((root / "meltano.yml").read_text()) or {}
    backend = configured.get("state_backend") or {}
    named = variables.get(BACKEND) or configured.get("state_backend.uri") or backend.get("uri")
    return database_file(root, variables) if named in {None, SYSTEM_DATABASE} else None


def export(root: Path) -> str:
    """Return the state of every pipeline as ``meltano state export`` writes it: a JSON object by state id.

    Raises:
        OperatorError: Meltano cannot read it.
    """
    return _run(root, "export")


def put_back_export(root: Path, saved: str) -> int:
    """Write the states of *saved* (see `export`) that Meltano lacks; return how many. Present ones stay.

    Raises:
        OperatorError: Meltano cannot read or write its state.
    """
    present = json.loads(export(root))
    missing: dict[str, Any] = {
        name: value for name, value in json.loads(saved).items() if name not in present
    }
    if missing:
        _run(root, "import", json.dumps(missing))
    return len(missing)


def _run(root: Path, command: str, standard_input: str = "") -> str:
    done = subprocess.run(
        [meltano.program(), "--log-level=error", "state", command],
        check=False,
        cwd=root,
        capture_output=True,
        text=True,
        input=standard_input,
    )
    if done.returncode:
        raise OperatorError(
            f"`meltano state {command}` failed. Run it to see why, and correct Meltano's settings."
        )
    return done.stdout


def database_file(root: Path, variables: Mapping[str, str]) -> Path | None:
    """Return the file of Meltano's system database for the project at *root*; None if it is on a server."""
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
    """Copy Meltano's database *state* by SQLite's backup API, which is consistent while others write."""
    with closing(sqlite3.connect(state)) as source, closing(sqlite3.connect(copy)) as destination:
        source.backup(destination)


def _saved(copy: Path) -> str:
    """Return the address of a saved database: SQLite then reads that file alone, and follows no journal beside it."""
    return f"{copy.resolve().as_uri()}?mode=ro&immutable=1"


def put_back(copy: Path, state: Path) -> int:
    """Put into *state* what it lacks of *copy*, and return of how many pipelines; what is there stays.

    Setting a project up makes the file, so that it is there and empty when a backup is restored.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(_saved(copy), uri=True)) as source:
        count: int = source.execute("SELECT count(*) FROM state").fetchone()[0]
        if not state.exists() or state.stat().st_size == 0:
            with closing(sqlite3.connect(state)) as destination:
                source.backup(destination)
            return count
    if not count:
        return 0
    with closing(sqlite3.connect(state.resolve().as_uri(), uri=True)) as connection:
        connection.execute("ATTACH ? AS saved", [_saved(copy)])
        with connection:
            return connection.execute(MISSING).rowcount
