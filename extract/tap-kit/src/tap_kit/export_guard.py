"""Readers of damaged, split and malicious files: every failure is one sentence, and nothing grows without bound."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from typing_extensions import Buffer, override

from tap_kit.export_members import LockedError, MemberError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LARGEST_RATIO = 500
"""Unpacked to packed bytes; real exports stay below 50, deflate ends at 1032."""

FREE = 64 << 20
"""Bytes that may be unpacked whatever the ratio."""


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turn what goes wrong while *path* is read into a sentence that names it.

    Raises:
        LockedError: Permission or password are missing.
        MemberError: It is damaged, or packed in a way that is not known.
    """
    try:
        yield
    except MemberError:
        raise
    except PermissionError:
        raise LockedError(f"{path}: permission denied. Make it readable for this user.") from None
    except FileNotFoundError:
        raise LockedError(
            f"{path}: not there any more. Leave exports in place while they are read."
        ) from None
    except NotImplementedError as error:
        raise MemberError(
            f"{path}: packed in a way that cannot be read ({error}). Unpack it by hand."
        ) from None
    except RuntimeError as error:  # zipfile's word for passwords
        if "password" not in str(error).lower():
            raise _damaged(path, error) from None
        raise LockedError(f"{path}: locked with a password. Set the right one as 'password'.") from None
    except Exception as error:  # noqa: BLE001 - hostile files find errors that no list names
        raise _damaged(path, error) from None


def _damaged(path: str, error: Exception) -> MemberError:
    return MemberError(f"{path}: damaged or cut off ({_reason(error)}). Get it again if you can.")


def _reason(error: BaseException) -> str:
    """Say what kind of damage; names of members do not belong into a log twice."""
    text = str(error)
    return text.partition(" for file")[0] if text else type(error).__name__


def guarded(
    path: str,
    opener: Callable[[], IO[bytes]],
    unpack: Callable[[IO[bytes]], IO[bytes]] | None = None,
    packed: int | None = None,
    most: int | None = None,
) -> io.BufferedReader:
    """Open a file so that errors are told in a sentence, and unpacking stops where it yields implausibly much.

    Args:
        path: Name for messages.
        opener: Opens the file itself.
        unpack: Unpacks it, if it is packed,
        packed: from so many bytes.
        most: Bytes to unpack at most, whatever the ratio.
    """
    return io.BufferedReader(_Guarded(path, opener, unpack, packed, most))


class _Guarded(io.RawIOBase):
    """The reader of `guarded`."""

    def __init__(
        self,
        path: str,
        opener: Callable[[], IO[bytes]],
        unpack: Callable[[IO[bytes]], IO[bytes]] | None,
        packed: int | None,
        most: int | None,
    ) -> None:
        """See `guarded`."""
        super().__init__()
        self._path = path
        self._limit = None if packed is None else FREE + LARGEST_RATIO * packed
        self._is_listing = most is not None and self._limit is not None and most < self._limit
        if self._is_listing:
            self._limit = most
        with told(path):
            self._below = self._file = opener()
            if unpack is not None:
                self._file = unpack(self._below)

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return self._file.seekable()

    @override
    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        with told(self._path):
            content = self._some(len(view))
            if self._limit is not None and self._file.tell() > self._limit:
                raise self._too_much()
        view[: len(content)] = content
        return len(content)

    def _too_much(self) -> MemberError:
        if self._is_listing:
            return MemberError(
                f"{self._path}: only its first {(self._limit or 0) >> 20} MiB were looked through; the rest is read when it is loaded."
            )
        return MemberError(
            f"{self._path}: unpacks to more than {LARGEST_RATIO} times its size, as a zip bomb does. Not read on."
        )

    def _some(self, size: int) -> bytes:
        """Read what can be had at once: an error in what follows must not take it along."""
        read = getattr(self._file, "read1", self._file.read)
        content: bytes = read(size)
        return content

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        with told(self._path):
            if self._limit is not None and whence == io.SEEK_SET and offset > self._limit:
                raise self._too_much()  # seeking would unpack everything before
            return self._file.seek(offset, whence)

    @override
    def tell(self) -> int:
        return self._file.tell()

    @override
    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._below.close()
        super().close()


class Joined(io.RawIOBase):
    """Files that follow one another, read as one (``export.zip.001``, ``.002`` ...)."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open the parts in their order."""
        super().__init__()
        self._paths = paths
        self._sizes = [path.stat().st_size for path in paths]
        self._at = 0
        self._part = -1
        self._file: IO[bytes] | None = None

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self._at

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        start = {0: 0, 1: self._at, 2: sum(self._sizes)}[whence]
        if start + offset < 0:
            raise OSError("a position before the beginning")
        self._at = start + offset
        return self._at

    @override
    def readinto(self, buffer: Buffer) -> int:
        before = 0
        for part, size in enumerate(self._sizes):
            if self._at < before + size:
                file = self._open(part)
                file.seek(self._at - before)
                view = memoryview(buffer)
                content = file.read(min(len(view), before + size - self._at))
                view[: len(content)] = content
                self._at += len(content)
                return len(content)
            before += size
        return 0

    def _open(self, part: int) -> IO[bytes]:
        if self._file is None or part != self._part:
            if self._file is not None:
                self._file.close()
            self._part, self._file = part, self._paths[part].open("rb")
        return self._file

    @override
    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()
