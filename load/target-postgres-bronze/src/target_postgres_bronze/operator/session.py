"""What every command needs: the project's variables, its database, and tables on the screen."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tap_kit.text import printable
from target_postgres_bronze import database, project, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg
    from psycopg.abc import QueryNoTemplate
    from psycopg.rows import DictRow

#: Columns of a table that goes to a file or a pipe, where there is no screen to fit.
WIDE = 200
MAX_CELL = 500
MAX_LINE = 2000
KILO = 1024

#: The setting that PostgreSQL names, in every language, if locks run out, and the remedy.
LOCKS = "max_locks_per_transaction"
MORE_LOCKS = f"Raise {LOCKS} to 1024 (postgresql.conf, or your provider's settings), and restart the server"
TOO_FEW_LOCKS = (
    f"the server has too few locks for all tables at once. {MORE_LOCKS}; then run the command again."
)

#: Settings of the loader that name a database, which Meltano also takes from TARGET_POSTGRES_HOST and so on.
LOADER_SETTINGS = ("sqlalchemy_url", "host", "port", "user", "password", "database")


class OperatorError(Exception):
    """A command cannot do what was asked; the message says why, and the remedy."""


class NothingLoadedError(OperatorError):
    """The database has no bronze layer yet."""


def target() -> database.Target:
    """Return the project's database as the loader would find it, the embedded one started where that is meant."""
    variables = project.environment()
    config = {name: variables.get(f"TARGET_POSTGRES_{name.upper()}") for name in LOADER_SETTINGS}
    return database.resolve(config, variables)


@contextlib.contextmanager
def connected(meant: database.Target | None = None) -> Iterator[psycopg.Connection[DictRow]]:
    """Connect to the project's database (or *meant*), with rows as dictionaries.

    Raises:
        OperatorError: Nothing has landed there yet, or the database refuses; never quoting a row.
    """
    import psycopg  # noqa: PLC0415 - half a second that --help need not pay
    from psycopg.rows import dict_row  # noqa: PLC0415 - the same

    from target_postgres_bronze.session import lift_timeouts  # noqa: PLC0415 - the same

    meant = meant or target()
    try:
        with meant.connect(row_factory=dict_row) as connection:
            connection.autocommit = True
            lift_timeouts(connection)
            connection.autocommit = False
            yield connection
    except (
        psycopg.errors.UndefinedTable,
        psycopg.errors.InvalidSchemaName,
        psycopg.errors.UndefinedFunction,
    ) as error:
        raise _missing_layout(meant, error) from error
    except psycopg.errors.OutOfMemory as error:
        if LOCKS not in (error.diag.message_hint or ""):
            raise OperatorError(f"{meant.display}: the server is out of memory (53200).") from error
        raise OperatorError(f"{meant.display}: {TOO_FEW_LOCKS}") from error
    except psycopg.Error as error:
        if (error.sqlstate or "").startswith(refusals.OWN_CLASS):
            raise OperatorError(f"{meant.display}: {refusals.sentence(error)}") from error
        said = error.diag.message_primary or type(error).__name__
        raise OperatorError(
            f"{meant.display}: the database refused ({error.sqlstate or 'no answer'}): {said}"
        ) from error


def _missing_layout(meant: database.Target, error: psycopg.Error) -> OperatorError:
    """Return why something does not exist: no layout yet, or one of an earlier version, as after an update of the project."""
    with meant.connect(autocommit=True) as connection:
        found = connection.execute("SELECT to_regnamespace('bronze') IS NOT NULL").fetchone()
    if found == (True,):
        return OperatorError(
            f"{meant.display}: the layout is not this version's ({error.diag.message_primary}). The next run of a pipeline brings "
            "it up to date: ./bronze run SOURCE."
        )
    return NothingLoadedError(
        f"{meant.display}: nothing has been loaded here yet. Run a pipeline (meltano run tap-git target-postgres), or ./bronze demo; "
        "the first run creates the tables."
    )


def rows(connection: psycopg.Connection[DictRow], query: QueryNoTemplate, *values: Any) -> list[DictRow]:
    """Return the rows of *query*."""
    return connection.execute(query, values or None).fetchall()


def echo(text: str, *, err: bool = False) -> None:
    """Print a line that may quote foreign text, such as names of files and streams."""
    click.echo(printable(text, MAX_LINE), err=err)


def show_json(found: object) -> None:
    """Print *found* on stdout: moments (UTC) and days as ISO 8601, durations in seconds.

    On a terminal, which would act upon some characters, everything beyond ASCII is escaped.
    """
    click.echo(json.dumps(found, default=_plain, indent=2, ensure_ascii=sys.stdout.isatty()))


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.total_seconds() if hasattr(value, "total_seconds") else str(value)


def size(count: float | None) -> str:
    """Return a number of bytes for people."""
    figure, unit = float(count or 0), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if figure < KILO:
            break
        figure, unit = figure / KILO, larger
    return f"{figure:,.0f} {unit}" if unit == "B" else f"{figure:,.1f} {unit}"


def show_table(title: str, columns: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Show *lines* on stdout under *columns*; a column that begins with ``#`` holds numbers."""
    table = Table(title=Text(printable(title)), title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column.removeprefix("#"), justify="right" if column.startswith("#") else "left")
    for line in lines:
        table.add_row(*(Text(_text(value)) for value in line))
    console = Console(width=None if sys.stdout.isatty() else WIDE, soft_wrap=False, highlight=False)
    console.print(table)


def _text(value: object) -> str:
    """Return *value* for people: thousands apart, moments to the second, nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).partition(".")[0] if hasattr(value, "isoformat") else printable(value, MAX_CELL)
