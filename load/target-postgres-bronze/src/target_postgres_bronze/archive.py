"""The raw archive: a run's Singer messages as they came, zstd-compressed, on disk before any state goes out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol

import zstandard

from target_postgres_bronze.errors import LoaderError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX: Final = ".singer.zst"
_LEVEL: Final = 3


class Archive(Protocol):
    """Where a run's messages are kept."""

    def write(self, chunk: bytes) -> None:
        """Take bytes as they came."""

    def sync(self) -> None:
        """Put everything taken so far on disk."""

    def close(self) -> None:
        """End the archive."""


class NoArchive:
    """Keeps nothing (setting ``archive: false``)."""

    def write(self, chunk: bytes) -> None:
        """Drop *chunk*."""

    def sync(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class FileArchive:
    """A zstd file that can be read up to the last `sync` even when the run was killed.

    Raises:
        LoaderError: From any method, when the folder or the disk does not take it.
    """

    def __init__(self, path: Path) -> None:
        """Make the file *path* and its folder."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb")
            _sync_folder(path.parent)
        except OSError as error:
            raise self._failure(error) from error
        self._writer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(self._file)

    def write(self, chunk: bytes) -> None:
        """Take bytes as they came."""
        try:
            self._writer.write(chunk)
        except OSError as error:
            raise self._failure(error) from error

    def sync(self) -> None:
        """Put everything taken so far on disk."""
        try:
            self._writer.flush(zstandard.FLUSH_BLOCK)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """End the frame and the file."""
        try:
            self._writer.flush(zstandard.FLUSH_FRAME)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._file.close()

    def _failure(self, error: OSError) -> LoaderError:
        return LoaderError(
            f"The raw archive {self._path} cannot be written: {error.strerror}. Free the disk or correct archive_dir; "
            "nothing is confirmed to the tap that is not in the archive."
        )


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
