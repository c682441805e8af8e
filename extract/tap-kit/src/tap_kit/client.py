"""A polite HTTP client: keeps its distance, obeys Retry-After, gives up after a bounded number of attempts."""

from __future__ import annotations

import http.client
import math
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from singer_sdk.exceptions import RetriableAPIError

from tap_kit.bounded_http import BoundedAdapter, BoundedSession, told
from tap_kit.credentials import answer_text
from tap_kit.http_errors import INTERIM, TRANSIENT, exhausted_error, transport_error, unsendable_error

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_COOKIES = 100
_MOST_NAMED = 20
"""Headers of rate limits that the provenance keeps."""

_LONGEST_HEADER = 1000
"""Characters of a header that the provenance keeps; services send some dozens."""

_LONGEST_SECONDS = 1e9
_REQUEST_ID_HEADERS = ("X-Request-Id", "Request-Id", "X-Correlation-Id", "X-Amzn-RequestId", "CF-Ray")
_RATE_HEADER_STARTS = ("ratelimit", "x-ratelimit", "x-rate-limit", "retry-after")


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

    max_answer_bytes: int = 256 * 2**20
    """Largest content of one answer, as sent and unpacked."""

    max_answer_seconds: float = 600.0
    """Longest time of one answer, from the connection to the last byte, redirects included."""

    session: requests.Session = field(default_factory=BoundedSession)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    _last_start: float | None = field(default=None, init=False)
    _adapter: BoundedAdapter = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Bound every answer of the session."""
        self._adapter = BoundedAdapter(self.max_answer_bytes, self.max_answer_seconds)
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, self._adapter)

    def prepare(self, request: requests.Request) -> requests.PreparedRequest:
        """Return *request* ready to send.

        Raises:
            TapError: Its address or a header cannot be sent.
        """
        try:
            return self.session.prepare_request(request)
        except (requests.RequestException, ValueError) as error:
            raise unsendable_error(request, error) from error

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
            UnreachableError: The service cannot be reached, after all attempts.
            RetriableAPIError: No attempt succeeded, or the service asks to wait too long.
            AnswerError: The answer is too large or cannot be followed.
            FatalAPIError: *validate* says so.
            TapError: The request cannot be sent (bad address).
        """
        attempt = 1
        while True:
            try:
                response = self._send_once(request, allow_redirects=allow_redirects)
                validate(response)
            except (*TRANSIENT, RetriableAPIError) as error:
                self._wait_or_give_up(attempt, request, error)
                attempt += 1
            else:
                return response

    def _send_once(self, request: requests.PreparedRequest, *, allow_redirects: bool) -> requests.Response:
        self._keep_distance()
        if len(self.session.cookies) > _MOST_COOKIES:
            self.session.cookies.clear()
        # Proxies and certificates that the environment names; Session.send does not look there by itself.
        settings = self.session.merge_environment_settings(request.url, {}, False, None, None)  # noqa: FBT003
        self._adapter.start()
        try:
            response = self.session.send(
                request, timeout=self.timeout, allow_redirects=allow_redirects, **settings
            )
        except (OSError, ValueError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            raise transport_error(request, error, redirected=self._adapter.hops > 0) from error
        finally:
            self._adapter.ends = None
        if response.status_code < HTTPStatus.OK:
            raise requests.ConnectionError(INTERIM, request=request)
        return response

    def _keep_distance(self) -> None:
        if self._last_start is not None:
            wait = self._last_start + self.min_interval - self.clock()
            if wait > 0:
                self.sleep(wait)
        self._last_start = self.clock()

    def _wait_or_give_up(self, attempt: int, request: requests.PreparedRequest, error: Exception) -> None:
        if attempt >= self.attempts:
            raise exhausted_error(request, error, attempt) from error
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
    """Return the seconds of Retry-After (RFC 9110, 10.2.3), given as seconds or as a date; None if absent or unreadable."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        seconds = header_number(text)
        return _LONGEST_SECONDS if seconds is None else seconds
    moment = http_date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def http_date(text: str | None) -> datetime | None:
    """Return the moment of an HTTP date in UTC; None if there is none that can be read."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def header_number(text: str | None) -> float | None:
    """Return the number in a header; None if there is none, or none that can be a count or a number of seconds."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= _LONGEST_SECONDS else None


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
        "api_request_id": next(
            (headers[name][:_LONGEST_HEADER] for name in _REQUEST_ID_HEADERS if name in headers), None
        ),
        "api_rate_limit_info": bounded_headers(response, _RATE_HEADER_STARTS),
    }
    return {name: value for name, value in provenance.items() if value not in (None, {})}


def bounded_headers(response: requests.Response, starts: str | tuple[str, ...]) -> dict[str, str]:
    """Return the headers whose names start with one of *starts* (lower case): at most 20, each of at most 1,000 characters."""
    found = [item for item in response.headers.items() if item[0].lower().startswith(starts)]
    return {name[:_LONGEST_HEADER]: value[:_LONGEST_HEADER] for name, value in found[:_MOST_NAMED]}


def content_type(response: requests.Response) -> str:
    """Return the type of an answer's content in the form in which a message may show it."""
    return answer_text(response.headers.get("Content-Type", "no type given"), response.request, 60)
