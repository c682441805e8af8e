"""Answers that take no end, fill the memory, or say what no service should: each costs one sentence and bounded time."""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
import ssl
import threading
import time
import zlib
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
from singer_sdk.exceptions import RetriableAPIError, SingerSDKError

from tap_kit import AnswerError, Client, TapError, UnreachableError
from tap_kit.bounded_http import BoundedAdapter
from tap_kit.client import response_provenance, retry_after
from tap_kit.credentials import WITHHELD, answer_text
from tap_kit.jsontext import dumps, loads
from tap_kit.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_httpserver import HTTPServer

MIB = 2**20
BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
GZIP_BOMB = b"".join([*(BOMB.compress(bytes(MIB)) for _ in range(64)), BOMB.flush()])
OK = b"HTTP/1.1 200 OK\r\n"


def for_ever(piece: bytes, pause: float = 0.0) -> Iterator[bytes]:
    while True:
        yield piece
        time.sleep(pause)


@contextmanager
def serving(*parts: bytes | Iterable[bytes]) -> Iterator[str]:
    """Answer every connection on the loopback with *parts*, whatever it asks for."""

    def answer(connection: socket.socket) -> None:
        # one at a time: a generator among the parts serves all connections
        with turn, connection, suppress(OSError):
            connection.recv(65536)
            for part in parts:
                for piece in [part] if isinstance(part, bytes) else part:
                    if over.is_set():
                        return
                    connection.sendall(piece)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection = listener.accept()[0]
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    over, turn = threading.Event(), threading.Lock()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def ask(address: str, **options: Any) -> requests.Response:
    """Ask once or twice, under small limits."""
    limits = {"max_answer_bytes": 8 * MIB, "max_answer_seconds": 0.6, "attempts": 2, "timeout": (1.0, 1.0)}
    client = Client(**{**limits, "sleep": lambda _: None, **options})
    request = requests.Request("GET", address, headers={"Authorization": "Bearer s3cr3t-t0ken"})
    with client.session:
        return client.send(client.prepare(request), lambda _: None)


SLOW = "not complete after 1 s"
LARGE = "larger than 8 MiB"
SPEECH = r"no answer after 2 attempts \(what answers there does not speak HTTP\)"
DAMAGED = "broke off or is damaged"
LOST = r"no answer after 2 attempts \(the connection was lost\)"


@pytest.mark.parametrize(
    ("parts", "error", "said"),
    [
        ([OK, b"Content-Length: 99999\r\n\r\n", for_ever(b"x", 0.02)], UnreachableError, SLOW),
        ([OK, for_ever(b"x", 0.02)], UnreachableError, SLOW),
        ([OK, b"X-Long: ", for_ever(b"x", 0.02)], UnreachableError, SLOW),
        ([for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02)], UnreachableError, SLOW),
        ([OK, b"Transfer-Encoding: chunked\r\n\r\n", for_ever(b"1\r\nx\r\n", 0.02)], UnreachableError, SLOW),
        ([OK, b"\r\n", for_ever(bytes(MIB))], AnswerError, LARGE),
        (
            [OK, b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIP_BOMB), GZIP_BOMB],
            AnswerError,
            LARGE,
        ),
        (
            [OK, b"Content-Encoding: deflate\r\n\r\n", zlib.compress(bytes(64 * MIB))],
            AnswerError,
            LARGE,
        ),
        ([OK, b"Transfer-Encoding: chunked\r\n\r\n", for_ever(b"1" * MIB)], RetriableAPIError, DAMAGED),
        (
            [OK, b"Transfer-Encoding: chunked\r\n\r\n0\r\n", for_ever(b"X: y\r\n" * 9999)],
            AnswerError,
            LARGE,
        ),
        ([for_ever(b"HTTP/1.1 100 Continue\r\n\r\n" * 9999)], AnswerError, LARGE),
        ([OK, for_ever(b"X: y\r\n")], UnreachableError, SPEECH),
        ([OK, b"X: ", b"y" * 70000], UnreachableError, SPEECH),
        ([b"<html>private</html>\n"], UnreachableError, SPEECH),
        ([b"HTTP/1.1 2\x1b[31m00 private\r\n\r\n"], UnreachableError, SPEECH),
        ([b"HTTP/1.1 103 Early Hints\r\n\r\n"], UnreachableError, "no answer after 2 attempts"),
        ([b""], UnreachableError, LOST),
        ([b"HTTP/1.1 200 OK\r\nContent-Le"], UnreachableError, SPEECH),
        ([b"HTTP/1.1 200 OK\r\nDate: x\r\n"], UnreachableError, SPEECH),
        ([OK, b"private words\r\nTransfer-Encoding: chunked\r\n\r\n"], UnreachableError, SPEECH),
        ([OK, b"Content-Length: 9\r\n\r\nshort"], RetriableAPIError, DAMAGED),
        (
            [OK, b"Content-Length: 9\r\nContent-Length: 5\r\n\r\nshort"],
            SingerSDKError,
            "cannot be sent|broke|no answer",
        ),
        ([OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"], RetriableAPIError, DAMAGED),
        ([OK, b"Transfer-Encoding: chunked\r\n\r\nprivate\r\nab"], RetriableAPIError, DAMAGED),
        ([OK, b"Content-Encoding: gzip\r\n\r\nprivate, not gzip"], RetriableAPIError, DAMAGED),
        ([OK, b"Content-Encoding: br\r\n\r\nxxxx"], AnswerError, "encoded as 'br'"),
        (
            [OK, b"Content-Encoding: gzip, gzip, gzip\r\n\r\nxxxx"],
            AnswerError,
            "encoded as 'gzip, gzip, gzip'",
        ),
        ([OK, b"Content-Encoding: \x1b[31m\r\n\r\nxxxx"], AnswerError, r"encoded as"),
        (
            [b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n\r\n"],
            AnswerError,
            "again and again",
        ),
        (
            [b"HTTP/1.1 302 Found\r\nLocation: http://[bad/\r\n\r\n"],
            AnswerError,
            "address that cannot be used",
        ),
        ([b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\x1b\r\n\r\n"], AnswerError, "cannot be used"),
        ([b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hosts\r\n\r\n"], AnswerError, "cannot be used"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://:0/\r\n\r\n"], SingerSDKError, "cannot be used|no answer"),
        (
            [b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Encoding: gzip\r\n\r\n", GZIP_BOMB],
            AnswerError,
            LARGE,
        ),
    ],
    ids=[
        "a byte now and then",
        "headers a byte now and then",
        "a header line without end",
        "interim answers now and then",
        "chunks now and then",
        "content without end",
        "gzip bomb",
        "deflate bomb",
        "chunk size without end",
        "trailers without end",
        "interim answers without end",
        "headers without end",
        "a header of 70,000 bytes",
        "HTTP 0.9",
        "escape in the status line",
        "an interim answer alone",
        "nothing",
        "half of a header",
        "half of the headers",
        "a line that is not a header",
        "less content than announced",
        "two lengths",
        "half a chunk",
        "a chunk size that is no number",
        "not gzip",
        "brotli",
        "nested encodings",
        "escapes as encoding",
        "redirection to itself",
        "redirection to a broken address",
        "redirection to bytes",
        "redirection to a file",
        "redirection to no host",
        "bomb in a redirection",
    ],
)
def test_a_hostile_answer_is_one_sentence_in_bounded_time(
    parts: list[bytes | Iterable[bytes]], error: type[Exception], said: str
) -> None:
    begin = time.monotonic()
    with serving(*parts) as address, pytest.raises(error, match=said) as caught:
        ask(address, max_answer_seconds=0.6 if said == SLOW else 60)
    assert time.monotonic() - begin < 30
    assert str(caught.value).isprintable()
    assert not re.search("private|s3cr3t|127.0.0.1", str(caught.value))


@pytest.mark.parametrize(
    "parts",
    [
        [OK, b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"[1]"), b"rubbish"],
        [OK, b"Content-Encoding: deflate\r\n\r\n", zlib.compress(b"[1]")],
        [OK, b"Content-Encoding: deflate\r\n\r\n", zlib.compress(b"[1]", wbits=-15)],
        [b"HTTP/1.1 100 Continue\r\n\r\n" * 3, OK, b"Content-Length: 3\r\n\r\n[1]more"],
        [OK, b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\n[1]\r\n0\r\nTrailer: z\r\n\r\n"],
    ],
    ids=[
        "rubbish after gzip",
        "deflate",
        "raw deflate",
        "interim answers and more content",
        "chunks with trailers",
    ],
)
def test_an_unusual_answer_is_read_as_it_is_meant(parts: list[bytes]) -> None:
    with serving(*parts) as address:
        assert ask(address, max_answer_seconds=60).content == b"[1]"


def test_a_flood_of_cookies_is_not_kept() -> None:
    cookies = b"".join(b"Set-Cookie: c%d=%s\r\n" % (i, b"x" * (i * 100)) for i in range(90))
    with serving(OK, cookies, b"Content-Length: 0\r\n\r\n") as address:
        client = Client()
        for number in range(3):
            client.send(requests.Request("GET", f"{address}/{number}/").prepare(), lambda _: None)
        assert len(client.session.cookies) <= 200
        assert all(len(cookie.value or "") <= 4096 for cookie in client.session.cookies)
        client.session.close()


def test_headers_that_records_carry_are_bounded() -> None:
    limits = b"".join(b"X-RateLimit-%d: 1\r\n" % number for number in range(80))
    with serving(OK, b"X-Request-Id: ", b"r" * 50000, b"\r\n", limits, b"\r\n{}") as address:
        provenance = response_provenance(ask(address, max_answer_seconds=60))
    assert provenance["api_request_id"] == "r" * 1000
    assert len(provenance["api_rate_limit_info"]) == 20


def test_a_request_that_is_redirected_to_another_host_keeps_no_credentials(httpserver: HTTPServer) -> None:
    """An API key in a header of its own is a credential too."""
    other = httpserver.url_for("/other").replace("localhost", "127.0.0.1")
    elsewhere = other.replace("127.0.0.1", "localhost")
    httpserver.expect_request("/x").respond_with_data("", 302, headers={"Location": elsewhere})
    httpserver.expect_request("/other").respond_with_data("fine")
    client = Client(attempts=1)
    headers = {
        "Authorization": "Bearer s3cr3t",
        "X-Api-Key": "s3cr3t",
        "Cookie": "s=s3cr3t",
        "User-Agent": "tap",
    }
    request = requests.Request("GET", other.replace("/other", "/x"), headers=headers).prepare()
    with client.session:
        assert client.send(request, lambda _: None).text == "fine"
    before, after = (dict(exchanged[0].headers) for exchanged in httpserver.log)
    assert "s3cr3t" in str(before)
    assert "s3cr3t" not in str(after)
    assert after["User-Agent"] == "tap"


def test_a_form_is_not_sent_to_another_host(httpserver: HTTPServer) -> None:
    url = httpserver.url_for("/x").replace("localhost", "127.0.0.1")
    elsewhere = url.replace("127.0.0.1", "localhost")
    httpserver.expect_request("/x").respond_with_data("", 307, headers={"Location": elsewhere})
    request = requests.Request("POST", url, data={"client_secret": "s3cr3t"}).prepare()
    client = Client(attempts=1)
    with client.session, pytest.raises(AnswerError, match="redirects the request to another host"):
        client.send(request, lambda _: None)
    assert len(httpserver.log) == 1


def test_a_netrc_does_not_replace_the_credentials_of_the_settings(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login someone password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    httpserver.expect_request("/x").respond_with_data("")
    assert ask(httpserver.url_for("/x"), max_answer_seconds=60).request.headers["Authorization"] == (
        "Bearer s3cr3t-t0ken"
    )


@pytest.mark.parametrize(
    ("address", "environment", "error", "said"),
    [
        ("http://127.0.0.1:1/x", {}, UnreachableError, "connection was refused"),
        ("http://nobody.invalid/x", {}, UnreachableError, "name of the server cannot be resolved"),
        ("https://127.0.0.1:1/x", {"HTTPS_PROXY": "http://127.0.0.1:2"}, UnreachableError, "proxy refuses"),
        (
            "http://127.0.0.1:1/x",
            {"HTTP_PROXY": "http://user:s3cr3t@127.0.0.1:2"},
            UnreachableError,
            "proxy refuses",
        ),
        ("https://127.0.0.1:1/x", {"HTTPS_PROXY": "http://["}, TapError, "HTTPS_PROXY"),
        ("https://127.0.0.1:1/x", {"REQUESTS_CA_BUNDLE": "/nowhere/s3cr3t.pem"}, TapError, "CA bundle"),
        ("http://127.0.0.1:99999/x", {}, TapError, "cannot be sent"),
        ("http://[127.0.0.1/x", {}, TapError, "cannot be sent"),
        ("ftp://127.0.0.1/x", {}, TapError, "cannot be sent"),
    ],
    ids=[
        "refused",
        "no such name",
        "proxy",
        "proxy with password",
        "odd proxy",
        "no CA bundle",
        "port",
        "brackets",
        "scheme",
    ],
)
def test_a_service_that_cannot_be_reached_ends_the_run_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    environment: dict[str, str],
    error: type[Exception],
    said: str,
) -> None:
    for name in (
        "NO_PROXY",
        "no_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error, match=said) as caught:
        ask(address, max_answer_seconds=60)
    assert isinstance(caught.value, TapError), "no stream goes on after it"
    assert not re.search("s3cr3t|127.0.0.1|nobody", str(caught.value))


def test_a_server_that_does_not_speak_tls_is_one_sentence() -> None:
    with (
        serving(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address,
        pytest.raises(UnreachableError, match="encrypted"),
    ):
        ask(address.replace("http:", "https:"), max_answer_seconds=60)


def test_a_certificate_that_is_refused_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def refuse(_: BoundedAdapter, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        sent.append(str(request.url))
        raise requests.exceptions.SSLError(ssl.SSLCertVerificationError("private.example"))

    monkeypatch.setattr(BoundedAdapter, "send", refuse)
    with pytest.raises(UnreachableError, match=r"certificate was refused.*REQUESTS_CA_BUNDLE") as caught:
        ask("https://private.example/x")
    assert len(sent) == 1
    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\nX: ", for_ever(b"x", 0.02)],
        [b"HTTP/1.1 200 OK\r\n", for_ever(b"X: y\r\n" * 9999)],
        [b"HTTP/1.1 407 \x1b[31mprivate\r\n\r\n"],
        [b"private\r\n\r\n"],
        [b""],
    ],
    ids=["slow", "headers without end", "refusal", "not HTTP", "nothing"],
)
def test_a_hostile_proxy_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, parts: list[bytes | Iterable[bytes]]
) -> None:
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(*parts) as address:
        monkeypatch.setenv("HTTPS_PROXY", address)
        with pytest.raises((UnreachableError, AnswerError)) as caught:
            ask("https://127.0.0.1:1/x", max_answer_seconds=1)
    assert str(caught.value).isprintable()
    assert not re.search("private|s3cr3t|127.0.0.1", str(caught.value))


# What a service says


def request_with(token: str) -> requests.PreparedRequest:
    return requests.Request("GET", "https://api.example/x", auth=(token, "api_token")).prepare()


TOKEN = 'k/3y+"s&ecret'
BASIC = base64.b64encode(f"{TOKEN}:api_token".encode()).decode()


@pytest.mark.parametrize(
    "spelled",
    [
        TOKEN,
        TOKEN.upper(),
        BASIC,
        f"Basic {BASIC}",
        BASIC.rstrip("="),
        quote(TOKEN, safe=""),
        quote(BASIC, safe=""),
        quote(quote(TOKEN, safe=""), safe=""),
        json.dumps(TOKEN),
        json.dumps(TOKEN).replace("/", "\\/"),
        "".join(f"\\u{ord(letter):04x}" for letter in TOKEN),
        "k/3y+&quot;s&amp;ecret",
        "".join(f"&#{ord(letter)};" for letter in TOKEN),
        TOKEN.encode().hex(),
        base64.b64encode(f"x{TOKEN}".encode()).decode(),
        base64.b64encode(f"xy{TOKEN}zz".encode()).decode(),
        base64.urlsafe_b64encode(TOKEN.encode()).decode(),
        " ".join(TOKEN),
    ],
)
def test_credentials_that_an_answer_repeats_are_not_shown(spelled: str) -> None:
    shown = answer_text(f"You sent {spelled}, which is wrong.", request_with(TOKEN))
    assert shown in {"You sent [token], which is wrong.", WITHHELD} or "[token]" in shown
    assert spelled not in shown
    assert TOKEN[4:] not in shown


def test_credentials_of_headers_query_and_form_are_known() -> None:
    request = requests.Request(
        "POST",
        "https://api.example/x?access_token=querytoken&start_date=2020-01-31",
        data={"client_secret": "formsecret", "grant_type": "refresh"},
        headers={"X-Api-Key": "headerkey", "Authorization": "Bearer bearertoken"},
    ).prepare()
    text = "querytoken formsecret headerkey bearertoken 2020-01-31 refresh"
    assert answer_text(text, request) == "[token] [token] [token] [token] 2020-01-31 refresh"


def test_a_page_in_place_of_a_sentence_is_not_shown() -> None:
    assert answer_text("x" * 5000, request_with(TOKEN)) == ""


@pytest.mark.parametrize(
    "text",
    ["\x1b[31mred\x07", "one\r\ntwo\u2028", "a\u202egpj.exe", "half \ud800", "x" * 300, "\x1b" * 300],
    ids=["escapes", "line ends", "bidirectional", "surrogate", "long", "long in escapes"],
)
def test_foreign_text_is_one_harmless_line(text: str) -> None:
    shown = answer_text(text, request_with(TOKEN), 100)
    assert shown.isprintable()
    assert len(shown) <= 100


def test_letters_of_other_languages_are_shown() -> None:
    assert printable("Grüße 東京") == "Grüße 東京"


@pytest.mark.parametrize(
    "header",
    ["9" * 5000, "Thu, 01 Jan 2026 00:00:10 +9999", "Thu, 01 Jan 2026 00:00:10 +99999999999999999999",
     "Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 0001 00:00:00 +1400", "Thu, 01 Jan 2026 00:00:10 -0000",
     "Thu, 99 Jan 2026", "Thu, 01 Jan 2026 00:00:10 (((", "\u0661", "-5", "1e400", "nan"],
)  # fmt: skip
def test_retry_after_that_makes_no_sense_is_no_error(header: str) -> None:
    response = requests.Response()
    response.headers["Retry-After"] = header
    seconds = retry_after(response, datetime(2026, 1, 1, tzinfo=UTC))
    assert seconds is None or 0 <= seconds < 1e12


@pytest.mark.parametrize(
    "text",
    [b"[" * 200_000, b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 200_000, b"[NaN," * 200_000],
    ids=["open", "closed", "objects", "read leniently"],
)
def test_json_that_is_nested_too_deeply_is_not_json(text: bytes) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(text)


def test_what_can_be_read_can_be_written_from_deeper_in_the_program() -> None:
    def deeper(levels: int) -> bytes:
        return dumps(value) if levels == 0 else deeper(levels - 1)

    text = b"[" * 850 + b"]" * 850
    value = loads(text)
    assert deeper(100) == text
