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

from tap_kit import Client
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
    [
        ({"code": "", "error": "access_denied"}, "was not allowed"),
        ({"state": "other"}, "did not come back"),
        ({"state": "%C3%A9%F0%9F%98%80%FF"}, "did not come back"),
        ({"state": ""}, "did not come back"),
    ],
    ids=["declined", "foreign", "not ASCII", "without"],
)
def test_a_login_that_fails_in_the_browser_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, port: str, changes: dict[str, str], said: str
) -> None:
    monkeypatch.setattr("webbrowser.open", Browser(**changes).open)

    with pytest.raises(SystemExit, match=said):
        login.main(["--port", port, "--patience", "1"])


def test_stray_requests_do_not_end_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
    project: Path,
    spotify: StandIn,
    port: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also those that hang up, do not speak HTTP or never end."""
    browser = Browser()
    held: list[socket.socket] = []

    def visit(address: str) -> None:
        strays = [
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET /callback?state=other&code=x HTTP/1.1\r\n\r\n",
            b"GET /callback?state=%FF%00\xe9&code=x HTTP/1.1\r\n\r\n",
            b"GET /callback?" + b"a=b&" * 1000 + b" HTTP/1.1\r\n\r\n",
            b"GET /callback?state=" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n",
            b"GET http://[/callback?state=x HTTP/1.1\r\n\r\n",
            b"POST /callback HTTP/1.1\r\nContent-Length: 9999\r\n\r\n",
            b"\x16\x03\x01 TLS \x00\r\n\r\n",
            b"GET /callback",  # and no more
            b"",
        ]
        for stray in strays:
            connection = socket.create_connection(("127.0.0.1", int(port)))
            connection.sendall(stray)
            held.append(connection)
        browser.open(address)

    monkeypatch.setattr("webbrowser.open", visit)
    spotify.will_answer_token({"access_token": "a", "refresh_token": "s3cret"})
    login.main(["--port", port, "--patience", "20"])
    for connection in held:
        connection.close()
    assert (project / "data/tap-spotify/login.json").exists()
    assert browser.seen == [404, 200]
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("number", ["70000", "-1"])
def test_a_port_that_is_none_is_one_sentence(number: str) -> None:
    with pytest.raises(SystemExit, match="cannot be used"):
        login.main(["--port", number, "--no-browser"])


@pytest.mark.parametrize(
    "pasted", [b"http://[bad?state=fixed", b"\xff\xfe", b"", b"x" * 100_000, "é?state=é&code=é".encode()]
)
def test_an_address_that_makes_no_sense_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, pasted: bytes
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(pasted + b"\n")))
    with pytest.raises(SystemExit, match="another attempt"):
        login.main(["--paste"])


def test_a_sign_in_that_is_out_of_order_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, spotify: StandIn
) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "fixed")
    monkeypatch.setattr("sys.stdin", pasted_address("http://127.0.0.1/?code=c0de&state=fixed"))
    monkeypatch.setattr(login, "Client", lambda: Client(sleep=lambda _: None))
    for _ in range(5):
        spotify.will_answer_token({}, 503)
    with pytest.raises(SystemExit, match="sign-in answered 503 after 5 attempts"):
        login.main(["--paste"])


def pasted_address(address: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(f"{address}\n".encode()))


def test_nobody_coming_back_is_one_sentence(port: str) -> None:
    with pytest.raises(SystemExit, match="did not come back"):
        login.main(["--port", port, "--patience", "0.1", "--no-browser"])


def test_a_port_that_is_taken_is_one_sentence(spotify: StandIn) -> None:
    with pytest.raises(SystemExit, match="cannot be used"):
        login.main(["--port", str(urlsplit(spotify.url).port), "--no-browser"])


def test_an_address_can_be_pasted_from_another_machine(
    monkeypatch: pytest.MonkeyPatch, project: Path, spotify: StandIn
) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "fixed")
    monkeypatch.setattr("sys.stdin", pasted_address("http://127.0.0.1:8898/callback?code=c0de&state=fixed"))
    spotify.will_answer_token({"access_token": "a", "refresh_token": "s3cret"})

    login.main(["--paste"])

    assert (project / "data/tap-spotify/login.json").exists()


def test_a_refused_code_is_one_sentence(monkeypatch: pytest.MonkeyPatch, spotify: StandIn) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: "fixed")
    monkeypatch.setattr("sys.stdin", pasted_address("http://127.0.0.1/?code=c0de&state=fixed"))
    spotify.will_answer_token({"error": "invalid_client"}, 400)

    with pytest.raises(SystemExit, match="Spotify refused the app"):
        login.main(["--paste"])


def test_without_an_app_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAP_SPOTIFY_CLIENT_ID")

    with pytest.raises(SystemExit, match="Set TAP_SPOTIFY_CLIENT_ID"):
        login.main([])
