"""``bronze status``: what landed, per source and stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import outcomes, session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import LiteralString

STREAMS = "SELECT * FROM bronze.status ORDER BY source, stream, account"

DEAD_LETTERS = """
    SELECT source, category, count(*) AS open_count, max(last_seen_at) AS last_seen_at
    FROM bronze.dead_letters WHERE status = 'open' GROUP BY source, category ORDER BY source, category
"""

#: The newest run of each source, when it did not succeed.
FAILED_RUNS = """
    SELECT source, last_status AS status, last_started_at AS started_at, last_error AS error_message, last_success_at
    FROM bronze.figures((now() AT TIME ZONE 'UTC') - interval '30 days')
    WHERE last_status <> 'succeeded'
"""

QUERIES: Final[dict[str, LiteralString]] = {
    "streams": STREAMS,
    "failed_runs": FAILED_RUNS,
    "dead_letters": DEAD_LETTERS,
}

#: Heading and column of bronze.status; those of odd records appear when there are any.
COLUMNS = {
    "source": "source",
    "stream": "stream",
    "account": "account",
    "#rows": "row_count",
    "#records": "record_count",
    "#gone": "gone_count",
    "#invalid": "invalid_count",
    "#warnings": "warning_count",
    "newest event": "last_event",
    "landed": "last_landed_at",
    "last run": "last_run_status",
}
OPTIONAL = ("account", "gone_count", "invalid_count", "warning_count")


@click.command(
    epilog="Example: bronze status --json. Exit code 0, even if runs failed (see bronze check); 1: the database cannot be reached."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for scripts.")
def command(*, as_json: bool) -> None:
    """Show per source and stream what was loaded, when, and how the last run ended (times in UTC)."""
    target = session.target()
    found: dict[str, Any] = {"database": target.display, "streams": [], "failed_runs": [], "dead_letters": []}
    try:
        with session.connected(target) as connection:
            outcomes.record_failures(connection, project.find_root())
            for name, query in QUERIES.items():
                found[name] = session.rows(connection, query)
    except session.NothingLoadedError:
        if not as_json:
            raise
    if as_json:
        session.show_json(found)
        return
    streams = found["streams"]
    columns = {name: column for name, column in COLUMNS.items() if _is_told(column, streams)}
    lines = ([stream[column] for column in columns.values()] for stream in streams)
    session.show_table(target.display, list(columns), lines)
    for run in found["failed_runs"]:
        session.echo(_failure(run))
    for letter in found["dead_letters"]:
        session.echo(
            f"{letter['source']}: {letter['open_count']:,} dead letters ({letter['category']}) wait to be replayed or "
            "given up."
        )


def _failure(run: Mapping[str, Any]) -> str:
    reason = f": {run['error_message']}" if run["error_message"] else ""
    success = run["last_success_at"]
    last = (
        f"The last run that succeeded began {success:%Y-%m-%d %H:%M}."
        if success
        else "No run has succeeded yet."
    )
    return f"{run['source']}: the run of {run['started_at']:%Y-%m-%d %H:%M} {run['status']}{reason}. {last}".replace(
        "..", "."
    )


def _is_told(column: str, streams: Iterable[Mapping[str, Any]]) -> bool:
    return column not in OPTIONAL or any(stream[column] for stream in streams)
