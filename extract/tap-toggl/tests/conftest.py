"""A stand-in Toggl per test, a tap whose time is the stand-in's, and a model of what a loader makes of it."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message
from typing_extensions import override

from tap_kit.client import Client
from tap_kit.jsontext import dumps
from tap_kit.pointers import redact
from tap_toggl.moments import parse
from tap_toggl.standin import TOKEN, Clock, StandIn, small_account
from tap_toggl.tap import TapToggl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Killed(BaseException):
    """The process died here."""


class Lines(GenericSingerWriter[bytes, Message]):
    """Keeps the messages of a run, and dies when there are enough of them."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self.most = most
        self.messages: list[dict[str, Any]] = []

    @override
    def serialize_message(self, message: Message) -> bytes:
        return dumps(message.to_dict())

    @override
    def write_message(self, message: Message) -> None:
        if len(self.messages) == self.most:
            raise Killed
        self.messages.append(json.loads(self.serialize_message(message)))


@dataclass
class Outcome:
    """What a run wrote, and what it found wanting."""

    messages: list[dict[str, Any]]
    gaps: list[str]
    failures: list[str]

    def of(self, kind: str, stream: str | None = None) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == kind and stream in {None, m.get("stream")}]

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [message["record"] for message in self.of("RECORD", stream)]

    def ids(self, stream: str, key: str = "id") -> list[Any]:
        return [record[key] for record in self.records(stream)]

    def entry_ids(self) -> list[int]:
        """Ids of the entries in the rows of the reports."""
        return [row["time_entries"][0]["id"] for row in self.records("report_time_entries")]

    @property
    def state(self) -> dict[str, Any]:
        """The last state written; empty if there was none."""
        states = self.of("STATE")
        return states[-1]["value"] if states else {}

    def bookmark(self, stream: str) -> dict[str, Any]:
        found: dict[str, Any] = self.state["bookmarks"][stream]
        return found


@dataclass
class Toggler:
    """Runs the tap against the stand-in; its clock stands unless it is moved, waiting included."""

    standin: StandIn
    pace: float = 0.0
    state: dict[str, Any] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What the last run wrote, also if it ended with an error."""

    def run(self, *, most: int | None = None, streams: set[str] | None = None, **config: Any) -> Outcome:
        """Run from the kept state, and keep the state that it ends with."""
        writer = Lines(most)
        self.messages = writer.messages
        tap = self.tap(config, writer)
        for name, stream in tap.streams.items():
            stream.selected = streams is None or name in streams
        try:
            tap.sync_all()
        except Killed:
            pass
        finally:
            tap.client.session.close()
        outcome = Outcome(writer.messages, tap.gaps, tap.failures)
        self.state = outcome.state or self.state
        return outcome

    def tap(self, config: dict[str, Any], writer: Lines) -> TapToggl:
        clock = self.standin.account.clock
        pace, waits = self.pace, self.waits

        def wait(seconds: float) -> None:
            waits.append(seconds)
            clock.move(seconds)

        class TapInTest(TapToggl):
            @cached_property
            @override
            def client(self) -> Client:
                return Client(
                    min_interval=pace,
                    clock=lambda: clock.now().timestamp(),
                    now=clock.now,
                    sleep=wait,
                    chance=lambda: 0.5,
                )

        settings = {"api_token": TOKEN, "api_url": self.standin.url, **config}
        state = json.loads(json.dumps(self.state))
        return TapInTest(config=settings, state=state, message_writer=writer)


class Ledger:
    """What a loader keeps by the contract: the newest version of each record, and whether it is gone."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.gone: dict[str, set[str]] = defaultdict(set)
        self.versions: dict[str, int] = defaultdict(int)
        """How many versions each stream has had."""

    def take(self, outcome: Outcome) -> None:
        schemas: dict[str, dict[str, Any]] = {}
        seen: dict[str, set[str]] = defaultdict(set)
        for message in outcome.messages:
            stream = message.get("stream", "")
            if message["type"] == "SCHEMA":
                schemas[stream] = message
                if "x-absence-window" in message["schema"]:
                    seen[stream] = set()
            elif message["type"] == "RECORD":
                seen[stream].add(self._land(stream, schemas[stream], message))
            elif message["type"] == "ACTIVATE_VERSION":
                self._close(stream, schemas[stream]["schema"], seen[stream])

    def current(self, stream: str) -> set[str]:
        return set(self.records[stream]) - self.gone[stream]

    def _land(self, stream: str, schema: dict[str, Any], message: dict[str, Any]) -> str:
        record, provenance = message["record"], message["provenance"]
        raw_id = provenance.get("raw_id") or str([record[key] for key in schema["key_properties"]])
        content = json.loads(json.dumps(record))
        redact(content, schema["schema"].get("x-volatile", []))
        for pointer in schema["schema"].get("x-volatile", []):
            content.pop(pointer[1:], None)
        held = self.records[stream].get(raw_id)
        if held is None or held["content"] != content or raw_id in self.gone[stream]:
            self.versions[stream] += 1
        metadata = {"workspace_id": provenance.get("workspace_id")}
        self.records[stream][raw_id] = {"record": record, "content": content, "metadata": metadata}
        self.gone[stream].discard(raw_id)
        return raw_id

    def _close(self, stream: str, schema: dict[str, Any], seen: set[str]) -> None:
        window = schema.get("x-absence-window")
        if schema["x-absence"] == "window" and not window:
            return
        if schema["x-absence"] == "full" and not seen:
            return
        for raw_id, held in self.records[stream].items():
            if raw_id not in seen and (window is None or _inside(window, held, schema)):
                self.versions[stream] += raw_id not in self.gone[stream]
                self.gone[stream].add(raw_id)


def _inside(window: dict[str, Any], held: dict[str, Any], schema: dict[str, Any]) -> bool:
    match = window.get("match", {})
    if not any(
        match.items() <= {k: v for k, v in part.items() if _scalar(v)}.items()
        for part in (held["record"], held["metadata"])
    ):
        return False
    pointer = schema.get("x-source-timestamp", "at")
    value: Any = held["record"]
    for step in pointer.strip("/").split("/"):
        value = value[int(step)] if isinstance(value, list) else value[step]
    moment, start, end = parse(value), parse(window.get("from")), parse(window.get("to"))
    return moment is not None and (start is None or start <= moment) and (end is None or moment < end)


def _scalar(value: Any) -> bool:
    return not isinstance(value, list | dict)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def standin(clock: Clock) -> Iterator[StandIn]:
    with StandIn(small_account(clock), plan="none") as standin:
        yield standin


@pytest.fixture
def toggler(standin: StandIn) -> Toggler:
    return Toggler(standin)


@pytest.fixture
def make_toggler() -> Iterator[Callable[..., Toggler]]:
    """Make a toggler over a stand-in of one's own (plan, burst, account)."""
    running: list[StandIn] = []

    def make(account: Any, **options: Any) -> Toggler:
        standin = StandIn(account, **options).__enter__()
        running.append(standin)
        return Toggler(standin)

    yield make
    for standin in running:
        standin.__exit__()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()
