"""``python -m tap_toggl.standin``: serve the invented account until interrupted; prints its address."""

from __future__ import annotations

import argparse
import contextlib
import sys

from tap_toggl.standin.clock import Clock
from tap_toggl.standin.invented import TOKEN, small_account, years_account
from tap_toggl.standin.limits import HOURLY
from tap_toggl.standin.server import StandIn


def main() -> None:
    """Read the options, print the address as the only line on stdout, and serve."""
    parser = argparse.ArgumentParser(prog="python -m tap_toggl.standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 (default) takes a free one")
    parser.add_argument("--account", choices=("small", "years"), default="years", help="what it holds")
    parser.add_argument("--plan", choices=tuple(HOURLY), default="free", help="whose hourly quotas apply")
    parser.add_argument("--burst", action="store_true", help="refuse more than about one request a second")
    options = parser.parse_args()

    account = (small_account if options.account == "small" else years_account)(Clock(ticking=True))
    try:
        standin = StandIn(account, port=options.port, plan=options.plan, burst=options.burst)
    except OSError as error:
        sys.exit(f"Port {options.port} of 127.0.0.1 cannot be used ({error.strerror}). Choose another, or 0.")
    sys.stdout.write(standin.url + "\n")
    sys.stdout.flush()
    sys.stderr.write(f"Stand-in Toggl with {len(account.entries)} time entries; its API token is {TOKEN}\n")
    with contextlib.suppress(KeyboardInterrupt):
        standin.serve()


if __name__ == "__main__":
    main()
