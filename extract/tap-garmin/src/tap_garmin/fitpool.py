"""FIT files of an export, decoded ahead in processes of their own where there are many of them.

The decoder is pure Python and the slowest part of the way: an export of twenty thousand files takes as many minutes
less as there are processors.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from tap_garmin import fitfiles
from tap_garmin.fit import decode, moments
from tap_kit.export import Found, Lines, MemberError
from tap_kit.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_garmin.tap import TapGarmin
    from tap_kit.export import Export, Member

FEW = 16
"""With fewer files in an export the processes would take longer to start than they save."""

MOST_PROCESSES = 4
LINES = 2_000
"""Messages that are put on stdout at once."""


@dataclass(frozen=True)
class Prepared:
    """The messages of a file as JSON, each with its own provenance, and what is wrong with the file."""

    messages: list[tuple[bytes, bytes]]
    rest: Found | None
    problem: str


def prepare(content: bytes) -> Prepared:
    """Decode a file and write its messages as JSON."""
    decoded = decode(content)
    found = []
    times = moments(decoded.records, decoded.created)
    for ordinal, (record, moment) in enumerate(zip(decoded.records, times, strict=True), start=1):
        own = {"ordinal": ordinal, "decoder": decoded.decoder}
        if moment:
            own["source_timestamp"] = moment
        found.append((dumps(record), dumps(own)[1:-1]))
    problem = decoded.problems[0] if decoded.problems else ""
    return Prepared(found, fitfiles.rest_of(decoded, content), problem)


class FitReader:
    """Reads the FIT files of exports, for the tap's table of rules."""

    def __init__(self, tap: TapGarmin) -> None:
        """Start no process yet."""
        self._tap = tap
        self._pool: ProcessPoolExecutor | None = None
        self._ahead: dict[str, Future[Prepared]] = {}
        self._export: Export | None = None
        self._order: dict[str, int] = {}
        self._files: list[Member] = []

    def __call__(self, member: Member) -> Iterator[Found | Lines]:
        """Yield the messages of a file, and what could not be read of it.

        Raises:
            MemberError: The file is damaged; what could be read has been yielded.
        """
        stream = self._tap.fit_messages
        if stream.is_altered:
            yield from fitfiles.messages(member)
            return
        prepared = self._prepared(member)
        envelope = stream.envelope(self._tap.provenance_of(member))
        for start in range(0, len(prepared.messages), LINES):
            part = prepared.messages[start : start + LINES]
            lines = b"".join(
                b"".join((envelope.before, record, envelope.between, b",", own, envelope.after))
                for record, own in part
            )
            yield Lines(stream.name, lines, len(part))
        if prepared.rest:
            yield prepared.rest
        if prepared.problem:
            raise fitfiles.damaged(member, len(prepared.messages), prepared.problem)

    def close(self) -> None:
        """End the processes, in the middle of a file if need be."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
        self._pool, self._ahead, self._export = None, {}, None

    def _prepared(self, member: Member) -> Prepared:
        """Give a file's messages, and have the next ones prepared meanwhile."""
        if self._export is not member.export:
            self._begin(member.export)
        if self._pool is None:
            return prepare(member.read(fitfiles.LARGEST))
        place = self._order[member.path]
        try:
            for each in self._files[place : place + 2 * MOST_PROCESSES]:
                self._submit(self._pool, each)
            future = self._ahead.pop(member.path, None)
            return future.result() if future else prepare(member.read(fitfiles.LARGEST))
        except BrokenExecutor:  # a process was killed, perhaps for want of memory
            self.close()
            return prepare(member.read(fitfiles.LARGEST))

    def _begin(self, export: Export | None) -> None:
        self.close()
        self._export = export
        self._files = [each for each in export.members if _is_fit(each)] if export else []
        self._order = {each.path: place for place, each in enumerate(self._files)}
        if len(self._files) >= FEW and (processes := min(processors(), MOST_PROCESSES)) > 1:
            self._pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=live_with_parent)

    def _submit(self, pool: ProcessPoolExecutor, member: Member) -> None:
        if member.path in self._ahead:
            return
        try:
            content = member.read(fitfiles.LARGEST)
        except MemberError:
            return  # it is told when its turn comes
        with _without_interrupts():
            self._ahead[member.path] = pool.submit(prepare, content)


def processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Have processes that start in the block never see Ctrl-C, which the terminal sends to all: the parent ends them."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def live_with_parent() -> None:
    """End when the parent does, however that is."""
    if parent := parent_process():
        sentinel = parent.sentinel

        def end() -> None:
            wait([sentinel])
            os._exit(1)

        threading.Thread(target=end, daemon=True).start()


def _is_fit(member: Member) -> bool:
    return member.name.lower().endswith(".fit") and not member.refused and not member.damage
