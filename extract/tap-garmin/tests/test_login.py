"""The log-in command with an invented library: never the net, never a password."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tap_garmin import login

if TYPE_CHECKING:
    from collections.abc import Callable


class TooManyError(Exception):
    pass


class RefusedError(Exception):
    pass


class UnreachableError(Exception):
    response = SimpleNamespace(status_code=403)


class Garmin:
    error: type[Exception] | None = None
    asked: tuple[str, str, str]
    di_token: str | None = "access"
    di_refresh_token: str | None = "refresh"

    def __init__(self, email: str, password: str, prompt_mfa: Callable[[], str]) -> None:
        self.given = email, password
        self.prompt = prompt_mfa
        self.client = self

    def login(self) -> None:
        if self.error:
            raise self.error("secret details")
        type(self).asked = (*self.given, self.prompt())

    def dump(self, path: str) -> None:
        if self.di_token == "full disk":
            raise OSError(28, "No space left on device")
        os.kill(os.getpid(), signal.SIGINT)  # a Ctrl-C at the worst moment
        Path(path).write_text(json.dumps({"di_token": self.di_token}))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    answers = iter(["me@example.org", "123456"])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    monkeypatch.setattr("getpass.getpass", lambda _: "invented-password")
    for name, value in {"error": None, "di_token": "access", "di_refresh_token": "refresh"}.items():
        monkeypatch.setattr(Garmin, name, value)
    return SimpleNamespace(
        Garmin=Garmin,
        GarminConnectTooManyRequestsError=TooManyError,
        GarminConnectAuthenticationError=RefusedError,
        GarminConnectConnectionError=UnreachableError,
    )


def test_it_asks_logs_in_once_and_writes_the_token(library: Any, tmp_path: Path) -> None:
    path = login.log_in(tmp_path / "store", library)
    assert path == tmp_path / "store" / "garmin_tokens.json"
    assert path.exists()
    assert Garmin.asked == ("me@example.org", "invented-password", "123456")


def test_a_former_token_is_not_taken_instead(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GARMINTOKENS", "/somewhere")
    login.log_in(tmp_path, library)
    assert "GARMINTOKENS" not in os.environ


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TooManyError, "Wait some hours"),
        (RefusedError, "Check e-mail, password and code"),
        (UnreachableError, "did not get through \\(403\\)"),
    ],
)
def test_a_refusal_is_a_sentence_without_details(
    library: Any, tmp_path: Path, error: type[Exception], sentence: str
) -> None:
    Garmin.error, Garmin.di_token = error, None
    with pytest.raises(login.LoginError, match=sentence) as caught:
        login.log_in(tmp_path, library)
    assert "secret" not in str(caught.value)
    assert "invented-password" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["di_token", "di_refresh_token"])
def test_a_sign_in_without_a_token_that_lasts_leaves_the_former_file(
    library: Any, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "garmin_tokens.json").write_text("former")
    setattr(Garmin, missing, None)
    with pytest.raises(login.LoginError, match="no token that can be renewed; nothing was written"):
        login.log_in(tmp_path, library)
    assert (tmp_path / "garmin_tokens.json").read_text() == "former"


def test_a_token_that_was_got_is_kept_though_the_profile_fails(library: Any, tmp_path: Path) -> None:
    Garmin.error = RefusedError
    assert login.log_in(tmp_path, library).exists()


def test_a_file_may_be_named_in_place_of_its_folder(library: Any, tmp_path: Path) -> None:
    path = tmp_path / "store" / "mine.json"
    assert login.log_in(path, library) == path
    assert path.exists()


@pytest.mark.parametrize("name", ["file", "file/below", "folder.json", "~nobody-of-that-name/x", "other"])
def test_a_place_that_cannot_hold_the_token_is_told_before_anything_is_asked(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "other" / "garmin_tokens.json").mkdir(parents=True)

    def unasked(_: str) -> str:
        raise AssertionError

    monkeypatch.setattr("builtins.input", unasked)
    with pytest.raises(login.LoginError, match="with --store"):
        login.log_in(Path(name) if name.startswith("~") else tmp_path / name, library)


def test_a_full_disk_is_a_sentence(library: Any, tmp_path: Path) -> None:
    Garmin.di_token = "full disk"
    with pytest.raises(login.LoginError, match=r"cannot be written to .*\(OSError\)"):
        login.log_in(tmp_path, library)


def test_an_empty_password_is_not_sent(library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: "")
    with pytest.raises(login.LoginError, match="Nothing was sent"):
        login.log_in(tmp_path, library)


def test_without_its_library_it_says_which_command_has_it() -> None:
    command = [sys.executable, "-S", login.__file__]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert shown.returncode == 1
    assert "Traceback" not in shown.stderr
    assert f"uv run --frozen --script {login.__file__}" in shown.stderr


def test_the_versions_are_those_of_the_package() -> None:
    package = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    named = {*package["dependencies"], *package["optional-dependencies"]["login"]}
    script = Path(login.__file__)
    wanted = tomllib.loads(script.with_name("login.py.lock").read_text())["manifest"]["requirements"]
    found = {f"{entry['name']}{entry['specifier']}" for entry in wanted}
    assert found <= {word.partition(";")[0] for word in named}
    assert all(f'"{word}"' in script.read_text() for word in found)


def test_being_interrupted_is_no_traceback(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(login, "library", lambda: library)
    monkeypatch.setattr("builtins.input", interrupted)
    monkeypatch.setattr(sys, "argv", ["tap-garmin-login"])
    with pytest.raises(SystemExit, match="Not logged in"):
        login.main()
