from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tap_toggl.standin import STUDIO

if TYPE_CHECKING:
    from conftest import Ledger, Toggler

    from tap_toggl.standin import Account


def live_through(account: Account, step: int) -> None:
    """Let the owner track, edit and delete; which of it depends on the step alone."""
    ids = sorted(entry.id for entry in account.entries.values() if entry.deleted_at is None)
    account.add(account.clock.now() - timedelta(hours=3), 25, description=f"Step {step}")
    account.edit(ids[step * 37 % len(ids)], description=f"Edited in step {step}")
    account.delete(ids[step * 53 % len(ids)])
    if step % 3 == 0:
        account.start(description=f"Timer {step}")
    if step % 4 == 0:
        account.add(account.clock.now() - timedelta(days=700), 15, description="Forgotten work")


def expected_reports(account: Account) -> dict[str, str | None]:
    return {
        f"{STUDIO}/{entry.id}": entry.description
        for entry in account.entries.values()
        if entry.workspace_id == STUDIO and entry.user_id == account.user_id and entry.deleted_at is None
    }


@pytest.mark.parametrize(
    "pauses",
    [[1] * 10, [7] * 5, [1, 1, 100, 1, 95, 31], [0.05] * 5 + [45] * 2],
    ids=["daily", "weekly", "pauses of months", "hourly, then rarely"],
)
def test_what_landed_follows_the_account_over_months(
    toggler: Toggler, ledger: Ledger, pauses: list[float]
) -> None:
    account = toggler.standin.account
    ledger.take(toggler.run())
    for step, days in enumerate(pauses):
        live_through(account, step)
        account.clock.move(days=days)
        outcome = toggler.run()
        assert not outcome.failures
        ledger.take(outcome)
    account.clock.move(days=31)  # the next rescan
    ledger.take(toggler.run())

    current = ledger.records["report_time_entries"]
    assert {
        k: current[k]["record"]["description"] for k in ledger.current("report_time_entries")
    } == expected_reports(account)
    tombstones = {k for k, v in ledger.records["time_entries"].items() if v["record"]["server_deleted_at"]}
    assert tombstones <= {str([e.id]) for e in account.entries.values() if e.deleted_at}
    assert {"[4001]", "[4002]", "[4004]"} == ledger.current("clients")
    assert {"[5001]", "[5002]", "[5004]"} == ledger.current("projects")


def test_runs_without_news_add_no_versions(toggler: Toggler, ledger: Ledger) -> None:
    ledger.take(toggler.run())
    toggler.standin.account.clock.move(days=1)
    ledger.take(toggler.run())  # tombstones of lists leave the since call, and are gone from then on
    versions = dict(ledger.versions)
    for days in (0.1, 1, 1, 31, 120):
        toggler.standin.account.clock.move(days=days)
        ledger.take(toggler.run())
    gone = sum(len(ids) for ids in ledger.gone.values())
    assert sum(ledger.versions.values()) - sum(versions.values()) <= gone


def test_schedule_of_every_hour_keeps_within_the_free_plan(toggler: Toggler) -> None:
    toggler.run()
    for _ in range(21):
        toggler.standin.account.clock.move(3600)
        before = len(toggler.standin.requests)
        toggler.run()
        asked = [toggler.standin.limits.bucket_of(r.path) for r in toggler.standin.requests[before:]]
        assert max(asked.count(bucket) for bucket in set(asked)) <= 28
