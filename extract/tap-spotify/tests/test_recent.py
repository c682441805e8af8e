"""Recently played tracks: everything that Spotify remembers, holes told, and each refusal one sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Response

from tap_spotify.tokens import Login, LoginFile

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Runner, StandIn

DAY = datetime(2026, 3, 1, 8, tzinfo=UTC)


def played(minute: int, **track: Any) -> dict[str, Any]:
    moment = DAY + timedelta(minutes=minute)
    uri = f"spotify:track:{minute:022}"
    return {
        "track": {"uri": uri, "name": "Song", "duration_ms": 200_000, "popularity": 50, **track},
        "played_at": f"{moment:%Y-%m-%dT%H:%M:%S}.123Z",
        "context": None,
    }


def test_the_last_plays_come_oldest_first_as_they_are(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(minute) for minute in range(3)]

    outcome = run(**spotify.settings, account="ada")

    assert outcome.records("recently_played") == spotify.plays
    told = outcome.provenances("recently_played")[0]
    assert told["raw_id"] == "2026-03-01T08:00:00.123Z spotify:track:0000000000000000000000"
    assert (told["api_endpoint"], told["api_response_code"]) == ("GET /v1/me/player/recently-played", 200)
    assert (told["api_version"], told["account"]) == ("v1", "ada")
    assert outcome.gaps == []


def test_the_account_comes_from_spotify_unless_the_settings_name_it(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(0), played(1)]
    assert {told["account"] for told in run(**spotify.settings).provenances("recently_played")} == {"0a1b2c"}
    assert spotify.asked_me == 1
    named = run(**spotify.settings, account="grace").provenances("recently_played")
    assert {told["account"] for told in named} == {"grace"}
    assert spotify.asked_me == 1


def test_without_plays_the_account_is_not_asked_for(run: Runner, spotify: StandIn) -> None:
    assert not run(**spotify.settings).gaps
    assert spotify.asked_me == 0


@pytest.mark.parametrize("content", [{}, {"id": 7}, [], "x"], ids=repr)
def test_an_account_that_spotify_does_not_name_is_a_gap_with_the_remedy(
    run: Runner, spotify: StandIn, content: object
) -> None:
    spotify.plays = [played(0)]
    spotify.me_answers = [answer_of(content)]
    outcome = run(**spotify.settings)
    assert not outcome.records("recently_played")
    assert "Set TAP_SPOTIFY_ACCOUNT" in outcome.gaps[0]


def test_an_account_that_was_known_before_is_not_lost(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(0)]
    run(**spotify.settings)
    spotify.me_answers = [answer_of({}, 404)]
    outcome = run(**spotify.settings)
    assert outcome.gaps == []
    assert outcome.provenances("recently_played")[0]["account"] == "0a1b2c"


@pytest.mark.parametrize(
    "content",
    [
        {"items": [{"played_at": 5, "track": {}}]},
        {"items": [{"played_at": "2026-03-01T08:00:00Z", "track": "x"}], "cursors": [1]},
        {"items": [{"played_at": None, "track": [1]}]},
    ],
    ids=["number", "texts", "list"],
)
def test_an_answer_of_another_shape_does_not_end_the_run(
    run: Runner, spotify: StandIn, content: object
) -> None:
    spotify.plays = [played(0)]
    run(**spotify.settings)
    spotify.will_answer(content)
    assert run(**spotify.settings).told("STATE")


def answer_of(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")


def test_a_late_play_older_than_the_bookmark_comes(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(10), played(20)]
    run(**spotify.settings)
    spotify.plays.append(played(5))

    outcome = run(**spotify.settings)

    assert played(5) in outcome.records("recently_played")


def test_what_the_catalogue_changes_is_no_change_of_a_play(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(10)]

    (schema, *_) = run(**spotify.settings).told("SCHEMA", "recently_played")

    assert {"/track/popularity", "/track/album", "/track/artists"} <= set(schema["schema"]["x-volatile"])
    assert schema["schema"]["x-source-timestamp"] == "played_at"


def test_more_plays_than_spotify_remembers_are_a_hole_that_is_told(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(minute) for minute in range(10)]
    run(**spotify.settings)
    spotify.plays = [played(minute) for minute in range(100)]

    outcome = run(**spotify.settings)

    assert len(outcome.records("recently_played")) == 50
    assert "Plays between 2026-03-01T08:09:00.123Z and 2026-03-01T08:50:00.123Z are missing" in outcome.log
    assert "are missing" not in run(**spotify.settings).log


def test_should_spotify_page_back_further_it_is_read_to_the_bookmark(run: Runner, spotify: StandIn) -> None:
    spotify.remembered = 1000
    spotify.plays = [played(minute) for minute in range(10)]
    run(**spotify.settings)
    spotify.plays = [played(minute) for minute in range(200)]
    spotify.asked.clear()

    outcome = run(**spotify.settings)

    assert outcome.records("recently_played") == spotify.plays
    assert len(spotify.questions()) == 4
    assert "are missing" not in outcome.log


def test_nothing_played_is_no_error(run: Runner, spotify: StandIn) -> None:
    outcome = run(**spotify.settings)

    assert outcome.counts() == {}
    assert outcome.gaps == []


def test_an_expired_access_token_is_renewed_once(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(0)]
    spotify.will_answer({"error": {"status": 401}}, 401)

    assert run(**spotify.settings).counts() == {"recently_played": 1}
    assert len([request for request in spotify.asked if request.path == "/api/token"]) == 2


def test_a_short_wait_is_waited(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(0)]
    spotify.will_answer({}, 429, Retry_After="3")
    spotify.will_answer({}, 502)

    assert run(**spotify.settings).counts() == {"recently_played": 1}
    assert run.waits == [3.5, 4.0]


def test_a_long_wait_ends_the_stream_cleanly_and_keeps_the_bookmark(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(0)]
    run(**spotify.settings)
    kept = run.state["bookmarks"]["recently_played"]
    spotify.will_answer({}, 429, Retry_After="40000")

    outcome = run(**spotify.settings)

    assert outcome.gaps == []
    assert "asks to wait 40000 s, more than the 300 s" in outcome.log
    assert run.state["bookmarks"]["recently_played"] == kept


@pytest.mark.parametrize(
    ("of", "content", "status", "said"),
    [
        ("api", {}, 403, "app's owner needs Premium"),
        ("api", {}, 404, "answered 404. The API may have changed"),
        ("api", "no json", 200, "answered 200 with 7 bytes that are not JSON"),
        ("api", [], 200, "answered 200 with something else than an object"),
        ("api", {"items": None}, 200, "gave no list of plays"),
        ("sign-in", {"error": "invalid_grant"}, 400, "no longer accepts the login"),
        ("sign-in", {"error": "invalid_client"}, 400, "refused the app"),
        ("sign-in", "oops", 400, "answered 400 without a token"),
        ("sign-in", {}, 200, "answered 200 without a token"),
    ],
)
def test_a_refusal_is_one_sentence_and_keeps_the_bookmark(
    run: Runner, spotify: StandIn, of: str, content: Any, status: int, said: str
) -> None:
    spotify.plays = [played(0)]
    run(**spotify.settings)
    kept = run.state["bookmarks"]["recently_played"]
    (spotify.will_answer if of == "api" else spotify.will_answer_token)(content, status)

    outcome = run(**spotify.settings)

    (sentence,) = outcome.gaps
    assert said in sentence
    assert run.state["bookmarks"]["recently_played"] == kept


def test_a_token_that_is_refused_twice_is_not_asked_for_ever(run: Runner, spotify: StandIn) -> None:
    for _ in range(2):
        spotify.will_answer({}, 401)

    (sentence,) = run(**spotify.settings).gaps

    assert "refuses an access token that it has just made" in sentence


def test_a_service_that_stays_down_is_one_sentence(run: Runner, spotify: StandIn) -> None:
    for _ in range(5):
        spotify.will_answer({}, 503)

    (sentence,) = run(**spotify.settings).gaps

    assert "answered 503 after 5 attempts" in sentence


def test_no_secret_is_told(run: Runner, spotify: StandIn) -> None:
    spotify.plays = [played(0)]
    good = run(**spotify.settings)
    spotify.will_answer_token({"error": "invalid_grant"}, 400)
    bad = run(**spotify.settings)

    for outcome in (good, bad):
        said = str(outcome.messages) + outcome.log + str(outcome.gaps)
        assert not any(secret in said for secret in ("hush", "refresh-1", "access-1"))


def test_the_app_signs_in_with_its_secret_or_by_name(run: Runner, spotify: StandIn) -> None:
    run(**spotify.settings)
    run(**{**spotify.settings, "client_secret": None})

    with_secret, by_name = (request for request in spotify.asked if request.path == "/api/token")
    assert with_secret.authorization is not None
    assert with_secret.authorization.password == "hush"
    assert "client_id" not in with_secret.form
    assert (by_name.authorization, by_name.form["client_id"]) == (None, "app")


def test_a_refresh_token_that_changes_is_kept_and_used(run: Runner, spotify: StandIn, project: Path) -> None:
    spotify.plays = [played(0)]
    spotify.rotates = True
    run(**spotify.settings)

    assert spotify.refresh_token == "refresh-1+"
    assert (project / "data/tap-spotify/login.json").stat().st_mode & 0o777 == 0o600
    assert run(**spotify.settings).gaps == []
    assert spotify.refresh_token == "refresh-1++"


def test_a_new_refresh_token_of_the_settings_counts_more_than_an_old_login(
    run: Runner, spotify: StandIn
) -> None:
    spotify.rotates = True
    run(**spotify.settings)
    spotify.refresh_token = "refresh-2"

    assert run(**{**spotify.settings, "refresh_token": "refresh-2"}).gaps == []


@pytest.mark.parametrize(("days", "warns"), [(10, False), (160, True)])
def test_a_login_that_is_about_to_end_is_told(
    run: Runner,
    spotify: StandIn,
    project: Path,
    days: int,
    warns: bool,  # noqa: FBT001 - a parameter of a test
) -> None:
    login = Login.of("refresh-1", datetime.now(UTC) - timedelta(days=days))
    LoginFile(project / "login.json").write(login)

    outcome = run(**{**spotify.settings, "refresh_token": None, "token_file": "login.json"})

    assert outcome.gaps == []
    assert ("The login of Spotify ends about" in outcome.log) == warns


def test_no_login_is_one_sentence(run: Runner, spotify: StandIn) -> None:
    (sentence,) = run(**{**spotify.settings, "refresh_token": None}).gaps

    assert "There is no login of Spotify" in sentence


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"a": 1}', '{"refresh_token": "a", "first": "b", "authorized_at": "soon"}'],
    ids=["empty", "list", "other", "no date"],
)
def test_a_damaged_login_is_one_sentence(run: Runner, spotify: StandIn, project: Path, content: str) -> None:
    (project / "login.json").write_text(content)

    (sentence,) = run(**{**spotify.settings, "refresh_token": None, "token_file": "login.json"}).gaps

    assert "cannot be read as a login of Spotify" in sentence


def test_a_login_that_cannot_be_kept_is_one_sentence(run: Runner, spotify: StandIn, project: Path) -> None:
    (project / "data").write_text("a file where a folder is needed")
    spotify.rotates = True

    (sentence,) = run(**spotify.settings).gaps

    assert "The login of Spotify cannot be kept in" in sentence


def test_a_token_goes_over_http_to_this_machine_alone(run: Runner, spotify: StandIn) -> None:
    with pytest.raises(Exception, match="Setting 'accounts_url' has to start with https://"):
        run(**{**spotify.settings, "accounts_url": "http://accounts.example.org"})
