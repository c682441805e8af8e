"""Finds exports under a named path: archives, sets of split archives, and loose files; links are not followed."""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tap_kit.export_archives import READING, Bounds, Held, is_packed, open_archive
from tap_kit.export_guard import Joined, guarded, told
from tap_kit.export_members import Export, Member, MemberError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PART = re.compile(r"(?P<whole>.+\.(?:zip|tar|tgz|gz|bz2|xz))\.(?P<number>\d{2,4})$", re.IGNORECASE)
"""One of the pieces that a large file was cut into."""

_SET = re.compile(r"(?P<stem>.+?)[-_](?P<number>\d{3})\.(?P<kind>zip|tgz)$", re.IGNORECASE)
"""One of several archives that are one export (Google Takeout: ``takeout-20240301T091244Z-001.zip``)."""

_NAMED_PARTS = 20
_SPANNED = re.compile(r".+\.z\d\d$", re.IGNORECASE)


def find_exports(
    path: Path, password: str | None, bounds: Bounds = READING
) -> tuple[list[Export], list[tuple[str, MemberError]]]:
    """List the exports at *path*, a file or folder.

    Args:
        path: Where to look.
        password: For locked zips.
        bounds: How much of an archive is looked into.

    Returns:
        The exports, and for each file that could not be opened its path and the error.
    """
    exports: list[Export] = []
    failures: list[tuple[str, MemberError]] = []
    for found in each_export(path, password, bounds):
        if isinstance(found, Export):
            exports.append(found)
        else:
            failures.append(found)
    return exports, failures


def each_export(
    path: Path, password: str | None, bounds: Bounds = READING
) -> Iterator[Export | tuple[str, MemberError]]:
    """Yield what `find_exports` lists, one by one."""
    if not (path.is_file() or path.is_dir()):
        yield path.name, MemberError(f"{path.name}: neither a file nor a folder. Not read.")
        return
    base = path if path.is_dir() else path.parent
    files, left = _files(path) if path.is_dir() else (_with_its_set(path), [])
    bounds = replace(bounds, password=password.encode() if password else None)
    loose: list[Member] = []
    for label, parts in _grouped(files, base).items():
        if not is_packed(label):
            loose += [_loose(part, base) for part in parts]
            continue
        try:
            with told(label):
                export = _opened(label, parts, base, bounds)
            yield _owned(export)
        except MemberError as error:
            yield label, error
    if loose:
        loose += [
            Member(name, name, partial(_left_alone, name), refused=reason, ignored=True)
            for name, reason in left
        ]
        yield _owned(Export(path=path.name or str(path), members=loose))


def _owned(export: Export) -> Export:
    for member in export.members:
        member.export = export
    return export


def label_of(file: Path) -> str:
    """Return the name that the pieces of one archive, or the archives of one export, have in common; else the file's own."""
    if match := _PART.match(file.name):
        return match["whole"]
    if match := _SET.match(file.name):
        firsts = (file.with_name(f"{match['stem']}{dash}001.{match['kind']}") for dash in "-_")
        if any(
            first.exists() for first in firsts
        ):  # else it was numbered by someone, and is not one of a set
            return f"{match['stem']}.{match['kind']}"
    return file.name


def _with_its_set(file: Path) -> list[Path]:
    """Return *file*, and where it is one of several pieces or archives of an export, all of them."""
    if not (_PART.match(file.name) or _SET.match(file.name)):
        return [file]
    beside = [other for other in sorted(file.parent.iterdir()) if other.is_file() and not other.is_symlink()]
    groups = _grouped(beside, file.parent)
    return next((group for group in groups.values() if file in group), [file])


def _files(folder: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """List the files below *folder* in the order of their names, and what is left alone, from the folder on, with the reason."""
    found: list[Path] = []
    left: list[tuple[str, str]] = []
    for place, folders, names in os.walk(folder, followlinks=False):
        entries = {name: _why_left(Path(place, name)) for name in sorted((*folders, *names))}
        left += [
            (Path(place, name).relative_to(folder).as_posix(), why) for name, why in entries.items() if why
        ]
        folders[:] = [name for name in sorted(folders) if not entries[name]]
        found += [Path(place, name) for name in sorted(names) if not entries[name]]
    return found, left


def _why_left(path: Path) -> str:
    """Tell why something in a folder is not looked at; empty where it is."""
    if path.is_symlink():
        return "a symbolic link, which is not followed"
    return "" if path.is_file() or path.is_dir() else "no file"


def _left_alone(name: str) -> IO[bytes]:
    raise MemberError(f"{name}: left alone.")


def _grouped(files: list[Path], base: Path) -> dict[str, list[Path]]:
    """Group files by the export that they are of; the label is its path from *base* on."""
    groups: dict[str, list[Path]] = {}
    for file in files:
        name = file.relative_to(base).with_name(label_of(file)).as_posix()
        groups.setdefault(name, []).append(file)
    return groups


def _opened(label: str, parts: list[Path], base: Path, bounds: Bounds) -> Export:
    """Open an archive, the pieces of one, or the archives of a set."""
    pieces = [part for part in parts if _PART.match(part.name)]
    if pieces:
        _check_numbers(label, [int(part.suffix[1:]) for part in pieces])
        packed = [(label, _joining(pieces), sum(part.stat().st_size for part in pieces))]
    else:
        packed = [(part.relative_to(base).as_posix(), _opening(part), part.stat().st_size) for part in parts]
        numbers = [int(match["number"]) for part in parts if (match := _SET.match(part.name))]
        if len(parts) > 1:
            _check_numbers(label, numbers)
    members: list[Member] = []
    helds: list[Held] = []
    for path, opener, size in packed:
        found, held = open_archive(path, opener, size, bounds)
        members += found
        helds.append(held)
    wholes = [
        Member(path=path, name=path, opener=partial(guarded, path, opener), size=size)
        for path, opener, size in packed
    ]
    return Export(path=label, members=members, files=wholes, helds=helds)


def _opening(file: Path) -> Callable[[], IO[bytes]]:
    return lambda: file.open("rb")


def _joining(pieces: list[Path]) -> Callable[[], IO[bytes]]:
    return lambda: io.BufferedReader(Joined(pieces))


def _check_numbers(label: str, numbers: list[int]) -> None:
    first = min(numbers)
    missing = sorted(set(range(first, max(numbers) + 1)) - set(numbers))
    if first > 1 or missing:
        named = ", ".join(
            f"{number:03}" for number in missing[:_NAMED_PARTS] or range(1, first)[:_NAMED_PARTS]
        )
        raise MemberError(
            f"{label}: of the split archive the parts {named} are missing. Put them beside the others."
        )


def _loose(file: Path, base: Path) -> Member:
    name = file.relative_to(base).as_posix()
    status = file.stat()
    refused = ""
    if _SPANNED.match(name):
        refused = "a piece of a spanned zip. Join it first: zip -s 0 NAME.zip --out whole.zip"
    return Member(
        path=name,
        name=name,
        opener=partial(guarded, name, _opening(file)),
        size=status.st_size,
        modified=datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds"),
        refused=refused,
    )
