"""``bronze catalog``: what there is, and which months and fields it covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze.operator import session
from target_postgres_bronze.operator.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg
    from psycopg.rows import DictRow

CATALOG: Final = (
    "SELECT * FROM bronze.catalog WHERE source LIKE %s AND stream LIKE %s ORDER BY source, stream, account"
)
#: What each option shows instead, and its columns.
VIEWS: Final[dict[str, tuple[str, list[str]]]] = {
    "coverage": (
        (
            "SELECT source, stream, account, month, record_count FROM bronze.coverage "
            "WHERE source LIKE %s AND stream LIKE %s ORDER BY source, stream, account, month"
        ),
        ["source", "stream", "account", "month", "#records"],
    ),
    "gaps": (
        (
            "SELECT source, stream, account, first_month, last_month, month_count FROM bronze.gaps "
            "WHERE source LIKE %s AND stream LIKE %s ORDER BY source, stream, account, first_month"
        ),
        ["source", "stream", "account", "from month", "to month", "#months"],
    ),
    "fields": (
        (
            "SELECT source, stream, field, type #>> '{}' AS type, format, description FROM bronze.fields "
            "WHERE source LIKE %s AND stream LIKE %s ORDER BY source, stream, is_key DESC, field"
        ),
        ["source", "stream", "field", "type", "format", "description"],
    ),
    "changes": (
        (
            "SELECT source, stream, changed_at, field, change, former_type #>> '{}' AS former_type, type #>> '{}' AS type FROM bronze.schema_changes "
            "WHERE source LIKE %s AND stream LIKE %s ORDER BY source, stream, changed_at, field"
        ),
        ["source", "stream", "since", "field", "change", "type before", "type"],
    ),
}
COLUMNS: Final = [
    "source",
    "stream",
    "key",
    "#rows",
    "#records",
    "#gone",
    "invalid",
    "warning",
    "#dead letters",
    "first event",
    "last event",
    "#schemas",
    "fresh",
]


@click.command(
    epilog="Example: bronze catalog toggl --gaps. Exit code 0; 1 when the database cannot be asked."
)
@click.argument("source", default="%", metavar="[SOURCE]")
@click.option("--stream", default="%", help="Only this stream.")
@click.option("--coverage", "view", flag_value="coverage", help="Records per month instead.")
@click.option("--gaps", "view", flag_value="gaps", help="Months without a record instead.")
@click.option("--fields", "view", flag_value="fields", help="The fields that the schemas declare instead.")
@click.option("--changes", "view", flag_value="changes", help="How the schemas changed instead.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(source: str, stream: str, view: str | None, *, as_json: bool) -> None:
    """Show every stream: key, counts, events, quality and freshness; times in UTC."""
    query, columns = VIEWS.get(view or "", (CATALOG, COLUMNS))
    target = session.target()
    with progress("Counting"), session.connected(target) as connection:
        found = session.rows(connection, query.encode(), source, stream)
        if not found:
            _expect(connection, source)
    if as_json:
        session.show_json(found)
    elif view:
        session.show_table(target.display, columns, (list(row.values()) for row in found))
    else:
        session.show_table(target.display, columns, map(_line, found))


def _expect(connection: psycopg.Connection[DictRow], source: str) -> None:
    """Refuse a name of which nothing is here, so that nobody takes it for a source without gaps or changes."""
    known = [
        row["source"] for row in session.rows(connection, "SELECT source FROM bronze.sources ORDER BY source")
    ]
    if source not in {"%", *known}:
        raise session.OperatorError(
            f"Nothing of a source {source} is here. Sources: {', '.join(known) or 'none yet'}."
        )


def _line(entry: Mapping[str, Any]) -> list[object]:
    name = entry["stream"] + (f" ({entry['account']})" if entry["account"] else "")
    return [
        entry["source"],
        name,
        ", ".join(entry["key_properties"]) or "content",
        *(entry[column] for column in ("row_count", "record_count", "gone_count")),
        _share(entry["invalid_share"]),
        _share(entry["warning_share"]),
        *(entry[column] for column in ("dead_letter_count", "first_event", "last_event", "schema_count")),
        f"{str(entry['age']).partition('.')[0]} ago" if entry["age"] is not None else "never",
    ]


def _share(share: float | None) -> str:
    return f"{share:.1%}" if share else ""
