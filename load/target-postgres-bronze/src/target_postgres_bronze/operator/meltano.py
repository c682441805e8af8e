"""Meltano, as the operator calls it: the program, the loader's settings, and a tap without its state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from target_postgres_bronze.operator.schedules import extractor_of
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

LOADER: Final = "target-postgres"


def program() -> str:
    """Return the path of the command ``meltano``: the one beside this Python, else that of the PATH.

    Raises:
        OperatorError: There is none.
    """
    found = shutil.which("meltano", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        raise OperatorError("Meltano is not installed. Run ./bronze setup.")
    return found


def loader_config(root: Path) -> dict[str, Any]:
    """Return the loader's settings as Meltano gives them, those of the database included; without a loader, none.

    Raises:
        OperatorError: Meltano cannot say.
    """
    if not (root / "plugins" / "loaders" / f"{LOADER}.meltano.yml").exists():
        return {}
    config = config_of(root, LOADER)
    if config is None:
        raise OperatorError(
            f"Meltano does not give the settings of {LOADER}: run `meltano invoke --dump=config {LOADER}` to see why."
        )
    return config


def config_of(root: Path, plugin: str) -> dict[str, Any] | None:
    """Return the settings of *plugin* as Meltano gives them; None where it cannot say. Takes some seconds."""
    said = subprocess.run(
        [program(), "--log-level=error", "invoke", "--dump=config", plugin],
        check=False,
        cwd=root,
        capture_output=True,
        text=True,
    )
    try:
        found = json.loads(said.stdout)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def start_tap(root: Path, source: str, stream: str | None, start: str | None) -> subprocess.Popen[bytes]:
    """Start the tap of *source* without state; its messages come on its standard output.

    Args:
        root: The project's folder.
        source: Source.
        stream: The only stream that is wanted, if so.
        start: The tap's setting ``start_date`` for this time, if it has one.
    """
    extractor = extractor_of(root, source)
    prefix = extractor.upper().replace("-", "_")
    env = dict(os.environ)
    if stream:
        env[f"{prefix}__SELECT"] = json.dumps([f"{stream}.*"])
    if start:
        env[f"{prefix}_START_DATE"] = start
    command: Sequence[str] = [program(), "--log-level=warning", "invoke", extractor]
    return subprocess.Popen(command, cwd=root, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
