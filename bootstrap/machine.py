"""The machine as the bootstrap sees it: folders, programs, and sentences for what goes wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SYSTEM = ROOT / ".meltano"
PYTHON = VENV / "bin" / "python"

#: Variables that would lead uv, pip or Meltano to other folders than this project's.
FOREIGN = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_PROJECT_ENVIRONMENT",
    "MELTANO_PROJECT_ROOT",
)

#: Words in what uv and pip print, lower case, that tell of a network that is not there.
NO_NETWORK = (
    "connection error",
    "connection refused",
    "could not connect",
    "dns error",
    "error sending request",
    "failed to establish a new connection",
    "failed to fetch",
    "name resolution",
    "network is unreachable",
    "tcp connect",
    "timed out",
)

#: Words in what uv, pip and Meltano print, and the sentence that helps; the first that fits is taken.
REASONS = {
    (
        "no space left",
        "disk quota",
    ): "There is no space left on the disk. Free some, and run the same command again.",
    ("permission denied", "read-only file system"): (
        f"A file in {ROOT} may not be written. Give yourself the right to (sudo chown -R \"$USER\" '{ROOT}'), or move "
        "the project to a folder of your own."
    ),
    NO_NETWORK: (
        "The package index cannot be reached, and the first set-up downloads from it. Connect to the network (behind "
        "a proxy: set HTTPS_PROXY), and run the same command again."
    ),
}


class BootstrapError(Exception):
    """It cannot go on; the message says why, and the remedy."""


def tool(name: str) -> str:
    """Return the path of a program that the set-up installed."""
    return str(VENV / "bin" / name)


def say(line: str) -> None:
    """Show a line of progress at once."""
    print(line, flush=True)  # noqa: T201 - the bootstrap talks to a person


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for programs of this project, `.venv` first on the PATH."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    path = os.pathsep.join([str(VENV / "bin"), kept.get("PATH", os.defpath)])
    compiled = {"UV_COMPILE_BYTECODE": "1"} if keeps_no_bytecode() else {}
    return kept | compiled | {"PATH": path, "UV_PYTHON_DOWNLOADS": "never"} | dict(extra or {})


def keeps_no_bytecode() -> bool:
    """Tell whether the shell forbids Python to keep what it compiles: each start of Meltano would compile all anew, for over a second."""
    return bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))


#: Installed packages may be read by other users, such as the account that runs the embedded server for root.
READABLE = 0o022


def run(command: Sequence[str | Path], what: str, umask: int = -1) -> str:
    """Run *command* quietly in the project and return what it printed.

    Args:
        command: Program and arguments.
        what: What it does, for the message: "installing the packages".
        umask: For the files that it writes; -1 leaves them to the caller alone.

    Raises:
        BootstrapError: It failed; the message has a known reason's remedy, else the end of what it printed.
    """
    result = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=ROOT,
        env=environment({"NO_COLOR": "1"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=umask,
    )
    if result.returncode == 0:
        return result.stdout
    raise BootstrapError(explain(what, result.stdout))


def explain(what: str, printed: str) -> str:
    """Return the message for *what* that failed after it had *printed* something."""
    lowered = printed.lower()
    for words, remedy in REASONS.items():
        if any(word in lowered for word in words):
            return f"{what[0].upper()}{what[1:]} failed. {remedy}"
    end = "\n".join(f"  {line}" for line in printed.strip().splitlines()[-12:])
    return f"{what[0].upper()}{what[1:]} failed:\n{end}\nRun the same command again; what is done already is kept."
