"""Requests to Garmin Connect: sign-in, pace, and what each answer means.

Source: the phone app's private API as ``garminconnect`` 0.3.20 calls it, and reports of its users. Nothing of it is
documented by Garmin; an answer that is not understood is an error of its stream, not of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_garmin.app import HEADERS
from tap_garmin.tokens import SignInError
from tap_kit import AnswerError, TapError
from tap_kit.bounded_http import told
from tap_kit.client import content_type, is_transient, response_provenance
from tap_kit.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_garmin.tokens import TokenFile
    from tap_kit import Client

PACE = 1.0
"""Seconds between two requests, plus some chance: limits are not published, others get along with this."""

API_VERSION = "connectapi"

BLOCKED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, 427})


class StoppedError(TapError):
    """Garmin refuses to go on; everything that came so far is kept, and the run ends."""


class NotAvailableError(TapError):
    """A part of the account is closed: another person's object, or a feature without consent."""


@dataclass(frozen=True)
class Answer:
    """One answer: its JSON (None for "nothing"), its bytes, and its provenance."""

    content: Any
    body: bytes
    provenance: dict[str, Any]


@dataclass
class Connect:
    """One account of Garmin Connect, asked one request at a time."""

    client: Client
    url: str
    tokens: TokenFile
    jitter: float = 0.4
    """Longest chance that is added to the pace, in seconds."""

    count: int = 0
    """Requests so far."""

    def get(
        self, path: str, parameters: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for JSON; parameters go into the query.

        Raises:
            SignInError: The token is refused, a renewed one too.
            StoppedError: Garmin limits requests or blocks this address.
            NotAvailableError: Closed to this account.
            AnswerError: Another refusal that trying again would not change.
            RetriableAPIError: No success after several attempts.
        """
        response = self._send(path, parameters or {}, headers)
        try:
            content = loads(response.content) if response.content.strip() else None
        except ValueError as error:
            raise FatalAPIError(
                f"{told(response.request)} answered with {len(response.content)} bytes ({content_type(response)}) that are {error}."
            ) from None
        return Answer(content, response.content, response_provenance(response, API_VERSION))

    def download(self, path: str) -> Answer | None:
        """Fetch a file; None where there is none.

        Raises:
            FatalAPIError: A page or a message came in its place.
            Exception: As :meth:`get`.
        """
        try:
            response = self._send(path, {}, {"Accept": "*/*"})
        except AnswerError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        if not response.content:
            return None
        kind = response.headers.get("Content-Type", "")
        if any(text in kind for text in ("html", "json")):
            raise FatalAPIError(
                f"{told(response.request)} answered with {len(response.content)} bytes of {content_type(response)} in place of a file."
            )
        return Answer(None, response.content, response_provenance(response, API_VERSION))

    def _send(
        self, path: str, parameters: Mapping[str, Any], headers: Mapping[str, str] | None
    ) -> requests.Response:
        request = requests.Request("GET", self.url + path, params=parameters)
        refused = ""
        for _ in range(2):
            request.headers = {
                **HEADERS,
                **(headers or {}),
                "Authorization": f"Bearer {self.tokens.access()}",
            }
            if self.count:
                self.client.sleep(self.jitter * self.client.chance())
            self.count += 1
            prepared = self.client.prepare(request)
            response = self.client.send(prepared, self._judge, allow_redirects=False)
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return response
            refused = told(prepared)
            self.tokens.renew()
        raise SignInError(
            f"Garmin refused the saved log-in ({refused} answered 401, after a renewal too). Log in again with "
            "tap-garmin-login."
        )

    def _judge(self, response: requests.Response) -> None:
        """Decide what an answer means; returns where it is a success, or a 401 that a renewal may cure."""
        status = response.status_code
        if status < HTTPStatus.MULTIPLE_CHOICES or status == HTTPStatus.UNAUTHORIZED:
            return
        where = f"{told(response.request)} answered {status}"
        if status in BLOCKED:
            raise StoppedError(
                f"Garmin limits the rate of requests ({where}). What came so far is kept; run again in some hours "
                "and it goes on from there."
            )
        if status == HTTPStatus.FORBIDDEN:
            if "json" not in response.headers.get("Content-Type", ""):
                raise StoppedError(
                    f"Garmin blocks this address ({where}, not by the account but by its firewall). Run it from home, "
                    "some hours later."
                )
            raise NotAvailableError(
                f"{where}: the account may not read it, or the feature is off. It is left out."
            )
        if is_transient(status):
            raise RetriableAPIError(f"{where}.", response)
        raise AnswerError(f"{where}.", status)
