# /// script
# requires-python = ">=3.12"
# dependencies = ["garminconnect==0.3.20", "curl-cffi==0.16.3"]
# ///
"""The log-in, once, by a person: asks for e-mail, password and code, and writes the token file that the tap uses.

It is apart from the tap, which never logs in: sign-ins are throttled by account, and each try from an unattended job
starts the wait anew. The library is pinned, since Garmin changes the sign-in some times a year. It needs Python
3.12; this file imports nothing of the tap, so that another Python can run it alone: uv installs what the comment above names, with the
versions and hashes of ``login.py.lock``. After a change: ``uv lock --script`` with this file.
"""

from __future__ import annotations

import argparse
import getpass
import importlib
import logging
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

STORE = "~/.garminconnect"
FILE_NAME = "garmin_tokens.json"
_NEEDED = (3, 12)


class LoginError(Exception):
    """The log-in did not work; the message says why and what to do."""


def main() -> None:
    """Read the options, log in, and say where the token is."""
    parser = argparse.ArgumentParser(prog="tap-garmin-login", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", default=STORE, help=f"folder for the token (default: {STORE})")
    options = parser.parse_args()
    try:
        path = log_in(Path(options.store), library())
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
        here = shlex.quote(str(Path(__file__)))
        own = Path(sys.executable).with_name("uv")
        uv = shlex.quote(str(own)) if own.exists() else "uv"
        why = "needs Python 3.12" if sys.version_info < _NEEDED else "needs its library"
        raise LoginError(
            f"The log-in {why}. With uv (https://docs.astral.sh/uv) it is one command:\n"
            f"  {uv} run --frozen --script {here}"
        ) from None


def log_in(store: Path, garminconnect: Any) -> Path:
    """Ask for what is needed, log in once, and write the token.

    Args:
        store: Folder for the token, or the file itself (``.json``); made where it is missing.
        garminconnect: The library.

    Raises:
        LoginError: Garmin refuses, or the token cannot be written.
    """
    path = _prepared(store)
    os.environ.pop("GARMINTOKENS", None)  # else the library would take a former token instead of logging in
    logging.getLogger("garminconnect").addHandler(logging.NullHandler())  # it tells of each way that it tries
    sys.stderr.write("Your Garmin account. The password is sent to Garmin and not kept.\n")
    email = input("E-mail: ").strip()
    password = getpass.getpass("Password: ")
    if not email or not password:
        raise LoginError("E-mail and password are both needed. Nothing was sent.")
    sys.stderr.write("Signing in; this takes seconds to minutes, on purpose.\n")
    garmin = garminconnect.Garmin(email, password, prompt_mfa=_ask_code)
    refusals = (
        garminconnect.GarminConnectTooManyRequestsError,
        garminconnect.GarminConnectAuthenticationError,
        garminconnect.GarminConnectConnectionError,
    )
    try:
        garmin.login()
    except refusals as error:
        if not _has_token(garmin):  # else the profile alone was refused, which the library asks for as well
            raise LoginError(_sentence(error, garminconnect)) from None
    if not _has_token(garmin):
        raise LoginError(
            "Garmin took the sign-in and gave no token that can be renewed; nothing was written. Its log-in may have "
            "changed: look for a newer tap-garmin."
        )
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what has been got is kept
    try:
        garmin.client.dump(str(path))
    except (OSError, ValueError) as error:
        raise LoginError(f"The token cannot be written to {path} ({type(error).__name__}).") from None
    finally:
        signal.signal(signal.SIGINT, former)
    return path


def _prepared(store: Path) -> Path:
    """Make the place of the token file; a sign-in whose token cannot be kept would be one too many."""
    try:
        store = store.expanduser().resolve()
        path = store if store.suffix == ".json" else store / FILE_NAME
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise LoginError(
            f"The token could not be kept in {store} ({why}). Name another folder with --store."
        ) from None
    if path.is_dir():
        raise LoginError(f"{path} is a folder, where the token file has to be. Name another with --store.")
    return path


def _has_token(garmin: Any) -> bool:
    """Tell whether there is a token that can be renewed; a cookie of the web page, the library's last resort, cannot."""
    return bool(garmin.client.di_token and garmin.client.di_refresh_token)


def _sentence(error: Exception, garminconnect: Any) -> str:
    """Say what a refusal means, without its details: these may name the account."""
    if isinstance(error, garminconnect.GarminConnectTooManyRequestsError):
        return (
            "Garmin throttles sign-ins of this account now. Wait some hours, up to a day: each further try starts the "
            "wait anew."
        )
    if isinstance(error, garminconnect.GarminConnectAuthenticationError):
        return "Garmin refused the sign-in. Check e-mail, password and code on connect.garmin.com, then try once more."
    status = getattr(getattr(error, "response", None), "status_code", None)
    told = f" ({status})" if status else ""
    return (
        f"The sign-in did not get through{told}. Try from a home connection; Garmin turns away data centres."
    )


def _ask_code() -> str:
    return input("Code from your e-mail, message or authenticator: ").strip()


if __name__ == "__main__":
    main()
