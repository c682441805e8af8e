"""Servers whose data folder was removed under them."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS: Final = 10


def end_orphans(data_dir: Path) -> None:
    """End servers of a removed folder at the same path, as left by who deletes the project and clones it anew.

    Within a minute such a server notices that its folder is gone and removes its socket, which by then is the new
    server's.

    Args:
        data_dir: Folder that is about to be made.
    """
    import psutil  # noqa: PLC0415 - needed only when a folder is made

    orphans = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            words = process.cmdline()
            if (
                "-D" in words
                and words[words.index("-D") + 1 :][:1] == [str(data_dir)]
                and _is_in_removed_folder(process.pid)
            ):
                process.send_signal(signal.SIGQUIT)
                orphans.append(process)
    psutil.wait_procs(orphans, timeout=_SECONDS)


def _is_in_removed_folder(pid: int) -> bool:
    """Tell whether a process works in a folder without a name; where the system does not say (no /proc), no."""
    return os.stat(f"/proc/{pid}/cwd").st_nlink == 0  # noqa: PTH116 - a link that only stat follows
