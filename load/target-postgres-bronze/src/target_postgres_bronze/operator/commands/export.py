"""``bronze export``: a source's rows as JSON Lines or Parquet."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from target_postgres_bronze.operator import session
from target_postgres_bronze.operator.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg
    from psycopg.rows import DictRow

#: Rows per part of a Parquet file.
PART: Final = 10_000
COUNT: Final = """
    SELECT sum(row_count) AS row_count, sum(record_count - gone_count) AS record_count FROM bronze.streams
    WHERE source = %s AND (%s::text IS NULL OR stream = %s)
"""
COMPRESSED: Final = ".zst"


@click.command(
    epilog="Example: bronze export toggl --current --output toggl.jsonl.zst. Exit code 0, or 1 when it cannot be done."
)
@click.argument("source")
@click.option("--stream", help="Only this stream.")
@click.option("--current", is_flag=True, help="Only the newest version of records that are not gone.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="JSON Lines: an object per row. Parquet: JSON columns as text (needs pyarrow).",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file; .zst at its end compresses JSON Lines. Default: stdout.",
)
def command(source: str, stream: str | None, form: str, output: Path | None, *, current: bool) -> None:
    """Write every row of SOURCE, with all columns, in the order of their landing."""
    with session.connected() as connection, contextlib.ExitStack() as stack:
        relation = _relation(connection, source, current=current)
        whole = session.rows(connection, COUNT.encode(), source, stream, stream)[0]
        total = whole["record_count"] if current else whole["row_count"]
        # lines on a screen are their own progress
        shown = output is not None or not sys.stdout.isatty()
        advance = stack.enter_context(progress(f"Writing {source}", total)) if shown else _quietly
        if form == "parquet":
            count = _write_parquet(connection, relation, stream, output, advance)
        else:
            out = stack.enter_context(_opened(output))
            count = _write_lines(connection, relation, stream, out, advance)
    click.echo(f"{source}: {count:,} rows{f' in {output}' if output else ''}.", err=True)


def _quietly(_count: float) -> None:
    """Show nothing."""


def _relation(connection: psycopg.Connection[DictRow], source: str, *, current: bool) -> str:
    known = [
        row["source"] for row in session.rows(connection, "SELECT source FROM bronze.sources ORDER BY source")
    ]
    if source not in known:
        raise session.OperatorError(
            f"Nothing of a source {source} is here. Sources: {', '.join(known) or 'none yet'}."
        )
    return f"bronze_{source}{'_current' if current else ''}"


def _rows(relation: str) -> Any:
    """Return the part of a query that says which rows; `stream` is its parameter."""
    from psycopg import sql  # noqa: PLC0415 - half a second for --help

    return sql.SQL(
        " FROM public.{} AS r WHERE %(stream)s::text IS NULL OR r.metadata ->> 'stream' = %(stream)s ORDER BY r.id"
    ).format(sql.Identifier(relation))


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    """Open the file for writing; one that is there already is not overwritten, and a part of one does not stay."""
    if output is None:
        yield sys.stdout.buffer
        return
    try:
        file = output.open("xb")
    except FileExistsError:
        raise session.OperatorError(f"{output} exists already. Name another file.") from None
    except OSError as error:
        raise session.OperatorError(
            f"{output} cannot be written: {error.strerror}. Correct --output."
        ) from error
    try:
        with file, _packed(file, output) as out:
            yield out
    except OSError as error:
        output.unlink()
        raise session.OperatorError(
            f"{output} cannot be written: {error.strerror}. Free the disk."
        ) from error
    except BaseException:
        output.unlink()
        raise


def _packed(file: IO[bytes], output: Path) -> contextlib.AbstractContextManager[IO[bytes]]:
    """Return where to write so that *file* is compressed if its name says so."""
    if output.suffix != COMPRESSED:
        return contextlib.nullcontext(file)
    import zstandard  # noqa: PLC0415 - used here alone

    return zstandard.ZstdCompressor(write_checksum=True).stream_writer(file, closefd=False)


def _write_lines(
    connection: psycopg.Connection[DictRow],
    relation: str,
    stream: str | None,
    out: IO[bytes],
    advance: Callable[[float], None],
) -> int:
    from psycopg import sql  # noqa: PLC0415 - half a second for --help

    count = 0
    query = sql.SQL("SELECT to_json(r)::text AS line") + _rows(relation)
    with connection.cursor(name="export") as cursor:
        cursor.itersize = PART
        for row in cursor.execute(query, {"stream": stream}):
            out.write(row["line"].encode() + b"\n")
            count += 1
            advance(1)
    return count


def _write_parquet(
    connection: psycopg.Connection[DictRow],
    relation: str,
    stream: str | None,
    output: Path | None,
    advance: Callable[[float], None],
) -> int:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - the same
    except ImportError:
        raise session.OperatorError(
            "Parquet needs pyarrow, which is not installed: .venv/bin/python -m pip install pyarrow (or uv pip install pyarrow), "
            "or export JSON Lines."
        ) from None
    if output is None:
        raise session.OperatorError("Parquet goes to a file: name it with --output.")
    from psycopg import sql  # noqa: PLC0415 - half a second for --help
    from psycopg.types.string import TextLoader  # noqa: PLC0415 - the same

    count = 0
    with _opened(output) as out, connection.cursor(name="export") as cursor:
        for name in ("jsonb", "interval"):
            cursor.adapters.register_loader(name, TextLoader)
        cursor.execute(sql.SQL("SELECT r.*") + _rows(relation), {"stream": stream})
        schema = pa.schema(
            [(column.name, _arrow_type(pa, column.type_code)) for column in cursor.description or ()]
        )
        with parquet.ParquetWriter(out, schema) as writer:
            while found := cursor.fetchmany(PART):
                count += len(found)
                advance(len(found))
                writer.write_table(pa.Table.from_pylist(found, schema))
    return count


def _arrow_type(pa: Any, code: int) -> Any:
    """Return the Arrow type of a column of bronze_<source>; what is no number, moment or list goes as text."""
    types = {20: pa.int64(), 23: pa.int32(), 701: pa.float64(), 1114: pa.timestamp("us"), 1082: pa.date32()}
    types |= {1009: pa.list_(pa.string())}
    return types.get(code, pa.string())
