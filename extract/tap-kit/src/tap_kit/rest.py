"""The stream of an HTTP API: exact numbers, provenance from each answer, errors that a person can read."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import RESTStream
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.helpers.jsonpath import extract_jsonpath
from typing_extensions import override

from tap_kit.bounded_http import told
from tap_kit.client import content_type, is_transient, response_provenance
from tap_kit.credentials import answer_text
from tap_kit.errors import AnswerError
from tap_kit.jsontext import loads
from tap_kit.messages import Raw
from tap_kit.streams import RawStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import requests

_HINTS = {
    HTTPStatus.UNAUTHORIZED: "Check the credentials in the settings.",
    HTTPStatus.FORBIDDEN: "The credentials do not give access to it.",
    HTTPStatus.NOT_FOUND: "Check the address and the identifiers in the settings.",
    HTTPStatus.TOO_MANY_REQUESTS: "The service limits the rate of requests.",
}


class RawRESTStream(RawStream, RESTStream[Any]):
    """An API resource; ``records_jsonpath``, ``path`` and the paging are the SDK's.

    Requests go through the tap's :class:`~tap_kit.client.Client`, one for all streams.
    """

    api_version: ClassVar[str | None] = None
    """Told in the provenance."""

    gap_statuses: ClassVar[frozenset[int]] = frozenset()
    """Answers on which this stream goes on with the next partition, reporting a gap."""

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        try:
            yield from self.request_records(context)
        except AnswerError as error:
            if error.status not in self.gap_statuses:
                raise
            self.report_gap(str(error))

    @override
    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        provenance = response_provenance(response, self.api_version)
        for record in extract_jsonpath(self.records_jsonpath, input=self.read_json(response)):
            if not isinstance(record, dict):
                raise FatalAPIError(f"{self.name}: {told(response.request)} gave a record that is no object.")
            yield Raw(record, provenance)

    def read_json(self, response: requests.Response) -> Any:
        """Read an answer, exact to the digit; an empty one is null.

        Raises:
            FatalAPIError: The answer is not JSON; the message has its type and size, not its content.
        """
        if not response.content:
            return None
        try:
            return loads(response.content)
        except ValueError as error:
            raise FatalAPIError(
                f"{self.name}: {told(response.request)} answered {response.status_code} with {len(response.content)} "
                f"bytes ({content_type(response)}) that are {error}."
            ) from None

    @override
    def validate_response(self, response: requests.Response) -> None:
        """Decide retry (408, 425, 429, 5xx) or stop (other 4xx)."""
        if is_transient(response.status_code) or response.status_code in self.extra_retry_statuses:
            raise RetriableAPIError(self.response_error_message(response), response)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise AnswerError(self.response_error_message(response), response.status_code)

    @override
    def response_error_message(self, response: requests.Response) -> str:
        """Tell what was asked and answered; never the content, which may be personal."""
        status = response.status_code
        reason = answer_text(str(response.reason or ""), response.request, 60)
        sentence = f"{self.name}: {told(response.request)} answered {status} {reason}".rstrip()
        return f"{sentence}. {self.hint(status)}".rstrip()

    def hint(self, status: int) -> str:
        """Give the remedy for an HTTP status; override to name the service's own settings."""
        return _HINTS.get(HTTPStatus(status), "") if status in set(HTTPStatus) else ""

    @property
    @override
    def requests_session(self) -> requests.Session:
        return self._tap.client.session

    @cached_property
    @override
    def user_agent(self) -> str:
        return str(self.config.get("user_agent") or f"{self._tap.name}/{self._tap.plugin_version}")

    @override
    def request_decorator(self, func: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
        """Leave the request as it is: the client retries."""
        return func

    @override
    def _request(
        self, prepared_request: requests.PreparedRequest, context: Mapping[str, Any] | None
    ) -> requests.Response:
        return self._tap.client.send(
            self.authenticator(prepared_request), self.validate_response, allow_redirects=self.allow_redirects
        )
