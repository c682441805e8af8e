"""An HTTP transport that no answer can occupy for ever or fill the memory with.

requests bounds the pause between two pieces of an answer, and nothing else: one byte a second, headers without end or a few
megabytes of gzip that unpack to gigabytes keep it busy. This adapter reads each answer completely, under a limit of bytes
(as sent and unpacked) and of time; the time covers connection, headers, redirects and content.
"""

from __future__ import annotations

import http.client
import io
import time
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import Buffer, override
from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing

from tap_kit.errors import AnswerError, UnreachableError
from tap_kit.text import printable

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from http.cookiejar import Cookie

MAX_HEADER_BYTES = 8 * 2**20
"""Of everything before the content, interim answers included. Python itself accepts 100 lines of 64 KiB."""

MAX_REDIRECTS = 10
MAX_COOKIE_CHARACTERS = 4096
"""Larger cookies are not kept (RFC 6265, 6.1)."""

_CHUNK_BYTES = 2**16
_ENCODINGS = {"", "identity", "gzip", "x-gzip", "deflate"}
"""What is unpacked; nothing else is asked for."""

_HARMLESS_HEADERS = {"accept", "accept-encoding", "connection", "user-agent"}
"""What a request keeps when it is redirected to another host."""


def told(request: requests.Request | requests.PreparedRequest) -> str:
    """Return a request's name, ``GET /path``, without host and query."""
    try:
        path = urlsplit(request.url or "").path
    except ValueError:
        path = ""
    return f"{request.method} {printable(path or '/')}"


@dataclass
class Allowance:
    """What one answer may still take."""

    ends: float
    """In terms of ``time.monotonic``."""

    bytes_left: int

    @property
    def seconds_left(self) -> float:
        """Seconds until the answer has to be complete."""
        return self.ends - time.monotonic()

    @property
    def is_used_up(self) -> bool:
        """Whether time or bytes are used up."""
        return self.seconds_left <= 0 or self.bytes_left < 0


_current: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until the allowance is used up."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, allowance: Allowance) -> None:
        super().__init__()
        self._raw, self._sock, self._allowance = raw, sock, allowance
        self._pause = sock.gettimeout()
        self.has_ended = False

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer) -> int | None:
        left = self._allowance.seconds_left
        if self._allowance.is_used_up:
            raise TimeoutError
        self._sock.settimeout(left if self._pause is None else min(self._pause, left))
        count = int(self._raw.readinto(buffer) or 0)
        self._allowance.bytes_left -= count
        self.has_ended = count == 0
        return count

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedAnswer(http.client.HTTPResponse):
    """Python's reader of answers, over a bounded socket; headers have to be complete and readable."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._reader: _BoundedReader | None = None
        allowance = _current.get()
        if allowance is not None:
            self._reader = _BoundedReader(self.fp.detach(), sock, allowance)
            self.fp = io.BufferedReader(self._reader)

    @override
    def begin(self) -> None:
        """Read the headers.

        Raises:
            http.client.HTTPException: The connection ended amid the headers, or a line is not a header. Python takes such
                an answer for one without the headers that follow, such as an empty one.
        """
        super().begin()
        if self._reader is not None and self._reader.has_ended:
            raise http.client.IncompleteRead(b"")
        try:
            assert_header_parsing(self.msg)
        except HeaderParsingError:
            raise http.client.HTTPException from None


def _bounded_pool(pool: Any) -> Any:
    """Derive a connection pool whose connections read bounded answers."""
    connection = type("BoundedConnection", (pool.ConnectionCls,), {"response_class": _BoundedAnswer})
    return type("BoundedPool", (pool,), {"ConnectionCls": connection})


class BoundedAdapter(HTTPAdapter):
    """Sends a request and reads the complete answer, within limits of time and memory."""

    def __init__(self, max_bytes: int, max_seconds: float) -> None:
        """Set the limits of one answer: its content, as sent and unpacked, and the time until it is complete."""
        self.max_bytes = max_bytes
        self.max_seconds = max_seconds
        self.ends: float | None = None
        """When the answer has to be complete (``time.monotonic``), if the time counts for several hops."""
        self.hops = 0
        """Answers since :meth:`start`."""
        super().__init__()

    def start(self) -> None:
        """Start the time of the next answer; redirects count as part of it until ``ends`` is reset."""
        self.ends = time.monotonic() + self.max_seconds
        self.hops = 0

    @override
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _bound(self.poolmanager)

    @override
    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if is_new:
            _bound(manager)
        return manager

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Return the answer with its content read.

        Raises:
            AnswerError: The answer is too large, or encoded in a way that was not asked for.
            UnreachableError: The answer was not complete in time.
            requests.RequestException: As for every adapter.
        """
        ends = self.ends if self.ends is not None else time.monotonic() + self.max_seconds
        allowance = Allowance(ends, MAX_HEADER_BYTES)
        token = _current.set(allowance)
        has_headers = False
        try:
            response = super().send(request, *args, **{**options, "stream": True})
            self.hops += 1
            has_headers = True
            allowance.bytes_left = self.max_bytes
            self._read(response)
        except (requests.RequestException, OSError):
            if allowance.bytes_left < 0:
                raise _too_large(request, self.max_bytes if has_headers else MAX_HEADER_BYTES) from None
            if allowance.seconds_left <= 0:
                raise UnreachableError(
                    f"{told(request)}: the answer was not complete after {self.max_seconds:.0f} s. Check the network "
                    "connection and run again later; what was read before is saved."
                ) from None
            raise
        finally:
            _current.reset(token)
        return response

    def _read(self, response: requests.Response) -> None:
        """Read the content into the response, where requests looks for it."""
        try:
            _check_encoding(response)
            response._content = b"".join(self._pieces(response))  # noqa: SLF001 - no public way to set it
        except BaseException:
            response.close()
            raise

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        size = 0
        for piece in response.iter_content(_CHUNK_BYTES):
            size += len(piece)
            if size > self.max_bytes:
                raise _too_large(response.request, self.max_bytes)
            yield piece


def _too_large(request: requests.PreparedRequest, limit: int) -> AnswerError:
    return AnswerError(
        f"{told(request)}: the answer is larger than {limit / 2**20:.0f} MiB, the most that is read at once. It was left out; "
        "ask for a smaller range if the settings allow it.",
        HTTPStatus.OK,
    )


def _check_encoding(response: requests.Response) -> None:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise AnswerError(
            f"{told(response.request)}: the answer is encoded as {printable(encoding, 40)!r}, which was not asked for. Run "
            "again later.",
            response.status_code,
        )


def _bound(manager: Any) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _bounded_pool(pool) for scheme, pool in pools.items()}


class BoundedSession(requests.Session):
    """A session whose credentials stay with the host that they were meant for, and whose cookies are few."""

    def __init__(self) -> None:
        """Use the credentials of the request alone: a ``.netrc`` would replace its Authorization header."""
        super().__init__()
        self.max_redirects = MAX_REDIRECTS
        self.headers["Accept-Encoding"] = "gzip, deflate"
        self.auth = _keep_as_is
        self.cookies.set_policy(_SmallCookies())

    @override
    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Remove everything from a redirected request that may be a credential, if it leaves the host.

        Raises:
            AnswerError: The request has a body, which may contain credentials too.
        """
        before, after = response.request.url or "", prepared_request.url or ""
        if not self.should_strip_auth(before, after):  # type: ignore[no-untyped-call]
            return
        if prepared_request.body:
            raise AnswerError(
                f"{told(response.request)}: the service redirects the request to another host; its content was not "
                "sent there. Check the address in the settings.",
                response.status_code,
            )
        for name in [name for name in prepared_request.headers if name.lower() not in _HARMLESS_HEADERS]:
            del prepared_request.headers[name]


class _SmallCookies(DefaultCookiePolicy):
    """Python's rules, and a bound of size."""

    @override
    def set_ok(self, cookie: Cookie, request: Any) -> bool:
        size = len(cookie.name) + len(cookie.value or "")
        return size <= MAX_COOKIE_CHARACTERS and super().set_ok(cookie, request)


def _keep_as_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
