"""The stand-in's HTTP side: sign-in, refusals, and the log of what was asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from tap_garmin.standin.routes import Reply, handle
from tap_garmin.standin.signin import SignIn
from tap_garmin.tokens import REFRESH_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_garmin.standin.account import Account

__all__ = ["Asked", "Reply", "StandIn"]


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    path: str
    query: dict[str, str]


class StandIn:
    """A stand-in Garmin Connect that serves one account on 127.0.0.1 while the ``with`` block lasts.

    ``asked`` lists what was asked, in order; ``inject`` puts an answer of the test's own before the real one;
    ``patience`` is the number of requests after which all others are refused with 429 (None: no end).
    """

    def __init__(self, account: Account, *, port: int = 0) -> None:
        """Prepare the server; port 0 takes a free one."""
        self.account = account
        self.signin = SignIn(account.clock)
        self.asked: list[Asked] = []
        self.patience: int | None = None
        self._injected: list[tuple[str, Reply]] = []
        self._lock = threading.Lock()
        handler = type("BoundHandler", (_Handler,), {"standin": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Base address, such as ``http://127.0.0.1:8080``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self.serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self) -> None:
        """Serve until shut down."""
        self._server.serve_forever(poll_interval=0.02)

    def inject(self, path_part: str, *replies: Reply) -> None:
        """Answer the next requests whose path contains *path_part* by these, in order, one each."""
        self._injected += [(path_part, reply) for reply in replies]

    def asked_for(self, path_part: str) -> list[Asked]:
        """List the requests so far whose path contains *path_part*."""
        return [request for request in self.asked if path_part in request.path]

    def reply(self, request: Asked, headers: Mapping[str, str]) -> Reply:
        """Answer one request for data, as one at a time."""
        with self._lock:
            self.asked.append(request)
            for index, (part, reply) in enumerate(self._injected):
                if part in request.path:
                    del self._injected[index]
                    return reply
            if not self.signin.is_good(headers.get("Authorization")):
                return Reply(401, {"message": "Token is not active"})
            if self.patience is not None:
                self.patience -= 1
                if self.patience < 0:
                    return Reply(429, b"", "text/html")
            return handle(self.account, request.path, request.query, headers)

    def renew(self, form: Mapping[str, str], authorization: str | None) -> Reply:
        """Answer a renewal of the token."""
        with self._lock:
            self.asked.append(Asked(REFRESH_PATH, {}))
            for index, (part, reply) in enumerate(self._injected):
                if part in REFRESH_PATH:
                    del self._injected[index]
                    return reply
            status, body = self.signin.renew(form, authorization)
            return Reply(status, body)


class _Handler(BaseHTTPRequestHandler):
    """Reads one request and writes one answer; header and body leave in one packet."""

    standin: StandIn
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self) -> None:
        """Answer a question for data."""
        url = urlsplit(self.path)
        self._send(
            self.standin.reply(Asked(url.path, dict(parse_qsl(url.query))), dict(self.headers.items()))
        )

    def do_POST(self) -> None:
        """Answer a renewal."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if urlsplit(self.path).path != REFRESH_PATH:
            self._send(Reply(404))
            return
        self._send(self.standin.renew(dict(parse_qsl(body)), self.headers.get("Authorization")))

    def _send(self, reply: Reply) -> None:
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        empty = reply.status == 204  # noqa: PLR2004 - "no content" has no body
        content = b"" if empty else content
        self.send_response_only(reply.status)
        headers = {"Content-Type": reply.kind, "Content-Length": str(len(content)), **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Write no access log: stdout belongs to whoever started it."""
