"""Why a server refused a connection, by SQLSTATE.

libpq reports a refusal as text alone, and the server writes it in its own language. Asked for the shortest form of errors, libpq
returns the SQLSTATE instead. psycopg has no function for that, so the library that it uses is called for it.

Sources: PostgreSQL 18 documentation, 32.1 (PQconnectPoll), 32.11 (PQsetErrorVerbosity) and appendix A.
"""

from __future__ import annotations

import ctypes
import re
import select
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psycopg

NOT_YET: Final = "57P03"

#: SQLSTATE of a refused connection, and the remedy.
REMEDIES: Final = {
    "28P01": "the password is wrong. Correct PG_PASS in .env",
    "28000": "the server does not let this user in. Correct PG_USER in .env, or allow the user there (ALTER ROLE … LOGIN, pg_hba.conf)",
    "3D000": "the database does not exist. Make it (createdb), or correct PG_DB in .env",
    "42501": "the user may not connect to this database. Grant CONNECT to the user",
    "53300": "no connection is left for this server, database or user. Close some, or raise the limit (max_connections, CONNECTION LIMIT)",
    "55000": "the database accepts no connections. Allow them (ALTER DATABASE … ALLOW_CONNECTIONS true), or correct PG_DB in .env",
    NOT_YET: "the server is starting up or shutting down. Try again in a moment",
}

_SECONDS: Final = 10
_SQLSTATE_ONLY: Final = 3  # PQERRORS_SQLSTATE in libpq-fe.h
#: libpq writes the severity of a server's error with two blanks behind it; its own errors have none.
_OF_THE_SERVER: Final = re.compile(r": \S[^:\n]*:  ")
_STATE: Final = re.compile(r":  ([0-9A-Z]{5})$", re.MULTILINE)


def is_of_the_server(error: psycopg.OperationalError) -> bool:
    """Return whether a server answered, and refused."""
    return bool(error.sqlstate or _needs_password(error) or _OF_THE_SERVER.search(str(error)))


def find_state(error: psycopg.OperationalError, conninfo: str) -> str:
    """Return the SQLSTATE of a refused connection, for which it is tried once more; nothing if it cannot be found.

    Args:
        error: What psycopg raised.
        conninfo: The connection string.
    """
    if error.sqlstate:
        return error.sqlstate
    if _needs_password(error):
        return "28P01"
    return _ask_again(conninfo) if is_of_the_server(error) else ""


def _needs_password(error: psycopg.OperationalError) -> bool:
    return bool(error.pgconn and error.pgconn.needs_password)


def _ask_again(conninfo: str) -> str:
    from psycopg import pq  # noqa: PLC0415 - half a second that --help need not pay

    library = libpq()
    if library is None:
        return ""
    connection = pq.PGconn.connect_start(conninfo.encode())
    pointer = connection.pgconn_ptr  # type: ignore[attr-defined] # documented, and not in its types
    try:
        ctypes.CDLL(str(library)).PQsetErrorVerbosity(ctypes.c_void_p(pointer), _SQLSTATE_ONLY)
        deadline = time.monotonic() + _SECONDS
        while (status := connection.connect_poll()) not in {pq.PollingStatus.OK, pq.PollingStatus.FAILED}:
            socket = [connection.socket]
            reads = status == pq.PollingStatus.READING
            left = max(0, deadline - time.monotonic())
            if not any(select.select(socket if reads else [], [] if reads else socket, [], left)):
                return ""
        if status == pq.PollingStatus.OK:
            return NOT_YET  # a moment ago it was
        found = _STATE.findall(connection.get_error_message())
    finally:
        connection.finish()
    return found[-1] if found else ""


def libpq() -> Path | None:
    """Return the libpq that psycopg uses: that of its wheel, else the system's."""
    from psycopg import pq  # noqa: PLC0415 - half a second that --help need not pay

    if pq.__impl__ != "binary":
        from psycopg.pq.misc import find_libpq_full_path  # noqa: PLC0415 - rarely needed

        found = find_libpq_full_path()
        return Path(found) if found else None
    try:
        files = metadata.files("psycopg-binary") or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if re.match(r"libpq[-.]", file.name)), None)
