"""Which profiles are found, and under which labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import FIREFOX, Chromium, Database

from tap_browser_history.profiles import profiles_of_machine, profiles_of_settings
from tap_kit import TapError

if TYPE_CHECKING:
    from conftest import Runner

HOME = Path("/home/ada")


def put(home: Path, *paths: str) -> None:
    for path in paths:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).touch()


@pytest.mark.parametrize(
    ("platform", "path", "label"),
    [
        ("linux", ".config/google-chrome/Default/History", "chrome/Default"),
        ("linux", ".config/google-chrome/Profile 3/History", "chrome/Profile 3"),
        (
            "linux",
            ".var/app/com.google.Chrome/config/google-chrome/Default/History",
            "chrome-flatpak/Default",
        ),
        ("linux", "snap/chromium/common/chromium/Default/History", "chromium-snap/Default"),
        ("linux", ".config/BraveSoftware/Brave-Browser/Default/History", "brave/Default"),
        ("linux", ".config/opera/History", "opera"),
        ("linux", ".mozilla/firefox/ab12.default-release/places.sqlite", "firefox/ab12.default-release"),
        (
            "linux",
            "snap/firefox/common/.mozilla/firefox/ab12.default/places.sqlite",
            "firefox-snap/ab12.default",
        ),
        ("linux", ".librewolf/x.default/places.sqlite", "librewolf/x.default"),
        ("linux", ".local/share/qutebrowser/history.sqlite", "qutebrowser"),
        ("darwin", "Library/Application Support/Google/Chrome/Default/History", "chrome/Default"),
        ("darwin", "Library/Application Support/Arc/User Data/Default/History", "arc/Default"),
        (
            "darwin",
            "Library/Application Support/Firefox/Profiles/x.default/places.sqlite",
            "firefox/x.default",
        ),
        ("darwin", "Library/Safari/History.db", "safari"),
        (
            "darwin",
            "Library/Containers/com.apple.Safari/Data/Library/Safari/Profiles/0A1B/History.db",
            "safari-profiles/0A1B",
        ),
        ("win32", "AppData/Local/Google/Chrome/User Data/Default/History", "chrome/Default"),
        ("win32", "AppData/Local/Microsoft/Edge/User Data/Profile 1/History", "edge/Profile 1"),
        ("win32", "AppData/Roaming/Opera Software/Opera Stable/History", "opera"),
        ("win32", "AppData/Roaming/Mozilla/Firefox/Profiles/x.default/places.sqlite", "firefox/x.default"),
    ],
)
def test_a_profile_is_found_where_the_browser_keeps_it(
    home: Path, platform: str, path: str, label: str
) -> None:
    put(home, path)

    (found,) = profiles_of_machine(platform, home, {})

    assert (found.label, found.path) == (label, home / path)


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
