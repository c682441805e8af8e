"""Requests: pace, retries, refusals, provenance."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from werkzeug import Response

from tap_kit import AnswerError, Client, RawRESTStream, RawTap, UnreachableError
from tap_kit.client import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_httpserver import HTTPServer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def client(self, **options: Any) -> Client:
        return Client(
            clock=lambda: self.time, now=lambda: NOW, sleep=self.sleep, chance=lambda: 0.5, **options
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Weights(RawRESTStream):
    name = "weights"
    path = "/{place}/weights"
    records_jsonpath = "$.data[*]"
    primary_keys = ("id",)
    schema: ClassVar[dict[str, Any]] = {"type": "object", "properties": {"id": {"type": "integer"}}}
    api_version = "v1"
    partitions: ClassVar[list[dict[str, Any]]] = [{"place": "home"}]

    @property
    def url_base(self) -> str:
        return str(self.config["url"])


class TwoPlaces(Weights):
    partitions: ClassVar[list[dict[str, Any]]] = [{"place": "home"}, {"place": "away"}]
    gap_statuses = frozenset({403})


def make_tap(server: HTTPServer, client: Client, stream_type: type[Weights] = Weights) -> RawTap:
    class WeightsTap(RawTap):
        name = "tap-weights"
        package_name = "tap-kit"
        config_jsonschema: ClassVar[dict[str, Any]] = {"properties": {"url": {"type": "string"}}}

        def discover_streams(self) -> list[Weights]:
            return [stream_type(self)]

    tap = WeightsTap(config={"url": server.url_for("").rstrip("/")})
    tap.client = client
    return tap


def records(capsys: pytest.CaptureFixture[str]) -> list[Mapping[str, Any]]:
    messages = [json.loads(line, parse_float=Decimal) for line in capsys.readouterr().out.splitlines()]
    return [message for message in messages if message["type"] == "RECORD"]


def test_records_are_exact_and_say_where_they_come_from(
    httpserver: HTTPServer, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"X-Request-Id": "r1", "X-RateLimit-Remaining": "59", "Content-Type": "application/json"}
    httpserver.expect_request("/home/weights").respond_with_data(
        '{"data":[{"id":1,"mass":80.10,"New":null}]}', headers=headers
    )
    make_tap(httpserver, clock.client()).sync_all()
    (record,) = records(capsys)
    assert record["record"] == {"id": 1, "mass": Decimal("80.10"), "New": None}
    assert str(record["record"]["mass"]) == "80.10"
    assert record["provenance"] == {
        "api_endpoint": "GET /home/weights",
        "api_response_code": 200,
        "api_version": "v1",
        "api_request_id": "r1",
        "api_rate_limit_info": {"X-RateLimit-Remaining": "59"},
    }


def test_a_refused_partition_is_reported_and_the_next_one_read(
    httpserver: HTTPServer, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    httpserver.expect_request("/home/weights").respond_with_data("private words", status=403)
    httpserver.expect_request("/away/weights").respond_with_json({"data": [{"id": 2}]})
    tap = make_tap(httpserver, clock.client(), TwoPlaces)
    tap.sync_all()
    assert [record["record"] for record in records(capsys)] == [{"id": 2}]
    assert tap.gaps == [
        "weights: GET /home/weights answered 403 FORBIDDEN. The credentials do not give access to it."
    ]


def test_a_refusal_ends_the_run_and_is_not_repeated(httpserver: HTTPServer, clock: Clock) -> None:
    httpserver.expect_ordered_request("/home/weights").respond_with_data("private words", status=401)
    with pytest.raises(AnswerError, match=r"GET /home/weights answered 401 UNAUTHORIZED\. Check") as caught:
        make_tap(httpserver, clock.client()).sync_all()
    assert "private" not in str(caught.value)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [("<p>private</p>", "14 bytes"), ('{"data":[17]}', "no object")],
    ids=["not JSON", "not an object"],
)
def test_an_answer_that_cannot_be_used_is_told_without_its_content(
    httpserver: HTTPServer, clock: Clock, body: str, said: str
) -> None:
    httpserver.expect_request("/home/weights").respond_with_data(body)
    with pytest.raises(FatalAPIError, match=said) as caught:
        make_tap(httpserver, clock.client()).sync_all()
    assert "private" not in str(caught.value)


def test_the_wait_that_the_service_asks_for_is_kept(
    httpserver: HTTPServer, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [Response(status=429, headers={"Retry-After": "30"}), Response('{"data":[{"id":1}]}')]
    httpserver.expect_request("/home/weights").respond_with_handler(lambda _: answers.pop(0))
    make_tap(httpserver, clock.client()).sync_all()
    assert clock.slept == [30.5]
    assert len(records(capsys)) == 1


def test_failures_are_repeated_with_growing_waits_and_then_told(httpserver: HTTPServer, clock: Clock) -> None:
    httpserver.expect_request("/home/weights").respond_with_data("private words", status=502)
    with pytest.raises(RetriableAPIError, match="answered 502 BAD GATEWAY after 4 attempts"):
        make_tap(httpserver, clock.client(attempts=4)).sync_all()
    assert clock.slept == [2.0, 4.0, 8.0]
    assert len(httpserver.log) == 4


def test_a_wait_of_hours_ends_the_run_instead(httpserver: HTTPServer, clock: Clock) -> None:
    httpserver.expect_request("/home/weights").respond_with_data("", 429, headers={"Retry-After": "7200"})
    with pytest.raises(RetriableAPIError, match="asks to wait 7200 s"):
        make_tap(httpserver, clock.client()).sync_all()
    assert clock.slept == []


def test_an_unreachable_service_is_told_without_its_address(clock: Clock) -> None:
    request = requests.Request("GET", "http://127.0.0.1:1/x?token=hush").prepare()
    with pytest.raises(UnreachableError, match=r"GET /x: no answer after 2 attempts .*refused") as caught:
        clock.client(attempts=2).send(request, lambda _: None)
    assert "hush" not in str(caught.value)


def test_requests_keep_their_distance(httpserver: HTTPServer, clock: Clock) -> None:
    httpserver.expect_request("/x").respond_with_data("")
    client = clock.client(min_interval=1.0)
    for _ in range(3):
        client.send(requests.Request("GET", httpserver.url_for("/x")).prepare(), lambda _: None)
    assert clock.slept == [1.0, 1.0]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Thu, 01 Jan 2026 00:00:10 GMT", 10.0),
        ("Thu, 01 Jan 2025 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    response = requests.Response()
    response.headers["Retry-After"] = header
    assert retry_after(response, NOW) == seconds
