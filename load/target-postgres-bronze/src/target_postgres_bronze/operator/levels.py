"""The service levels of ``levels.yml``, handed to SQL, which judges them."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Final

import yaml

from target_postgres_bronze import project
from target_postgres_bronze.operator import plugins, readiness, schedules, session

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import psycopg
    from psycopg.rows import DictRow

FILE: Final = "levels.yml"
DEFAULTS: Final[dict[str, Any]] = {
    "window": "30 days",
    "levels": {
        "completeness": 0.99,
        "accuracy": 0.999,
        "error_rate": 0.01,
        "freshness": "1 hour",
        "run_time": "5 minutes",
        "storage": 0.80,
        "yield": 0.10,
        "last_run": True,
        "schema_drift": "7 days",
    },
    "capacity": None,
    "sources": {},
}
SHARES: Final = ("completeness", "accuracy", "error_rate", "storage", "yield")
SWITCHES: Final = ("last_run",)
#: How PostgreSQL reads a text, and what it has to be.
INTERVAL: Final = ("SELECT %s::interval", "an interval, such as 30 minutes or 2 days")
SIZE: Final = ("SELECT pg_size_bytes(%s)", "a size, such as 200 GB, or null")
#: When each source last began a run that succeeded; for one that never did, when it was made.
LAST_STARTS: Final = """
    SELECT s.source, coalesce(
        (SELECT r.started_at FROM bronze.runs AS r WHERE r.source = s.source AND r.status = 'succeeded' ORDER BY r.started_at DESC LIMIT 1),
        s.created_at
    ) AS last_start
    FROM bronze.sources AS s
"""


def read(root: Path) -> dict[str, Any]:
    """Return the levels of the project at *root*: its ``levels.yml`` over the defaults.

    Raises:
        session.OperatorError: The file cannot be read, or names a level that there is none of.
    """
    file = root / FILE
    try:
        said = yaml.safe_load(file.read_text()) if file.exists() else {}
    except (OSError, yaml.YAMLError) as error:
        raise session.OperatorError(
            f"{file} cannot be read: {type(error).__name__}. Correct the file."
        ) from error
    said = said or {}
    if not isinstance(said, dict) or said.keys() - DEFAULTS.keys():
        raise session.OperatorError(f"{file}: the members are {', '.join(DEFAULTS)}. Correct the file.")
    own, sources = said.get("levels") or {}, said.get("sources") or {}
    if not all(isinstance(place, dict) for place in (own, sources, *dict(sources).values())):
        raise session.OperatorError(
            f"{file}: levels, and each source under sources, hold a level and its value per line. Correct the file."
        )
    levels = DEFAULTS["levels"] | own
    for place in (levels, *sources.values()):
        _check(file, place)
    return DEFAULTS | said | {"levels": levels, "sources": sources}


def _check(file: Path, levels: dict[str, Any]) -> None:
    """Refuse a level that nobody would judge: misspelt, or with a value of the wrong kind."""
    for name, value in levels.items():
        if name not in DEFAULTS["levels"]:
            raise session.OperatorError(
                f"{file}: there is no level {name}. There are {', '.join(DEFAULTS['levels'])}."
            )
        if value is None or value is False:
            continue
        if name in SWITCHES:
            fits, wanted = value is True, "true or false"
        elif name in SHARES:
            fits, wanted = _is_share(value), "a share from 0 to 1"
        else:
            fits, wanted = isinstance(value, str), "an interval, such as 1 hour"
        if not fits:
            raise session.OperatorError(f"{file}: {name} is {wanted}, or null.")


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and value is not True and 0 <= value <= 1


def settings(root: Path, connection: psycopg.Connection[DictRow]) -> str:
    """Return the argument of ``bronze.check_levels`` for the project at *root*."""
    found = read(root)
    starts = {row["source"]: row["last_start"] for row in session.rows(connection, LAST_STARTS.encode())}
    known = starts.keys() | {schedules.source_of(plugin.name) for plugin in plugins.defined(root)}
    if strange := sorted(found["sources"].keys() - known):
        raise session.OperatorError(
            f"{root / FILE}: there is no source {strange[0]} here. Sources: {', '.join(sorted(known)) or 'none yet'}."
        )
    check_units(root, connection, found)
    # without a capacity nobody asks for it
    other = archive_bytes(root) if found["capacity"] else 0
    return json.dumps(found | {"due": _due(root, starts), "other_bytes": other})


def check_units(root: Path, connection: psycopg.Connection[DictRow], found: dict[str, Any]) -> None:
    """Refuse intervals and a capacity that PostgreSQL does not read; its own words would not say where they stand.

    Args:
        root: The project's folder.
        connection: The database.
        found: What `read` returned.
    """
    texts = [("window", found["window"], INTERVAL), ("capacity", found["capacity"], SIZE)]
    for place in (found["levels"], *found["sources"].values()):
        texts += [(name, text, INTERVAL) for name, text in place.items() if isinstance(text, str)]
    for name, text, (query, wanted) in texts:
        if text is not None and not _reads(connection, query, str(text)):
            raise session.OperatorError(f"{root / FILE}: {name} is {wanted}. Correct the file.")


def _reads(connection: psycopg.Connection[DictRow], query: str, text: str) -> bool:
    import psycopg  # noqa: PLC0415 - half a second for --help

    try:
        with connection.transaction():
            connection.execute(query.encode(), [text])
    except psycopg.DataError:
        return False
    return True


def _due(root: Path, starts: dict[str, datetime]) -> dict[str, str | None]:
    """Return when each scheduled source's next run was due, from its last success on; the earliest of its schedules.

    Runs of a source that is not set up are left out, so that none is due.
    """
    due: dict[str, str | None] = {}
    variables = project.environment(root)
    idle = {
        schedules.source_of(p.name) for p in plugins.defined(root) if readiness.lacking(root, p, variables)
    }
    for schedule in schedules.defined(root):
        for source in schedule.sources:
            if source in idle:
                continue
            start = starts.get(source)
            moment = schedule.due_after(start).isoformat() if start else None
            due[source] = min(filter(None, (due.get(source), moment)), default=None)
    return due


def archive_bytes(root: Path) -> int:
    """Return the size of the raw archive."""
    archive = project.archive_dir(root)
    return _bytes_below(archive) if archive.is_dir() else 0


def _bytes_below(folder: Path | str) -> int:
    """Return the size of all files below *folder*; a file per run makes a million of them, and scandir is six times as fast as rglob."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            # a file that is moved to its place at this moment is counted the next time
            with contextlib.suppress(FileNotFoundError):
                is_folder = entry.is_dir(follow_symlinks=False)
                total += _bytes_below(entry.path) if is_folder else entry.stat().st_size
    return total
