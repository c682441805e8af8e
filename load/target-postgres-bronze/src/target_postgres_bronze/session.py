"""A loader's connection: opened with the layout in place, opened anew when it breaks."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg

from target_postgres_bronze.database import DatabaseError
from target_postgres_bronze.embedded import EmbeddedServerError
from target_postgres_bronze.errors import LoaderError
from target_postgres_bronze.layout import Layout, ensure_layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from target_postgres_bronze.database import Target

T = TypeVar("T")
log = logging.getLogger(__name__)

_TICK: Final = 0.2
#: Seconds for asking the server to cancel something.
_CANCEL_WITHIN: Final = 5.0
#: Seconds between attempts: a server that restarts is back within the minute.
PAUSES: Final = (0.1, 1, 2, 4, 8, 15, 30)
_SETTINGS: Final = (
    "SET search_path = public",
    "SET timezone = 'UTC'",
    "SET datestyle = 'ISO'",
    "SET client_encoding = 'UTF8'",
    "SET jit = off",
    "SET client_min_messages = warning",
    "SET temp_buffers = '64MB'",
    # a load's GIN entries are merged in large lots, not at every 4 MB; see bronze.index_source for the end of a run
    "SET gin_pending_list_limit = '256MB'",
    # indexes are built from rows at the end of a first load
    "SET maintenance_work_mem = '256MB'",
    # two connections share the builds; the server's own helpers would get in their way
    "SET max_parallel_maintenance_workers = 0",
)
#: Sets what ends long statements or waiting sessions to "never", whatever role and database say; transaction_timeout is there since PostgreSQL 17.
_LIFT_TIMEOUTS: Final = (
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', "
    "'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout') AND setting <> '0'"
)
CHECK_SESSION: Final = "SELECT bronze.check_session(%s)"
#: What a loader needs, one row: standby, read-only, temporary tables, and the owner of a layout that the user may not use.
_RIGHTS: Final = """
    SELECT
        pg_is_in_recovery(),
        current_setting('default_transaction_read_only')::boolean,
        has_database_privilege(current_database(), 'TEMPORARY'),
        (SELECT r.rolname FROM pg_namespace AS n INNER JOIN pg_roles AS r ON r.oid = n.nspowner
         WHERE n.nspname = 'bronze' AND NOT has_schema_privilege(n.oid, 'USAGE')),
        current_user,
        current_database()
"""
#: SQLSTATE classes and codes after which the same work can succeed: connection lost, server going down or short of
#: something, deadlock.
_PASSING: Final = ("08", "57P", "53", "40", "55P03")


class Session:
    """The connection of one run."""

    def __init__(
        self, resolve: Callable[[], Target], layout: Layout, pauses: tuple[float, ...] = PAUSES
    ) -> None:
        """Prepare a session; `open` connects.

        Args:
            resolve: Gives the database; asked again for each connection, as an embedded server may have to be started.
            layout: What the database shall have.
            pauses: Seconds to wait before each further attempt.
        """
        self._resolve = resolve
        self._layout = layout
        self._pauses = pauses
        self._target: Target | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._beside: psycopg.Connection[Any] | None = None
        self._turn = threading.Lock()
        self._began: datetime | None = None
        self._began_here = 0.0
        #: Whether a signal asks to end; then nothing waits for a database that is away.
        self.is_stopped: Callable[[], bool] = lambda: False
        #: Called after a connection was opened anew.
        self.on_reconnect: Callable[[psycopg.Connection[Any]], None] = lambda _connection: None

    def open(self) -> psycopg.Connection[Any]:
        """Return the connection, opened if need be.

        Raises:
            DatabaseError: The database does not let us in.
            LoaderError: Its layout or its encoding does not fit.
        """
        if self._connection is not None and not self._connection.closed:
            return self._connection
        self._target = self._resolve()
        connection = self._target.connect(autocommit=True, prepare_threshold=2)
        try:
            self._prepare(connection, self._target)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _prepare(self, connection: psycopg.Connection[Any], target: Target) -> None:
        if connection.info.parameter_status("server_encoding") != "UTF8":
            raise LoaderError(
                f"{target.display}: the database's encoding is not UTF8. Make the database with ENCODING 'UTF8'."
            )
        check_rights(connection, target)
        marker = session_marker(connection)
        # in one transaction, so that a pooler cannot divide them among several sessions
        with connection.transaction():
            connection.execute("SELECT set_config('bronze.session', %s, false)", [marker])
            lift_timeouts(connection)
            for setting in _SETTINGS:
                connection.execute(setting.encode())
        ensure_layout(connection, self._layout)
        row: Any = connection.execute(
            "SELECT clock_timestamp() AT TIME ZONE 'UTC' FROM bronze.check_session(%s), bronze.open_session()",
            [marker],
        ).fetchone()
        if self._began is None:
            self._began, self._began_here = row[0], time.monotonic()

    def now(self) -> datetime:
        """Return the present by the server's clock (UTC, without a zone)."""
        return self.began + timedelta(seconds=time.monotonic() - self._began_here)

    @property
    def began(self) -> datetime:
        """When the first connection was opened, by the server's clock (UTC, without a zone)."""
        while self._began is None:
            self.open()
        return self._began

    def run(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Do *work* with the connection; when the database goes away, wait for it and do the work again.

        *work* must bear being done twice: it finds out itself whether a commit went through (see `Lander`).

        Raises:
            LoaderError: The database stays away, or is short of something for good.
        """
        for pause in (*self._pauses, None):
            try:
                # see `between`
                with self._turn:
                    return work(self._reopened())
            except (
                psycopg.OperationalError,
                psycopg.InterfaceError,
                DatabaseError,
                EmbeddedServerError,
            ) as error:
                if not self._is_passing(error):
                    raise
                reason = self._reason(error)
                if pause is None:
                    raise LoaderError(
                        f"{reason} What was confirmed is safe; run again when the database is back."
                    ) from error
                log.warning("%s Trying again in %g s.", reason, pause)
                self.close()
                self._wait(pause, reason)
        raise AssertionError  # the loop returns or raises

    def _wait(self, seconds: float, reason: str) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.is_stopped():
                raise LoaderError(
                    f"{reason} Stopped while waiting for it; what was confirmed is safe. Run again."
                )
            time.sleep(min(left, _TICK))

    def second(self) -> psycopg.Connection[Any] | None:
        """Return another connection like the first, outside a transaction; None where the server does not let us have one."""
        if self._target is None:
            return None
        connection = None
        try:
            connection = self._target.connect(autocommit=True, prepare_threshold=2)
            self._prepare(connection, self._target)
        except (psycopg.Error, DatabaseError, EmbeddedServerError) as error:
            if connection is not None:
                connection.close()
            log.info("A second connection was of no use (%s); the first does it alone.", type(error).__name__)
            return None
        return connection

    def beside(self, statement: bytes, values: list[Any]) -> None:
        """Do *statement* on a second connection, where the server lets us have one; what it does must be optional."""
        if (connection := self.second()) is None:
            return
        self._beside = connection
        try:
            with closing(connection):
                connection.execute(statement, values)
        except psycopg.errors.QueryCanceled:
            return  # broken off: who waits for the first connection is told there
        except psycopg.Error as error:
            log.info("A second connection was of no use (%s); the first does it alone.", type(error).__name__)

    def between(self, work: Callable[[psycopg.Connection[Any]], T]) -> T | None:
        """Do *work* with the connection when nobody else does; once, as it must be optional. None where that failed."""
        try:
            with self._turn:
                return None if self._connection is None else work(self._connection)
        except psycopg.Error as error:
            log.info(
                "What could be done meanwhile failed (%s); it is done in its turn.", type(error).__name__
            )
            return None

    def break_off(self) -> None:
        """Cancel what is being done; `run` raises `psycopg.errors.QueryCanceled` then, `between` and `beside` end."""
        for connection in (self._connection, self._beside):
            if connection is not None and not connection.closed:
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=_CANCEL_WITHIN)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _reopened(self) -> psycopg.Connection[Any]:
        is_new = self._connection is not None and self._connection.closed
        connection = self.open()
        if is_new:
            self.on_reconnect(connection)
        return connection

    def _is_passing(self, error: Exception) -> bool:
        if not isinstance(error, psycopg.Error):
            # at the start it is a wrong setting rather than a server that is coming back, unless that says so
            return self._connection is not None or getattr(error, "is_passing", False)
        if self._connection is None or self._connection.closed or self._connection.broken:
            return True
        return (error.sqlstate or "08").startswith(_PASSING)

    def _reason(self, error: Exception) -> str:
        if not isinstance(error, psycopg.Error):
            return str(error)
        where = self._target.display if self._target else "the database"
        if error.sqlstate == "53100":
            return f"{where}: the disk is full (SQLSTATE 53100). Free some space."
        state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
        return f"{where}: the connection broke or the server is short of something{state}."


def lift_timeouts(connection: psycopg.Connection[Any]) -> None:
    """Set the timeouts of *connection*'s session to none; a rollback undoes that."""
    connection.execute(_LIFT_TIMEOUTS.encode())


def check_rights(connection: psycopg.Connection[Any], target: Target) -> None:
    """Raise LoaderError if the user of *connection* cannot load into the database, with the remedy."""
    row: Any = connection.execute(_RIGHTS.encode()).fetchone()
    is_standby, is_read_only, has_temporary, owner, user, name = row
    if is_standby:
        reason = "the server is a read replica, and a load writes. Connect to the primary server (PG_HOST)."
    elif is_read_only:
        reason = (
            f'transactions are read-only by default, and a load writes. As administrator: ALTER DATABASE "{name}" SET '
            f'default_transaction_read_only = off, and the same for the role "{user}" (ALTER ROLE) if it is set there.'
        )
    elif not has_temporary:
        reason = (
            f'the user "{user}" may not create temporary tables, through which each batch is loaded. As owner of the database: '
            f'GRANT TEMPORARY ON DATABASE "{name}" TO "{user}".'
        )
    elif owner:
        reason = (
            f'the tables belong to the user "{owner}", and "{user}" may not use them (SQLSTATE 42501). Connect as "{owner}"; or run sql/roles.sql as '
            f'"{owner}" and then GRANT bronze_loader TO "{user}" (docs/moving.md).'
        )
    else:
        return
    raise LoaderError(f"{target.display}: {reason}")


def check_session(connection: psycopg.Connection[Any]) -> None:
    """Raise psycopg.Error (ZB001) if a pooler has given *connection* another session of the server."""
    connection.execute(CHECK_SESSION, [session_marker(connection)])


def session_marker(connection: psycopg.Connection[Any]) -> str:
    """Return what tells this connection from others: a pooler tells each client another number than PostgreSQL's own."""
    return str(connection.info.backend_pid)
