"""A stand-in Garmin Connect per test, a tap whose time is the stand-in's, and a model of what a loader makes of it."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
import requests
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message
from typing_extensions import override

from tap_garmin.standin import Clock, StandIn, invented_account
from tap_garmin.tap import TapGarmin
from tap_kit.client import Client
from tap_kit.errors import TapError
from tap_kit.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


YOUNG = "2026-01-31"
"""Start of the history in tests that do not care: a month is read faster than five."""


class Killed(BaseException):
    """The process died here."""


class Lines(GenericSingerWriter[bytes, Message]):
    """Keeps the messages of a run, and dies when there are enough of them."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self.most = most
        self.messages: list[dict[str, Any]] = []
        self.lines: list[bytes] = []

    @override
    def serialize_message(self, message: Message) -> bytes:
        return dumps(message.to_dict())

    @override
    def write_message(self, message: Message) -> None:
        self.take(self.serialize_message(message))

    def take(self, lines: bytes) -> None:
        for line in lines.splitlines():
            if len(self.messages) == self.most:
                raise Killed
            self.lines.append(line)
            self.messages.append(json.loads(line))


def post(url: str, form: Mapping[str, str], user: str) -> tuple[int, bytes]:
    """Send a renewal without a browser's handshake, which takes a third of a second to load."""
    with requests.post(url, data=form, auth=(user, ""), timeout=5) as response:
        return response.status_code, response.content


@dataclass
class Outcome:
    """What a run wrote, and how it ended."""

    messages: list[dict[str, Any]]
    gaps: list[str] = field(default_factory=list)
    failed: bool = False
    stopped: str = ""

    def of(self, kind: str, stream: str | None = None) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == kind and stream in {None, m.get("stream")}]

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [message["record"] for message in self.of("RECORD", stream)]

    def told(self, stream: str) -> list[dict[str, Any]]:
        return [message["provenance"] for message in self.of("RECORD", stream)]

    def raw_ids(self, stream: str) -> list[str]:
        return [provenance["raw_id"] for provenance in self.told(stream)]

    @property
    def state(self) -> dict[str, Any]:
        states = self.of("STATE")
        return states[-1]["value"] if states else {}

    def bookmark(self, stream: str) -> dict[str, Any]:
        found: dict[str, Any] = self.state["bookmarks"][stream]
        return found


@dataclass
class Runner:
    """Runs the tap against the stand-in; its clock stands unless it is moved, waiting included."""

    standin: StandIn
    store: Path
    state: dict[str, Any] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    interval: float = 0.0
    """Seconds between two states."""

    lines: list[bytes] = field(default_factory=list)
    """What the last run wrote."""

    def run(self, *streams: str, most: int | None = None, **config: Any) -> Outcome:
        """Run the named streams (all, if none) from the kept state, and keep the state that it ends with."""
        writer = Lines(most)
        self.lines = writer.lines
        tap = self.tap(config, writer)
        for name, stream in tap.streams.items():
            stream.selected = not streams or name in streams
        stopped = ""
        try:
            tap.sync_all()
        except Killed:
            stopped = "killed"
        except TapError as error:
            stopped = str(error)
        finally:
            tap.client.session.close()
        outcome = Outcome(writer.messages, tap.gaps, tap.fail_on_gaps and bool(tap.gaps), stopped)
        self.state = outcome.state or self.state
        return outcome

    def tap(self, config: dict[str, Any], writer: Lines) -> TapGarmin:
        clock = self.standin.account.clock
        waits, interval = self.waits, self.interval

        class TapInTest(TapGarmin):
            post = staticmethod(post)
            state_interval = interval

            @cached_property
            @override
            def client(self) -> Client:
                return Client(
                    clock=lambda: clock.now().timestamp(),
                    now=clock.now,
                    sleep=waits.append,
                    chance=lambda: 0.5,
                    attempts=3,
                )

            @override
            def write(self, lines: bytes) -> None:
                writer.take(lines)

        settings = {
            "token_store": str(self.store),
            "api_url": self.standin.url,
            "auth_url": self.standin.url,
            "start_date": YOUNG,
            **config,
        }
        settings = {name: value for name, value in settings.items() if value is not None}
        state = json.loads(json.dumps(self.state))
        return TapInTest(config=settings, state=state, message_writer=writer)


class Ledger:
    """What a loader keeps by the contract, for streams without windows: the current version of each record."""

    def __init__(self) -> None:
        self.current: dict[str, dict[str, Any]] = defaultdict(dict)
        self.gone: dict[str, set[str]] = defaultdict(set)

    def take(self, outcome: Outcome) -> None:
        keys: dict[str, list[str]] = {}
        absence: dict[str, str] = {}
        seen: dict[str, set[str]] = defaultdict(set)
        for message in outcome.messages:
            stream = message.get("stream", "")
            if message["type"] == "SCHEMA":
                keys[stream] = message["key_properties"]
                absence[stream] = message["schema"]["x-absence"]
            elif message["type"] == "RECORD":
                seen[stream].add(self._land(stream, keys[stream], message))
            elif message["type"] == "ACTIVATE_VERSION" and absence[stream] == "full":
                self.gone[stream] |= set(self.current[stream]) - seen[stream]

    def _land(self, stream: str, keys: list[str], message: dict[str, Any]) -> str:
        record, provenance = message["record"], message.get("provenance", {})
        raw_id = provenance.get("raw_id") or "/".join(str(record[key]) for key in keys)
        if not provenance.get("degraded") or raw_id not in self.current[stream]:
            self.current[stream][raw_id] = record
        self.gone[stream].discard(raw_id)
        return str(raw_id)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from a token that whoever runs it may have."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def standin(clock: Clock) -> Iterator[StandIn]:
    with StandIn(invented_account(clock)) as standin:
        yield standin


@pytest.fixture
def runner(standin: StandIn, tmp_path: Path) -> Runner:
    standin.signin.write(tmp_path / "store")
    return Runner(standin, tmp_path / "store")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()
