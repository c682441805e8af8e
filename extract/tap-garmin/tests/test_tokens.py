from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_garmin.standin import Reply, StandIn
from tap_garmin.tokens import SignInError, TokenFile, post_form, save
from tap_kit.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conftest import Runner
    from pytest_httpserver import HTTPServer


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def tokens(standin: StandIn, tmp_path: Path, warnings: list[str]) -> TokenFile:
    standin.signin.write(tmp_path / "store")
    return file_of(standin, tmp_path / "store", warnings)


def file_of(standin: StandIn, place: Path, warnings: list[str]) -> TokenFile:
    def post(url: str, form: Mapping[str, str], user: str) -> tuple[int, bytes]:
        assert url.startswith(standin.url)
        authorization = f"Basic {_basic(user)}"
        reply = standin.renew(form, authorization)
        return reply.status, json.dumps(reply.body).encode()

    return TokenFile(place, standin.url, post, standin.account.clock.now, warnings.append)


def _basic(user: str) -> str:
    return base64.b64encode(f"{user}:".encode()).decode()


def content(tokens: TokenFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tokens.path.read_text())
    return found


def test_a_fresh_token_is_used_as_it_is(tokens: TokenFile, standin: StandIn) -> None:
    assert tokens.access() == standin.signin.access
    assert standin.signin.renewals == 0


def test_a_token_about_to_end_is_renewed_and_written_for_its_owner_alone(
    tokens: TokenFile, standin: StandIn
) -> None:
    standin.account.clock.move(days=1)
    standin.account.clock.move(3600 - 800)
    before = content(tokens)
    assert tokens.access() == standin.signin.access
    assert content(tokens) == {
        "di_token": standin.signin.access,
        "di_refresh_token": standin.signin.refresh,
        "di_client_id": before["di_client_id"],
    }
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert [path.name for path in tokens.path.parent.iterdir()] == [
        "garmin_tokens.json",
        "garmin_tokens.lock",
    ]


def test_the_new_pair_is_on_disk_before_it_is_used(
    tokens: TokenFile, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.account.clock.move(days=2)

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(TapError, match="cannot be written"):
        tokens.access()
    assert not [path for path in tokens.path.parent.iterdir() if path.name.startswith(".")]


def test_a_crash_of_the_machine_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace, fsync = Path.replace, os.fsync

    def on_disk(descriptor: int) -> None:
        done.append("on disk")
        fsync(descriptor)

    def named(old: Path, new: Path) -> Path:
        done.append("named")
        return replace(old, new)

    monkeypatch.setattr(os, "fsync", on_disk)
    monkeypatch.setattr(Path, "replace", named)
    save(tmp_path / "garmin_tokens.json", {"di_token": "x"})
    assert done == ["on disk", "named", "on disk"]  # the file, its name, the folder


def test_a_pair_that_another_process_renewed_is_taken_over(
    tokens: TokenFile, standin: StandIn, tmp_path: Path
) -> None:
    tokens.access()
    standin.account.clock.move(days=2)
    file_of(standin, tmp_path / "store", []).access()
    tokens.renew()
    assert tokens.access() == standin.signin.access
    assert standin.signin.renewals == 1


def test_readers_that_renew_at_once_share_one_new_pair(standin: StandIn, tmp_path: Path) -> None:
    standin.signin.write(tmp_path / "store")
    standin.account.clock.move(days=2)
    files = [file_of(standin, tmp_path / "store", []) for _ in range(4)]  # the lock is one of open files
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(TokenFile.access, files))
    assert found == {standin.signin.access}
    assert standin.signin.renewals == 1


@pytest.mark.parametrize(
    ("age", "warned"), [(10, False), (17, True), (29, True)], ids=["young", "two weeks left", "last day"]
)
def test_the_owner_is_warned_weeks_before_the_log_in_ends(
    tokens: TokenFile,
    standin: StandIn,
    warnings: list[str],
    age: int,
    warned: bool,  # noqa: FBT001 - a case of the table
) -> None:
    standin.account.clock.move(days=age)
    tokens.access()
    assert [f"{age} days ago" in warning for warning in warnings] == ([True] if warned else [])


def test_a_log_in_that_died_says_how_to_get_a_new_one(tokens: TokenFile, standin: StandIn) -> None:
    standin.account.clock.move(days=31)
    with pytest.raises(TapError, match=r"answered 400.*tap-garmin-login"):
        tokens.access()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(429, "some hours, not sooner"), (427, "some hours"), (503, "out of order"), (401, "tap-garmin-login")],
)
def test_refusals_of_a_renewal_keep_the_token(
    tokens: TokenFile, standin: StandIn, status: int, sentence: str
) -> None:
    before = content(tokens)
    standin.account.clock.move(days=2)
    standin.inject("oauth/token", Reply(status, {}))
    with pytest.raises(TapError, match=sentence):
        tokens.access()
    assert content(tokens) == before


def test_an_open_token_file_is_closed_and_the_owner_told(tokens: TokenFile, warnings: list[str]) -> None:
    tokens.path.chmod(0o644)
    tokens.access()
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert "readable by others" in warnings[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"di_token": "x"}',
        '{"oauth_token": "x"}',
        '{"di_token": null, "di_refresh_token": null, "di_client_id": null}',
        '{"di_token": "x", "di_refresh_token": "", "di_client_id": "c"}',
        '{"di_token": "x", "di_refresh_token": ["y"], "di_client_id": "c"}',
    ],
    ids=["empty", "no json", "list", "incomplete", "garth", "nulls", "empty name", "list inside"],
)
def test_a_file_without_tokens_is_one_sentence(tokens: TokenFile, text: str) -> None:
    tokens.path.write_text(text)
    with pytest.raises(TapError, match=r"holds no Garmin token.*tap-garmin-login"):
        tokens.access()


def test_a_folder_in_place_of_the_file_is_one_sentence(tokens: TokenFile) -> None:
    tokens.path.unlink()
    tokens.path.mkdir()
    with pytest.raises(TapError, match=r"cannot be read \(Is a directory\).*token_store"):
        tokens.access()


def test_a_file_in_place_of_the_folder_is_one_sentence(standin: StandIn, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TapError, match=r"cannot be read \(Not a directory\).*token_store"):
        file_of(standin, tmp_path / "file", []).access()


@pytest.mark.parametrize("body", [{}, {"access_token": None}, {"access_token": ["x"]}, ["x"], "x", None])
def test_a_renewal_in_another_shape_keeps_the_token(tokens: TokenFile, standin: StandIn, body: Any) -> None:
    before = content(tokens)
    standin.account.clock.move(days=2)
    standin.inject("oauth/token", Reply(200, body))
    with pytest.raises(TapError, match="refused to renew"):
        tokens.access()
    assert content(tokens) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_the_token_is_renewed_waits_until_the_new_one_is_written(
    tokens: TokenFile, standin: StandIn, number: signal.Signals
) -> None:
    standin.account.clock.move(days=2)
    post = tokens.post

    def stopped(url: str, form: Mapping[str, str], user: str) -> tuple[int, bytes]:
        answer = post(url, form, user)
        os.kill(os.getpid(), number)
        return answer

    tokens.post = stopped
    former = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            tokens.access()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, former)
    assert content(tokens)["di_refresh_token"] == standin.signin.refresh


def test_a_missing_file_is_one_sentence(standin: StandIn, tmp_path: Path) -> None:
    with pytest.raises(TapError, match=r"no Garmin token at .*tap-garmin-login"):
        file_of(standin, tmp_path / "nowhere", []).access()


def test_a_token_that_cannot_be_read_as_one_is_used_until_garmin_refuses(
    standin: StandIn, tmp_path: Path
) -> None:
    save(
        tmp_path / "garmin_tokens.json", {"di_token": "opaque", "di_refresh_token": "r", "di_client_id": "c"}
    )
    assert file_of(standin, tmp_path, []).access() == "opaque"


def test_nothing_shows_a_token(tokens: TokenFile, standin: StandIn) -> None:
    tokens.access()
    assert standin.signin.access not in repr(tokens)
    assert standin.signin.refresh not in repr(tokens)
    assert standin.signin.access not in repr(tokens._tokens)


def test_the_browser_like_transport_renews_as_well(standin: StandIn) -> None:
    pair = standin.signin.issue()
    form = {
        "grant_type": "refresh_token",
        "client_id": pair["di_client_id"],
        "refresh_token": pair["di_refresh_token"],
    }
    status, body = post_form(f"{standin.url}/di-oauth2-service/oauth/token", form, pair["di_client_id"])
    assert status == 200
    assert json.loads(body)["refresh_token"] == standin.signin.refresh


def test_an_answer_without_end_is_one_sentence(httpserver: HTTPServer) -> None:
    bomb = gzip.compress(bytes(64 * 2**20), 1)
    httpserver.expect_request("/").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(TapError, match="No answer from Garmin's sign-in"):
        post_form(httpserver.url_for("/"), {}, "x")


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"access_token":' * 200_000], ids=["lists", "objects"])
def test_an_answer_that_is_nested_too_deeply_is_one_sentence(
    standin: StandIn, tmp_path: Path, body: bytes
) -> None:
    standin.signin.write(tmp_path)
    now = standin.account.clock.now
    tokens = TokenFile(tmp_path, standin.url, lambda *_: (200, body), now, lambda _: None)
    with pytest.raises(SignInError, match="refused to renew"):
        tokens.renew()


def test_no_answer_at_all_is_one_sentence() -> None:
    with pytest.raises(TapError, match="No answer from Garmin's sign-in"):
        post_form("http://127.0.0.1:9/", {}, "x")


def test_a_refused_token_is_renewed_once_and_the_request_repeated(runner: Runner) -> None:
    runner.standin.signin.write(runner.store)
    runner.standin.inject("socialProfile", Reply(401, {"message": "Token is not active"}))
    outcome = runner.run("profile")
    assert outcome.stopped == ""
    assert len(outcome.records("profile")) == 1
    assert runner.standin.signin.renewals == 1


def test_a_token_that_is_refused_after_its_renewal_stops_the_run_with_a_sentence(runner: Runner) -> None:
    refusal = Reply(401, {"message": "Token is not active"})
    runner.standin.inject("socialProfile", refusal, refusal)
    outcome = runner.run()
    assert "answered 401, after a renewal too" in outcome.stopped
    assert "tap-garmin-login" in outcome.stopped
    assert len(runner.standin.asked_for("socialProfile")) == 2


def test_a_clock_that_is_wrong_renews_once_and_not_with_each_request(runner: Runner) -> None:
    signin = runner.standin.signin
    signin._clock = type(runner.standin.account.clock)()
    runner.standin.account.clock.move(days=20)
    signin.is_good = lambda authorization: authorization == f"Bearer {signin.access}"  # type: ignore[method-assign] # the service's clock stands
    assert runner.run("devices", "gear", "profile").stopped == ""
    assert signin.renewals == 1
