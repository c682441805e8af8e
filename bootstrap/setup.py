"""The set-up: `.venv` from `uv.lock`, then Meltano's plugins with the same versions.

Everything is written to `.venv` and `.meltano`; a stamp written last says what was set up, so that a second run has
nothing to do and needs no network, and a run after an interruption goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.machine import (
    PYTHON,
    READABLE,
    ROOT,
    SYSTEM,
    VENV,
    BootstrapError,
    keeps_no_bytecode,
    run,
    say,
    tool,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

STAMP = VENV / "bronze-setup"

#: Reads the lock file's format, knows `--all-packages` and build constraints.
OLDEST_UV = (0, 8)


def ensure() -> None:
    """Set up what is missing; do nothing when all is there.

    Raises:
        BootstrapError: Something is missing that only the person can give.
    """
    _close_folders()
    if _stamp() == _wanted():
        return
    _refuse_a_closed_folder()
    with _alone():
        if _stamp() == _wanted():
            return
        started = time.monotonic()
        _clear_what_moved()
        uv = _uv()
        say("Installing the packages of uv.lock …")
        python = PYTHON if _works(PYTHON) else Path(sys.executable)
        sync: list[str | Path] = [uv, "sync", "--frozen", "--all-packages", "--python", python]
        run([*sync, *_built_by_the_locked_backend()], "installing the packages", READABLE)
        _write_constraints(uv)
        say("Installing Meltano's plugins …")
        run([tool("meltano"), "install"], "installing Meltano's plugins")
        if keeps_no_bytecode():
            # uv compiles what it installs, and leaves out what is installed from its folder; a file that is broken says so where it runs
            with contextlib.suppress(BootstrapError):
                run([PYTHON, "-m", "compileall", "-q", "extract", "load"], "compiling the project's packages")
        STAMP.write_text(_wanted())
        say(f"Set up in {time.monotonic() - started:.0f} s.")


def _built_by_the_locked_backend() -> list[str]:
    """Return uv's options that build this project's packages with the backend of `uv.lock`, which has hashes.

    uv installs everything else first. In a build environment of its own it would fetch whatever version is newest.
    """
    packages = sorted(path.parent.name for path in ROOT.glob("[el]*/*/pyproject.toml"))
    return [word for name in packages for word in ("--no-build-isolation-package", name)]


def is_complete() -> bool:
    """Tell whether the operator command can run, even if newer files ask for another set-up."""
    return STAMP.exists() and _works(PYTHON)


def _wanted() -> str:
    """Return the stamp of the files as they are: where the project lies, and a digest of what decides the set-up."""
    digest = hashlib.sha256()
    patterns = (
        "uv.lock",
        "pyproject.toml",
        "meltano.yml",
        "extract/*/pyproject.toml",
        "load/*/pyproject.toml",
    )
    for pattern in (*patterns, "plugins/*/*.meltano.yml"):
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return f"{ROOT}\n{digest.hexdigest()}\n"


def _stamp() -> str:
    """Return what was set up, or nothing."""
    try:
        return STAMP.read_text() if _works(PYTHON) else ""
    except OSError:
        return ""


def _works(python: Path) -> bool:
    """Tell whether *python* is there and new enough; a venv outlives the Python that it was made from."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-I", "-c", check], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _refuse_a_closed_folder() -> None:
    if not os.access(ROOT, os.W_OK | os.X_OK):
        raise BootstrapError(
            f"{ROOT} may not be written, and the set-up makes .venv and .meltano there. Copy the project to a folder "
            "of your own."
        )


def _close_folders() -> None:
    """Close the folders with data, credentials and progress to other users; what is in them needs no more."""
    for folder in (ROOT / "data", SYSTEM, SYSTEM / "run"):
        # another user's, as in a container, or on a disk without modes: bronze doctor reports what is open
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let one set-up of this project run at a time; the system lets go of the lock when the process ends."""
    with (ROOT / "uv.lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up of this project …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _clear_what_moved() -> None:
    """Remove environments that were made where the project no longer is: their scripts name the old place."""
    with contextlib.suppress(OSError):
        if STAMP.read_text().partition("\n")[0] == str(ROOT):
            return
        for folder in (VENV, *SYSTEM.glob("*/*/venv")):
            shutil.rmtree(folder)


def _uv() -> Path:
    """Return a uv that is new enough: the one on the PATH, or one installed into `.venv`.

    Raises:
        BootstrapError: It can be installed neither way.
    """
    for found in (shutil.which("uv"), VENV / "bin" / "uv"):
        if found and _version_of(Path(found)) >= OLDEST_UV:
            return Path(found)
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise BootstrapError(
            "This Python came without its venv module. Install it (Debian, Ubuntu: sudo apt install python3-venv), or "
            "install uv, and run the same command again."
        )
    say("Making .venv, with uv in it …")
    run([sys.executable, "-m", "venv", "--clear", VENV], "making .venv", READABLE)
    wanted = VENV / "uv.txt"
    wanted.write_text(_locked_uv())
    run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", wanted],
        "installing uv",
        READABLE,
    )
    return VENV / "bin" / "uv"


def _version_of(uv: Path) -> tuple[int, ...]:
    try:
        printed = subprocess.run([uv, "--version"], check=False, capture_output=True, text=True).stdout
    except OSError:
        return ()
    found = re.search(r"(\d+)\.(\d+)", printed)
    return tuple(map(int, found.groups())) if found else ()


def _locked_uv() -> str:
    """Return the line of a requirements file for the uv of the lock file, which is there since Meltano needs it."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    uv = next(package for package in lock["package"] if package["name"] == "uv")
    hashes = " ".join(f"--hash={file['hash']}" for file in (uv["sdist"], *uv["wheels"]))
    return f"uv=={uv['version']} {hashes}\n"


def _write_constraints(uv: Path) -> None:
    """Write the versions of `uv.lock`, with their hashes, where the project's own plugins look for them (`pip_url`).

    uv refuses a download whose hash is another than that of a constraint. Plugins from elsewhere have versions of their own.
    """
    SYSTEM.mkdir(exist_ok=True)
    export: list[str | Path] = [
        uv,
        "export",
        "--frozen",
        "--all-packages",
        "--no-emit-workspace",
        "--no-dev",
        "--group",
        "build",
    ]
    run([*export, "--quiet", "--output-file", SYSTEM / "constraints.txt"], "writing the plugins' versions")
