"""Archives: zip, tar (plain, gzip, bzip2, xz) and single packed files, opened in place.

zip and tar by way of the standard library (``zipfile``, ``tarfile``), which never extracts here. Names inside are labels
only; those that point outside, links and devices are refused, and told.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from tap_kit.export_guard import FREE, LARGEST_RATIO, guarded, told
from tap_kit.export_members import LockedError, Member, MemberError
from tap_kit.export_salvage import salvaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Opener = Callable[[], IO[bytes]]

_UNPACKERS: dict[str, tuple[str, Callable[[IO[bytes]], Any]]] = {
    ".gz": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    ".bz2": ("bzip2", bz2.BZ2File),
    ".xz": ("xz", lzma.LZMAFile),
}
_TAR = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz))$", re.IGNORECASE)
_SHORT = {".tgz": ".gz", ".tbz": ".bz2", ".tbz2": ".bz2", ".txz": ".xz"}
_METHODS = {zipfile.ZIP_DEFLATED: "deflate", zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "lzma"}
_AES = 99
"""WinZip's sign for it, in place of the method."""

_UTF8_NAME = 0x800
_MAX_TAR_HEADER_BYTES = 1 << 20
"""Of a name or of the extended fields of a member; real ones have a few hundred."""

_OUTSIDE = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^[A-Za-z]:[/\\]|\x00")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of an archive is looked into.

    Attributes:
        members: Members of one archive.
        directory_bytes: Directory of a zip, which is held in memory while the zip is open.
        inner_bytes: A zip inside a zip, which is held in memory; a larger one is a member like others.
        unpacked_bytes: Of a packed tar, to list it; None: what its size makes plausible.
        password: For locked zips.
    """

    members: int = 1_000_000
    directory_bytes: int = 256 << 20
    inner_bytes: int = 256 << 20
    unpacked_bytes: int | None = None
    password: bytes | None = None


READING = Bounds()
LOOKING = Bounds(members=50_000, directory_bytes=8 << 20, inner_bytes=32 << 20, unpacked_bytes=256 << 20)
"""To recognise what an archive holds, in little time and memory."""


def is_archive(name: str) -> bool:
    """Tell whether a file of this name holds other files."""
    return name.lower().endswith(".zip") or _TAR.search(name) is not None


def is_packed(name: str) -> bool:
    """Tell whether a file of this name is an archive or a single packed file."""
    return is_archive(name) or name.lower().endswith(tuple(_UNPACKERS))


class Held:
    """An open file or archive, opened when it is needed and closed when there is no need for it for a while."""

    def __init__(self, *makers: Callable[..., Any]) -> None:
        """Hold what the last of *makers* makes of what the one before it made, and so on."""
        self._makers = makers
        self._opened: list[Any] = []

    def get(self) -> Any:
        """Return it, opened."""
        if not self._opened:
            for make in self._makers:
                self._opened.append(make(*self._opened[-1:]))
        return self._opened[-1]

    def close(self) -> None:
        """Close it; `get` opens it again."""
        while self._opened:
            self._opened.pop().close()


def open_archive(path: str, opener: Opener, size: int, bounds: Bounds = READING) -> tuple[list[Member], Held]:
    """List what *path* holds; a zip inside a zip counts as a folder of it.

    Args:
        path: Name of the file, from the named folder on.
        opener: Opens it at its beginning; the file can be positioned.
        size: Its bytes.
        bounds: How much is looked into.

    Returns:
        The members, and what is open for them.

    Raises:
        MemberError: It cannot be read at all.
    """
    if size == 0:
        raise MemberError(f"{path}: empty. Get it again.")
    is_zip, is_tar = path.lower().endswith(".zip"), _TAR.search(path) is not None
    if is_zip:
        held = Held(opener, partial(_as_zip, path, bounds))
    elif is_tar:
        held = Held(_unpacked(path, opener, size, bounds.unpacked_bytes), _as_tar)
    else:
        return [_packed_file(path, opener, size)], Held()
    try:
        with told(path):
            if is_zip:
                return _whole_or_salvaged(held, path, opener, size, bounds), held
            return list(_tar_members(path, held, bounds)), held
    finally:
        held.close()


# zip


def _as_zip(path: str, bounds: Bounds, file: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip, unless its directory is too large to be held."""
    size = _directory_bytes(file)
    if size > bounds.directory_bytes:
        raise MemberError(
            f"{path}: its directory has {size >> 20} MiB, more than {bounds.directory_bytes >> 20} MiB. Not read."
        )
    return zipfile.ZipFile(file)


def _directory_bytes(file: IO[bytes]) -> int:
    """Return the size that the end of a zip states for its directory; 0 if there is no end.

    Source: APPNOTE.TXT of PKWARE, 4.3.16 and 4.3.14.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - _LONGEST_END))
    tail = file.read(_LONGEST_END)
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 16 > len(tail):
        return 0
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    at = tail.rfind(b"PK\x06\x06", 0, at)
    if at >= 0:
        size = max(size % 0xFFFFFFFF, int.from_bytes(tail[at + 40 : at + 48], "little"))
    return size


_LONGEST_END = (1 << 16) + 128


def _whole_or_salvaged(held: Held, path: str, opener: Opener, size: int, bounds: Bounds) -> list[Member]:
    """List a zip; of one without its end, what can be found, and that it is damaged."""
    try:
        held.get()
    except zipfile.BadZipFile:
        found = list(islice(salvaged(path, opener, size), bounds.members))
        if not found:
            raise
        damage = f"{path}: damaged or cut off. What can be found in it is read; get it anew if you can."
        return [*found, Member(path=path, name="", opener=partial(_unreadable, path), damage=damage)]
    return list(_unfolded(_zip_members(held, path, "", size, bounds), bounds))


def _zip_members(held: Held, path: str, prefix: str, size: int, bounds: Bounds) -> Iterator[Member]:
    """List a zip of *size* bytes; *prefix* is its own name within the export."""
    infos = [info for info in held.get().infolist() if not info.is_dir()]
    if len(infos) > bounds.members or sum(info.compress_size for info in infos) > size:
        raise MemberError(f"{path}: its members overlap or are too many, as in a zip bomb. Not read.")
    for info in infos:
        name = _zip_name(info)
        where = f"{path}/{name}"
        yield Member(
            path=where,
            name=prefix + name,
            opener=partial(guarded, where, partial(_open_zipped, held, info, bounds.password)),
            size=info.file_size,
            modified=_zip_time(info),
            compression=_METHODS.get(info.compress_type),
            refused=_refusal(name) or _refused_zip(info),
        )


def _open_zipped(held: Held, info: zipfile.ZipInfo, password: bytes | None) -> IO[bytes]:
    file: IO[bytes] = held.get().open(info, pwd=password)
    return file


def _unfolded(members: Iterator[Member], bounds: Bounds) -> Iterator[Member]:
    """Put in place of a zip inside a zip what it holds: one level, of bounded size, one of them in memory at a time."""
    open_one: list[Held] = []

    def unpack(member: Member) -> io.BytesIO:
        for other in open_one:
            other.close()
        content = io.BytesIO()  # filled bit by bit, as a second copy would double the memory
        for chunk in member.chunks():
            if content.tell() + len(chunk) > bounds.inner_bytes:
                raise MemberError(f"{member.path}: larger than {bounds.inner_bytes >> 20} MiB. Not read.")
            content.write(chunk)
        content.seek(0)
        return content

    for member in members:
        found = [member]
        size = member.size or 0
        if not member.refused and member.name.lower().endswith(".zip") and size <= bounds.inner_bytes:
            held = Held(partial(unpack, member), partial(_as_zip, member.path, bounds))
            try:
                with told(member.path):
                    found = list(_zip_members(held, member.path, f"{member.name}/", size, bounds))
            except LockedError as error:
                member.refused, member.locked = str(error), True
            except MemberError as error:
                member.damage = str(error)
            held.close()
            open_one.append(held)
        yield from found


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return the name; without the mark for UTF-8 it is tried first, as phones and Macs forget the mark."""
    name = info.filename
    if not info.flag_bits & _UTF8_NAME:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name


def _zip_time(info: zipfile.ZipInfo) -> str | None:
    with suppress(ValueError):
        return datetime(*info.date_time).isoformat()  # noqa: DTZ001 - a zip does not say the zone
    return None


def _refused_zip(info: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a symbolic link"
    if info.compress_type == _AES:
        return "locked with AES, which cannot be opened here. Unpack it by hand"
    if info.file_size > FREE + LARGEST_RATIO * info.compress_size:
        return f"unpacks to more than {LARGEST_RATIO} times its size, as a zip bomb does"
    return ""


def _refusal(name: str) -> str:
    return "its path leaves the archive" if _OUTSIDE.search(name) else ""


# tar and single packed files


def _unpacked(path: str, opener: Opener, size: int, most: int | None = None) -> Opener:
    """Return what opens the content of a packed file, guarded against bombs."""
    suffix = "." + path.lower().rpartition(".")[2]
    unpacker = _UNPACKERS.get(_SHORT.get(suffix, suffix))
    if unpacker is None:
        return partial(guarded, path, opener)
    _name, unpack = unpacker
    return partial(guarded, path, opener, unpack, size, most)


def _tar_members(path: str, held: Held, bounds: Bounds) -> Iterator[Member]:
    """List a tar, up to where it is damaged; packed ones are read through for that."""
    suffix = "." + path.lower().rpartition(".")[2]
    packed = _UNPACKERS.get(_SHORT.get(suffix, suffix), (None, None))[0]
    count = 0
    try:
        with told(path):
            archive = held.get()
            while info := archive.next():
                archive.members.clear()  # it would keep each, besides the ones below
                count += 1
                _check_count(path, count, bounds)
                if info.isdir():
                    continue
                where = f"{path}/{info.name}"
                yield Member(
                    path=where,
                    name=info.name,
                    opener=partial(guarded, where, partial(_open_tarred, held, info)),
                    size=info.size,
                    modified=_tar_time(info),
                    compression=packed,
                    refused=_refusal(info.name) or _refused_tarred(info),
                )
    except MemberError as error:
        if not count:
            raise
        yield Member(path=path, name="", opener=partial(_unreadable, path), damage=str(error))


def _check_count(path: str, count: int, bounds: Bounds) -> None:
    if count > bounds.members:
        raise MemberError(f"{path}: more than {bounds.members:,} members. The others were not looked at.")


class _BoundedHeader(tarfile.TarInfo):
    """A header whose extensions (long names, further fields) are of plausible size: ``tarfile`` reads these into memory at once."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if not self.isreg() and not self.isdir() and self.size > _MAX_TAR_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size >> 20} MiB")
        return super()._proc_member(tar)  # type: ignore[misc] # the hook that tarfile names for subclasses


def _as_tar(file: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="r:", tarinfo=_BoundedHeader)


def _tar_time(info: tarfile.TarInfo) -> str | None:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(info.mtime, UTC).isoformat()
    return None


def _refused_tarred(info: tarfile.TarInfo) -> str:
    if info.issparse():
        return "a sparse file, whose size says nothing of its content. Unpack it by hand"
    return "" if info.isreg() else "a link or device"


def _open_tarred(held: Held, info: tarfile.TarInfo) -> IO[bytes]:
    file: IO[bytes] | None = held.get().extractfile(info)
    if file is None:
        raise MemberError(f"{info.name}: not a file.")
    return file


def _unreadable(path: str) -> IO[bytes]:
    raise MemberError(f"{path}: damaged or cut off.")


def _packed_file(path: str, opener: Opener, size: int) -> Member:
    suffix = "." + path.lower().rpartition(".")[2]
    return Member(
        path=path,
        name=path.rpartition("/")[2][: -len(suffix)],
        opener=_unpacked(path, opener, size),
        compression=_UNPACKERS[suffix][0],
    )
