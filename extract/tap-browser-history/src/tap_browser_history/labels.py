"""Labels of profiles that were copied or named: browser and profile, as far as the path shows them.

Two browsers may call a profile the same (``Default``), so the folder alone is not a name. Until November 2026 it was, and rows were
loaded under it: a label that the state knows stays with the browser that has it.
"""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from tap_browser_history.places import folders

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_PROFILES = "profiles"
"""Folder between that of a browser and those of its profiles, for relatives of Firefox and for Safari."""


def browser_label(folder: PurePath) -> str | None:
    """Return ``<browser>/<profile>`` as for a profile in use; None if the path of the profile's folder shows no browser."""
    steps = [step.lower() for step in folder.parts]
    above = steps[:-2] if steps[-2:-1] == [_PROFILES] else steps[:-1]
    length, browser = _browser(above)
    own_length, own = _browser(steps)  # a browser without folders for profiles
    if own_length > length:
        return own
    return f"{browser}/{folder.name}" if browser else None


def choose(old: str, new: str | None, taken: MutableMapping[str, str] | None) -> str:
    """Choose a profile's label.

    Args:
        old: The folder's name.
        new: With the browser, if the path shows it.
        taken: Labels of the old kind and the browser that has each, if rows may have been loaded under such labels;
            extended in place. None: there are no such rows.
    """
    if new is None:
        return old
    if taken is None:
        return new
    browser = new.partition("/")[0]
    return old if taken.setdefault(old, browser) == browser else new


def _browser(steps: list[str]) -> tuple[int, str]:
    """Return the browser whose folder *steps* end with, and how many of them name it; 0 and no name if there is none."""
    fitting = (
        (len(known), browser) for known, browser in _KNOWN.items() if tuple(steps[-len(known) :]) == known
    )
    return max(fitting, default=(0, ""))


def _known_folders() -> dict[tuple[str, ...], str]:
    """Return the browsers by the steps of their folders in lower case: from the home folder on, and without the system's base."""
    found: dict[tuple[str, ...], str] = {}
    for platform in ("linux", "darwin", "win32"):
        for browser, folder, _ in folders(platform, Path("/"), {}):
            steps = tuple(step.lower() for step in folder.parts[1:])
            base = next((base for base in _BASES if steps[: len(base)] == base), ())
            for known in (steps, steps[len(base) :]):
                found[known] = min(browser, found.get(known, browser), key=len)
    return found


_BASES = (
    (".config",),
    (".local", "share"),
    ("library", "application support"),
    ("appdata", "local"),
    ("appdata", "roaming"),
)
_KNOWN = _known_folders()
