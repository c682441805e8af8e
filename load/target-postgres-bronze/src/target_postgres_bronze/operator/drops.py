"""What lies in the inbox, and which tap it is for.

A tap says in its plugin definition what it takes (``annotations: bronze: inbox:``): the setting that gets the path, and
signs, each a regular expression of a member's name, perhaps one that occurs in its first 64 KiB, and what that means.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from typing_extensions import Buffer, override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from target_postgres_bronze.operator.plugins import Plugin

_HEAD: Final = 1 << 16
_MOST_LOOKED_INTO: Final = 20
_LARGEST_INNER: Final = 256 << 20
_MOST_NAMES: Final = 200_000
_PIECE: Final = re.compile(r"(.+\.(?:zip|tar|tgz|gz|bz2|xz))\.(\d{2,4})$", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"(.+?)[-_](\d{3})\.(zip|tgz)$", re.IGNORECASE)
_UNPACK: Final[dict[str, Callable[[IO[bytes]], Any]]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
_HEADER: Final = re.compile(rb"PK\x03\x04")
_MEMBER: Final = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_DAMAGE: Final = (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Sign:
    """By what a tap recognises its files."""

    member: str
    means: str
    content: str = ""

    def fits(self, drop: Drop) -> bool:
        """Tell whether *drop* has it."""
        named = [name for name in drop.names if re.fullmatch(self.member, name, re.IGNORECASE | re.DOTALL)]
        if not self.content:
            return bool(named)
        return any(re.search(self.content.encode(), drop.head(name)) for name in named[:_MOST_LOOKED_INTO])


@dataclass
class Drop:
    """A file, a set of files or a folder in the inbox.

    Attributes:
        path: Where it is; of a set the first file.
        names: Files in it, from the inbox on; those in an archive with its name before them.
        moment: When the newest of them was made, as text that sorts.
        damaged: Archives that cannot be opened.
        is_empty: There is not a byte in it.
    """

    path: Path
    names: list[str] = field(default_factory=list)
    moment: str = ""
    damaged: list[str] = field(default_factory=list)
    is_empty: bool = False
    _openers: dict[str, Callable[[], bytes]] = field(default_factory=dict)

    def head(self, name: str) -> bytes:
        """Return the first bytes of a file in it; nothing where it cannot be read."""
        with suppress(*_DAMAGE):
            return self._openers[name]()
        return b""

    @property
    def exports(self) -> list[str]:
        """What taps call it: the file or folder, or what its pieces have in common."""
        return [self.path.name, _whole(self.path)]

    def add(self, name: str, moment: str, opener: Callable[[], bytes]) -> None:
        """Note a file."""
        if len(self.names) < _MOST_NAMES:
            self.names.append(name)
            self._openers[name] = opener
            self.moment = max(self.moment, moment)


def drops_in(inbox: Path) -> list[Drop]:
    """Look at what lies in *inbox*, oldest first; hidden files are left alone, links not followed."""
    sets: dict[str, list[Path]] = {}
    for entry in sorted(inbox.iterdir()):
        if not entry.name.startswith(".") and not entry.is_symlink():
            sets.setdefault(_whole(entry), []).append(entry)
    drops = [look_at(entries) for entries in sets.values()]
    return sorted(drops, key=lambda drop: (drop.moment, drop.path.name))


def _whole(entry: Path) -> str:
    """Return the name that the pieces of one archive, or the archives of one export, have in common."""
    if match := _PIECE.match(entry.name):
        return match[1]
    if match := _NUMBERED.match(entry.name):
        first = entry.name[: match.start(2)] + "001" + entry.name[match.end(2) :]
        if entry.with_name(first).exists():
            return f"{match[1]}.{match[3]}"
    return entry.name


def look_at(entries: list[Path]) -> Drop:
    """Look at a file, a folder, or the files of a set."""
    drop = Drop(entries[0])
    if _PIECE.match(entries[0].name):
        _look_into(drop, _whole(entries[0]), lambda: io.BufferedReader(_Joined(entries)), _time(entries[0]))
        return drop
    drop.is_empty = True
    for entry in entries:
        files = _files(entry) if entry.is_dir() else [entry]
        for file in files:
            drop.is_empty &= file.stat().st_size == 0
            name = file.relative_to(entry.parent).as_posix()
            _look_into(drop, name, lambda file=file: file.open("rb"), _time(file))  # type: ignore[misc]
    return drop


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.is_symlink())


def _time(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime).isoformat()  # noqa: DTZ006 - as a zip has it: of this place


def _look_into(drop: Drop, name: str, opener: Callable[[], IO[bytes]], moment: str) -> None:
    """Note a file, and what is in it if it is an archive."""
    try:
        if name.lower().endswith(".zip"):
            _look_into_zip(drop, name, opener)
            return
        if re.search(r"\.(?:tar(?:\.(?:gz|bz2|xz))?|tgz|tbz2?|txz)$", name, re.IGNORECASE):
            _look_into_tar(drop, name, opener, moment)
            return
    except _DAMAGE:
        drop.damaged.append(name)
        for member in _names_without_directory(opener):
            drop.add(f"{name}/{member}", moment, bytes)
    unpack = _UNPACK.get("." + name.lower().rpartition(".")[2])
    if unpack is not None:
        name = name.rpartition(".")[0]

    def head() -> bytes:
        with opener() as file:
            content: bytes = (unpack(file) if unpack else file).read(_HEAD)
            return content

    drop.add(name, moment, head)


def _look_into_tar(drop: Drop, name: str, opener: Callable[[], IO[bytes]], moment: str) -> None:
    def head(member: str) -> bytes:
        with opener() as file, tarfile.open(fileobj=file) as archive:
            content = archive.extractfile(next(info for info in archive if info.name == member))
            return content.read(_HEAD) if content else b""

    with opener() as file, tarfile.open(fileobj=file) as archive:
        for info in archive:
            if info.isreg():
                drop.add(f"{name}/{info.name}", moment, partial(head, info.name))


def _look_into_zip(drop: Drop, name: str, opener: Callable[[], IO[bytes]], *, is_inner: bool = False) -> None:
    """Note what a zip holds; one inside it counts as a folder, as taps read it."""

    def head(member: str, size: int = _HEAD) -> bytes:
        with opener() as file, zipfile.ZipFile(file) as archive, archive.open(member) as content:
            return content.read(size)

    with opener() as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            moment = "-".join(f"{part:02}" for part in info.date_time[:3])
            where = f"{name}/{info.filename}"
            drop.add(where, moment, partial(head, info.filename))
            if info.filename.lower().endswith(".zip") and not is_inner and info.file_size <= _LARGEST_INNER:
                with suppress(*_DAMAGE):
                    inner = head(info.filename, _LARGEST_INNER)
                    _look_into_zip(drop, where, partial(io.BytesIO, inner), is_inner=True)


def _names_without_directory(opener: Callable[[], IO[bytes]]) -> list[str]:
    """Return the names in the first MiB of a zip that has lost its end; each member has a header of its own."""
    with opener() as file:
        content = file.read(1 << 20)
    found = (_MEMBER.match(content, place.start()) for place in _HEADER.finditer(content))
    return [
        content[match.end() : match.end() + int.from_bytes(match[1], "little")].decode("utf-8", "replace")
        for match in found
        if match
    ]


class _Joined(io.RawIOBase):
    """The pieces of a split archive as one file; they may be larger than the memory."""

    def __init__(self, pieces: Sequence[Path]) -> None:
        """Take them in their order."""
        super().__init__()
        self._pieces = pieces
        self._sizes = [piece.stat().st_size for piece in pieces]
        self._at = 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = max(0, {0: 0, 1: self._at, 2: sum(self._sizes)}[whence] + offset)
        return self._at

    @override
    def readinto(self, buffer: Buffer) -> int:
        view, before = memoryview(buffer), 0
        for piece, size in zip(self._pieces, self._sizes, strict=True):
            if self._at < before + size:
                with piece.open("rb") as file:
                    file.seek(self._at - before)
                    content = file.read(min(len(view), before + size - self._at))
                view[: len(content)] = content
                self._at += len(content)
                return len(content)
            before += size
        return 0


@dataclass(frozen=True)
class Taker:
    """A tap that takes files from the inbox."""

    plugin: Plugin
    setting: str
    signs: tuple[Sign, ...]

    @property
    def label(self) -> str:
        """Its name for people."""
        return str(self.plugin.definition.get("label") or self.plugin.name)

    @property
    def variable(self) -> str:
        """The environment variable that gives it the path."""
        return self.plugin.variable({"name": self.setting})

    def why(self, drop: Drop) -> str:
        """Say why it takes *drop*; empty where it does not."""
        return next((sign.means for sign in self.signs if sign.fits(drop)), "")


def takers(plugins: Iterable[Plugin]) -> list[Taker]:
    """Return the taps that say what files they take."""
    found = []
    for plugin in plugins:
        said = plugin.definition.get("annotations", {}).get("bronze", {}).get("inbox")
        if plugin.kind == "extractors" and said:
            signs = tuple(Sign(**sign) for sign in said["signs"])
            found.append(Taker(plugin, said["setting"], signs))
    return found
