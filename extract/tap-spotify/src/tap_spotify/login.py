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
import threading
import webbrowser
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from typing_extensions import override

from tap_kit.client import Client
from tap_kit.errors import TOLD
from tap_spotify.tap import TOKEN_FILE
from tap_spotify.tokens import ACCOUNTS, App, Login, LoginError, LoginFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCOPES = "user-read-recently-played"
PORT = 8898
PATIENCE = 300.0
"""Seconds that a person has for agreeing in the browser."""

_MAX_FIELDS = 20
_MAX_ADDRESS = 65536


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

    def is_answered_by(self, address: str) -> bool:
        """Return whether the browser was sent to *address* by this attempt, and not by another one or by a stranger."""
        state = _fields(address).get("state", "")
        return secrets.compare_digest(state.encode("utf-8", "replace"), self.state.encode())

    def code(self, address: str) -> str:
        """Return the code in the address that the browser was sent back to.

        Raises:
            LoginError: The user did not agree, or the address belongs to another attempt.
        """
        if not self.is_answered_by(address):
            raise LoginError("The address belongs to another attempt to log in. Start again.")
        code = _fields(address).get("code")
        if not code:
            raise LoginError("Spotify was not allowed to share the plays. Start again and agree.")
        return code

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


def _fields(address: str) -> dict[str, str]:
    """Return the fields of an address's query; none if it is not an address."""
    try:
        return dict(parse_qsl(urlsplit(address).query, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


class _Door(ThreadingHTTPServer):
    """Waits on 127.0.0.1 for the one request that counts; each request has a thread, so that none holds up another."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, is_answer: Callable[[str], bool]) -> None:
        super().__init__(("127.0.0.1", port), _Visitor)
        self.is_answer = is_answer
        self.address = ""
        self.has_answer = threading.Event()

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a visitor that hangs up or does not speak HTTP."""


class _Visitor(BaseHTTPRequestHandler):
    """Answers one request; everything but the answer of this attempt is turned away."""

    server: _Door
    timeout = 10

    def do_GET(self) -> None:
        """Answer the browser."""
        if not self.path.startswith("/callback?"):
            self._reply(404, "Not here.")
        elif not self.server.is_answer(self.path):
            self._reply(400, "This belongs to another attempt to log in. Use the newest address.")
        else:
            self.server.address = self.path
            try:
                self._reply(200, "Thank you. You can close this page.")
            finally:
                self.server.has_answer.set()

    def _reply(self, status: int, sentence: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(f"{sentence}\n".encode())

    @override
    def log_message(self, *_: Any) -> None:
        """Write nothing: the address contains the code."""


def wait_for_browser(
    port: int, patience: float, ready: Callable[[], Any], is_answer: Callable[[str], bool]
) -> str:
    """Wait on 127.0.0.1 until the browser comes back; return the address that it asked for.

    Args:
        port: Where.
        patience: Seconds.
        ready: Called once requests are accepted.
        is_answer: Whether an address is that of this attempt; all others are ignored.

    Raises:
        LoginError: The port is taken, or the browser did not come back in time.
    """
    try:
        server = _Door(port, is_answer)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a port"
        raise LoginError(
            f"Port {port} cannot be used ({reason}). Choose another with --port, and list it in the app."
        ) from None
    with server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        try:
            ready()
            server.has_answer.wait(min(patience, threading.TIMEOUT_MAX))
        finally:
            server.shutdown()
    if not server.has_answer.is_set():
        raise LoginError(
            f"The browser did not come back from Spotify within {patience:.0f} seconds. Start again."
        )
    return server.address


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends with exit code 1 and one sentence where it cannot succeed."""
    options = _options().parse_args(arguments)
    try:
        _log_in(options)
    except TOLD as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Not logged in.")


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
        address = sys.stdin.buffer.readline(_MAX_ADDRESS).decode("utf-8", "replace").strip()
    else:
        address = wait_for_browser(
            options.port,
            options.patience,
            lambda: options.no_browser or webbrowser.open(visit.address),
            visit.is_answered_by,
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
