"""Failed pipelines, as Meltano recorded them: the loader does not see how its extractor ended.

Source: Meltano 4.4, ``meltano.core.job.job.Job``: the table ``runs`` of the system database, timestamps in UTC; a run whose heartbeat is
older than five minutes was killed.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from target_postgres_bronze import project
from target_postgres_bronze.operator import plugins, state
from target_postgres_bronze.operator.meltano import LOADER
from target_postgres_bronze.operator.schedules import source_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import psycopg

DEMO: Final = "demo"
DAYS: Final = 30
HEARTBEAT_VALID: Final = timedelta(minutes=5)
FAILED: Final = """
    SELECT job_name, started_at, coalesce(ended_at, last_heartbeat_at), payload, state FROM runs
    WHERE started_at > :since AND (state = 'FAIL' OR (state = 'RUNNING' AND last_heartbeat_at < :alive))
    ORDER BY started_at
"""
#: ``dev:tap-shop-to-target-postgres``, perhaps with a suffix.
STATE_ID: Final = re.compile(rf"(?:(?P<environment>[^:]+):)?(?P<extractor>.+)-to-{re.escape(LOADER)}(?::.*)?")
RECORD: Final = "SELECT bronze.record_failures(%s)"


def record_failures(connection: psycopg.Connection[Any], root: Path) -> None:
    """Write into ``bronze.runs`` which runs of the last 30 days failed by Meltano's record.

    Without Meltano's database, or with a role that cannot write, nothing is recorded.

    Args:
        connection: The project's database.
        root: The project's folder.
    """
    import psycopg  # noqa: PLC0415 - half a second that --help need not pay

    variables = project.environment(root)
    found = list(_failures(root, variables, connection))
    if found:
        with (
            suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction),
            connection.transaction(),
        ):
            connection.execute(RECORD.encode(), [json.dumps(found)])


def _failures(
    root: Path, variables: Mapping[str, str], connection: psycopg.Connection[Any]
) -> Iterable[dict[str, Any]]:
    rows = _rows(root, variables)
    if not rows:
        return
    extractors = {plugin.name for plugin in plugins.defined(root) if plugin.kind == "extractors"}
    is_demo = variables.get("MELTANO_ENVIRONMENT") == DEMO
    ahead = _clock_difference(connection)
    for name, started, ended, payload, outcome in rows:
        match = STATE_ID.fullmatch(name)
        if match is None or (match["environment"] == DEMO) != is_demo or match["extractor"] not in extractors:
            continue
        source, begun = source_of(match["extractor"]), datetime.fromisoformat(started)
        yield {
            "run_id": f"{source}-{begun:%Y%m%dT%H%M%SZ}-meltano",
            "source": source,
            "started_at": str(begun + ahead),
            "ended_at": str(datetime.fromisoformat(ended) + ahead),
            "reason": _reason(payload, outcome),
        }


def _clock_difference(connection: psycopg.Connection[Any]) -> timedelta:
    """Return how far the server's clock is ahead of this machine's, by which Meltano recorded its runs."""
    query = "SELECT clock_timestamp() AT TIME ZONE 'UTC' AS clock"
    (row,) = connection.execute(query).fetchall()
    server: datetime = row["clock"] if isinstance(row, dict) else row[0]
    return server - datetime.now(UTC).replace(tzinfo=None)


def _rows(root: Path, variables: Mapping[str, str]) -> list[tuple[str, str, str, str | None, str]]:
    """Return Meltano's failed runs; its database may be on a server, where SQLAlchemy reads it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    values = {"since": str(now - timedelta(days=DAYS)), "alive": str(now - HEARTBEAT_VALID)}
    file = state.database_file(root, variables)
    if file is None:
        return _server_rows(variables[state.VARIABLE], values)
    address = f"{file.resolve().as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True)) as connection:
        return connection.execute(FAILED, values).fetchall()
    return []


def _server_rows(uri: str, values: Mapping[str, str]) -> list[Any]:
    from sqlalchemy import create_engine, text  # noqa: PLC0415 - only needed when Meltano keeps its database on a server
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - the same

    with suppress(SQLAlchemyError), create_engine(uri).connect() as connection:
        rows = connection.execute(text(FAILED), values).fetchall()
        return [
            (name, str(begun), str(ended), payload, outcome) for name, begun, ended, payload, outcome in rows
        ]
    return []


def _reason(payload: str | None, outcome: str) -> str:
    """Return Meltano's short reason; other texts, which could quote anything, are replaced."""
    if outcome == "RUNNING":
        return "Meltano was killed during the run"
    error = ""
    with suppress(ValueError, AttributeError, TypeError):
        error = str(json.loads(payload or "{}").get("error"))
    known = next(
        (
            text
            for text in ("Extractor and loader failed", "Extractor failed", "Loader failed")
            if text in error
        ),
        "",
    )
    return f"{known or 'the pipeline failed'} (see data/logs or Meltano's log)"
