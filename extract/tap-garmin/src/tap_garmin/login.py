"""The log-in, once, by a person: asks for e-mail, password and code, and writes the token file that the tap uses.

It is apart from the tap, which never logs in: sign-ins are throttled by account, and each try from an unattended job
starts the wait anew. The library is pinned, since Garmin changes the sign-in some times a year. It needs Python
3.12; this file imports nothing of the tap, so that another Python can run it alone.
"""

from __future__ import annotations

import argparse
import getpass
import importlib
import os
import sys
from pathlib import Path
from typing import Any

LIBRARY = "garminconnect==0.3.20"
TRANSPORT = "curl-cffi==0.16.3"
STORE = "~/.garminconnect"
_NEEDED = (3, 12)


class LoginError(Exception):
    """The log-in did not work; the message says why and what to do."""


def main() -> None:
    """Read the options, log in, and say where the token is."""
    parser = argparse.ArgumentParser(prog="tap-garmin-login", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", default=STORE, help=f"folder for the token (default: {STORE})")
    options = parser.parse_args()
    try:
        path = log_in(Path(options.store).expanduser(), library())
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nNot logged in.")
    except LoginError as error:
        sys.exit(str(error))
    sys.stdout.write(
        f"Logged in. The token is in {path}: treat it like a password. It is renewed by each run of tap-garmin and ends "
        "after 30 days without one.\n"
    )


def library() -> Any:
    """Load the library.

    Raises:
        LoginError: It is not there, or this Python is too old for it.
    """
    try:
        return importlib.import_module("garminconnect")
    except ImportError:
        here = Path(__file__)
        why = "needs Python 3.12" if sys.version_info < _NEEDED else "needs its library"
        raise LoginError(
            f"The log-in {why}. With uv (https://docs.astral.sh/uv) it is one command:\n"
            f"  uv run --no-project --python 3.12 --with {LIBRARY} --with {TRANSPORT} '{here}'"
        ) from None


def log_in(store: Path, garminconnect: Any) -> Path:
    """Ask for what is needed, log in once, and write the token.

    Args:
        store: Folder for the token; made where it is missing.
        garminconnect: The library.

    Raises:
        LoginError: Garmin refuses, or the token cannot be written.
    """
    os.environ.pop("GARMINTOKENS", None)  # else the library would take a former token instead of logging in
    sys.stderr.write("Your Garmin account. The password is sent to Garmin and not kept.\n")
    email = input("E-mail: ").strip()
    password = getpass.getpass("Password: ")
    sys.stderr.write("Signing in; this takes up to a minute, on purpose.\n")
    garmin = garminconnect.Garmin(email, password, prompt_mfa=_ask_code)
    try:
        garmin.login()
    except garminconnect.GarminConnectTooManyRequestsError:
        raise LoginError(
            "Garmin throttles sign-ins of this account now. Wait some hours, up to a day: each further try starts the "
            "wait anew."
        ) from None
    except garminconnect.GarminConnectAuthenticationError:
        raise LoginError(
            "Garmin refused the sign-in. Check e-mail, password and code on connect.garmin.com, then try once more."
        ) from None
    except garminconnect.GarminConnectConnectionError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        told = f" ({status})" if status else ""
        raise LoginError(
            f"The sign-in did not get through{told}. Try from a home connection; Garmin turns away data centres."
        ) from None
    try:
        garmin.client.dump(str(store))
    except (OSError, ValueError) as error:
        raise LoginError(f"The token cannot be written to {store} ({type(error).__name__}).") from None
    return store / "garmin_tokens.json"


def _ask_code() -> str:
    return input("Code from your e-mail, message or authenticator: ").strip()


if __name__ == "__main__":
    main()
