from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from tap_kit import TapError, UnreachableError
from tap_kit.bounded_http import BoundedAdapter
from tap_toggl.standin import Answer, Clock, StandIn, small_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ledger, Outcome, Toggler
    from requests import PreparedRequest


def identities(*outcomes: Outcome) -> dict[str, set[str]]:
    """Name every record of some runs, by stream."""
    found: dict[str, set[str]] = defaultdict(set)
    for outcome in outcomes:
        keys = {message["stream"]: message["key_properties"] for message in outcome.of("SCHEMA")}
        for message in outcome.of("RECORD"):
            stream, record = message["stream"], message["record"]
            found[stream].add(
                message["provenance"].get("raw_id") or str([record[key] for key in keys[stream]] or record)
            )
    return found


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_toggl.reports.PAGE_SIZE", 50)


@pytest.mark.usefixtures("short_pages")
@pytest.mark.parametrize("offset", range(3))
def test_run_killed_anywhere_loses_no_record(make_toggler: Callable[..., Toggler], offset: int) -> None:
    toggler = make_toggler(small_account(Clock()), plan="none")
    whole = toggler.run()
    expected = identities(whole)
    for most in range(offset * 40, len(whole.messages), 120):
        toggler.state = {}
        killed = toggler.run(most=most)
        assert identities(killed, toggler.run()) == expected, f"killed after {most} messages"


@pytest.mark.usefixtures("short_pages")
def test_run_killed_again_and_again_still_comes_to_an_end(toggler: Toggler) -> None:
    expected = identities(toggler.run())
    toggler.state = {}
    runs = []
    for _ in range(40):
        runs.append(toggler.run(most=120))
        if len(runs[-1].messages) < 120:
            break
    assert len(runs) < 40
    assert identities(*runs) == expected


@pytest.mark.parametrize("most", range(5, 700, 115))
def test_month_later_a_killed_rescan_calls_nothing_gone_that_is_there(
    toggler: Toggler, ledger: Ledger, most: int
) -> None:
    ledger.take(toggler.run())
    account = toggler.standin.account
    victim = next(e for e in account.entries.values() if e.start.year == 2025)
    account.delete(victim.id)
    account.clock.move(days=31)
    ledger.take(toggler.run(most=most))
    assert ledger.gone["report_time_entries"] <= {f"{victim.workspace_id}/{victim.id}"}
    ledger.take(toggler.run())
    assert ledger.gone["report_time_entries"] == {f"{victim.workspace_id}/{victim.id}"}


def test_state_is_the_same_whether_written_by_one_run_or_by_two(make_toggler: Callable[..., Toggler]) -> None:
    def years_of(state: dict[str, Any]) -> dict[str, int]:
        (years, _) = (w["years"] for w in state["bookmarks"]["report_time_entries"]["workspaces"].values())
        return {year: held["rows"] for year, held in years.items()}

    whole, broken = (make_toggler(small_account(Clock()), plan="none") for _ in range(2))
    whole.run()
    broken.run(most=300)
    broken.run()
    assert years_of(broken.state) == years_of(whole.state)


def gone_standin(toggler: Toggler) -> str:
    """Return the address of a server that is no longer there."""
    gone = StandIn(toggler.standin.account)
    gone._server.server_close()
    return gone.url


def test_server_that_goes_away_ends_the_run_and_keeps_the_state(toggler: Toggler) -> None:
    toggler.run(streams={"tags"})
    kept = json.dumps(toggler.state)
    with pytest.raises(UnreachableError, match="GET /api/v9/me: no answer after 5 attempts"):
        toggler.run(streams={"tags"}, api_url=gone_standin(toggler))
    assert json.dumps(toggler.state) == kept


def test_no_network_is_one_sentence_after_the_attempts_of_one_request(toggler: Toggler) -> None:
    with pytest.raises(UnreachableError, match="Check the network connection"):
        toggler.run(api_url=gone_standin(toggler))
    assert toggler.waits == [2.0, 4.0, 8.0, 16.0], "and not those of the other 13 streams"


def test_network_that_vanishes_in_the_middle_ends_the_run_and_keeps_what_came_before(
    toggler: Toggler, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = BoundedAdapter.send

    def cut(adapter: BoundedAdapter, request: PreparedRequest, **options: Any) -> Any:
        if "projects" in str(request.url):
            raise ConnectionResetError
        return send(adapter, request, **options)

    monkeypatch.setattr(BoundedAdapter, "send", cut)
    with pytest.raises(UnreachableError, match="GET /api/v9/me/projects: no answer after 5 attempts"):
        toggler.run()
    assert len(toggler.waits) == 4
    streams = {message["stream"] for message in toggler.messages if message["type"] == "RECORD"}
    assert streams == {"user", "workspaces", "time_entries"}
    states = [message["value"] for message in toggler.messages if message["type"] == "STATE"]
    assert states[-1]["bookmarks"]["time_entries"]["replication_key_value"]


def test_service_that_is_out_of_order_is_one_sentence(toggler: Toggler) -> None:
    toggler.standin.inject("/me", *[Answer(503, "Maintenance", plain=True)] * 5)
    with pytest.raises(TapError, match=r"GET /api/v9/me answered 503.*Without the user nothing can be read"):
        toggler.run()
    assert len(toggler.standin.requests) == 5
