"""The stand-in's HTTP side: sign-in, limits, headers, and which handler answers which path."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from tap_toggl.standin import reports, track
from tap_toggl.standin.answers import Answer, Refused, Request
from tap_toggl.standin.invented import TOKEN
from tap_toggl.standin.limits import Limits

if TYPE_CHECKING:
    from tap_toggl.standin.account import Account


class StandIn:
    """A stand-in Toggl that serves one account on 127.0.0.1 while the ``with`` block lasts.

    ``requests`` lists what was asked, in order; ``inject`` puts an answer of the test's own before the real one.
    """

    def __init__(
        self, account: Account, *, port: int = 0, plan: str = "free", burst: bool = False, token: str = TOKEN
    ) -> None:
        """Prepare the server.

        Args:
            account: What it serves; may be changed between requests.
            port: 0 takes a free one.
            plan: ``free``, ``starter``, ``premium`` or ``none`` (no quotas).
            burst: Whether bursts are answered by 429.
            token: The only API token that it accepts.
        """
        self.account = account
        self.token = token
        self.limits = Limits(account, plan, burst=burst)
        self.requests: list[Request] = []
        self._injected: list[tuple[str, Answer]] = []
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

    def inject(self, path_part: str, *answers: Answer) -> None:
        """Answer the next requests whose path contains *path_part* by these, in order, one each."""
        self._injected += [(path_part, answer) for answer in answers]

    def asked(self, path_part: str) -> list[Request]:
        """List the requests so far whose path contains *path_part*."""
        return [request for request in self.requests if path_part in request.path]

    def answer(self, request: Request, authorization: str | None) -> Answer:
        """Answer one request, as one at a time."""
        with self._lock:
            self.requests.append(request)
            answer, headers = self._answer(request, authorization)
        answer.headers = {**headers, **answer.headers}
        return answer

    def _answer(self, request: Request, authorization: str | None) -> tuple[Answer, dict[str, str]]:
        for index, (part, answer) in enumerate(self._injected):
            if part in request.path:
                del self._injected[index]
                return answer, {}
        if authorization is None:
            return Answer(401, "", {"X-Authorization-Missing": "true"}, plain=True), {}
        if authorization != _basic(self.token):
            return Answer(403, "Incorrect username and/or password", plain=True), {}
        refusal, headers = self.limits.charge(request.path)
        return refusal or self._handle(request), headers

    def _handle(self, request: Request) -> Answer:
        try:
            if request.path.startswith("/api/v9/"):
                return track.handle(self.account, request)
            if request.path.startswith("/reports/api/v3/"):
                return reports.handle(self.account, request)
        except Refused as refused:
            return refused.answer
        return Answer(410 if request.path.startswith("/reports/api/v2/") else 404, "Not Found", plain=True)


def _basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"{token}:api_token".encode()).decode()


class _Handler(BaseHTTPRequestHandler):
    """Reads one request and writes one answer; header and body leave in one packet."""

    standin: StandIn
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self) -> None:
        """Answer a GET."""
        self._respond()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._respond()

    def _respond(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            self.command, url.path, dict(parse_qsl(url.query)), json.loads(body) if body.strip() else None
        )
        answer = self.standin.answer(request, self.headers.get("Authorization"))
        plain = answer.plain or answer.status == 204  # noqa: PLR2004 - "no content" has no body
        content = (answer.body or "" if plain else json.dumps(answer.body)).encode()
        self.send_response_only(answer.status)
        for name, value in self._headers(answer, content, plain=plain).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _headers(self, answer: Answer, content: bytes, *, plain: bool) -> dict[str, str]:
        headers: dict[str, Any] = {
            "Date": format_datetime(self.standin.account.clock.now().replace(microsecond=0), usegmt=True),
            "Content-Type": "text/plain; charset=utf-8" if plain else "application/json; charset=utf-8",
            "Content-Length": len(content),
            "X-Request-Id": uuid.uuid4().hex,
        }
        if self.path.startswith("/api/v9/"):
            headers["X-Toggl-Request-Id"] = str(uuid.uuid4())
        return {name: str(value) for name, value in {**headers, **answer.headers}.items()}

    def log_message(self, *_: Any) -> None:
        """Write no access log: stdout belongs to whoever started it."""
