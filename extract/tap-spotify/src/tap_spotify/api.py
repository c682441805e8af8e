"""Requests to Spotify's Web API: sign-in, rate limit, and what each refusal means.

Source: Spotify's Web API reference and change log (May 2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from singer_sdk.exceptions import RetriableAPIError

from tap_kit import TapError
from tap_kit.bounded_http import told
from tap_kit.client import Client, is_transient, response_provenance, retry_after
from tap_kit.errors import AnswerError
from tap_kit.jsontext import loads
from tap_spotify.tokens import LOG_IN, Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

API = "https://api.spotify.com/v1"

PACE = 1.0
"""Seconds between two requests. Spotify counts over 30 seconds and does not publish the number; this is safe."""


class RateLimitedError(TapError):
    """Spotify asks to wait longer than a run may."""


class _ExpiredError(Exception):
    """The access token is refused: it has expired."""


@dataclass(frozen=True)
class Answer:
    """An answer: its object, and where it comes from."""

    content: dict[str, Any]
    provenance: dict[str, Any]


@dataclass
class Spotify:
    """The API of one person, asked one request at a time."""

    client: Client
    tokens: Tokens
    url: str

    def get(self, path: str, parameters: Mapping[str, Any]) -> Answer:
        """Ask for *path*, with a new access token where the old one has expired.

        Raises:
            LoginError: There is no login, or it is refused.
            RateLimitedError: Spotify asks to wait too long.
            AnswerError: A refusal that trying again would not change.
            RetriableAPIError: No success after several attempts.
        """
        try:
            return self._get(path, parameters)
        except _ExpiredError:
            self.tokens.renew()
        try:
            return self._get(path, parameters)
        except _ExpiredError:
            raise AnswerError(
                f"Spotify refuses an access token that it has just made (GET {path}). {LOG_IN}",
                HTTPStatus.UNAUTHORIZED,
            ) from None

    def account_id(self) -> str:
        """Return the id of the account that the login belongs to (``GET /me``).

        Source: reference of May 2026: ``account_id`` does not change; accounts from before have ``id`` alone.

        Raises:
            AnswerError: The answer names none; everything that :meth:`get` raises.
        """
        content = self.get("/me", {}).content
        found = content.get("account_id") or content.get("id")
        if not isinstance(found, str) or not found:
            raise AnswerError("GET /me answered without an account.", HTTPStatus.OK)
        return found

    def _get(self, path: str, parameters: Mapping[str, Any]) -> Answer:
        request = requests.Request(
            "GET",
            self.url + path,
            params=dict(parameters),
            headers={"Authorization": f"Bearer {self.tokens.access_token}"},
        )
        prepared = self.client.prepare(request)
        response = self.client.send(prepared, self._judge, allow_redirects=False)
        provenance = response_provenance(response, "v1")
        if date := response.headers.get("Date"):
            provenance["answered_at"] = date
        return Answer(_object(response), provenance)

    def _judge(self, response: requests.Response) -> None:
        """Decide what an answer means; returns where it is a success."""
        status = response.status_code
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return
        where = f"{told(response.request)} answered {status}"
        if status == HTTPStatus.UNAUTHORIZED:
            raise _ExpiredError
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self._judge_wait(response)
        if is_transient(status):
            raise RetriableAPIError(where, response)
        if status == HTTPStatus.FORBIDDEN:
            raise AnswerError(
                f"Spotify refuses access ({where}). The app's owner needs Premium, the person has to be on the app's list "
                f"of users, and the login needs the scope user-read-recently-played. {LOG_IN}",
                status,
            )
        raise AnswerError(f"{where}. The API may have changed; see the README for what the tap asks.", status)

    def _judge_wait(self, response: requests.Response) -> None:
        asked = retry_after(response, self.client.now())
        if asked is not None and asked > self.client.longest_wait:
            raise RateLimitedError(
                f"Spotify asks to wait {asked:.0f} s, more than the {self.client.longest_wait:.0f} s of the setting "
                "'max_wait'. What came so far is saved; the next run goes on."
            )


def _object(response: requests.Response) -> dict[str, Any]:
    where = f"{told(response.request)} answered {response.status_code}"
    try:
        content = loads(response.content)
    except ValueError as error:
        raise AnswerError(
            f"{where} with {len(response.content)} bytes that are {error}.", response.status_code
        ) from None
    if not isinstance(content, dict):
        raise AnswerError(f"{where} with something else than an object.", response.status_code)
    return content
