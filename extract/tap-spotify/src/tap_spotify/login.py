"""Log in to Spotify once, in the browser, and keep the login for the tap: ``python -m tap_spotify.login``.

Authorization code with PKCE (RFC 7636), and the app's secret where there is one. Spotify sends the browser back to
``http://127.0.0.1:<port>/callback`` (the name localhost is refused), where this program waits for it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import secrets
import sys
import time
import webbrowser
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tap_kit import TapError
from tap_kit.client import Client
from tap_spotify.tap import TOKEN_FILE
from tap_spotify.tokens import ACCOUNTS, App, Login, LoginError, LoginFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCOPES = "user-read-recently-played"
PORT = 8898
PATIENCE = 300.0
"""Seconds that a person has for agreeing in the browser."""


@dataclass
class Visit:
    """One attempt to log in: the secrets that tie the answer to the question."""

    app: App
    port: int
    accounts_url: str = ACCOUNTS
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64))

    @property
    def redirect_uri(self) -> str:
        """Where the browser is sent back to; the app has to list exactly this."""
        return f"http://127.0.0.1:{self.port}/callback"

    @property
    def address(self) -> str:
        """What the person opens."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        question = {
            "client_id": self.app.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": SCOPES,
            "state": self.state,
            "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }
        return f"{self.accounts_url}/authorize?{urlencode(question)}"

    def code(self, address: str) -> str:
        """Take the code out of the address that the browser was sent back to.

        Raises:
            LoginError: The person did not agree, or the address belongs to another attempt.
        """
        answer = dict(parse_qsl(urlsplit(address).query))
        if not secrets.compare_digest(answer.get("state", ""), self.state):
            raise LoginError("The browser came back from another attempt to log in. Start again.")
        if "code" not in answer:
            raise LoginError("Spotify was not allowed to share the plays. Start again and agree.")
        return answer["code"]

    def finish(self, client: Client, code: str, now: datetime) -> Login:
        """Exchange the code for a login.

        Raises:
            LoginError: Spotify refuses it.
        """
        answer = self.app.post(
            client,
            self.accounts_url,
            grant_type="authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=self.verifier,
        )
        if not answer.get("refresh_token"):
            raise LoginError(
                "Spotify gave no refresh token. Remove the app's access in the account and start again."
            )
        return Login.of(str(answer["refresh_token"]), now, str(answer.get("scope") or ""))


def wait_for_browser(port: int, patience: float, ready: Callable[[], Any]) -> str:
    """Wait on 127.0.0.1 until the browser comes back; gives the address that it asked for.

    Args:
        port: Where.
        patience: Seconds.
        ready: Called once the door is open.

    Raises:
        LoginError: The port is taken, or nobody came.
    """
    arrived: list[str] = []

    class Door(BaseHTTPRequestHandler):
        """Takes the one request that counts."""

        timeout = 10

        def do_GET(self) -> None:
            """Answer the browser."""
            if urlsplit(self.path).path == "/callback":
                arrived.append(self.path)
            self.send_response(200 if arrived else 404)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"Thank you. You can close this page.\n" if arrived else b"Not here.\n")

        def log_message(self, *_: Any) -> None:
            """Write nothing: the address holds the code."""

    try:
        server = HTTPServer(("127.0.0.1", port), Door)
    except OSError as error:
        raise LoginError(
            f"Port {port} cannot be used ({error.strerror}). Choose another with --port, and list it in the app."
        ) from None
    with server:
        server.timeout = 1
        ready()
        end = time.monotonic() + patience
        while not arrived and time.monotonic() < end:
            server.handle_request()
    if not arrived:
        raise LoginError(f"Nobody came back from Spotify within {patience:.0f} seconds. Start again.")
    return arrived[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with exit code 1 and one sentence where it cannot succeed."""
    options = _options().parse_args(arguments)
    try:
        _log_in(options)
    except TapError as error:
        sys.exit(str(error))


def _log_in(options: argparse.Namespace) -> None:
    client_id = options.client_id or os.environ.get("TAP_SPOTIFY_CLIENT_ID")
    if not client_id:
        raise LoginError(
            "Set TAP_SPOTIFY_CLIENT_ID to the client id of an app from developer.spotify.com/dashboard, or give --client-id."
        )
    app = App(client_id, os.environ.get("TAP_SPOTIFY_CLIENT_SECRET", ""))
    visit = Visit(app, options.port, os.environ.get("TAP_SPOTIFY_ACCOUNTS_URL") or ACCOUNTS)
    _say(f"The app has to list this redirect URI: {visit.redirect_uri}\nOpen and agree:\n\n{visit.address}\n")
    if options.paste:
        _say("Then paste the address that the browser shows, although it could not open it:")
        address = sys.stdin.readline().strip()
    else:
        address = wait_for_browser(
            options.port, options.patience, lambda: options.no_browser or webbrowser.open(visit.address)
        )
    login = visit.finish(Client(), visit.code(address), datetime.now(UTC))
    project = Path(os.environ.get("MELTANO_PROJECT_ROOT") or Path.cwd())
    named = os.environ.get("TAP_SPOTIFY_TOKEN_FILE") or TOKEN_FILE
    file = LoginFile(project / Path(named).expanduser())
    file.write(login)
    _say(f"Done. The login is kept in {file.path}; it lasts six months.")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tap-spotify-login",
        description="Log in to Spotify once. The app's secret, if any, comes from TAP_SPOTIFY_CLIENT_SECRET.",
    )
    parser.add_argument("--client-id", help="of the app; else TAP_SPOTIFY_CLIENT_ID")
    parser.add_argument("--port", type=int, default=PORT, help="for the way back, on 127.0.0.1 (%(default)s)")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds to wait (%(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    parser.add_argument(
        "--paste", action="store_true", help="the browser is on another machine: paste its address"
    )
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
