"""Whose records they are: named in each record, and never mixed up with those of another account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_toggl.standin import Clock, small_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Toggler


def test_every_record_names_the_account(toggler: Toggler) -> None:
    records = toggler.run().of("RECORD")
    assert len({message["stream"] for message in records}) > 10
    assert {message["provenance"]["account"] for message in records} == {"9100001"}


def test_account_costs_no_request(toggler: Toggler) -> None:
    toggler.run(streams={"tags"})
    assert len(toggler.standin.asked("/me")) - len(toggler.standin.asked("/me/")) == 1


def test_token_of_another_account_does_not_go_on_from_the_state_of_the_first(
    make_toggler: Callable[..., Toggler], clock: Clock
) -> None:
    first = make_toggler(small_account(clock), plan="none")
    first.run()
    account = small_account(clock)
    account.user["id"] = 9_100_777
    second = make_toggler(account, plan="none")
    fresh = second.run(streams={"tags", "time_entries"})
    second.state = first.state
    continued = second.run(streams={"tags", "time_entries"})
    assert continued.ids("tags") == fresh.ids("tags")
    assert continued.ids("time_entries") == fresh.ids("time_entries")
    assert continued.bookmark("tags")["account"] == "9100777"


def test_state_from_before_accounts_were_named_is_kept(toggler: Toggler) -> None:
    toggler.run(streams={"organizations"})
    for bookmark in toggler.state["bookmarks"].values():
        bookmark.pop("account", None)
    assert not toggler.run(streams={"organizations"}).records("organizations"), "it is not due again"
