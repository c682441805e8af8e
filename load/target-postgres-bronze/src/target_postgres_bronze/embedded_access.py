"""Who may connect to the embedded PostgreSQL, and whether a socket is really its own.

The server asks the system which account connects (``peer``), and lets in the owner of the project and root. A client
checks the other direction before the first statement: folder and socket belong to the caller or the server's account,
and the process that listens is the one in ``postmaster.pid``.

Sources: the manual of PostgreSQL 18, "Peer Authentication", "User Name Maps" and "Environment Variables" (libpq);
unix(7), ``SO_PEERCRED``.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

#: Longest path of a Unix socket that every system accepts (macOS: 104 bytes with the final zero).
LONGEST_SOCKET_PATH: Final = 103

SHARED: Final = Path("/tmp")  # noqa: S108 - what is below it is checked

RULES: Final = """\
# Written by bronze at each start of the embedded server: the accounts that pg_ident.conf names, and no other.
local all all peer map=bronze
local replication all peer map=bronze
"""
MAP: Final = "# Written by bronze at each start of the embedded server.\n"

#: libpq's variables, and those of PostgreSQL's programs; PG_HOST and its siblings are the project's own.
_LIBPQ: Final = re.compile(r"PG[A-Z]+")


def is_short(path: Path) -> bool:
    """Return whether libpq can use the socket *path*: it has a limit, and reads a comma as the end of a host."""
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and "," not in str(path)


def is_private(folder: Path, owners: Iterable[int]) -> bool:
    """Return whether *folder*, and the one above unless that is /tmp, are folders of *owners* that nobody else enters."""
    folders = [folder] if folder.parent == SHARED else [folder, folder.parent]
    try:
        found = [part.lstat() for part in folders]
    except OSError:
        return False
    inner, *outer = found
    return (
        all(stat.S_ISDIR(part.st_mode) and part.st_uid in {*owners} for part in found)
        and not inner.st_mode & 0o077
        and not any(part.st_mode & 0o022 for part in outer)
    )


def answers(path: Path, pid: int, uid: int) -> bool:
    """Return whether process *pid* of user *uid* takes connections at the socket *path*."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, contextlib.suppress(OSError):
        client.settimeout(5)
        if path.lstat().st_uid != uid:
            return False
        client.connect(os.fspath(path))
        return _listener(client) in {None, (pid, uid)}
    return False


def _listener(client: socket.socket) -> tuple[int, int] | None:
    """Return process and user that listen at the other end; None on systems that report it in another way."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    pid, uid, _gid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, option, 12))
    return pid, uid


def write_rules(data_dir: Path, accounts: AbstractSet[str | None]) -> bool:
    """Write which *accounts* may connect, as any role; return whether the files were different before."""
    lines = "".join(f'bronze "{name}" all\n' for name in sorted(filter(None, accounts)))
    written = [_replace(data_dir / "pg_hba.conf", RULES), _replace(data_dir / "pg_ident.conf", MAP + lines)]
    return any(written)


def _replace(path: Path, text: str) -> bool:
    """Write *text* to *path* unless it is there already, as the owner of its folder; a link is replaced, not followed."""
    with contextlib.suppress(OSError, ValueError):
        if path.read_text() == text:
            return False
    folder = path.parent.stat()
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def forget_libpq_environment() -> None:
    """Remove libpq's variables (PGSERVICE, PGOPTIONS …) from this process: they are about other servers.

    libpq reads them wherever a connection string says nothing, and has no way to ignore them.
    """
    for name in [name for name in os.environ if _LIBPQ.fullmatch(name)]:
        del os.environ[name]
