"""The folder for private copies: closed to others, emptied at the end, and after a crash by the next run.

The copies hold somebody's whole history, so none may stay behind.
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

_PREFIX = "tap-browser-history-"


class Scratch:
    """A private folder of this process, made when it is first needed."""

    def __init__(self, base: Path) -> None:
        """Remember where the folder is to be; *base* is made if need be."""
        self._base = base
        self._folder: Path | None = None

    def new_folder(self) -> Path:
        """Make an empty folder, with mode 0700."""
        if self._folder is None:
            self._base.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self._base)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=self._base))
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


def remove_leftovers(base: Path) -> None:
    """Remove the folders of processes that are no more."""
    for folder in base.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
