"""``bronze metrics``: the figures in Prometheus' text format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tap_kit.text import printable
from target_postgres_bronze import project
from target_postgres_bronze.operator import levels, outcomes, session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry

#: By the query that gives them: labels, and meaning of each gauge by its name, bronze_ and the column.
GAUGES: Final[dict[str, tuple[tuple[str, ...], dict[str, str]]]] = {
    """
    SELECT
        source, stream, account, row_count AS rows, record_count AS records, gone_count AS gone_records, invalid_share, warning_share,
        dead_letter_count AS dead_letters, extract(epoch FROM last_success_at) AS last_success_timestamp_seconds,
        extract(epoch FROM last_event) AS last_event_timestamp_seconds
    FROM bronze.catalog
    """: (
        ("source", "stream", "account"),
        {
            "rows": "Rows (versions).",
            "records": "Records, the gone ones included.",
            "gone_records": "Records that are gone at the source.",
            "invalid_share": "Share of rows that break their schema.",
            "warning_share": "Share of rows with a warning.",
            "dead_letters": "Open dead letters.",
            "last_success_timestamp_seconds": "End of the source's last run that succeeded.",
            "last_event_timestamp_seconds": "Latest event.",
        },
    ),
    """
    SELECT
        source, run_count AS recent_runs, failed_count AS recent_failed_runs, (last_status = 'succeeded')::integer AS last_run_succeeded,
        last_seconds AS last_run_seconds, last_read AS last_run_read_records
    FROM bronze.figures((now() AT TIME ZONE 'UTC') - interval '30 days')
    """: (
        ("source",),
        {
            "recent_runs": "Finished runs of the last 30 days.",
            "recent_failed_runs": "Those of them that did not succeed.",
            "last_run_succeeded": "Whether the last finished run succeeded.",
            "last_run_seconds": "How long it took.",
            "last_run_read_records": "Records that it read.",
        },
    ),
    "SELECT source, partition_count AS partitions, table_bytes, index_bytes FROM bronze.sizes": (
        ("source",),
        {
            "partitions": "Monthly partitions.",
            "table_bytes": "Bytes of rows.",
            "index_bytes": "Bytes of indexes.",
        },
    ),
    "SELECT pg_database_size(current_database()) AS database_bytes": (
        (),
        {"database_bytes": "Size of the database."},
    ),
}
LEVELS: Final = "SELECT source, level, outcome FROM bronze.check_levels(%s) WHERE outcome <> 'unknown'"


@click.command(
    epilog="Example: bronze metrics --output /var/lib/node_exporter/bronze.prom. Exit code 0; 1 when the database cannot be "
    "asked or the file cannot be written."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file that is replaced at once, for node_exporter's textfile collector. Default: stdout.",
)
def command(output: Path | None) -> None:
    """Print counts, sizes, runs and levels for Prometheus."""
    from prometheus_client import generate_latest, write_to_textfile  # noqa: PLC0415 - used here alone

    registry = _collect()
    if output is None:
        click.echo(generate_latest(registry).decode(), nl=False)
        return
    try:
        write_to_textfile(str(output), registry)
    except OSError as error:
        raise session.OperatorError(
            f"{output} cannot be written: {error.strerror}. Correct --output."
        ) from error


def _collect() -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, Gauge  # noqa: PLC0415 - used here alone

    registry = CollectorRegistry()
    root = project.find_root()
    with session.connected() as connection:
        outcomes.record_failures(connection, root)
        for query, (labels, meanings) in GAUGES.items():
            found = session.rows(connection, query.encode())
            for name, meaning in meanings.items():
                gauge = Gauge(f"bronze_{name}", meaning, labels, registry=registry)
                for row in found:
                    _set(gauge, [printable(row[label] or "") for label in labels], row[name])
        judged = session.rows(connection, LEVELS.encode(), levels.settings(root, connection))
    gauge = Gauge(
        "bronze_level_met", "Whether a service level is met.", ("source", "level"), registry=registry
    )
    for level in judged:
        gauge.labels(printable(level["source"]), printable(level["level"])).set(level["outcome"] == "met")
    archive = Gauge("bronze_archive_bytes", "Size of the raw archive.", registry=registry)
    archive.set(levels.archive_bytes(root))
    return registry


def _set(gauge: Any, labels: Sequence[str], value: float | None) -> None:
    if value is not None:
        (gauge.labels(*labels) if labels else gauge).set(float(value))
