"""``bronze maintain``: what PostgreSQL does not do by itself, and what grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import levels, session
from target_postgres_bronze.operator.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from psycopg.rows import DictRow

SOURCES: Final = "SELECT source FROM bronze.sources ORDER BY source"
INDEX: Final = "CALL bronze.index_source(%s)"
DESCRIBE: Final = "SELECT bronze.describe_source(%s)"
#: This month's partition and the next one's, for sources that are alive.
PARTITIONS: Final = """
    SELECT public.create_partition_if_not_exists(s.source, d.day::date)
    FROM bronze.sources AS s, (VALUES (now()), (now() + interval '1 month')) AS d (day)
    WHERE EXISTS (SELECT FROM bronze.runs AS r WHERE r.source = s.source AND r.started_at > now() - interval '60 days')
"""
DUE: Final = "SELECT * FROM bronze.maintenance_due ORDER BY step, relation"
SIZES: Final = """
    SELECT z.source, z.partition_count, z.table_bytes, z.index_bytes,
        (SELECT round(avg(g.row_count))::bigint FROM bronze.growth AS g WHERE g.source = z.source AND g.month > now() - interval '6 months') AS rows_per_month
    FROM bronze.sizes AS z ORDER BY z.source
"""
CAPACITY: Final = "SELECT pg_database_size(current_database()) AS bytes, pg_size_bytes(%s) AS capacity"
#: Settings of the embedded server that follow the machine's memory: share of it, and the most in MiB.
TUNED: Final = {
    "shared_buffers": (4, 2048),
    "effective_cache_size": (2, 65536),
    "maintenance_work_mem": (32, 512),
}
#: Those that nobody has set: initdb's own lines stand in postgresql.conf, ALTER SYSTEM's in a file beside it.
UNSET: Final = """
    SELECT s.name FROM unnest(%s::text[]) AS s (name)
    WHERE NOT EXISTS (SELECT FROM pg_file_settings AS f WHERE f.name = s.name AND f.sourcefile LIKE '%%/postgresql.auto.conf')
"""
MEBIBYTE: Final = 1024 * 1024


@click.command(
    epilog="Example: bronze maintain, once a month. Exit code 0, or 1 when the database refuses. Rows are never removed."
)
@click.option("--dry-run", is_flag=True, help="Say what is due, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(*, dry_run: bool, as_json: bool) -> None:
    """Build missing indexes and next month's partitions, vacuum, analyze and reindex where due, and show what grows."""
    target = session.target()
    done: list[dict[str, Any]] = []
    root = project.find_root()
    expected = levels.read(root)
    with session.connected(target) as connection:
        levels.check_units(root, connection, expected)
        connection.commit()
        connection.autocommit = True  # VACUUM and REINDEX CONCURRENTLY take no transaction
        if not dry_run:
            _build(connection)
        done += session.rows(connection, DUE)
        if not dry_run:
            with progress("Vacuuming, analyzing, reindexing", len(done)) as advance:
                for due in done:
                    connection.execute(due["statement"].encode())
                    advance(1)
        if target.server and not dry_run:
            done.extend(_tune(connection))
        sizes = session.rows(connection, SIZES)
        (whole,) = session.rows(connection, CAPACITY, expected["capacity"])
    if as_json:
        session.show_json({"done": done, "sizes": sizes, **whole})
    else:
        _show(done, sizes, whole)


def _build(connection: psycopg.Connection[DictRow]) -> None:
    """Build indexes and partitions that are missing, and write comments."""
    sources = session.rows(connection, SOURCES)
    with progress("Building what is missing", len(sources)) as advance:
        for row in sources:
            connection.execute(INDEX, [row["source"]])
            connection.execute(DESCRIBE, [row["source"]])
            advance(1)
        connection.execute(PARTITIONS)


def _tune(connection: psycopg.Connection[DictRow]) -> Iterator[dict[str, Any]]:
    """Fit the embedded server's memory to the machine, where nobody has set it; it takes effect at its next start."""
    import psutil  # noqa: PLC0415 - used here alone
    from psycopg import sql  # noqa: PLC0415 - half a second for --help

    total = psutil.virtual_memory().total // MEBIBYTE
    for row in session.rows(connection, UNSET, list(TUNED)):
        share, most = TUNED[row["name"]]
        value = f"{min(total // share, most)}MB"
        statement = sql.SQL("ALTER SYSTEM SET {} = {}").format(
            sql.Identifier(row["name"]), sql.Literal(value)
        )
        connection.execute(statement)
        yield {
            "step": 4,
            "relation": row["name"],
            "statement": statement.as_string(connection),
            "reason": "fits this machine; takes effect after bronze db stop",
        }


def _show(done: list[dict[str, Any]], sizes: list[Any], whole: Any) -> None:
    for due in done:
        click.echo(f"{due['statement']}: {due['reason']}.")
    columns = ["source", "#partitions", "#rows on disk", "#indexes on disk", "#rows per month"]
    lines = (
        [
            size["source"],
            size["partition_count"],
            session.size(size["table_bytes"]),
            session.size(size["index_bytes"]),
            size["rows_per_month"],
        ]
        for size in sizes
    )
    of = f" of {session.size(whole['capacity'])}" if whole["capacity"] else ""
    session.show_table(f"Database: {session.size(whole['bytes'])}{of}", columns, lines)
