"""PostgreSQL's own programs, in the version that a server needs, and databases beside the project's."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from target_postgres_bronze import embedded
from target_postgres_bronze.operator import libpq, session
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from target_postgres_bronze.database import Target

#: Arguments of pg_restore.
UNOWNED: Final = ("--no-owner", "--no-privileges")
#: Settings at the beginning of a dump that servers before the one named do not know, and how many lines that beginning has at most.
NEWER_SETTINGS: Final = (b"SET transaction_timeout = 0;\n",)  # 17
SETTING_LINES: Final = 40
#: A database that every server has, to be connected to while another one is removed.
MAINTENANCE: Final = "postgres"
DEBIAN: Final = Path("/usr/lib/postgresql")


def dump(target: Target, arguments: Sequence[str], *, major: int) -> None:
    """Run pg_dump on *target*.

    Args:
        target: Database.
        arguments: pg_dump's arguments, without the database.
        major: The server's version.

    Raises:
        OperatorError: There is no pg_dump for that version, or it failed.
    """
    command, env = aimed(target, find("pg_dump", major))
    done = subprocess.run(
        [*command, *arguments], check=False, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    _check(target, done.returncode, done.stderr)


def restore(target: Target, file: Path, *, major: int) -> None:
    """Restore the dump *file* into the empty database *target*, without owners and rights, which belong to the server that it came from.

    Args:
        target: Database.
        file: A dump in pg_dump's custom format.
        major: The server's version.

    Raises:
        OperatorError: No pg_restore here reads the dump, or the server refuses something in it.
    """
    program = find("pg_restore", major)
    if subprocess.run([program, "--list", file], check=False, capture_output=True).returncode:
        program = find("pg_restore", major, newest=True)
    if _version(program) > major:
        _restore_to_older(target, file, program)
        return
    command, env = aimed(target, program)
    command += [*UNOWNED, "--exit-on-error", "--jobs=2", str(file)]
    done = subprocess.run(
        command, check=False, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    _check(target, done.returncode, done.stderr)


def _restore_to_older(target: Target, file: Path, program: str) -> None:
    """Restore through psql what a newer pg_restore writes as SQL, without the settings that only newer servers know."""
    command, env = aimed(target, str(Path(program).with_name("psql")))
    command += ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with (
        subprocess.Popen([program, *UNOWNED, "--file=-", file], stdout=subprocess.PIPE) as written,
        subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as read,
    ):
        assert written.stdout is not None  # noqa: S101 - a pipe was asked for
        assert read.stdin is not None  # noqa: S101 - the same
        with contextlib.suppress(BrokenPipeError), read.stdin:
            for line in itertools.islice(written.stdout, SETTING_LINES):
                if line not in NEWER_SETTINGS:
                    read.stdin.write(line)
            shutil.copyfileobj(written.stdout, read.stdin)
        written.stdout.close()
        said = read.stderr.read().decode(errors="replace") if read.stderr else ""
    _check(target, read.returncode or written.returncode, said)


def aimed(target: Target, program: str) -> tuple[list[str], dict[str, str]]:
    """Return a command for *target*, and its environment: there a password is hidden from other users of the machine."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 - half a second for --help

    if target.server:
        embedded.forget_libpq_environment()
    parts = conninfo_to_dict(target.conninfo)
    password = parts.pop("password", None)
    env = libpq.environment(program, os.environ) | ({"PGPASSWORD": str(password)} if password else {})
    return [program, "--dbname", make_conninfo("", **parts)], env


def _check(target: Target, code: int, said: str) -> None:
    """Raise what a program said; what follows "DETAIL" may quote a row."""
    if code and libpq.REFUSAL in said:
        raise OperatorError(
            f"{target.display}: the programs of PostgreSQL that come along speak no TLS here. Install your system's (Debian, Ubuntu: "
            "postgresql-client)."
        )
    if code and session.LOCKS in said:
        raise OperatorError(f"{target.display}: {session.TOO_FEW_LOCKS}")
    if code:
        lines = [line for line in said.splitlines() if "error:" in line or "ERROR:" in line]
        reason = lines[0].partition("DETAIL")[0].strip() if lines else f"exit code {code}"
        raise OperatorError(f"{target.display}: {reason}")


def find(program: str, major: int, *, newest: bool = False) -> str:
    """Return the path of *program* in the server's version, else in the nearest newer one; or the newest of all.

    Raises:
        OperatorError: All that are here are older.
    """
    versions: dict[int, str] = {}
    for path in _candidates(program):
        versions.setdefault(_version(path), str(path))
    fitting = [number for number in sorted(versions, reverse=newest) if number >= major]
    if not fitting:
        raise OperatorError(
            f"The server is PostgreSQL {major}, and no {program} of that version or newer is here. Install its client programs "
            f"(Debian, Ubuntu: postgresql-client-{major})."
        )
    return versions[fitting[0]]


def _version(program: Path | str) -> int:
    said = subprocess.run([program, "--version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"(\d+)(?:\.|\s|$)", said)
    return int(found[1]) if found else 0


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
            f"{target.display}: the user may not make the database {name}. Grant it CREATEDB (ALTER ROLE … CREATEDB)."
        ) from None
    return sibling(target, name)


@contextlib.contextmanager
def whole_or_removed(made: Target) -> Iterator[None]:
    """Remove the database *made* again, and say so, when what fills it fails or is interrupted: no part shall pass for the whole."""
    try:
        yield
    except BaseException:
        drop(made)
        click.echo(f"The {made.display} was removed again.", err=True)
        raise


def drop(made: Target) -> None:
    """Remove the database *made*: one that this command made with `create`."""
    import psycopg  # noqa: PLC0415 - half a second for --help
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - the same

    name = str(conninfo_to_dict(made.conninfo)["dbname"])
    statement = psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
        psycopg.sql.Identifier(name)
    )
    with sibling(made, MAINTENANCE).connect(autocommit=True) as connection:
        connection.execute(statement)
