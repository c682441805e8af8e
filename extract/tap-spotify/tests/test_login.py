"""Logging in once, with a stand-in of the accounts service and this test as the browser."""

from __future__ import annotations

import io
import json
import socket
import threading
import urllib.request
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest

from tap_spotify import login

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StandIn


@pytest.fixture(autouse=True)
def _app(monkeypatch: pytest.MonkeyPatch, spotify: StandIn) -> None:
    monkeypatch.setenv("TAP_SPOTIFY_CLIENT_ID", "app")
    monkeypatch.setenv("TAP_SPOTIFY_ACCOUNTS_URL", spotify.url)


@pytest.fixture
def port() -> str:
    """A port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


class Browser:
    """Opens what it is told in another thread, and goes where Spotify would send it."""

    def __init__(self, **changes: str) -> None:
        self.changes = changes
        self.asked: dict[str, list[str]] = {}
        self.seen: list[int] = []

    def open(self, address: str) -> None:
        self.asked = parse_qs(urlsplit(address).query)
        threading.Thread(target=self._go, daemon=True).start()

    def _go(self) -> None:
        back = self.asked["redirect_uri"][0]
        given = {"state": self.asked["state"][0], "code": "c0de", **self.changes}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value)
        for address in (back.replace("callback", "favicon.ico"), f"{back}?{query}"):
            try:
                with urllib.request.urlopen(address, timeout=10) as response:
                    self.seen.append(response.status)
            except HTTPError as error:
                self.seen.append(error.code)
                error.close()


def test_a_login_is_kept_for_the_tap(
    monkeypatch: pytest.MonkeyPatch,
    project: Path,
    spotify: StandIn,
    port: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    browser = Browser()
    monkeypatch.setattr("webbrowser.open", browser.open)
    spotify.will_answer_token({"access_token": "a", "refresh_token": "s3cret", "scope": "x"})

    login.main(["--port", port])

    kept = json.loads((project / "data/tap-spotify/login.json").read_text())
    assert (kept["refresh_token"], kept["scope"]) == ("s3cret", "x")
    (request,) = spotify.asked
    assert request.form["code"] == "c0de"
    assert request.form["redirect_uri"] == f"http://127.0.0.1:{port}/callback"
    assert browser.asked["code_challenge_method"] == ["S256"]
    assert len(request.form["code_verifier"]) > 42
    assert browser.asked["scope"] == ["user-read-recently-played"]
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"code": "", "error": "access_denied"}, "was not allowed"), ({"state": "other"}, "another attempt")],
    ids=["declined", "foreign"],
)
def test_a_login_that_fails_in_the_browser_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, port: str, changes: dict[str, str], said: str
) -> None:
    monkeypatch.setattr("webbrowser.open", Browser(**changes).open)

    with pytest.raises(SystemExit, match=said):
        login.main(["--port", port])


def test_nobody_coming_back_is_one_sentence(port: str) -> None:
    with pytest.raises(SystemExit, match="Nobody came back"):
        login.main(["--port", port, "--patience", "0.1", "--no-browser"])


def test_a_port_that_is_taken_is_one_sentence(spotify: StandIn) -> None:
    with pytest.raises(SystemExit, match="cannot be used"):
        login.main(["--port", str(urlsplit(spotify.url).port), "--no-browser"])


def test_an_address_can_be_pasted_from_another_machine(
    monkeypatch: pytest.MonkeyPatch, project: Path, spotify: StandIn
) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "fixed")
    monkeypatch.setattr("sys.stdin", io.StringIO("http://127.0.0.1:8898/callback?code=c0de&state=fixed\n"))
    spotify.will_answer_token({"access_token": "a", "refresh_token": "s3cret"})

    login.main(["--paste"])

    assert (project / "data/tap-spotify/login.json").exists()


def test_a_refused_code_is_one_sentence(monkeypatch: pytest.MonkeyPatch, spotify: StandIn) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "fixed")
    monkeypatch.setattr("sys.stdin", io.StringIO("http://127.0.0.1/?code=c0de&state=fixed\n"))
    spotify.will_answer_token({"error": "invalid_client"}, 400)

    with pytest.raises(SystemExit, match="Spotify refused the app"):
        login.main(["--paste"])


def test_without_an_app_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAP_SPOTIFY_CLIENT_ID")

    with pytest.raises(SystemExit, match="Set TAP_SPOTIFY_CLIENT_ID"):
        login.main([])
