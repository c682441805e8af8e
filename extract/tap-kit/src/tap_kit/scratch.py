"""A folder for private copies: closed to others, removed at the end of the run, or after a crash by the next run.

The copies contain personal data, so none may stay behind.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator


class Scratch:
    """A private folder of this process, made when it is first needed."""

    def __init__(self, base: Path, owner: str) -> None:
        """Prepare a folder in *base*, which is created if needed, for the tap that is called *owner*."""
        self._base = base
        self._owner = owner
        self._folder: Path | None = None

    def new_folder(self) -> Path:
        """Make an empty folder, with mode 0700."""
        if self._folder is None:
            self._base.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self._base, self._owner)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{self._owner}-{os.getpid()}-", dir=self._base))
            atexit.register(self.remove)
        return Path(tempfile.mkdtemp(dir=self._folder))

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give an empty folder that is removed behind the block."""
        path = self.new_folder()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything; doing so twice is fine."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
            atexit.unregister(self.remove)


def remove_leftovers(base: Path, owner: str) -> None:
    """Remove the folders of *owner*'s processes that have ended."""
    for folder in base.glob(f"{owner}-*"):
        process = folder.name.removeprefix(f"{owner}-").partition("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(folder, ignore_errors=True)
