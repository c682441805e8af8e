"""Which profiles are read: those that the settings name, else all that the browsers of this machine have."""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_browser_history.labels import browser_label, choose
from tap_browser_history.places import FIREFOX, folders
from tap_kit import TapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

DATABASES = ("History", "places.sqlite", "History.db", "history.sqlite", "browser.db")
"""Names under which browsers keep their history; a file of another name has to be named itself."""


@dataclass(frozen=True)
class Profile:
    """A database of history, and the label under which its records land."""

    label: str
    path: Path


def profiles_of_machine(platform: str, home: Path, environment: Mapping[str, str]) -> list[Profile]:
    """Find the profiles of all browsers; the label is ``<browser>/<profile folder>``."""
    found: dict[Path, Profile] = {}
    for browser, folder, patterns in folders(platform, home, environment):
        for path in _databases_below(folder, patterns):
            label = browser if path.parent == folder else f"{browser}/{path.parent.name}"
            found.setdefault(path, Profile(label, path))
    return list(found.values())


def profiles_of_settings(
    named: Iterable[Mapping[str, Any]], project: Path, known: AbstractSet[tuple[str, str]] = frozenset()
) -> list[Profile]:
    """Find the databases that the settings name.

    Args:
        named: Objects with ``path`` (of a database, or of a folder that is searched for databases) and perhaps ``label``.
        project: Folder that relative paths start from.
        known: Labels and paths that the previous run had.

    Raises:
        TapError: A path does not exist, or a folder holds no database.
    """
    found: dict[Path, Profile] = {}
    taken: dict[str, str] = {}
    for entry in named:
        place = project / Path(entry["path"]).expanduser()
        for path in _named_databases(place):
            old, new = path.parent.name, browser_label(path.parent)
            before = taken if (old, str(path)) in known else None
            label = entry.get("label") or choose(old, new, before)
            found.setdefault(path, Profile(label, path))
    return list(found.values())


def _named_databases(place: Path) -> list[Path]:
    if not place.is_dir():
        if not place.exists():
            raise TapError(f"The settings name {place}, which does not exist. Correct or remove it.")
        return [place]
    paths = sorted(path for path in place.rglob("*") if path.name in DATABASES and path.is_file())
    if not paths:
        raise TapError(
            f"The settings name the folder {place}, in which no file is called {', '.join(DATABASES)}. "
            "Name the file itself."
        )
    return paths


def _databases_below(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        # A glob would pass over a folder that may not be looked at.
        paths = sorted(folder.glob(pattern)) if "*" in pattern else [folder / pattern]
        yield from (path for path in paths if _is_there(path))
    if patterns is FIREFOX:
        for profile in _profiles_ini(folder):
            if _is_there(profile / "places.sqlite"):
                yield profile / "places.sqlite"


def _is_there(path: Path) -> bool:
    """Tell whether there is such a file; one that may not be looked at is there, so that its error is told."""
    try:
        return path.is_file()
    except PermissionError:
        return True


def _profiles_ini(folder: Path) -> Iterator[Path]:
    """List the folders that Firefox's ``profiles.ini`` names, which may lie anywhere."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(folder / "profiles.ini", encoding="utf-8-sig")
    except (OSError, UnicodeError, configparser.Error):
        return
    for name in parser.sections():
        path = parser[name].get("Path")
        if name.startswith("Profile") and path:
            yield folder / path  # an absolute one stays as it is
