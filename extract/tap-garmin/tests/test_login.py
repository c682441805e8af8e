"""The log-in command with an invented library: never the net, never a password."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

    def __init__(self, email: str, password: str, prompt_mfa: Callable[[], str]) -> None:
        self.given = email, password
        self.prompt = prompt_mfa
        self.client = self

    def login(self) -> None:
        if self.error:
            raise self.error("secret details")
        type(self).asked = (*self.given, self.prompt())

    def dump(self, store: str) -> None:
        Path(store).mkdir(parents=True, exist_ok=True)
        (Path(store) / "garmin_tokens.json").write_text(json.dumps({"di_token": "x"}))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    answers = iter(["me@example.org", "123456"])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    monkeypatch.setattr("getpass.getpass", lambda _: "invented-password")
    monkeypatch.setattr(Garmin, "error", None)
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
    Garmin.error = error
    with pytest.raises(login.LoginError, match=sentence) as caught:
        login.log_in(tmp_path, library)
    assert "secret" not in str(caught.value)
    assert "invented-password" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_a_sentence(library: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(login.LoginError, match="cannot be written"):
        login.log_in(tmp_path / "file", library)


def test_without_its_library_it_says_which_command_has_it() -> None:
    command = [sys.executable, "-S", login.__file__]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert shown.returncode == 1
    assert "Traceback" not in shown.stderr
    assert f"--with {login.LIBRARY} --with {login.TRANSPORT}" in shown.stderr


def test_the_versions_are_those_of_the_package() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert f'"{login.LIBRARY};' in text
    assert f'"{login.TRANSPORT}"' in text


def test_being_interrupted_is_no_traceback(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(login, "library", lambda: library)
    monkeypatch.setattr("builtins.input", interrupted)
    monkeypatch.setattr(sys, "argv", ["tap-garmin-login"])
    with pytest.raises(SystemExit, match="Not logged in"):
        login.main()
