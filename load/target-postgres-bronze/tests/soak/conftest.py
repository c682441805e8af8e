"""What the trials share: chance with a seed that is told, and servers that may be broken."""

from __future__ import annotations

import logging
import os
import random
import shutil
import struct
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from target_postgres_bronze import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)
#: The same seed gives the same trials (the machine's own timing aside).
SEED = os.environ.get("SOAK_SEED") or str(random.randrange(1_000_000))


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance of this trial alone."""
    log.info("SOAK_SEED=%s", SEED)
    return random.Random(f"{SEED} {request.node.name}")


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Path]:
    """Make *folder* a disk of its own of *size* bytes."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk for the archive, of 256 KiB."""
    if os.geteuid():
        pytest.skip("only root can make a small disk")
    with mounted(tmp_path / "disk", 256 * 1024) as folder:
        yield folder


@pytest.fixture
def server_on_small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of an embedded server on a disk of 400 MiB, running."""
    if os.geteuid():
        pytest.skip("only root can make a small disk")
    with mounted(tmp_path_factory.mktemp("full") / "disk", 400 * 1024 * 1024) as folder:
        embedded.ensure_running(folder / "postgres")
        yield folder / "postgres"
        embedded.stop(folder / "postgres")


class Clock:
    """A time of day that processes started with `variables` go by."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)
        library = folder / "clock.so"
        source = Path(__file__).with_name("clock.c")
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        subprocess.run(command, check=True)
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(self._file)}

    def set(self, seconds: int) -> None:
        """Set it *seconds* ahead of the real one, or behind."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock in a folder that the server's account can read as well."""
    if not shutil.which("cc"):
        pytest.skip("a clock that can be set needs a C compiler")
    folder = Path(tempfile.mkdtemp(prefix="clock-"))
    folder.chmod(0o755)
    yield Clock(folder)
    shutil.rmtree(folder)


@pytest.fixture
def server_with_clock(
    clock: Clock, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The data folder of an embedded server that goes by *clock*, running."""
    data_dir = tmp_path_factory.mktemp("clock") / "postgres"
    with monkeypatch.context() as changed:
        for name, value in clock.variables.items():
            changed.setenv(name, value)
        embedded.ensure_running(data_dir)
    yield data_dir
    embedded.stop(data_dir)
