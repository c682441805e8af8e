"""``bronze check``: the service levels, and messages when one is missed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze import database, embedded, project
from target_postgres_bronze.operator import alerts, levels, outcomes, session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

CHECK: Final = "SELECT * FROM bronze.check_levels(%s) ORDER BY source, level"
INCIDENTS: Final = "SELECT * FROM bronze.note_incidents(%s)"
TOLD: Final = """
    UPDATE bronze.incidents
    SET opening_told_at = coalesce(opening_told_at, now() AT TIME ZONE 'UTC'),
        closing_told_at = CASE WHEN closed_at IS NOT NULL THEN now() AT TIME ZONE 'UTC' END
    WHERE id = ANY(%s)
"""
#: Remembers that somebody was told that the database does not answer, as the database cannot.
UNREACHABLE: Final = "database-unreachable"
MARKS: Final = {"met": "ok", "missed": "!!", "unknown": "--"}


@click.command(
    epilog="Example: bronze check --notify, every quarter of an hour. Exit code 0: no level is missed; 1: one is, or the "
    "check could not be made."
)
@click.option("--notify", is_flag=True, help=f"Tell the addresses in {alerts.VARIABLE} of what is new.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(*, notify: bool, as_json: bool) -> None:
    """Hold every source to the service levels of levels.yml."""
    root = project.find_root()
    try:
        found = _check(root, notify=notify)
    except (database.DatabaseError, embedded.EmbeddedServerError) as error:
        if notify:
            _tell_unreachable(root, str(error))
        raise  # the database's own sentence, whether or not somebody could be told
    if notify:
        _tell_reachable(root)
    if as_json:
        session.show_json(found)
    else:
        columns = ["", "source", "level", "figure", "wanted"]
        session.show_table("Service levels", columns, map(_line, found))
    sys.exit(any(level["outcome"] == "missed" for level in found))


def _check(root: Path, *, notify: bool) -> list[Any]:
    with session.connected() as connection:
        outcomes.record_failures(connection, root)
        settings = levels.settings(root, connection)
        found = session.rows(connection, CHECK.encode(), settings)
        incidents = session.rows(connection, INCIDENTS.encode(), settings)
        connection.commit()
        if notify and incidents:
            _tell(root, _title(incidents), _body(incidents))
            connection.execute(TOLD.encode(), [[incident["id"] for incident in incidents]])
    return found


def _line(level: Mapping[str, Any]) -> list[object]:
    source = level["source"] or "(all)"
    return [
        MARKS[level["outcome"]],
        source,
        level["level"],
        level["figure"] or "no figure yet",
        level["wanted"],
    ]


def _title(incidents: Iterable[Mapping[str, Any]]) -> str:
    opened = [incident for incident in incidents if incident["closed_at"] is None]
    if not opened:
        return "bronze: over"
    return f"bronze: {len(opened)} levels are missed" if len(opened) > 1 else "bronze: a level is missed"


def _body(incidents: Iterable[Mapping[str, Any]]) -> str:
    lines = []
    for incident in incidents:
        name = f"{incident['source'] or 'database'}: {incident['level']}"
        if incident["closed_at"]:
            lines.append(
                f"{name} is met again; it was missed since {incident['opened_at']:%Y-%m-%d %H:%M} UTC."
            )
        else:
            lines.append(f"{name}: {incident['figure']}, wanted {incident['wanted']}.")
    return "\n".join(lines)


def _tell(root: Path, title: str, body: str) -> None:
    if complaint := alerts.send(title, body, project.environment(root)):
        session.echo(complaint, err=True)


def _tell_unreachable(root: Path, reason: str) -> None:
    mark = root / "data" / UNREACHABLE
    if not mark.exists():
        try:
            _tell(root, "bronze: the database does not answer", reason)
        except session.OperatorError as error:
            click.echo(str(error), err=True)
            return
        mark.parent.mkdir(exist_ok=True)
        mark.touch()


def _tell_reachable(root: Path) -> None:
    mark = root / "data" / UNREACHABLE
    if mark.exists():
        _tell(root, "bronze: the database answers again", "The checks go on.")
        mark.unlink()
