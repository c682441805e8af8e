"""What is in the inbox, and which tap it is for.

A tap states in its plugin definition what it accepts (``annotations: bronze: inbox:``): the setting that receives the path, and
signs, each a regular expression of a complete member path, possibly one that occurs in the member's first 64 KiB, and what that
means. Archives are read by `tap_kit`, exactly as the taps read them, within narrower bounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from tap_kit.export_archives import LOOKING, is_packed
from tap_kit.export_find import each_export, label_of
from tap_kit.export_members import LITTER, Export, MemberError, plain_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tap_kit.export_members import Member
    from target_postgres_bronze.operator.plugins import Plugin

_MAX_LOOKED_INTO: Final = 20
_MAX_FILES: Final = 100_000


@dataclass(frozen=True)
class Sign:
    """How a tap recognises its files."""

    member: str
    means: str
    content: str = ""

    def fits(self, drop: Drop) -> bool:
        """Return whether *drop* has it."""
        pattern = re.compile(self.member, re.IGNORECASE | re.DOTALL)
        named = [
            file
            for file in drop.files
            if pattern.fullmatch(file.name) or pattern.fullmatch(plain_name(file.name))
        ]
        if not self.content:
            return bool(named)
        content = re.compile(self.content.encode())
        return any(content.search(drop.head(file)) for file in named[:_MAX_LOOKED_INTO])


@dataclass(frozen=True)
class File:
    """A file in a drop.

    Attributes:
        name: Its path, from the inbox on; in an archive, the archive's name comes first.
        head: Returns its first bytes.
    """

    name: str
    head: Callable[[], bytes]


@dataclass
class Drop:
    """A file, a set of files or a folder in the inbox.

    Attributes:
        path: Its path; of a set, that of the first file.
        files: The files in it.
        moment: When the newest of them was modified, as text that sorts.
        problems: A sentence for each archive that cannot be opened, or not completely.
        is_empty: There is not a byte in it.
        archives: The archives in it, which `head` opens.
    """

    path: Path
    files: list[File] = field(default_factory=list)
    moment: str = ""
    problems: list[str] = field(default_factory=list)
    is_empty: bool = False
    archives: list[Export] = field(default_factory=list)

    def close(self) -> None:
        """Close the archives that are open for its files."""
        for archive in self.archives:
            archive.close()

    def head(self, file: File) -> bytes:
        """Return the first bytes of a file in it; nothing if it cannot be read."""
        try:
            return file.head()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one file, the others are looked at
            sentence = (
                str(error) if isinstance(error, MemberError) else f"{file.name}: {type(error).__name__}."
            )
            if sentence not in self.problems:
                self.problems.append(sentence)
            return b""

    @property
    def exports(self) -> list[str]:
        """What taps call it: the file or folder, or what its pieces have in common."""
        return [self.path.name, label_of(self.path)]


def drops_in(inbox: Path) -> list[Drop]:
    """Look at what is in *inbox*, oldest first; hidden files are left alone, links not followed."""
    sets: dict[str, list[Path]] = {}
    for entry in sorted(inbox.iterdir()):
        is_litter = LITTER.search(f"{entry.name}/" if entry.is_dir() else entry.name)
        is_hidden = entry.name.startswith(".") and not entry.is_dir()
        if not (is_hidden or is_litter or entry.is_symlink()):
            sets.setdefault(label_of(entry), []).append(entry)
    drops = [look_at(entries[0]) for entries in sets.values()]
    return sorted(drops, key=lambda drop: (drop.moment, drop.path.name))


def look_at(path: Path) -> Drop:
    """Look at a file or a folder, and at the other files of its set; whatever is wrong with it becomes a sentence."""
    drop = Drop(path)
    prefix = f"{path.name}/" if path.is_dir() else ""
    try:
        drop.is_empty = _is_empty(path)
        drop.moment = _local(datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat())
        found = [_add(drop, export, prefix) for export in each_export(path, None, LOOKING)]
        drop.moment = max(found, default="") or drop.moment
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one drop, the others are read
        drop.problems.append(f"{path.name}: cannot be looked at ({type(error).__name__}). Get it again.")
    return drop


def _add(drop: Drop, export: Export | tuple[str, MemberError], prefix: str) -> str:
    """Add the files of *export*, or why it cannot be opened; return when the newest of them was modified."""
    if not isinstance(export, Export):
        drop.problems.append(str(export[1]))
        return ""
    for member in export.members:
        if member.damage:
            drop.problems.append(member.damage)
        if member.name and not member.ignored and len(drop.files) < _MAX_FILES:
            # a loose file's path begins in its folder, an archived one's with its archive
            drop.files.append(File(prefix + _unpacked_name(member), partial(_head, member)))
    export.close()
    drop.archives.append(export)
    return max((_local(member.modified) for member in export.members if member.modified), default="")


def _unpacked_name(member: Member) -> str:
    """Return the path of a member; a single packed file is called what it unpacks to."""
    archive = member.path.rpartition("/")[2]
    if is_packed(archive) and archive.startswith(f"{member.name}."):
        return member.path.removesuffix(archive) + member.name
    return member.path


def _head(member: Member) -> bytes:
    return b"" if member.refused or member.damage else member.head()


def _local(modified: str) -> str:
    """Return a time of a file as a zip has it: local, without zone."""
    moment = datetime.fromisoformat(modified)
    return (moment.astimezone() if moment.tzinfo else moment).replace(tzinfo=None).isoformat()


def _is_empty(path: Path) -> bool:
    files = (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else iter((path,))
    return not any(file.stat().st_size or not file.is_file() for file in files)


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
        try:
            return next((sign.means for sign in self.signs if sign.fits(drop)), "")
        finally:
            drop.close()


def takers(plugins: Iterable[Plugin]) -> list[Taker]:
    """Return the taps that say what files they take."""
    found = []
    for plugin in plugins:
        said = plugin.definition.get("annotations", {}).get("bronze", {}).get("inbox")
        if plugin.kind == "extractors" and said:
            signs = tuple(Sign(**sign) for sign in said["signs"])
            found.append(Taker(plugin, said["setting"], signs))
    return found
