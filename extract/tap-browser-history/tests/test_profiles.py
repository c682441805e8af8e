"""Which profiles are found, and under which labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import FIREFOX, Chromium, Database

from tap_browser_history.labels import browser_label
from tap_browser_history.places import folders
from tap_browser_history.profiles import profiles_of_machine, profiles_of_settings
from tap_kit import TapError

if TYPE_CHECKING:
    from conftest import Run, Runner

HOME = Path("/home/ada")

PLACES = [
    ("linux", ".config/google-chrome/Default/History", "chrome/Default"),
    ("linux", ".config/google-chrome-beta/Default/History", "chrome-beta/Default"),
    ("linux", ".config/google-chrome-unstable/Default/History", "chrome-dev/Default"),
    ("linux", ".var/app/com.google.Chrome/config/google-chrome/Default/History", "chrome-flatpak/Default"),
    ("linux", ".config/chromium/Default/History", "chromium/Default"),
    ("linux", ".var/app/org.chromium.Chromium/config/chromium/Default/History", "chromium-flatpak/Default"),
    ("linux", "snap/chromium/common/chromium/Default/History", "chromium-snap/Default"),
    ("linux", ".config/microsoft-edge/Default/History", "edge/Default"),
    ("linux", ".config/microsoft-edge-beta/Default/History", "edge-beta/Default"),
    ("linux", ".config/microsoft-edge-dev/Default/History", "edge-dev/Default"),
    ("linux", ".var/app/com.microsoft.Edge/config/microsoft-edge/Default/History", "edge-flatpak/Default"),
    ("linux", ".config/BraveSoftware/Brave-Browser/Default/History", "brave/Default"),
    ("linux", ".config/BraveSoftware/Brave-Browser-Beta/Default/History", "brave-beta/Default"),
    ("linux", ".config/BraveSoftware/Brave-Browser-Nightly/Default/History", "brave-nightly/Default"),
    (
        "linux",
        ".var/app/com.brave.Browser/config/BraveSoftware/Brave-Browser/Default/History",
        "brave-flatpak/Default",
    ),
    ("linux", "snap/brave/current/.config/BraveSoftware/Brave-Browser/Default/History", "brave-snap/Default"),
    ("linux", ".config/vivaldi/Default/History", "vivaldi/Default"),
    ("linux", ".var/app/com.vivaldi.Vivaldi/config/vivaldi/Default/History", "vivaldi-flatpak/Default"),
    (
        "linux",
        ".var/app/io.github.ungoogled_software.ungoogled_chromium/config/chromium/Default/History",
        "ungoogled-flatpak/Default",
    ),
    ("linux", ".config/google-chrome/Profile 3/History", "chrome/Profile 3"),
    ("linux", ".config/opera/History", "opera"),
    ("linux", ".var/app/com.opera.Opera/config/opera/History", "opera-flatpak"),
    ("linux", "snap/opera/common/.config/opera/History", "opera-snap"),
    ("linux", ".mozilla/firefox/ab12.default/places.sqlite", "firefox/ab12.default"),
    ("linux", ".config/mozilla/firefox/ab12.default/places.sqlite", "firefox-xdg/ab12.default"),
    (
        "linux",
        ".var/app/org.mozilla.firefox/.mozilla/firefox/ab12.default/places.sqlite",
        "firefox-flatpak/ab12.default",
    ),
    (
        "linux",
        ".var/app/org.mozilla.firefox/config/mozilla/firefox/ab12.default/places.sqlite",
        "firefox-flatpak-xdg/ab12.default",
    ),
    ("linux", "snap/firefox/common/.mozilla/firefox/ab12.default/places.sqlite", "firefox-snap/ab12.default"),
    ("linux", ".librewolf/ab12.default/places.sqlite", "librewolf/ab12.default"),
    ("linux", ".config/librewolf/librewolf/ab12.default/places.sqlite", "librewolf-xdg/ab12.default"),
    (
        "linux",
        ".var/app/io.gitlab.librewolf-community/.librewolf/ab12.default/places.sqlite",
        "librewolf-flatpak/ab12.default",
    ),
    ("linux", ".waterfox/ab12.default/places.sqlite", "waterfox/ab12.default"),
    (
        "linux",
        ".var/app/net.waterfox.waterfox/.waterfox/ab12.default/places.sqlite",
        "waterfox-flatpak/ab12.default",
    ),
    ("linux", ".moonchild productions/pale moon/ab12.default/places.sqlite", "palemoon/ab12.default"),
    ("linux", ".floorp/ab12.default/places.sqlite", "floorp/ab12.default"),
    ("linux", ".var/app/one.ablaze.floorp/.floorp/ab12.default/places.sqlite", "floorp-flatpak/ab12.default"),
    ("linux", ".zen/ab12.default/places.sqlite", "zen/ab12.default"),
    ("linux", ".config/zen/ab12.default/places.sqlite", "zen-xdg/ab12.default"),
    ("linux", ".var/app/app.zen_browser.zen/.zen/ab12.default/places.sqlite", "zen-flatpak/ab12.default"),
    ("linux", ".local/share/qutebrowser/history.sqlite", "qutebrowser"),
    ("darwin", "Library/Application Support/Google/Chrome/Default/History", "chrome/Default"),
    ("darwin", "Library/Application Support/Google/Chrome Beta/Default/History", "chrome-beta/Default"),
    ("darwin", "Library/Application Support/Google/Chrome Dev/Default/History", "chrome-dev/Default"),
    ("darwin", "Library/Application Support/Google/Chrome Canary/Default/History", "chrome-canary/Default"),
    ("darwin", "Library/Application Support/Chromium/Default/History", "chromium/Default"),
    ("darwin", "Library/Application Support/Microsoft Edge/Default/History", "edge/Default"),
    ("darwin", "Library/Application Support/Microsoft Edge Beta/Default/History", "edge-beta/Default"),
    ("darwin", "Library/Application Support/Microsoft Edge Dev/Default/History", "edge-dev/Default"),
    ("darwin", "Library/Application Support/BraveSoftware/Brave-Browser/Default/History", "brave/Default"),
    (
        "darwin",
        "Library/Application Support/BraveSoftware/Brave-Browser-Beta/Default/History",
        "brave-beta/Default",
    ),
    (
        "darwin",
        "Library/Application Support/BraveSoftware/Brave-Browser-Nightly/Default/History",
        "brave-nightly/Default",
    ),
    ("darwin", "Library/Application Support/Vivaldi/Default/History", "vivaldi/Default"),
    ("darwin", "Library/Application Support/Arc/User Data/Default/History", "arc/Default"),
    ("darwin", "Library/Application Support/com.operasoftware.Opera/Default/History", "opera/Default"),
    ("darwin", "Library/Application Support/com.operasoftware.Opera/History", "opera"),
    (
        "darwin",
        "Library/Application Support/Firefox/Profiles/ab12.default/places.sqlite",
        "firefox/ab12.default",
    ),
    (
        "darwin",
        "Library/Application Support/LibreWolf/Profiles/ab12.default/places.sqlite",
        "librewolf/ab12.default",
    ),
    (
        "darwin",
        "Library/Application Support/Waterfox/Profiles/ab12.default/places.sqlite",
        "waterfox/ab12.default",
    ),
    (
        "darwin",
        "Library/Application Support/Floorp/Profiles/ab12.default/places.sqlite",
        "floorp/ab12.default",
    ),
    ("darwin", "Library/Application Support/zen/Profiles/ab12.default/places.sqlite", "zen/ab12.default"),
    ("darwin", "Library/Application Support/qutebrowser/history.sqlite", "qutebrowser"),
    ("darwin", "Library/Safari/History.db", "safari"),
    (
        "darwin",
        "Library/Containers/com.apple.Safari/Data/Library/Safari/Profiles/0A1B/History.db",
        "safari-profiles/0A1B",
    ),
    ("win32", "AppData/Local/Google/Chrome/User Data/Default/History", "chrome/Default"),
    ("win32", "AppData/Local/Google/Chrome Beta/User Data/Default/History", "chrome-beta/Default"),
    ("win32", "AppData/Local/Google/Chrome Dev/User Data/Default/History", "chrome-dev/Default"),
    ("win32", "AppData/Local/Google/Chrome SxS/User Data/Default/History", "chrome-canary/Default"),
    ("win32", "AppData/Local/Chromium/User Data/Default/History", "chromium/Default"),
    ("win32", "AppData/Local/Microsoft/Edge/User Data/Default/History", "edge/Default"),
    ("win32", "AppData/Local/Microsoft/Edge Beta/User Data/Default/History", "edge-beta/Default"),
    ("win32", "AppData/Local/Microsoft/Edge Dev/User Data/Default/History", "edge-dev/Default"),
    ("win32", "AppData/Local/BraveSoftware/Brave-Browser/User Data/Default/History", "brave/Default"),
    ("win32", "AppData/Local/Vivaldi/User Data/Default/History", "vivaldi/Default"),
    (
        "win32",
        "AppData/Local/Packages/TheBrowserCompany.Arc_ttt1ap7aakyb4/LocalCache/Local/Arc/User Data/Default/History",
        "arc/Default",
    ),
    ("win32", "AppData/Roaming/Opera Software/Opera Stable/History", "opera"),
    ("win32", "AppData/Roaming/Opera Software/Opera Stable/Default/History", "opera/Default"),
    ("win32", "AppData/Roaming/Mozilla/Firefox/Profiles/ab12.default/places.sqlite", "firefox/ab12.default"),
    ("win32", "AppData/Roaming/librewolf/Profiles/ab12.default/places.sqlite", "librewolf/ab12.default"),
    ("win32", "AppData/Roaming/Waterfox/Profiles/ab12.default/places.sqlite", "waterfox/ab12.default"),
    (
        "win32",
        "AppData/Roaming/Moonchild Productions/Pale Moon/Profiles/ab12.default/places.sqlite",
        "palemoon/ab12.default",
    ),
    ("win32", "AppData/Roaming/Floorp/Profiles/ab12.default/places.sqlite", "floorp/ab12.default"),
    ("win32", "AppData/Roaming/zen/Profiles/ab12.default/places.sqlite", "zen/ab12.default"),
    ("win32", "AppData/Roaming/qutebrowser/data/history.sqlite", "qutebrowser"),
]
"""Where browsers keep their history: system, path in the home folder, label."""


def put(home: Path, *paths: str) -> None:
    for path in paths:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).touch()


@pytest.mark.parametrize(("platform", "path", "label"), PLACES)
def test_a_profile_is_found_where_the_browser_keeps_it(
    home: Path, platform: str, path: str, label: str
) -> None:
    put(home, path)

    (found,) = profiles_of_machine(platform, home, {})

    assert (found.label, found.path) == (label, home / path)


def test_every_place_that_is_looked_at_is_in_the_table() -> None:
    known = {(platform, label.partition("/")[0]) for platform, _, label in PLACES}
    looked_at = {
        (platform, browser)
        for platform in ("linux", "darwin", "win32")
        for browser, _, _ in folders(platform, HOME, {})
    }
    assert looked_at == known


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_browsers_of_the_readme_are_found(platform: str) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8").split("meltano run")[0]
    absent = {"linux": {"arc", "safari"}, "darwin": {"palemoon"}, "win32": {"safari"}}[platform]
    found = {label.partition("/")[0] for system, _, label in PLACES if system == platform}
    families = [
        "Chrome",
        "Chromium",
        "Edge",
        "Brave",
        "Vivaldi",
        "Arc",
        "Opera",
        "Firefox",
        "LibreWolf",
        "Waterfox",
        "Floorp",
        "Zen",
        "Safari",
        "qutebrowser",
    ]
    assert all(name in readme for name in (*families, "Pale Moon"))
    assert {name.lower() for name in (*families, "palemoon")} - absent <= found


def test_folders_that_the_environment_moves_are_looked_into(home: Path, tmp_path: Path) -> None:
    put(tmp_path, "moved/google-chrome/Default/History")

    (found,) = profiles_of_machine("linux", home, {"XDG_CONFIG_HOME": str(tmp_path / "moved")})

    assert found.label == "chrome/Default"


def test_a_firefox_profile_elsewhere_is_found_by_the_list_of_profiles(home: Path, tmp_path: Path) -> None:
    put(home, ".mozilla/firefox/a.default/places.sqlite")
    put(tmp_path, "elsewhere/mine/places.sqlite")
    (home / ".mozilla/firefox/profiles.ini").write_text(
        f"[General]\nVersion=2\n[Profile0]\nName=a\nIsRelative=1\nPath=a.default\n"
        f"[Profile1]\nName=%mine\nIsRelative=0\nPath={tmp_path}/elsewhere/mine\n[Profile2]\nPath=gone\n"
    )

    found = profiles_of_machine("linux", home, {})

    assert [profile.label for profile in found] == ["firefox/a.default", "firefox/mine"]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"no section\n"], ids=["no text", "no section"])
def test_a_list_of_profiles_that_cannot_be_read_hides_none(home: Path, content: bytes) -> None:
    put(home, ".mozilla/firefox/a.default/places.sqlite")
    (home / ".mozilla/firefox/profiles.ini").write_bytes(content)

    assert [profile.label for profile in profiles_of_machine("linux", home, {})] == ["firefox/a.default"]


def test_a_closed_folder_counts_as_a_profile_so_that_it_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> bool:
        if "Library/Safari" in path.as_posix():
            raise PermissionError
        return False

    monkeypatch.setattr("pathlib.Path.is_file", closed)

    assert "safari" in [profile.label for profile in profiles_of_machine("darwin", home, {})]


def test_by_default_all_profiles_of_the_machine_are_read(
    run: Runner, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for folder in ("google-chrome/Default", "google-chrome/Profile 1", "vivaldi/Default"):
        chrome = Chromium(home / ".config" / folder / "History")
        chrome.visit(chrome.url())
    Database(home / ".mozilla/firefox/a.default/places.sqlite", FIREFOX)
    put(home, ".config/chromium/Default/History")

    outcome = run()

    assert [account for account, _ in outcome.names("chromium_visits")] == [
        "chrome/Default",
        "chrome/Profile 1",
        "vivaldi/Default",
    ]
    assert outcome.gaps == []
    assert outcome.log.count("chromium/Default/History is empty") == 1


def test_a_machine_whose_only_profile_cannot_be_read_fails(
    run: Runner, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    put(home, ".config/chromium/Default/History")

    assert len(run().gaps) == 1


def test_a_machine_without_browsers_is_one_sentence(run: Runner) -> None:
    with pytest.raises(TapError, match="No browser's history was found below"):
        run()


def test_a_named_folder_is_searched_for_databases(tmp_path: Path) -> None:
    put(tmp_path, "copies/2026-06/History", "copies/2026-07/places.sqlite", "copies/2026-07/notes.txt")

    found = profiles_of_settings([{"path": "copies", "label": "laptop"}], tmp_path)

    assert [(profile.label, profile.path.name) for profile in found] == [
        ("laptop", "History"),
        ("laptop", "places.sqlite"),
    ]


def test_a_copy_is_labelled_by_its_folder_and_read_alone(
    run: Runner, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for path in (home / ".config/chromium/Default/History", tmp_path / "laptop/History"):
        chrome = Chromium(path)
        chrome.visit(chrome.url())

    outcome = run(path=str(tmp_path / "laptop"))

    assert [account for account, _ in outcome.names("chromium_visits")] == ["laptop"]


@pytest.mark.parametrize(("platform", "path", "label"), PLACES)
def test_a_copied_home_has_the_labels_of_the_profiles_in_use(platform: str, path: str, label: str) -> None:
    assert browser_label((Path("/copies/old laptop") / path).parent) == label, platform


@pytest.mark.parametrize(
    "path", ["/copies/Default", "/copies/chrome/Default", "/copies/2026-06", "/", "/copies/Safari"]
)
def test_a_path_that_shows_no_browser_has_no_label_with_one(path: str) -> None:
    assert browser_label(Path(path)) is None


CHROME = "AppData/Local/Google/Chrome/User Data/Default/History"
EDGE = "AppData/Local/Microsoft/Edge/User Data/Default/History"


@pytest.fixture
def two_browsers(tmp_path: Path) -> Path:
    """A copied home with two browsers whose profiles have the same name."""
    for path in (CHROME, EDGE):
        chrome = Chromium(tmp_path / "copy" / path)
        chrome.visit(chrome.url(title=path))
    return tmp_path / "copy"


def accounts(outcome: Run, stream: str = "chromium_urls") -> list[str]:
    return [account for account, _ in outcome.names(stream)]


def test_profiles_of_two_browsers_are_two_histories(run: Runner, two_browsers: Path) -> None:
    assert accounts(run(path=str(two_browsers))) == ["chrome/Default", "edge/Default"]
    assert accounts(run({"path": str(two_browsers)})) == ["chrome/Default", "edge/Default"]


def test_a_state_from_before_keeps_the_label_of_the_browser_that_has_it(
    run: Runner, two_browsers: Path
) -> None:
    before = {"bookmarks": {"_files": {"exports": {"a": {"path": "old.zip", "parsers": 1}}}}}

    first = run(path=str(two_browsers / "AppData/Local/Google"), state=before)
    chrome = Chromium.__new__(Chromium)
    chrome.path = two_browsers / CHROME
    chrome.url("https://example.org/new")
    second = run(path=str(two_browsers), state=first.state)

    assert accounts(first) == ["Default"]
    assert accounts(second) == ["Default", "Default", "edge/Default"]


def test_a_state_of_named_profiles_from_before_keeps_the_label(run: Runner, two_browsers: Path) -> None:
    path = str(two_browsers / CHROME)
    before = run({"path": path, "label": "Default"})

    same = run({"path": path}, state=before.state)
    more = run({"path": str(two_browsers)}, state=before.state)

    assert same.streams() == set()
    assert accounts(more) == ["edge/Default"]


def test_without_a_label_the_folder_names_the_profile(tmp_path: Path) -> None:
    put(tmp_path, "Default/old.sqlite")

    (found,) = profiles_of_settings([{"path": str(tmp_path / "Default/old.sqlite")}], HOME)

    assert found.label == "Default"


@pytest.mark.parametrize(
    ("path", "said"), [("gone", "does not exist"), (".", "no file is called History")], ids=["gone", "empty"]
)
def test_a_named_place_without_a_database_is_one_sentence(tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(TapError, match=said):
        profiles_of_settings([{"path": path}], tmp_path)
