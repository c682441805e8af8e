"""Invented exports, the tap run on them, and a stand-in of Spotify's services on the loopback."""

from __future__ import annotations

import json
import logging
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override
from werkzeug import Response

from tap_kit.client import Client
from tap_spotify.tap import TapSpotify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_httpserver import HTTPServer
    from werkzeug import Request


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder of its own."""
    for name in ("CLIENT_ID", "CLIENT_SECRET", "TOKEN_FILE", "ACCOUNTS_URL"):
        monkeypatch.delenv(f"TAP_SPOTIFY_{name}", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(folder))
    return folder


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    """Make a zip of files: JSON of what is no bytes."""

    def make(members: dict[str, Any], name: str = "my_spotify_data.zip") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content if isinstance(content, bytes) else json.dumps(content))
        return path

    return make


@dataclass
class Run:
    """What one run of the tap said."""

    messages: list[dict[str, Any]]
    gaps: list[str]
    log: str

    def told(self, kind: str, stream: str | None = None) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == kind and stream in {None, m.get("stream")}]

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [message["record"] for message in self.told("RECORD", stream)]

    def provenances(self, stream: str) -> list[dict[str, Any]]:
        return [message["provenance"] for message in self.told("RECORD", stream)]

    def names(self, stream: str) -> list[str]:
        return [told["raw_id"] for told in self.provenances(stream)]

    def counts(self) -> dict[str, int]:
        """Number of records by stream, but those about files."""
        streams = {m["stream"] for m in self.told("RECORD")} - {"_files", "_unread"}
        return {stream: len(self.records(stream)) for stream in sorted(streams)}

    def files(self) -> dict[str, str]:
        """What became of each file, by its name without folders."""
        return {record["path"].rpartition("/")[2]: record["status"] for record in self.records("_files")}

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        state: dict[str, Any] = self.told("STATE")[-1]["value"]
        return state


@dataclass
class Runner:
    """Runs the tap in this process, from the state that the run before ended with."""

    capsys: pytest.CaptureFixture[str]
    caplog: pytest.LogCaptureFixture
    state: dict[str, Any] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)

    def __call__(self, **settings: Any) -> Run:
        waits = self.waits

        class TapInTest(TapSpotify):
            @cached_property
            @override
            def client(self) -> Client:
                wait = float(self.config["max_wait"])
                return Client(longest_wait=wait, sleep=waits.append, chance=lambda: 0.5)

        self.caplog.clear()
        config = {name: value for name, value in settings.items() if value is not None}
        tap = TapInTest(config=config, state=json.loads(json.dumps(self.state)))
        try:
            tap.sync_all()
        finally:
            tap.client.session.close()
        messages = [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
        run = Run(messages, tap.gaps, self.caplog.text)
        self.state = run.state
        return run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Runner:
    caplog.set_level(logging.INFO)
    return Runner(capsys, caplog)


@dataclass
class StandIn:
    """Spotify's token endpoint and its last plays; what it is asked, and what it says next, can be looked at and set."""

    url: str
    plays: list[dict[str, Any]] = field(default_factory=list)
    remembered: int = 50
    refresh_token: str = "refresh-1"
    access_token: str = "access-1"
    rotates: bool = False
    answers: list[Response] = field(default_factory=list)
    token_answers: list[Response] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    me_answers: list[Response] = field(default_factory=list)
    asked_me: int = 0

    def me(self, _: Request) -> Response:
        self.asked_me += 1
        return self.me_answers.pop(0) if self.me_answers else answer({"id": "ada", "account_id": "0a1b2c"})

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "client_id": "app",
            "client_secret": "hush",
            "refresh_token": "refresh-1",
            "api_url": f"{self.url}/v1",
            "accounts_url": self.url,
        }

    def will_answer(self, content: Any, status: int = 200, **headers: str) -> None:
        """Have the API give this next, before it answers by itself."""
        self.answers.append(answer(content, status, **headers))

    def will_answer_token(self, content: Any, status: int = 200) -> None:
        """The same of the token endpoint."""
        self.token_answers.append(answer(content, status))

    def token(self, request: Request) -> Response:
        self.asked.append(request)
        if self.token_answers:
            return self.token_answers.pop(0)
        if request.form.get("refresh_token") not in {self.refresh_token, None}:
            return answer({"error": "invalid_grant", "error_description": "Refresh token revoked"}, 400)
        content = {"access_token": self.access_token, "token_type": "Bearer", "expires_in": 3600}
        if self.rotates:
            self.refresh_token = f"{self.refresh_token}+"
            content["refresh_token"] = self.refresh_token
        return answer(content)

    def recent(self, request: Request) -> Response:
        self.asked.append(request)
        if self.answers:
            return self.answers.pop(0)
        if request.headers.get("Authorization") != f"Bearer {self.access_token}":
            return answer({"error": {"status": 401, "message": "The access token expired"}}, 401)
        before = request.args.get("before")
        known = sorted(self.plays, key=lambda play: str(play["played_at"]), reverse=True)[: self.remembered]
        items = [play for play in known if before is None or milliseconds(play) < int(before)]
        page = items[: int(request.args["limit"])]
        ends = {"after": str(milliseconds(page[0])), "before": str(milliseconds(page[-1]))} if page else None
        return answer({"items": page, "next": None, "cursors": ends, "limit": 50})

    def questions(self) -> list[str]:
        """Paths and queries of what the API was asked."""
        return [request.full_path for request in self.asked if request.path.startswith("/v1")]


def milliseconds(play: dict[str, Any]) -> int:
    """Give the moment of a play as Spotify's cursors do."""
    return round(datetime.fromisoformat(play["played_at"]).timestamp() * 1000)


def answer(content: Any, status: int = 200, **headers: str) -> Response:
    text = content if isinstance(content, str) else json.dumps(content)
    return Response(
        text, status, {name.replace("_", "-"): value for name, value in headers.items()}, "application/json"
    )


@pytest.fixture
def spotify(httpserver: HTTPServer) -> Iterator[StandIn]:
    standin = StandIn(httpserver.url_for("").rstrip("/"))
    httpserver.expect_request("/api/token", method="POST").respond_with_handler(standin.token)
    httpserver.expect_request("/v1/me/player/recently-played").respond_with_handler(standin.recent)
    httpserver.expect_request("/v1/me").respond_with_handler(standin.me)
    yield standin
    httpserver.check_assertions()
