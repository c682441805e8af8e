"""The operating-system account under which the embedded PostgreSQL runs.

PostgreSQL refuses to run as root, and insists that its data folder belongs to whoever runs it. An ordinary user
runs it as themselves. Root runs it as the owner of the folder, or as an account without privileges; where that
account cannot enter the folders above (``data`` is closed to others), the server runs with one capability that
opens folders, through util-linux' ``setpriv``, so that no permission of any folder has to be loosened. Only root can
log in to that server (`embedded_access`): the account itself gains nothing by it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_postgres_bronze.embedded_errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Accounts without privileges, the first that exists is taken: Debian's own for PostgreSQL, and POSIX' for nobody.
UNPRIVILEGED = ("postgres", "nobody")

#: Capabilities that open folders, the weakest first: containers often have only the second (capabilities(7)).
CAPABILITIES = ("dac_read_search", "dac_override")


@dataclass(frozen=True)
class Account:
    """Who runs the server's programs.

    Attributes:
        name: Name of the account.
        uid: Its user id.
        gid: Its group id.
        switch: The account is another one than the caller's, which is root.
        capability: The capability that the programs need to reach their files; usually none.
    """

    name: str
    uid: int
    gid: int
    switch: bool = False
    capability: str = ""

    def run(self, command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run *command* as this account in a session of its own, and return its exit code with all it printed.

        Raises:
            subprocess.TimeoutExpired: It took longer than *timeout* seconds, and was killed.
            OSError: It cannot be started.
        """
        prefix: list[str] = []
        if self.capability:
            prefix = [
                "setpriv",
                f"--reuid={self.uid}",
                f"--regid={self.gid}",
                "--clear-groups",
                "--securebits=+no_setuid_fixup",  # else access(2), which the programs ask, forgets the capability
                f"--inh-caps=+{self.capability}",
                f"--ambient-caps=+{self.capability}",
                "--",
            ]
        drop = self.switch and not self.capability
        return subprocess.run(
            [*prefix, *command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # a Ctrl-C at the caller's terminal must not reach the server
            user=self.uid if drop else None,
            group=self.gid if drop else None,
            extra_groups=[] if drop else None,
        )

    def own(self, folder: Path) -> None:
        """Make *folder* private to this account."""
        folder.chmod(0o700)
        if self.switch:
            os.chown(folder, self.uid, self.gid)


def account_for(data_dir: Path, program: Path) -> Account:
    """Return the account that is to run *program* on *data_dir*.

    Raises:
        EmbeddedServerError: There is no account that can.
    """
    if os.geteuid() != 0:
        uid = os.geteuid()
        _refuse_foreign_folder(data_dir, uid)
        return Account(name=name_of(uid) or str(uid), uid=uid, gid=os.getegid())
    account = _unprivileged_account(data_dir)
    if _reaches(account, program, nearest_existing(data_dir)):
        return account
    for capability in CAPABILITIES if shutil.which("setpriv") else ():
        opener = replace(account, capability=capability)
        if _reaches(opener, program, nearest_existing(data_dir)):
            return opener
    raise EmbeddedServerError(
        f"The embedded PostgreSQL runs as '{account.name}' when root starts it, and '{account.name}' cannot enter "
        f"{data_dir} or {program.parent}. Use an ordinary user, or install util-linux (setpriv)."
    )


def nearest_existing(path: Path) -> Path:
    """Return *path*, or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _unprivileged_account(data_dir: Path) -> Account:
    """Return the owner of *data_dir* unless that is root, else the first account without privileges."""
    owner = nearest_existing(data_dir).stat().st_uid
    owner_name = name_of(owner)
    if owner != 0 and data_dir.exists() and owner_name is None:
        raise EmbeddedServerError(
            f"{data_dir} belongs to user id {owner}, which this machine does not know. Give it to a user that exists "
            f"(chown -R NAME '{data_dir}') and start again."
        )
    names = UNPRIVILEGED if owner == 0 or owner_name is None else (owner_name,)
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, switch=True)
    raise EmbeddedServerError(
        "PostgreSQL refuses to run as root, and there is neither a user 'postgres' nor 'nobody' to run it as. "
        "Use an ordinary user, or name a PostgreSQL server in .env (PG_HOST …)."
    )


def _refuse_foreign_folder(data_dir: Path, uid: int) -> None:
    """Refuse a data folder that belongs to somebody else: PostgreSQL would, in more words."""
    if not data_dir.exists() or data_dir.stat().st_uid == uid:
        return
    owner = data_dir.stat().st_uid
    raise EmbeddedServerError(
        f"{data_dir} belongs to '{name_of(owner) or owner}', so only that user or root can run its server. "
        f"Run the command as that user, or give the folder to yourself: sudo chown -R {name_of(uid) or uid} "
        f"'{data_dir}'."
    )


def _reaches(account: Account, program: Path, folder: Path) -> bool:
    """Tell whether *account* can start *program* and enter *folder*."""
    script = 'test -x "$1" && test -x "$2"'
    result = account.run(["/bin/sh", "-c", script, "sh", str(program), str(folder)], timeout=30)
    return result.returncode == 0


def name_of(uid: int) -> str | None:
    """Return the name of the account *uid*; None if the machine knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _environment() -> dict[str, str]:
    """Return the environment without what would change PostgreSQL's programs (PGDATA, PGPORT, locales)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
