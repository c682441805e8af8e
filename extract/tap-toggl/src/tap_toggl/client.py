"""Requests to Toggl: sign-in, pace, hourly quotas, and what each refusal means.

Source: Toggl's API documentation (Track v9, Reports v3), the quotas of 5 September 2025, and reports of other
clients where the documentation is silent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_kit import TapError
from tap_kit.bounded_http import told
from tap_kit.client import (
    Client,
    bounded_headers,
    header_number,
    http_date,
    is_transient,
    response_provenance,
)
from tap_kit.credentials import MAX_SENTENCE, answer_text
from tap_kit.errors import AnswerError
from tap_kit.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TRACK = "/api/v9"
REPORTS = "/reports/api/v3"

PACE = 1.0
"""Seconds between two requests: Toggl's documentation calls one a second safe."""

QUOTA_RESERVE = 2
"""Calls of a bucket left to the owner's other clients, which may share it."""

QUOTA_WINDOW = 3600.0
"""Seconds after which a quota is whole again, where the answer does not say."""

_LONGEST_ID = 1000
"""Characters of a request's id that the provenance keeps."""

_WORKSPACE = re.compile(r"/workspaces?/(\d+)")
_ORGANIZATION = re.compile(r"/organizations/(\d+)")
_QUOTA_TEXT = re.compile(r"hourly limit|quota", re.IGNORECASE)
_SECONDS_TEXT = re.compile(r"(\d+)\s*seconds?")


class CredentialsError(TapError):
    """The token was refused: nothing can be read."""


class QuotaUsedUpError(TapError):
    """The hourly quota of a bucket is used up for longer than the run may wait."""


class NotAvailableError(TapError):
    """A part of the account is closed to this user."""


class PaidFeatureError(NotAvailableError):
    """A part of Toggl that the plan lacks."""


class _QuotaRefusal(Exception):  # noqa: N818 - it ends an attempt, not the run
    """A 402 for the quota; it resets in that many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class Answer:
    """One answer: its JSON (None for "nothing"), headers, the server's clock, and its provenance."""

    content: Any
    headers: Mapping[str, str]
    date: datetime
    provenance: dict[str, Any]

    def items(self) -> list[dict[str, Any]]:
        """Give the objects of a list answer; null is an empty list.

        Raises:
            FatalAPIError: The answer is no list of objects.
        """
        content = [] if self.content is None else self.content
        if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
            raise FatalAPIError(
                f"{self.provenance['api_endpoint']} answered with something else than a list."
            )
        return content


@dataclass
class Toggl:
    """The two APIs of one account, asked one request at a time."""

    client: Client
    url: str
    token: str
    quota_max_wait: float

    def __post_init__(self) -> None:
        """Start with quotas that nothing is known of."""
        self.organizations: dict[int, int] = {}
        self._resets: dict[str, float] = {}
        self._told: set[str] = set()
        self._waited = 0.0

    def get(self, path: str, **parameters: Any) -> Answer:
        """Ask the Track API; parameters go into the query string."""
        return self._ask(requests.Request("GET", self.url + TRACK + path, params=parameters), "v9")

    def search(self, workspace_id: int, body: Mapping[str, Any]) -> Answer:
        """Ask the Reports API for time entries of one workspace."""
        path = f"/workspace/{workspace_id}/search/time_entries"
        return self._ask(requests.Request("POST", self.url + REPORTS + path, json=body), "reports v3")

    def _ask(self, request: requests.Request, api_version: str) -> Answer:
        """Send a request, waiting for its quota where that is allowed.

        Raises:
            CredentialsError: The token is refused.
            QuotaUsedUpError: The quota resets too late for this run.
            NotAvailableError: This part is closed to the user.
            AnswerError: Another refusal that trying again would not change.
            RetriableAPIError: No success after several attempts.
        """
        request.auth = (self.token, "api_token")
        request.headers = {"Content-Type": "application/json"}
        prepared = self.client.prepare(request)
        bucket = self._bucket(urlsplit(prepared.url or "").path)
        while True:
            self._await_quota(bucket)
            try:
                response = self.client.send(prepared, self._judge, allow_redirects=False)
            except _QuotaRefusal as refusal:
                self._resets[bucket] = self.client.clock() + refusal.seconds
                continue
            self._note_quota(bucket, response)
            return self._read(response, api_version)

    def _read(self, response: requests.Response, api_version: str) -> Answer:
        provenance = response_provenance(response, api_version)
        if request_id := response.headers.get("X-Toggl-Request-Id"):
            provenance["api_request_id"] = request_id[:_LONGEST_ID]
        if quota := bounded_headers(response, "x-toggl-quota"):
            provenance["api_rate_limit_info"] = quota
        try:
            content = loads(response.content) if response.content.strip() else None
        except ValueError as error:
            raise FatalAPIError(
                f"{told(response.request)} answered with {len(response.content)} bytes that are {error}"
            ) from None
        return Answer(content, response.headers, self._date(response), provenance)

    def _date(self, response: requests.Response) -> datetime:
        """Read the server's clock; bookmarks follow it and not this machine's."""
        return http_date(response.headers.get("Date")) or self.client.now()

    # Quotas

    def _bucket(self, path: str) -> str:
        """Name the quota that a request is charged to: its organization's, else the user's."""
        if found := _WORKSPACE.search(path):
            workspace_id = int(found[1])
            organization = self.organizations.get(workspace_id)
            return f"workspace {workspace_id}" if organization is None else f"organization {organization}"
        if found := _ORGANIZATION.search(path):
            return f"organization {found[1]}"
        return "user"

    def _note_quota(self, bucket: str, response: requests.Response) -> None:
        """Remember when a bucket resets, if the answer says that it is used up."""
        remaining = header_number(response.headers.get("X-Toggl-Quota-Remaining"))
        if remaining is not None and remaining <= QUOTA_RESERVE:
            seconds = header_number(response.headers.get("X-Toggl-Quota-Resets-In"))
            self._resets[bucket] = self.client.clock() + (QUOTA_WINDOW if seconds is None else seconds)

    def _await_quota(self, bucket: str) -> None:
        """Wait until a used-up bucket resets, as long as the run may wait in all."""
        if bucket not in self._resets:
            return
        wait = self._resets[bucket] - self.client.clock() + 2
        if wait > 0 and self._waited + wait > self.quota_max_wait:
            raise QuotaUsedUpError(self._used_up(bucket, wait))
        del self._resets[bucket]
        if wait > 0:
            self._waited += wait
            self.client.sleep(wait)

    def _used_up(self, bucket: str, wait: float) -> str:
        """Say when to run again, once for each bucket."""
        if bucket in self._told:
            return f"Toggl's hourly quota ({bucket}) is used up, see above."
        self._told.add(bucket)
        again = self.client.now() + timedelta(seconds=wait)
        return (
            f"Toggl's hourly quota ({bucket}) is used up. What came so far is saved; run again after "
            f"{again:%H:%M} UTC (in {-(-wait // 60):.0f} minutes) and it goes on from here."
        )

    # Refusals

    def _judge(self, response: requests.Response) -> None:
        """Decide what an answer means; returns where it is a success."""
        status = response.status_code
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return
        where = f"{told(response.request)} answered {status}"
        if status == HTTPStatus.PAYMENT_REQUIRED:
            self._judge_payment(response, where)
        if status == HTTPStatus.UNAUTHORIZED or (
            status == HTTPStatus.FORBIDDEN and where.split()[1].endswith("/me")
        ):
            raise CredentialsError(
                f"Toggl refused the API token ({where}). Copy it from the Toggl profile page (Profile settings, "
                "API Token) and set TOGGL_API_KEY in .env."
            )
        if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            raise NotAvailableError(
                f"{where}: the token's user may not read it{_id_of(response)}. It is left out."
            )
        if is_transient(status):
            raise RetriableAPIError(f"{where}{_id_of(response)}.", response)
        text = self._text(response)
        raise AnswerError(f"{where}{f': {text}' if text else ''}{_id_of(response)}", status)

    def _judge_payment(self, response: requests.Response, where: str) -> None:
        """Tell a 402 for the hourly quota from one for a feature of a paid plan."""
        remaining = header_number(response.headers.get("X-Toggl-Quota-Remaining"))
        seconds = header_number(response.headers.get("X-Toggl-Quota-Resets-In"))
        text = self._text(response)
        if (remaining is not None and remaining <= 0) or _QUOTA_TEXT.search(text):
            found = _SECONDS_TEXT.search(text)
            told_seconds = header_number(found[1]) if found and seconds is None else seconds
            raise _QuotaRefusal(QUOTA_WINDOW if told_seconds is None else told_seconds)
        raise PaidFeatureError(f"{where}: a paid feature of Toggl that this plan lacks. It is left out.")

    def _text(self, response: requests.Response) -> str:
        """Return the sentence of an error, a JSON string or bare text, in the form in which it may be shown."""
        if len(response.content) > MAX_SENTENCE:
            return ""
        try:
            content = loads(response.content)
        except ValueError:
            content = response.text
        text = content if isinstance(content, str) and "<" not in content else ""  # a page is not a sentence
        return answer_text(" ".join(text.split()), response.request)


def _id_of(response: requests.Response) -> str:
    """Name the request as Toggl's support can find it."""
    headers = response.headers
    request_id = headers.get("X-Toggl-Request-Id") or headers.get("X-Request-Id")
    return f" (request {answer_text(request_id, response.request, 80)})" if request_id else ""
