"""PostgreSQL's own programs, in the version that a server needs, and databases beside the project's."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from target_postgres_bronze import embedded
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_postgres_bronze.database import Target

DEBIAN: Final = Path("/usr/lib/postgresql")


def run(target: Target, program: str, arguments: Sequence[str], *, major: int) -> None:
    """Run one of PostgreSQL's programs on *target*.

    Args:
        target: Database; its password goes through the environment, which other users do not see.
        program: ``pg_dump`` or ``pg_restore``.
        arguments: Its arguments, without the database.
        major: The server's version.

    Raises:
        OperatorError: There is none for that version, or it failed.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 - half a second for --help

    parts = conninfo_to_dict(target.conninfo)
    password = parts.pop("password", None)
    env = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    command = [find(program, major), "--dbname", make_conninfo("", **parts), *arguments]
    done = subprocess.run(
        command, check=False, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        # what follows "DETAIL" may quote a row
        lines = [line for line in done.stderr.splitlines() if "error:" in line]
        said = lines[0].partition("DETAIL")[0].strip() if lines else f"exit code {done.returncode}"
        raise OperatorError(f"{target.display}: {said}")


def find(program: str, major: int) -> str:
    """Return the path of *program* in the server's version, else in the nearest newer one.

    Raises:
        OperatorError: All that are here are older.
    """
    versions: dict[int, str] = {}
    for path in _candidates(program):
        said = subprocess.run([path, "--version"], check=False, capture_output=True, text=True).stdout
        if found := re.search(r"(\d+)(?:\.|\s|$)", said):
            versions.setdefault(int(found[1]), str(path))
    fitting = [number for number in sorted(versions) if number >= major]
    if not fitting:
        raise OperatorError(
            f"The server is PostgreSQL {major}, and no {program} of that version or newer is here. Install its client programs "
            f"(Debian, Ubuntu: postgresql-client-{major})."
        )
    return versions[fitting[0]]


def _candidates(program: str) -> Iterator[Path]:
    folders = [
        embedded.program(program).parent.parent.parent / name / "bin" for name in embedded.PROGRAMS.values()
    ]
    folders += sorted(DEBIAN.glob("*/bin"))
    if on_path := shutil.which(program):
        folders.append(Path(on_path).parent)
    yield from (folder / program for folder in folders if (folder / program).exists())


def sibling(target: Target, name: str) -> Target:
    """Return database *name* on the server of *target*."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - half a second for --help

    return dataclasses.replace(
        target,
        conninfo=make_conninfo(target.conninfo, dbname=name),
        display=f"database {name} beside {target.display}",
    )


def create(target: Target, name: str) -> Target:
    """Make the empty database *name* on the server of *target*, and return it.

    Raises:
        OperatorError: It exists, or the user may not make one.
    """
    import psycopg  # noqa: PLC0415 - half a second for --help

    statement = psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        with target.connect(autocommit=True) as connection:
            connection.execute(statement.format(psycopg.sql.Identifier(name)))
    except psycopg.errors.DuplicateDatabase:
        raise OperatorError(f"The database {name} exists already. Name another one.") from None
    except psycopg.errors.InsufficientPrivilege:
        raise OperatorError(
            f"{target.display}: the user may not make the database {name}. Grant it CREATEDB, or make the database yourself."
        ) from None
    return sibling(target, name)


def drop(target: Target, name: str) -> None:
    """Remove the database *name* on the server of *target*: one that this command made."""
    import psycopg  # noqa: PLC0415 - half a second for --help

    with target.connect(autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(psycopg.sql.Identifier(name))
        )
