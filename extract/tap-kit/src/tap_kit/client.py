"""A polite HTTP client: keeps its distance, obeys Retry-After, gives up after a bounded number of attempts."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

if TYPE_CHECKING:
    from collections.abc import Callable

_TRANSIENT = (
    ConnectionError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
_REQUEST_ID_HEADERS = ("X-Request-Id", "Request-Id", "X-Correlation-Id", "X-Amzn-RequestId", "CF-Ray")
_RATE_HEADER_STARTS = ("ratelimit", "x-ratelimit", "x-rate-limit", "retry-after")


class AnswerError(FatalAPIError):
    """An answer that trying again would not change; ``status`` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the status for streams that can go on without this part."""
        super().__init__(message)
        self.status = status


@dataclass
class Client:
    """Sends requests one after another, no faster than a service likes.

    Clock, sleep and chance can be given, so that tests take no time. All durations are in seconds.
    """

    min_interval: float = 0.0
    """Distance between the starts of two requests."""

    attempts: int = 5
    """How often one request is sent before it counts as failed."""

    longest_wait: float = 900.0
    """A service that asks to wait longer ends the run, which says how long it asked for."""

    timeout: tuple[float, float] = (15.0, 120.0)
    """For the connection, and between two pieces of an answer."""

    session: requests.Session = field(default_factory=requests.Session)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    _last_start: float | None = field(default=None, init=False)

    def send(
        self,
        request: requests.PreparedRequest,
        validate: Callable[[requests.Response], None],
        *,
        allow_redirects: bool = True,
    ) -> requests.Response:
        """Send *request* until an answer passes *validate*.

        Args:
            request: Ready to send, signed in.
            validate: Raises RetriableAPIError (with the response) to have it sent again, anything else to stop.
            allow_redirects: Follow redirects.

        Raises:
            RetriableAPIError: No attempt succeeded, or the service asks to wait too long.
            FatalAPIError: The request cannot be sent (bad address, certificate), or *validate* says so.
        """
        attempt = 1
        while True:
            try:
                response = self._send_once(request, allow_redirects=allow_redirects)
                validate(response)
            except (*_TRANSIENT, RetriableAPIError) as error:
                self._wait_or_give_up(attempt, request, error)
                attempt += 1
            else:
                return response

    def _send_once(self, request: requests.PreparedRequest, *, allow_redirects: bool) -> requests.Response:
        self._keep_distance()
        # Proxies and certificates that the environment names; Session.send does not look there by itself.
        settings = self.session.merge_environment_settings(request.url, {}, False, None, None)  # noqa: FBT003
        try:
            return self.session.send(
                request, timeout=self.timeout, allow_redirects=allow_redirects, **settings
            )
        except requests.exceptions.SSLError as error:
            raise FatalAPIError(
                f"{told(request)}: the server's certificate was refused. Check the clock and the CA bundle."
            ) from error
        except _TRANSIENT:
            raise
        except requests.RequestException as error:
            raise FatalAPIError(f"{told(request)}: cannot be sent ({type(error).__name__}).") from error

    def _keep_distance(self) -> None:
        if self._last_start is not None:
            wait = self._last_start + self.min_interval - self.clock()
            if wait > 0:
                self.sleep(wait)
        self._last_start = self.clock()

    def _wait_or_give_up(self, attempt: int, request: requests.PreparedRequest, error: Exception) -> None:
        if attempt >= self.attempts:
            raise RetriableAPIError(
                f"{_what_failed(request, error)} after {attempt} attempts. Run again later; nothing is lost."
            ) from error
        response = error.response if isinstance(error, RetriableAPIError) else None
        asked = retry_after(response, self.now()) if response is not None else None
        if asked is not None and asked > self.longest_wait:
            raise RetriableAPIError(
                f"{told(request)}: the service asks to wait {asked:.0f} s, more than the {self.longest_wait:.0f} s "
                "that a run waits. Run again after that."
            ) from error
        backoff = 2.0**attempt * (0.5 + self.chance())
        self.sleep(backoff if asked is None else asked + self.chance())


def retry_after(response: requests.Response, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3), seconds or a date; None where it is absent or unreadable."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - now).total_seconds())


def is_transient(status: int) -> bool:
    """Tell whether the same request may succeed later: rate limits, time-outs and errors of the server."""
    return (
        status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def response_provenance(response: requests.Response, api_version: str | None = None) -> dict[str, Any]:
    """Say where the records of an answer come from, in the members that have bronze columns.

    The query is left out: it may hold credentials.
    """
    headers = response.headers
    provenance: dict[str, Any] = {
        "api_endpoint": told(response.request),
        "api_response_code": response.status_code,
        "api_version": api_version,
        "api_request_id": next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), None),
        "api_rate_limit_info": {
            name: value for name, value in headers.items() if name.lower().startswith(_RATE_HEADER_STARTS)
        },
    }
    return {name: value for name, value in provenance.items() if value not in (None, {})}


def told(request: requests.PreparedRequest) -> str:
    """Name a request as ``GET /path``, without host and query."""
    return f"{request.method} {urlsplit(request.url or '').path or '/'}"


def _what_failed(request: requests.PreparedRequest, error: Exception) -> str:
    if isinstance(error, RetriableAPIError):
        return str(error).rstrip(".")
    return f"{told(request)}: no answer ({type(error).__name__})"
