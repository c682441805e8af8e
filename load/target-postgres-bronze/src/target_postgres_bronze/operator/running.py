"""Runs of sources side by side, each an ordinary ``meltano run``; two runs of one source exclude each other."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

from target_postgres_bronze.operator import meltano
from target_postgres_bronze.operator.schedules import extractor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

LOG_BYTES: Final = 10_000_000
TICK: Final = 0.2
#: Seconds after which a run that was asked to end is asked again: Meltano may wait for a tap and a loader that have ended.
PATIENCE: Final = 20.0
#: What a source's run came to.
SUCCEEDED, FAILED, BUSY, STOPPED, IDLE = "succeeded", "failed", "busy", "stopped", "not set up"
#: Runs at once of the whole project, whoever starts them. Each has three connections to the database at most, and the project opens no
#: more than 20.
MOST: Final = 5
#: What a plugin said, in Meltano's log: level, plugin, words.
PLUGIN_LINE: Final = re.compile(r"^\S+ \[(\w+) *\] ((?:tap|target)-\S+) +(.*?) *$", re.MULTILINE)
BAD: Final = frozenset({"warning", "error", "critical"})
MOST_REASONS: Final = 3


@dataclass
class SourceRun:
    """One source's run.

    Attributes:
        source: Source.
        log: File with everything that Meltano, tap and loader said.
        outcome: Empty while it waits or runs.
        seconds: How long it took.
        said: The loader's line for each stream.
        reasons: Of a run that failed, the last warnings and errors of tap and loader.
        is_waiting: The project has as many runs going on as it may.
        is_stopping: It was asked to end.
    """

    source: str
    log: Path
    outcome: str = ""
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _begun: float = 0.0
    _log_start: int = 0
    is_waiting: bool = False
    is_stopping: bool = False
    _asked: float = 0.0

    def start(self, root: Path) -> bool:
        """Start it, unless a run of the source is going on; tell whether there was room for one more run."""
        self._begun = time.monotonic()
        locks = root / "data" / "locks"
        lock = _lock(locks / f"{self.source}.lock")
        if lock is None:
            self.outcome = BUSY
            return True
        room = next(filter(None, (_lock(locks / f"run.{number}") for number in range(MOST))), None)
        if room is None:
            lock.close()
            return False
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with lock, room, self.log.open("ab") as log:
            self._log_start = log.tell()
            # the locks are the child's as well: they hold when this process is killed
            self._process = subprocess.Popen(
                [meltano.program(), "run", extractor_of(root, self.source), meltano.LOADER],
                cwd=root,
                env=os.environ | {"NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno(), room.fileno()],
            )
        return True

    def look(self) -> None:
        """Note whether it has ended, and how."""
        self.seconds = time.monotonic() - self._begun
        if self._process is None or self._process.poll() is None:
            return
        self.outcome = SUCCEEDED
        if self._process.returncode:
            self.outcome = STOPPED if self.is_stopping else FAILED
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        pattern = rf"{re.escape(self.source)}\.[^:\n]*: [\d,]+ read, .*?[\d.]+ s(?=\s|$)"
        self.said = re.findall(pattern, text)
        if self.outcome == FAILED:
            self.reasons = [
                f"{plugin}: {words}"
                for level, plugin, words in PLUGIN_LINE.findall(text)
                # the loader's sentences come at one level with its streams
                if level in BAD or (plugin == meltano.LOADER and words not in self.said)
            ][-MOST_REASONS:]

    def stop(self) -> None:
        """Ask it to end, and again from time to time while it does not; the loader lands what has come."""
        now = time.monotonic()
        if self._process is not None and (not self.is_stopping or now - self._asked > PATIENCE):
            self.is_stopping, self._asked = True, now
            self._process.send_signal(signal.SIGTERM)


def run_all(
    root: Path, sources: Sequence[str], jobs: int, show: Callable[[SourceRun], None]
) -> list[SourceRun]:
    """Run *sources*, at most *jobs* at once.

    Args:
        root: The project's folder.
        sources: Sources, in the order in which they begin.
        jobs: How many at once.
        show: Called for every run that goes on or waits for one that others started, and once when it has ended.

    Returns:
        The runs; after SIGINT or SIGTERM those that had not ended are `STOPPED`.
    """
    runs = [SourceRun(source, log_of(root, source)) for source in sources]
    waiting, going = list(runs), list[SourceRun]()
    with _noted_signals() as signals:
        while (waiting and not signals) or going:
            while waiting and len(going) < jobs and not signals:
                waiting[0].is_waiting = not waiting[0].start(root)
                if waiting[0].is_waiting:
                    show(waiting[0])
                    break
                going.append(waiting.pop(0))
            for run in list(going):
                run.look()
                if signals:
                    run.stop()
                if run.outcome:
                    going.remove(run)
                show(run)
            time.sleep(TICK if going or waiting else 0)
        for run in waiting:
            run.outcome = STOPPED
            show(run)
    return runs


def log_of(root: Path, source: str) -> Path:
    """Return the file that holds what the runs of *source* said."""
    return root / "data" / "logs" / f"{source}.log"


def _lock(path: Path) -> IO[Any] | None:
    """Return the open and locked file *path*; None if another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


@contextlib.contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them."""
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
