"""Where browsers keep their profiles on Linux, macOS and Windows.

A place is a base and a folder below it. Bases: ``home``; ``config`` and ``data`` (XDG, on Linux); ``support``
(``~/Library/Application Support``); ``local`` and ``roaming`` (``%LOCALAPPDATA%``, ``%APPDATA%``).
Source: the browsers' own documentation of their data directories; Flatpak and Snap give each its own home.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CHROMIUM = ("History", "*/History")
FIREFOX = ("*/places.sqlite", "Profiles/*/places.sqlite")
SAFARI = ("History.db", "Profiles/*/History.db")
QUTEBROWSER = ("history.sqlite",)

_CHROMIUM_LINUX = {
    "chrome": "config:google-chrome",
    "chrome-beta": "config:google-chrome-beta",
    "chrome-dev": "config:google-chrome-unstable",
    "chrome-flatpak": "home:.var/app/com.google.Chrome/config/google-chrome",
    "chromium": "config:chromium",
    "chromium-flatpak": "home:.var/app/org.chromium.Chromium/config/chromium",
    "chromium-snap": "home:snap/chromium/common/chromium",
    "ungoogled-flatpak": "home:.var/app/io.github.ungoogled_software.ungoogled_chromium/config/chromium",
    "edge": "config:microsoft-edge",
    "edge-beta": "config:microsoft-edge-beta",
    "edge-dev": "config:microsoft-edge-dev",
    "edge-flatpak": "home:.var/app/com.microsoft.Edge/config/microsoft-edge",
    "brave": "config:BraveSoftware/Brave-Browser",
    "brave-beta": "config:BraveSoftware/Brave-Browser-Beta",
    "brave-nightly": "config:BraveSoftware/Brave-Browser-Nightly",
    "brave-flatpak": "home:.var/app/com.brave.Browser/config/BraveSoftware/Brave-Browser",
    "brave-snap": "home:snap/brave/current/.config/BraveSoftware/Brave-Browser",
    "vivaldi": "config:vivaldi",
    "vivaldi-flatpak": "home:.var/app/com.vivaldi.Vivaldi/config/vivaldi",
    "opera": "config:opera",
    "opera-flatpak": "home:.var/app/com.opera.Opera/config/opera",
    "opera-snap": "home:snap/opera/common/.config/opera",
}
_CHROMIUM_MACOS = {
    "chrome": "support:Google/Chrome",
    "chrome-beta": "support:Google/Chrome Beta",
    "chrome-dev": "support:Google/Chrome Dev",
    "chrome-canary": "support:Google/Chrome Canary",
    "chromium": "support:Chromium",
    "edge": "support:Microsoft Edge",
    "edge-beta": "support:Microsoft Edge Beta",
    "edge-dev": "support:Microsoft Edge Dev",
    "brave": "support:BraveSoftware/Brave-Browser",
    "brave-beta": "support:BraveSoftware/Brave-Browser-Beta",
    "brave-nightly": "support:BraveSoftware/Brave-Browser-Nightly",
    "vivaldi": "support:Vivaldi",
    "arc": "support:Arc/User Data",
    "opera": "support:com.operasoftware.Opera",
}
_CHROMIUM_WINDOWS = {
    "chrome": "local:Google/Chrome/User Data",
    "chrome-beta": "local:Google/Chrome Beta/User Data",
    "chrome-dev": "local:Google/Chrome Dev/User Data",
    "chrome-canary": "local:Google/Chrome SxS/User Data",
    "chromium": "local:Chromium/User Data",
    "edge": "local:Microsoft/Edge/User Data",
    "edge-beta": "local:Microsoft/Edge Beta/User Data",
    "edge-dev": "local:Microsoft/Edge Dev/User Data",
    "brave": "local:BraveSoftware/Brave-Browser/User Data",
    "vivaldi": "local:Vivaldi/User Data",
    "arc": "local:Packages/TheBrowserCompany.Arc_ttt1ap7aakyb4/LocalCache/Local/Arc/User Data",
    "opera": "roaming:Opera Software/Opera Stable",
}
_FIREFOX_LINUX = {
    "firefox": "home:.mozilla/firefox",
    "firefox-xdg": "config:mozilla/firefox",
    "firefox-flatpak": "home:.var/app/org.mozilla.firefox/.mozilla/firefox",
    "firefox-flatpak-xdg": "home:.var/app/org.mozilla.firefox/config/mozilla/firefox",
    "firefox-snap": "home:snap/firefox/common/.mozilla/firefox",
    "librewolf": "home:.librewolf",
    "librewolf-flatpak": "home:.var/app/io.gitlab.librewolf-community/.librewolf",
    "librewolf-xdg": "config:librewolf/librewolf",
    "waterfox": "home:.waterfox",
    "waterfox-flatpak": "home:.var/app/net.waterfox.waterfox/.waterfox",
    "palemoon": "home:.moonchild productions/pale moon",
    "zen": "home:.zen",
    "zen-xdg": "config:zen",
    "zen-flatpak": "home:.var/app/app.zen_browser.zen/.zen",
    "floorp": "home:.floorp",
    "floorp-flatpak": "home:.var/app/one.ablaze.floorp/.floorp",
}
_FIREFOX_MACOS = {
    "firefox": "support:Firefox",
    "librewolf": "support:LibreWolf",
    "waterfox": "support:Waterfox",
    "floorp": "support:Floorp",
    "zen": "support:zen",
}
_FIREFOX_WINDOWS = {
    "firefox": "roaming:Mozilla/Firefox",
    "librewolf": "roaming:librewolf",
    "waterfox": "roaming:Waterfox",
    "palemoon": "roaming:Moonchild Productions/Pale Moon",
    "floorp": "roaming:Floorp",
    "zen": "roaming:zen",
}
_SAFARI_MACOS = {
    "safari": "home:Library/Safari",
    "safari-profiles": "home:Library/Containers/com.apple.Safari/Data/Library/Safari",
}

_BY_PLATFORM = {
    "linux": (
        (CHROMIUM, _CHROMIUM_LINUX),
        (FIREFOX, _FIREFOX_LINUX),
        (QUTEBROWSER, {"qutebrowser": "data:qutebrowser"}),
    ),
    "darwin": (
        (CHROMIUM, _CHROMIUM_MACOS),
        (FIREFOX, _FIREFOX_MACOS),
        (SAFARI, _SAFARI_MACOS),
        (QUTEBROWSER, {"qutebrowser": "support:qutebrowser"}),
    ),
    "win32": (
        (CHROMIUM, _CHROMIUM_WINDOWS),
        (FIREFOX, _FIREFOX_WINDOWS),
        (QUTEBROWSER, {"qutebrowser": "roaming:qutebrowser/data"}),
    ),
}


def folders(
    platform: str, home: Path, environment: Mapping[str, str]
) -> list[tuple[str, Path, tuple[str, ...]]]:
    """List where each browser would keep its profiles: its name, the folder, and patterns of files in it.

    Args:
        platform: As ``sys.platform`` says it; an unknown one counts as Linux.
        home: The person's home folder.
        environment: Variables; XDG and Windows name the bases there.
    """
    bases = _bases(home, environment)
    found: list[tuple[str, Path, tuple[str, ...]]] = []
    for patterns, browsers in _BY_PLATFORM.get(platform, _BY_PLATFORM["linux"]):
        for browser, place in browsers.items():
            base, _, folder = place.partition(":")
            found.append((browser, bases[base] / folder, patterns))
    return found


def _bases(home: Path, environment: Mapping[str, str]) -> dict[str, Path]:
    def named(variable: str, default: str) -> Path:
        told = environment.get(variable, "")
        return Path(told) if os.path.isabs(told) else home / default  # noqa: PTH117 - of text that may be empty

    return {
        "home": home,
        "config": named("XDG_CONFIG_HOME", ".config"),
        "data": named("XDG_DATA_HOME", ".local/share"),
        "support": home / "Library" / "Application Support",
        "local": named("LOCALAPPDATA", "AppData/Local"),
        "roaming": named("APPDATA", "AppData/Roaming"),
    }
