"""Signing in to Spotify: the file that keeps the login, and access tokens made from it.

Sources: Spotify's authorization guides; its announcement that from 20 July 2026 on a refresh token ends six months
after the person's authorization.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from singer_sdk.exceptions import RetriableAPIError

from tap_kit import TapError
from tap_kit.bounded_http import told
from tap_kit.client import Client, is_transient
from tap_kit.jsontext import dumps, loads

if TYPE_CHECKING:
    import logging

ACCOUNTS = "https://accounts.spotify.com"

LIFE = timedelta(days=182)
"""Of a login; its six months end about then."""

WARN_FROM = timedelta(days=150)

LOG_IN = "Log in again: meltano invoke tap-spotify:login (or tap-spotify-login)."


class LoginError(TapError):
    """Spotify does not accept the login; nothing of the API can be read until the person has logged in again."""


@dataclass(frozen=True)
class App:
    """The app of Spotify's developer dashboard that signs in; the secret is empty for logins by PKCE alone."""

    client_id: str
    client_secret: str = ""

    def post(self, client: Client, url: str, **form: str) -> dict[str, Any]:
        """Ask the token endpoint, as the app.

        Raises:
            LoginError: It refuses the app, or what the form gives.
            RetriableAPIError: No answer after several attempts.
        """
        auth = (self.client_id, self.client_secret) if self.client_secret else None
        data = form if auth else {**form, "client_id": self.client_id}
        request = requests.Request("POST", f"{url}/api/token", data=data, auth=auth)
        response = client.send(client.prepare(request), _judge, allow_redirects=False)
        answer = _object(response)
        if response.status_code >= HTTPStatus.BAD_REQUEST or "access_token" not in answer:
            raise LoginError(_why_refused(str(answer.get("error", "")), response))
        return answer


@dataclass(frozen=True)
class Login:
    """What the file keeps. ``first`` is the hash of the refresh token that the login began with."""

    refresh_token: str
    authorized_at: str
    first: str
    scope: str = ""

    @classmethod
    def of(cls, refresh_token: str, authorized_at: datetime, scope: str = "") -> Login:
        """Begin a login."""
        return cls(refresh_token, authorized_at.isoformat(timespec="seconds"), _hash(refresh_token), scope)


class LoginFile:
    """The file of a login, closed to others."""

    def __init__(self, path: Path) -> None:
        """Name the file; it need not exist."""
        self.path = path

    def read(self) -> Login | None:
        """Give the login; None: there is no file.

        Raises:
            TapError: The file cannot be read or is none of a login.
        """
        try:
            content = loads(self.path.read_bytes())
            login = Login(**{name: str(value) for name, value in content.items()})
            datetime.fromisoformat(login.authorized_at or "1970-01-01")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, TypeError, AttributeError):
            raise TapError(f"{self.path} cannot be read as a login of Spotify. Remove it. {LOG_IN}") from None
        return login

    def write(self, login: Login) -> None:
        """Keep a login; the file is whole at any moment.

        Raises:
            TapError: The file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)  # with mode 0600
            with os.fdopen(handle, "wb") as file:
                file.write(dumps(asdict(login)))
            Path(name).replace(self.path)
        except OSError as error:
            raise TapError(
                f"The login of Spotify cannot be kept in {self.path} ({error.strerror}). Make its folder writable, and "
                "log in again: Spotify may not accept the old one any more."
            ) from None


@dataclass
class Tokens:
    """Access tokens, made from the refresh token when they are needed."""

    app: App
    client: Client
    file: LoginFile
    """Keeps the login, and a refresh token that Spotify gives in place of an older one."""

    setting: str
    """Refresh token of the settings; empty: the file's."""

    url: str
    """Of Spotify's accounts service."""

    logger: logging.Logger
    """Takes the warning that a login is about to end."""

    _token: str = field(default="", init=False)

    @property
    def access_token(self) -> str:
        """The current one, made on first use.

        Raises:
            LoginError: There is no login, or it is refused.
        """
        if not self._token:
            self.renew()
        return self._token

    def renew(self) -> None:
        """Make a new access token.

        Raises:
            LoginError: There is no login, or it is refused.
        """
        login = self._login()
        self._warn_of_end(login)
        answer = self.app.post(
            self.client, self.url, grant_type="refresh_token", refresh_token=login.refresh_token
        )
        self._token = str(answer["access_token"])
        new = answer.get("refresh_token")
        if new and new != login.refresh_token:
            self.file.write(Login(str(new), login.authorized_at, login.first, login.scope))

    def _login(self) -> Login:
        """Give the file's login, unless the settings name a token that it does not come from."""
        kept = self.file.read()
        if self.setting and (kept is None or kept.first != _hash(self.setting)):
            return Login(self.setting, "", _hash(self.setting))
        if kept is None:
            raise LoginError(f"There is no login of Spotify ({self.file.path}). {LOG_IN}")
        return kept

    def _warn_of_end(self, login: Login) -> None:
        if not login.authorized_at:
            return
        authorized = datetime.fromisoformat(login.authorized_at).astimezone(UTC)
        if self.client.now() - authorized >= WARN_FROM:
            self.logger.warning(
                "The login of Spotify ends about %s, six months after it was made. %s",
                (authorized + LIFE).date().isoformat(),
                LOG_IN,
            )


def _judge(response: requests.Response) -> None:
    if is_transient(response.status_code):
        raise RetriableAPIError(f"Spotify's sign-in answered {response.status_code}", response)


def _why_refused(error: str, response: requests.Response) -> str:
    if error == "invalid_grant":
        return f"Spotify no longer accepts the login: it ended (after six months), or was revoked. {LOG_IN}"
    if error in {"invalid_client", "unauthorized_client"}:
        return (
            "Spotify refused the app. Copy client id and secret from developer.spotify.com/dashboard and set "
            "TAP_SPOTIFY_CLIENT_ID and TAP_SPOTIFY_CLIENT_SECRET (no secret if the login was made without)."
        )
    return f"{told(response.request)} answered {response.status_code} without a token. {LOG_IN}"


def _object(response: requests.Response) -> dict[str, Any]:
    try:
        content = loads(response.content)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
