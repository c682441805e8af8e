"""``bronze dead-letters``: what could not become rows, and what becomes of it."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import loading, meltano, session

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg
    from psycopg.rows import DictRow

CATEGORIES: Final = ("api", "validation", "database", "system", "source")
LIST: Final = """
    SELECT id, source, stream, category, status, reason, seen_count, first_seen_at, last_seen_at, resolution, octet_length(original) AS bytes
    FROM bronze.dead_letters
    WHERE source LIKE %s AND category LIKE %s AND status LIKE %s ORDER BY id
"""
SHOW: Final = "SELECT * FROM bronze.dead_letters WHERE id = %s"
REPLAY: Final = """
    SELECT id, source, stream, original, seen_count FROM bronze.dead_letters
    WHERE status = 'open' AND source LIKE %s AND category LIKE %s AND (id = ANY(%s) OR cardinality(%s::bigint[]) = 0) ORDER BY id
"""
#: The schema and key that each stream last came with, and the field that orders its versions.
SCHEMAS: Final = """
    SELECT DISTINCT ON (s.stream) s.stream, c.json_schema, c.key_properties, s.replication_key
    FROM bronze.streams AS s
    INNER JOIN bronze.schemas AS c ON c.source = s.source AND c.stream = s.stream AND c.schema_hash = s.schema_hash
    WHERE s.source = %s ORDER BY s.stream, c.last_seen_at DESC
"""
#: A letter that came back to the dead letters was seen once more.
REPLAYED: Final = """
    UPDATE bronze.dead_letters AS d SET status = 'replayed', resolved_at = now() AT TIME ZONE 'UTC', resolution = (
        SELECT r.run_id FROM bronze.runs AS r WHERE r.source = d.source ORDER BY r.started_at DESC LIMIT 1
    )
    WHERE d.id = %s AND d.seen_count = %s
"""
GIVE_UP: Final = """
    UPDATE bronze.dead_letters SET status = 'given_up', resolved_at = now() AT TIME ZONE 'UTC', resolution = %s
    WHERE id = ANY(%s) AND status = 'open' RETURNING id
"""
SOURCE: Final = click.option("--source", default="%", help="Only of this source.")
CATEGORY: Final = click.option(
    "--category", type=click.Choice(CATEGORIES), default=None, help="Only of this kind."
)


@click.group(
    name="dead-letters",
    epilog="Example: bronze dead-letters replay --category validation. Exit code 0; 1 when it cannot be done or a replay fails.",
)
def command() -> None:
    """What came and could not become a row, byte for byte."""


@command.command(
    name="list",
    epilog="Example: bronze dead-letters list --source toggl. Exit code 0, however many there are; 1 when the database cannot be asked.",
)
@SOURCE
@CATEGORY
@click.option("--all", "everything", is_flag=True, help="Replayed ones and those given up as well.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def list_(source: str, category: str | None, *, everything: bool, as_json: bool) -> None:
    """List the letters that are open."""
    with session.connected() as connection:
        found = session.rows(
            connection, LIST.encode(), source, category or "%", "%" if everything else "open"
        )
    if as_json:
        session.show_json(found)
        return
    columns = ["#id", "source", "stream", "category", "status", "reason", "#seen", "last seen", "#bytes"]
    names = ("id", "source", "stream", "category", "status", "reason", "seen_count", "last_seen_at", "bytes")
    session.show_table("Dead letters", columns, ([row[name] for name in names] for row in found))


@command.command(
    epilog="Example: bronze dead-letters show 12 --original. Exit code 0; 1 when there is none with that number."
)
@click.argument("number", type=int)
@click.option("--original", is_flag=True, help="The message alone, byte for byte, on stdout.")
def show(number: int, *, original: bool) -> None:
    """Show one letter, its message included."""
    with session.connected() as connection:
        found = session.rows(connection, SHOW.encode(), number)
    if not found:
        raise session.OperatorError(
            f"There is no dead letter {number}. See `bronze dead-letters list --all`."
        )
    letter = found[0]
    content = bytes(letter.pop("original"))
    if original:
        sys.stdout.buffer.write(content + b"\n")
        return
    letter.pop("original_hash")
    session.show_json(letter | {"original": content.decode(errors="backslashreplace")})


@command.command(
    epilog="Example: bronze dead-letters replay --category validation. Exit code 0: all have become rows or were known; 1: some stay open."
)
@click.argument("numbers", nargs=-1, type=int, metavar="[NUMBER]...")
@SOURCE
@CATEGORY
def replay(numbers: Sequence[int], source: str, category: str | None) -> None:
    """Land open letters again, all or those that are named; what is refused again stays open."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    chosen = list(numbers)
    with session.connected() as connection:
        letters = session.rows(connection, REPLAY.encode(), source, category or "%", chosen, chosen)
    config = meltano.loader_config(project.find_root()) if letters else {}
    landed = sum(
        _replay(name, [letter for letter in letters if letter["source"] == name], config)
        for name in sorted({letter["source"] for letter in letters})
    )
    click.echo(f"{landed:,} of {len(letters):,} letters have become rows or were known.")
    sys.exit(landed < len(letters))


def _replay(source: str, letters: Sequence[Any], config: dict[str, Any]) -> int:
    """Run the loader over *letters* of one source; return how many are dealt with."""
    with session.connected() as connection:
        lines = [*_schemas(connection, source), *(bytes(letter["original"]) for letter in letters)]
    # the share of refusals that a run bears is about taps
    settings = config | {"max_rejected_share": 1, "max_invalid_share": 1}
    code = loading.land(source, io.BytesIO(b"\n".join([*lines, b""])), settings, project.environment())
    if code:
        raise session.OperatorError(
            f"The replay of {source} failed (exit code {code}, see above); its letters stay open."
        )
    with session.connected() as connection:
        return sum(
            connection.execute(REPLAYED.encode(), [letter["id"], letter["seen_count"]]).rowcount
            for letter in letters
        )


def _schemas(connection: psycopg.Connection[DictRow], source: str) -> Iterable[bytes]:
    """Yield the SCHEMA messages of the source's streams."""
    for row in session.rows(connection, SCHEMAS.encode(), source):
        message = {
            "type": "SCHEMA",
            "stream": row["stream"],
            # what the tap itself could not read lands as it stands
            "schema": row["json_schema"] | {"x-dead-letters": "land"},
            "key_properties": row["key_properties"],
            "bookmark_properties": [row["replication_key"]] if row["replication_key"] else [],
        }
        yield json.dumps(message).encode()


@command.command(
    name="give-up",
    epilog="Example: bronze dead-letters give-up 12 --reason 'sent by mistake'. Exit code 0; 1 when one of them is not open.",
)
@click.argument("numbers", nargs=-1, type=int, required=True, metavar="NUMBER...")
@click.option("--reason", required=True, help="Why it will never become a row; kept with the letter.")
def give_up(numbers: Sequence[int], reason: str) -> None:
    """Close letters that will never become rows; they are kept."""
    with session.connected() as connection:
        found = {row["id"] for row in session.rows(connection, GIVE_UP.encode(), reason, list(numbers))}
    missing = [str(number) for number in numbers if number not in found]
    click.echo(f"{len(found):,} letters are given up.")
    if missing:
        raise session.OperatorError(
            f"Not open, or not there: {', '.join(missing)}. See `bronze dead-letters list`."
        )
