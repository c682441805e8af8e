"""``bronze reconcile``: a source read again from its beginning, compared with what is here."""

from __future__ import annotations

import logging
import sys
import tempfile
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze import database, project
from target_postgres_bronze.operator import loading, meltano, plugins, session
from target_postgres_bronze.operator.progress import progress
from target_postgres_bronze.operator.schedules import extractor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from target_postgres_bronze.operator.reconciling import Reconciler

DIFFERS: Final = 3
BY_STREAM: Final = """
    SELECT stream, account, count(*) FILTER (WHERE verdict = 'missing') AS missing,
        count(*) FILTER (WHERE verdict = 'differing') AS differing, count(*) FILTER (WHERE verdict = 'gone') AS gone
    FROM bronze.differences WHERE reconciliation_id = %s GROUP BY stream, account ORDER BY stream, account
"""
KNOWN: Final = """
    SELECT sum(record_count) AS record_count FROM bronze.streams WHERE source = %s AND (%s::text IS NULL OR stream = %s)
"""
WHOLE: Final = "SELECT * FROM bronze.reconciliations WHERE id = %s"
RECORDS: Final = """
    SELECT stream, account, raw_id, verdict FROM bronze.differences WHERE reconciliation_id = %s
    ORDER BY stream, account, verdict, raw_id
"""
REPAIRED: Final = "UPDATE bronze.reconciliations SET repair_exit_code = %s WHERE id = %s"


@click.command(
    epilog="Example: bronze reconcile toggl --from 2024-01-01 --to 2024-01-31. Exit code 0: the same on both sides, or repaired; "
    "3: something differs; 1: the comparison could not be made. Every record that differs is in bronze.differences."
)
@click.argument("source")
@click.option("--stream", help="Only this stream.")
@click.option(
    "--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="Only events from this day on (UTC)."
)
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Only events up to this day.")
@click.option(
    "--repair", is_flag=True, help="Land what is missing or differs, as an ordinary run of the loader."
)
@click.option(
    "--messages",
    type=click.File("rb"),
    help="Compare with Singer messages from this file (- for stdin) instead of running the tap.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, every record that differs included.")
def command(  # noqa: PLR0913 - the options of a command
    source: str,
    stream: str | None,
    first: datetime | None,
    last: datetime | None,
    messages: IO[bytes] | None,
    *,
    repair: bool,
    as_json: bool,
) -> None:
    """Read SOURCE again through its tap, without state, and say what is missing here, gone there or differs."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    root = project.find_root()
    config = meltano.loader_config(root)
    days = {"first_day": first and first.date(), "last_day": last and last.date()}
    with tempfile.TemporaryFile() as spool:
        number = _compare(root, source, stream, config, days, messages, spool if repair else None)
        if repair and _differences(number):
            _repair(number, source, spool, config)
    found = _report(number, as_json=as_json)
    sys.exit(DIFFERS if found and not repair else 0)


def _compare(  # noqa: PLR0913, PLR0917 - what the options say
    root: Path,
    source: str,
    stream: str | None,
    config: dict[str, Any],
    days: dict[str, Any],
    messages: IO[bytes] | None,
    spool: IO[bytes] | None,
) -> int:
    """Compare, and return the number of the comparison."""
    from target_postgres_bronze.layout import read_layout  # noqa: PLC0415 - half a second that --help need not pay
    from target_postgres_bronze.operator.reconciling import Reconciler  # noqa: PLC0415 - the same
    from target_postgres_bronze.session import Session  # noqa: PLC0415 - the same

    with session.connected() as connection:
        _expect(connection, source)
        known = session.rows(connection, KNOWN.encode(), source, stream, stream)[0]["record_count"]
    loader = Session(
        partial(database.resolve, config, project.environment(root)), read_layout(project.sql_dir())
    )
    annotations = config.get("stream_annotations")
    try:
        comparison = Reconciler(
            loader, source, loader.now(), stream=stream, annotations=annotations, spool=spool, **days
        )
        with progress(f"{source}: reading it again; records of what is here", known) as advance:
            take = partial(_take, comparison, advance)
            if messages is not None:
                take(messages)
            else:
                _read_tap(root, source, stream, days["first_day"], take)
        comparison.finish()
    finally:
        loader.close()
    return comparison.number


def _take(comparison: Reconciler, advance: Callable[[float], None], lines: Iterable[bytes]) -> None:
    """Hand *lines* to the comparison, and tell *advance* of each."""

    def told() -> Iterator[bytes]:
        for line in lines:
            advance(1)
            yield line

    comparison.take(told())


def _expect(connection: Any, source: str) -> None:
    known = [
        row["source"] for row in session.rows(connection, "SELECT source FROM bronze.sources ORDER BY source")
    ]
    if source not in known:
        raise session.OperatorError(
            f"Nothing of a source {source} is here to compare with. Sources: {', '.join(known) or 'none yet'}."
        )


def _read_tap(root: Path, source: str, stream: str | None, first_day: Any, take: Any) -> None:
    """Hand the lines of the source's tap to *take*.

    Raises:
        OperatorError: The tap failed: what it did not give says nothing.
    """
    defined = {plugin.name: plugin.definition for plugin in plugins.defined(root)}
    settings = [
        setting["name"] for setting in defined.get(extractor_of(root, source), {}).get("settings") or []
    ]
    start = f"{first_day}T00:00:00Z" if first_day and "start_date" in settings else None
    with meltano.start_tap(root, source, stream, start) as tap:
        lines: Iterable[bytes] = tap.stdout or ()
        take(lines)
    if tap.returncode:
        raise session.OperatorError(
            f"{extractor_of(root, source)} failed (exit code {tap.returncode}, see above), so {source} was not compared to its end. "
            "What was found so far is in bronze.differences."
        )


def _differences(number: int) -> bool:
    with session.connected() as connection:
        return bool(session.rows(connection, BY_STREAM.encode(), number))


def _repair(number: int, source: str, spool: IO[bytes], config: dict[str, Any]) -> None:
    spool.seek(0)
    code = loading.land(source, spool, config, project.environment())
    with session.connected() as connection:
        connection.execute(REPAIRED.encode(), [code, number])
    if code:
        raise session.OperatorError(
            f"The repair of {source} failed (exit code {code}, see above). Correct that, and reconcile again."
        )


def _report(number: int, *, as_json: bool) -> bool:
    """Show the comparison; return whether anything differs."""
    with session.connected() as connection:
        (whole,) = session.rows(connection, WHOLE.encode(), number)
        streams = session.rows(connection, BY_STREAM.encode(), number)
        records = session.rows(connection, RECORDS.encode(), number) if as_json else []
    apart = sum(stream["missing"] + stream["differing"] for stream in streams)
    equal = max(whole["read_count"] - whole["rejected_count"] - apart, 0)
    if as_json:
        session.show_json({**whole, "equal": equal, "streams": streams, "differences": records})
    else:
        columns = ["stream", "account", "#missing here", "#differing", "#gone there"]
        title = f"{whole['source']}: {whole['read_count']:,} read, {equal:,} equal (comparison {number})"
        if streams:
            session.show_table(title, columns, (list(stream.values()) for stream in streams))
        else:
            click.echo(f"{title}: the same on both sides.")
        if whole["rejected_count"]:
            click.echo(
                f"{whole['rejected_count']:,} lines could not be read; if they are records, those may be told as gone.",
                err=True,
            )
    return bool(streams)
