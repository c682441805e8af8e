"""What a failed request means, in sentences of our own: no text of a server and no address is repeated."""

from __future__ import annotations

import http.client
import socket
import ssl
from http import HTTPStatus

import requests
import urllib3
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, ProxyError, SSLError
from singer_sdk.exceptions import RetriableAPIError, SingerSDKError

from tap_kit.bounded_http import told
from tap_kit.errors import AnswerError, TapError, UnreachableError

BROKEN_ANSWERS = (ChunkedEncodingError, ContentDecodingError)
TRANSIENT = (requests.ConnectionError, requests.Timeout, *BROKEN_ANSWERS)
INTERIM = "only an interim answer (1xx)"

_SOCKET_ERRORS = (ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror)
_MOST_CAUSES = 50

_REASONS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (ProxyError, "the proxy refuses or cannot be reached; check HTTPS_PROXY"),
    ((socket.gaierror, urllib3.exceptions.NameResolutionError), "the name of the server cannot be resolved"),
    (SSLError, "the encrypted connection failed"),
    ((requests.Timeout, TimeoutError), "timed out"),
    (ConnectionRefusedError, "the connection was refused"),
    (ConnectionResetError, "the connection was lost"),  # RemoteDisconnected is one of HTTPException too
    (http.client.HTTPException, "what answers there does not speak HTTP"),
)
"""The first line whose error led to the failure counts."""


def transport_error(
    request: requests.PreparedRequest, error: Exception, *, redirected: bool
) -> BaseException:
    """Return the error that a failed transmission counts as; one of TRANSIENT may be tried again.

    Args:
        request: What was sent.
        error: What requests, urllib3 or http.client raised.
        redirected: Whether an answer came before, so that an unusable address is the service's and not the settings'.
    """
    if isinstance(error, SSLError) and _cause(error, ssl.SSLCertVerificationError):
        return UnreachableError(
            f"{told(request)}: the server's certificate was refused. Check this machine's clock and the CA bundle "
            "(REQUESTS_CA_BUNDLE), then run again."
        )
    if isinstance(error, TRANSIENT):
        return error
    if isinstance(error, requests.RequestException | ValueError):
        return unsendable_error(request, error, redirected=redirected)
    if isinstance(error, OSError) and not isinstance(error, _SOCKET_ERRORS):
        # requests found no CA bundle where the environment names one.
        return TapError(
            f"{told(request)}: the CA bundle cannot be read. Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE."
        )
    return requests.ConnectionError(error, request=request)


def unsendable_error(
    request: requests.Request | requests.PreparedRequest, error: Exception, *, redirected: bool = False
) -> SingerSDKError:
    """Return the error of an address that cannot be used: that of the settings, or the one that the service redirects to."""
    kind = type(error).__name__
    if isinstance(error, requests.TooManyRedirects):
        return AnswerError(
            f"{told(request)}: the service redirects again and again. Check the address in the settings.",
            HTTPStatus.LOOP_DETECTED,
        )
    if redirected:
        return AnswerError(
            f"{told(request)}: the service redirects to an address that cannot be used ({kind}). Run again later.",
            HTTPStatus.BAD_GATEWAY,
        )
    return TapError(
        f"{told(request)}: cannot be sent ({kind}). Check the address and the credentials in the settings, and "
        "HTTPS_PROXY."
    )


def exhausted_error(request: requests.PreparedRequest, error: Exception, attempts: int) -> Exception:
    """Build the error of a request whose last attempt failed."""
    if isinstance(error, RetriableAPIError):
        failed = str(error).rstrip(".")
        return RetriableAPIError(f"{failed} after {attempts} attempts. Run again later; nothing is lost.")
    if isinstance(error, BROKEN_ANSWERS):
        return RetriableAPIError(
            f"{told(request)}: the answer broke off or is damaged ({type(error).__name__}), after {attempts} attempts. "
            "Run again later; nothing is lost."
        )
    return UnreachableError(
        f"{told(request)}: no answer after {attempts} attempts ({_why_unreachable(error)}). Check the network connection "
        "and run again; what was read before is saved."
    )


def _why_unreachable(error: Exception) -> str:
    """Return the reason of a failed connection in a few words of our own."""
    return next((reason for kinds, reason in _REASONS if _cause(error, kinds)), "the connection was lost")


def _cause(
    error: BaseException | None, kinds: type[BaseException] | tuple[type[BaseException], ...]
) -> BaseException | None:
    """Return the error of *kinds* that led to *error*; None if there is none."""
    waiting, seen = [error], 0
    while waiting and seen < _MOST_CAUSES:
        candidate = waiting.pop()
        seen += 1
        if isinstance(candidate, kinds):
            return candidate
        if isinstance(candidate, BaseException):
            reasons = (candidate.__cause__, candidate.__context__, getattr(candidate, "reason", None))
            waiting += [reason for reason in (*reasons, *candidate.args) if isinstance(reason, BaseException)]
    return None
