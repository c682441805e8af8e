"""Reads a tap's output in large chunks, wakes up when it pauses, and stops at a signal."""

from __future__ import annotations

import os
import select
import signal
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

_CHUNK: Final = 1024 * 1024
_TICK: Final = 0.25


class Interrupt:
    """Notes SIGINT and SIGTERM instead of dying of them, so that what has come can be landed first.

    Attributes:
        number: The signal that came, 0 if none.
        on_signal: Called at each, for what would go on for long.
    """

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.number = 0
        self.on_signal: Callable[[], object] = lambda: None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:  # noqa: PYI034 - no class is derived from it
        """Take the signals over."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give them back."""
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number
        self.on_signal()


def read_chunks(source: IO[Any], interrupt: Interrupt) -> Iterator[bytes]:
    """Yield what *source* gives, as it comes; empty bytes when nothing came for a moment; ends at its end or a signal.

    Args:
        source: A file with a descriptor, or any readable object (as the SDK's tests hand over).
        interrupt: Looked at between chunks.
    """
    try:
        descriptor = source.fileno()
    except (OSError, AttributeError):
        yield from _read_object(source, interrupt)
        return
    while not interrupt.number:
        ready, _, _ = select.select([descriptor], [], [], _TICK)
        if not ready:
            yield b""
            continue
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return
        yield chunk


def _read_object(source: IO[Any], interrupt: Interrupt) -> Iterator[bytes]:
    while not interrupt.number and (chunk := source.read(_CHUNK)):
        yield chunk.encode("utf-8", "surrogateescape") if isinstance(chunk, str) else chunk
