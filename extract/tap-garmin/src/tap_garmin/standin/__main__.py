"""``python -m tap_garmin.standin``: serve the invented account until interrupted.

Prints its address; the token that it accepts is written to the folder named by ``--token-store``.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path

from tap_garmin.standin.account import invented_account
from tap_garmin.standin.clock import TODAY, Clock
from tap_garmin.standin.server import StandIn


def main() -> None:
    """Read the options, print the address as the only line on stdout, and serve."""
    parser = argparse.ArgumentParser(prog="python -m tap_garmin.standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 (default) takes a free one")
    parser.add_argument("--token-store", type=Path, required=True, help="folder that the token is written to")
    options = parser.parse_args()

    # It lives today, unlike in tests: tokens and look-back windows are those of the tap's own clock.
    # What the person did stays where it was, so that a second run finds nothing new.
    account = invented_account(Clock(datetime.now(UTC), ticking=True), days=30, lived_until=TODAY)
    try:
        standin = StandIn(account, port=options.port)
    except OSError as error:
        sys.exit(f"Port {options.port} of 127.0.0.1 cannot be used ({error.strerror}). Choose another, or 0.")
    path = standin.signin.write(options.token_store)
    sys.stdout.write(standin.url + "\n")
    sys.stdout.flush()
    sys.stderr.write(f"Stand-in Garmin Connect; its token is in {path}\n")
    with contextlib.suppress(KeyboardInterrupt):
        standin.serve()


if __name__ == "__main__":
    main()
