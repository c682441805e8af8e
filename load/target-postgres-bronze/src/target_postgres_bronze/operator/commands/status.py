"""``bronze status``: what landed, per source and stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from target_postgres_bronze.operator import session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STREAMS = "SELECT * FROM bronze.status ORDER BY source, stream, account"

DEAD_LETTERS = """
    SELECT source, category, count(*) AS open_count, max(last_seen_at) AS last_seen_at
    FROM bronze.dead_letters WHERE status = 'open' GROUP BY source, category ORDER BY source, category
"""

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
    epilog="Example: bronze status --json. Exit code 0, whatever the runs came to (that is for bronze check); 1 when the database cannot be "
    "asked."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for scripts.")
def command(*, as_json: bool) -> None:
    """Show per source and stream what landed, when, and how the last run ended (times in UTC)."""
    target = session.target()
    with session.connected(target) as connection:
        streams = session.rows(connection, STREAMS)
        letters = session.rows(connection, DEAD_LETTERS)
    if as_json:
        found = {"database": target.display, "streams": streams, "dead_letters": letters}
        click.echo(json.dumps(found, default=_plain, indent=2))
        return
    columns = {name: column for name, column in COLUMNS.items() if _is_told(column, streams)}
    lines = ([stream[column] for column in columns.values()] for stream in streams)
    session.show_table(target.display, list(columns), lines)
    for letter in letters:
        click.echo(
            f"{letter['source']}: {letter['open_count']:,} dead letters ({letter['category']}) wait to be replayed or "
            "given up."
        )


def _is_told(column: str, streams: Iterable[Mapping[str, Any]]) -> bool:
    return column not in OPTIONAL or any(stream[column] for stream in streams)


def _plain(value: Any) -> str:
    """Return a date or moment (UTC) as ISO 8601 text."""
    return str(value.isoformat())
