"""Toggl's two limits: the hourly quotas of September 2025, and the leaky bucket against bursts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tap_toggl.standin.answers import Answer

if TYPE_CHECKING:
    from tap_toggl.standin.account import Account

HOURLY = {"free": 30, "starter": 240, "premium": 600, "none": 1_000_000}
"""Calls per hour in the bucket of an organization, by plan ("none": as before the quotas)."""

USER_HOURLY = 30
WINDOW = timedelta(hours=1)
BURST = 4

_WORKSPACE = re.compile(r"/workspaces?/(\d+)")
_ORGANIZATION = re.compile(r"/organizations/(\d+)")


@dataclass
class _Bucket:
    total: int
    used: int = 0
    opened: datetime | None = None


class Limits:
    """Counts the calls of one user, per bucket; a window starts with its first call and lasts an hour."""

    def __init__(self, account: Account, plan: str, *, burst: bool) -> None:
        """Start with full buckets.

        Args:
            account: Tells which organization a workspace belongs to, and the time.
            plan: A key of :data:`HOURLY`.
            burst: Whether more than about one request a second is refused.
        """
        self.account = account
        self.plan = plan
        self.burst = burst
        self.buckets: dict[str, _Bucket] = {}
        self._level = 0.0
        self._leaked = account.clock.now()

    def bucket_of(self, path: str) -> str:
        """Name the bucket that a request to *path* is charged to."""
        if found := _WORKSPACE.search(path):
            return f"organization {self.account.organization_of(int(found[1]))}"
        if found := _ORGANIZATION.search(path):
            return f"organization {found[1]}"
        return "user"

    def charge(self, path: str) -> tuple[Answer | None, dict[str, str]]:
        """Count one request; gives the refusal, if it is one, and the headers of the answer."""
        if self.burst and self._overflows():
            return Answer(429, "Too many requests", plain=True), {}
        name = self.bucket_of(path)
        bucket = self._bucket(name)
        now = self.account.clock.now()
        if bucket.opened is None or now >= bucket.opened + WINDOW:
            bucket.opened, bucket.used = now, 0
        refused = bucket.used >= bucket.total
        bucket.used += not refused
        seconds = max(0, round((bucket.opened + WINDOW - now).total_seconds()))
        headers = {
            "X-Toggl-Quota-Remaining": str(bucket.total - bucket.used),
            "X-Toggl-Quota-Resets-In": str(seconds),
        }
        if refused:
            text = (
                f"You have hit your hourly limit for API calls. Your quota will reset in {seconds} seconds."
            )
            return Answer(402, text), headers
        return None, headers

    def _bucket(self, name: str) -> _Bucket:
        unlimited = self.plan == "none"
        total = USER_HOURLY if name == "user" and not unlimited else HOURLY[self.plan]
        return self.buckets.setdefault(name, _Bucket(total))

    def _overflows(self) -> bool:
        now = self.account.clock.now()
        self._level = max(0.0, self._level - (now - self._leaked).total_seconds())
        self._leaked = now
        if self._level + 1 > BURST:
            return True
        self._level += 1
        return False
