"""SQL files that run around the landing: the project's own in ``sql/hooks``, and those that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from target_postgres_bronze.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_hooks(own: Path, named: str | Sequence[str] | None, base: Path) -> list[tuple[str, bytes]]:
    """Return name and content of the hook files, in the order in which they run.

    Args:
        own: Folder of the project's own hooks; its files run first, in name order.
        named: Files or folders from a setting; relative ones start at *base*.
        base: The project's folder.

    Raises:
        LoaderError: A named file is missing or cannot be read.
    """
    files = sorted(own.glob("*.sql"))
    for name in [named] if isinstance(named, str) else named or []:
        path = base / Path(name).expanduser()
        if path.is_dir():
            files += sorted(path.glob("*.sql"))
        else:
            files.append(path)
    try:
        return [(path.name, path.read_bytes()) for path in files]
    except OSError as error:
        raise LoaderError(
            f"The hook {error.filename} cannot be read: {error.strerror}. Correct after_run_sql or before_run_sql."
        ) from error


def run_hook(connection: psycopg.Connection[Any], name: str, text: bytes) -> None:
    """Run the hook *name*, whose content is *text*, inside the transaction of *connection*.

    Raises:
        LoaderError: It is wrong; what it refuses of a record's own is psycopg's error.
    """
    try:
        connection.execute(text)
    except psycopg.ProgrammingError as error:
        raise LoaderError(
            f"The hook {name} fails: {error.diag.message_primary} (SQLSTATE {error.sqlstate}). Correct it; nothing was "
            "committed."
        ) from error
