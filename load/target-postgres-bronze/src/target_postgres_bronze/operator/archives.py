"""The raw archive, read again: the files of a source in the order of their runs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import zstandard

from target_postgres_bronze.archive import SUFFIX
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

CHUNK: Final = 1024 * 1024


def files(folder: Path, source: str) -> list[Path]:
    """Return the archive files of *source* in *folder*, oldest run first; a name begins with the second of its run."""
    found = (folder / source).glob(f"*{SUFFIX}")
    return sorted(found, key=lambda file: (file.name.split("-")[1:2], file.stat().st_mtime_ns))


class ArchiveReader(io.RawIOBase):
    """The messages of one run.

    Of a file whose run was killed they end with the last whole line: that is what the run had taken in.

    Attributes:
        is_whole: Whether the file was closed by its run; known at its end.
    """

    def __init__(self, path: Path) -> None:
        """Open *path*.

        Raises:
            OperatorError: It cannot be opened.
        """
        super().__init__()
        self._path = path
        self.is_whole = False
        self._rest = b""
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise OperatorError(f"{path} cannot be read: {error.strerror}.") from error
        self._zstd = zstandard.ZstdDecompressor().decompressobj()

    def read(self, _size: int = -1) -> bytes:
        """Return some bytes, none at the end.

        Raises:
            OperatorError: The file is damaged.
        """
        while compressed := self._file.read(CHUNK):
            try:
                found = self._rest + self._zstd.decompress(compressed)
            except zstandard.ZstdError as error:
                raise OperatorError(f"{self._path} is damaged. Take it from a backup.") from error
            head, end, self._rest = found.rpartition(b"\n")
            if end:
                return head + end
        self.is_whole = self._zstd.eof
        rest, self._rest = self._rest, b""
        return rest if self.is_whole else b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
