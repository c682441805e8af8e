"""The token file: read, renewed under a lock, written so that no crash and no second process loses it.

Source: ``garminconnect`` 0.3.20 (names in the file, form of the request) and reports of its users. The access
token is a JWT of about a day. The refresh token lives 30 days, works once and is replaced with each renewal: what is
not written before it is used is lost, and the owner has to log in again.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_garmin.app import HEADERS
from tap_garmin.undisturbed import undisturbed
from tap_kit import TapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Post = Callable[[str, Mapping[str, str], str], tuple[int, bytes]]
    """Sends a form (address, fields, user of the basic sign-in) and gives status and body."""

FILE_NAME = "garmin_tokens.json"
REFRESH_PATH = "/di-oauth2-service/oauth/token"

MARGIN = timedelta(minutes=15)
"""An access token with less than this left is renewed before use."""

LIFE = timedelta(days=30)
"""Life of a refresh token; reported by several projects, not documented."""

WORRY = timedelta(days=16)
"""Age of the refresh token at which the owner is warned: two weeks are left."""

ACCESS_LIFE = timedelta(hours=24)
"""Usual life of an access token, where the token does not say when it was issued."""

_NAMES = ("di_token", "di_refresh_token", "di_client_id")
_MAX_ANSWER_BYTES = 2**20
_OWNER_ALONE = 0o077
_LOG_IN = "Log in again with tap-garmin-login"


class SignInError(TapError):
    """The token is missing, unusable or refused; only the owner can get a new one."""


@dataclass(frozen=True, repr=False)
class Tokens:
    """The pair of tokens and the client id that they belong to. Its repr shows nothing."""

    access: str
    refresh: str
    client_id: str

    @property
    def expires(self) -> datetime | None:
        """When the access token ends, by its own word; None where it cannot be read."""
        return self._moment("exp")

    @property
    def issued(self) -> datetime | None:
        """When the pair was issued: the access token's own word, or a day before it ends."""
        expires = self.expires
        return self._moment("iat") or (expires - ACCESS_LIFE if expires else None)

    def _moment(self, claim: str) -> datetime | None:
        try:
            part = self.access.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            return datetime.fromtimestamp(claims[claim], UTC)
        except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            return None


@dataclass
class TokenFile:
    """The file that the log-in command wrote, shared with whatever else reads from the same account."""

    place: Path
    url: str
    post: Post
    now: Callable[[], datetime]
    warn: Callable[[str], None]
    _tokens: Tokens | None = field(default=None, init=False, repr=False)
    _renewed: bool = field(default=False, init=False)

    @property
    def path(self) -> Path:
        """The file itself; *place* may be its folder."""
        return self.place if self.place.suffix == ".json" else self.place / FILE_NAME

    def access(self) -> str:
        """Give an access token with some minutes left, renewing it where needed.

        Raises:
            SignInError: There is none, or Garmin refuses to renew it.
        """
        tokens = self._tokens = self._tokens or self._read()
        if not self._renewed and not self._is_fresh(tokens):
            self.renew()  # once: with a clock that is wrong each token looks old, and a 401 tells in any case
        return self._tokens.access

    def renew(self) -> None:
        """Exchange the refresh token for a new pair, and write it before it is used.

        Another process may have done so in the meantime; then its pair is taken.

        Raises:
            SignInError: Garmin refuses it, or the file cannot be written.
        """
        before = self._tokens
        with self._locked():
            tokens = self._read()
            if before is None or tokens.access == before.access or not self._is_fresh(tokens):
                self._tell_age(tokens)
                with (
                    undisturbed()
                ):  # the old pair is dead once Garmin has it, and the new one nowhere until it is written
                    tokens = self._exchange(tokens)
                    self._write(tokens)
        self._tokens, self._renewed = tokens, True

    def _is_fresh(self, tokens: Tokens) -> bool:
        expires = tokens.expires
        return expires is None or expires - self.now() > MARGIN

    def _tell_age(self, tokens: Tokens) -> None:
        age = self.now() - tokens.issued if tokens.issued else timedelta()
        if age > WORRY:
            left = max(0, (LIFE - age).days)
            self.warn(
                f"Garmin's saved log-in was last renewed {age.days} days ago and ends after {LIFE.days} (about {left} "
                "left). Run at least once a week; each run renews it."
            )

    def _exchange(self, tokens: Tokens) -> Tokens:
        form = {
            "grant_type": "refresh_token",
            "client_id": tokens.client_id,
            "refresh_token": tokens.refresh,
        }
        status, body = self.post(self.url + REFRESH_PATH, form, tokens.client_id)
        if status in {HTTPStatus.TOO_MANY_REQUESTS, 427}:
            raise TapError(
                f"Garmin limits sign-ins (POST {REFRESH_PATH} answered {status}). Nothing is lost; run again in some "
                "hours, not sooner: each try starts the wait anew."
            )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TapError(
                f"Garmin's sign-in is out of order ({status}). The token is kept; run again later."
            )
        try:
            answer = json.loads(body) if status == HTTPStatus.OK else {}
            return Tokens(
                _text(answer["access_token"]),
                _text(answer.get("refresh_token") or tokens.refresh),
                tokens.client_id,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise SignInError(
                f"Garmin refused to renew the saved log-in (POST {REFRESH_PATH} answered {status}). {_LOG_IN}."
            ) from None

    # The file

    def _read(self) -> Tokens:
        try:
            text = self.path.read_text(encoding="utf-8")
            content = json.loads(text)
            tokens = Tokens(*(_text(content[name]) for name in _NAMES))
        except FileNotFoundError:
            raise SignInError(
                f"There is no Garmin token at {self.path}. Log in once with tap-garmin-login, or name its place in the "
                "setting token_store."
            ) from None
        except OSError as error:
            raise SignInError(
                f"The Garmin token at {self.path} cannot be read ({error.strerror}). The setting token_store has to name a "
                "folder or a .json file that your user can read."
            ) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SignInError(
                f"The file {self.path} holds no Garmin token ({', '.join(_NAMES)}); those of garth cannot be "
                f"converted. {_LOG_IN}."
            ) from None
        if self.path.stat().st_mode & _OWNER_ALONE:
            self.warn(f"The Garmin token at {self.path} was readable by others; that is now put right.")
            with contextlib.suppress(OSError):
                self.path.chmod(0o600)
        return tokens

    def _write(self, tokens: Tokens) -> None:
        save(self.path, dict(zip(_NAMES, (tokens.access, tokens.refresh, tokens.client_id), strict=True)))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock that every writer of the file takes."""
        try:
            descriptor = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise SignInError(
                f"The folder of the Garmin token, {self.path.parent}, cannot be written ({error.strerror}). The token "
                "is replaced at each renewal; let your user write there."
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write a token file whole or not at all, readable by its owner alone.

    Raises:
        SignInError: It cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with 0600
    except OSError as error:
        raise SignInError(f"{path.parent} cannot be written ({error.strerror}).") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise SignInError(f"{path} cannot be written ({error.strerror}).") from None
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def post_form(url: str, form: Mapping[str, str], user: str) -> tuple[int, bytes]:
    """Send the form of a renewal as the app's log-in does: with the TLS handshake of a browser.

    Source: ``garminconnect`` 0.3.20 sends it through ``curl_cffi``; whether a plain request is always let through is
    not known.

    The answer is bounded here, by 30 seconds in all and 1 MiB unpacked, as it does not come through the kit's client.

    Raises:
        TapError: No answer, or one that is too large.
    """
    from curl_cffi import requests as browser  # noqa: PLC0415 - slow to load, and needed once a day
    from curl_cffi.curl import CURL_WRITEFUNC_ERROR  # noqa: PLC0415 - likewise

    body = bytearray()

    def keep(piece: bytes) -> int:
        body.extend(piece)
        return len(piece) if len(body) <= _MAX_ANSWER_BYTES else CURL_WRITEFUNC_ERROR

    try:
        response = browser.post(
            url,
            data=dict(form),
            auth=(user, ""),
            headers={**HEADERS, "Cache-Control": "no-cache"},
            impersonate="chrome",
            allow_redirects=False,
            timeout=30,
            content_callback=keep,
        )
    except browser.exceptions.RequestException as error:
        raise TapError(
            f"No answer from Garmin's sign-in ({type(error).__name__}). Check the network and run again."
        ) from None
    return int(response.status_code), bytes(body)
