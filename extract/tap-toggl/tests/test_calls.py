"""The README's figures of calls: six years and about 4000 entries, one of two workspaces without reports."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tap_toggl.standin import Clock, years_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Outcome, Toggler

FIRST = Counter({"user": 21, "organization 501": 23, "organization 502": 2})


@pytest.fixture
def years_toggler(make_toggler: Callable[..., Toggler], clock: Clock) -> Toggler:
    return make_toggler(years_account(clock), plan="free")


def calls(toggler: Toggler) -> tuple[Counter[str], Outcome]:
    """Run, and count the calls by the quota that they are charged to."""
    before = len(toggler.standin.requests)
    outcome = toggler.run()
    return Counter(
        toggler.standin.limits.bucket_of(r.path) for r in toggler.standin.requests[before:]
    ), outcome


def test_first_run_fits_into_an_hour_of_the_free_plan(years_toggler: Toggler) -> None:
    counted, outcome = calls(years_toggler)
    assert counted == FIRST
    assert not [gap for gap in outcome.gaps if "quota" in gap]


def test_run_without_news_costs_nine_calls(years_toggler: Toggler) -> None:
    years_toggler.run()
    years_toggler.standin.account.clock.move(3600)
    counted, outcome = calls(years_toggler)
    assert counted == Counter({"user": 9})
    assert len(outcome.records("time_entries")) <= 2


def test_run_after_ten_edits_costs_nine_calls(years_toggler: Toggler) -> None:
    years_toggler.run()
    account = years_toggler.standin.account
    account.clock.move(2 * 3600)
    edited = sorted(account.entries)[:1000:100]
    for entry_id in edited:
        account.edit(entry_id, description="Put right")
    counted, outcome = calls(years_toggler)
    assert counted == Counter({"user": 9})
    assert set(edited) <= set(outcome.ids("time_entries"))


def test_first_run_of_a_day_asks_the_reports_for_updates_of_years_with_entries(
    years_toggler: Toggler,
) -> None:
    years_toggler.run()
    years_toggler.standin.account.clock.move(days=1)
    counted, _ = calls(years_toggler)
    assert counted == Counter({"user": 18, "organization 501": 9, "organization 502": 2})


def test_every_thirty_days_all_years_are_read_again(years_toggler: Toggler) -> None:
    years_toggler.run()
    years_toggler.standin.account.clock.move(days=30)
    counted, _ = calls(years_toggler)
    assert counted == FIRST - Counter({"user": 3})


def test_two_workspaces_of_one_organization_take_two_hours_of_the_free_plan(years_toggler: Toggler) -> None:
    account = years_toggler.standin.account
    account.workspaces[1]["organization_id"] = account.workspaces[0]["organization_id"]
    account.closed_reports.clear()
    first = years_toggler.run()
    account.clock.move(3600)
    second = years_toggler.run()
    assert [gap for gap in first.gaps if "quota" in gap]
    assert not [gap for gap in second.gaps if "quota" in gap]
    own = {e.id for e in account.entries.values() if e.user_id == account.user_id and e.deleted_at is None}
    assert set(first.entry_ids()) | set(second.entry_ids()) == own
