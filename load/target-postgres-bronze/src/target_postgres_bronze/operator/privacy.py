"""Which of the project's files other users of the machine can reach.

`data` and `.meltano` are closed as folders, so that what is in them needs no modes of its own: `meltano run` writes with the umask of the
shell, credentials of a run in `.meltano/run` included. Installed packages, and the embedded server's folder, are left out.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Rights of a file's group and of everybody.
OTHERS: Final = 0o077
FOLDERS: Final = ("data", ".meltano")


def is_open(path: Path) -> bool:
    """Return whether users other than the owner have a right to *path*."""
    try:
        return bool(path.stat().st_mode & OTHERS)
    except OSError:
        return False


def open_below(folder: Path) -> list[Path]:
    """Return what other users can reach at *folder* and in it: nothing if the folder itself is closed."""
    return [path for path in _below(folder) if is_open(path)] if is_open(folder) else []


def close(root: Path) -> list[Path]:
    """Take the rights of other users from `.env`, `data` and `.meltano` with all in them; return what could not be closed."""
    left = []
    for path in (root / ".env", *(path for name in FOLDERS for path in _below(root / name))):
        try:
            if is_open(path):
                path.chmod(path.stat().st_mode & 0o700)
        except OSError:
            left.append(path)
    return left


def _below(folder: Path) -> Iterator[Path]:
    """Yield *folder* and the folders and files in it, without following links."""
    if folder.is_dir():
        yield folder
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_left_out(folder, Path(path, name))]
        for name in (*folders, *files):
            with contextlib.suppress(OSError):
                found = Path(path, name)
                if not found.is_symlink():
                    yield found


def _is_left_out(folder: Path, path: Path) -> bool:
    return path == folder / "postgres" or (folder.name == ".meltano" and path.name == "venv")
