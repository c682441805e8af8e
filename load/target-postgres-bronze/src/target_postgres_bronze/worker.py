"""One job at a time beside the reading: while the database takes a batch, the next one is read."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Worker(Generic[T]):
    """Does jobs one after the other in a thread of its own; what a job raises, the next `wait` raises."""

    def __init__(self) -> None:
        """Start with nothing to do."""
        self._thread: threading.Thread | None = None
        self._result: T | None = None
        self._error: BaseException | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a job is being done."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, job: Callable[[], T]) -> None:
        """Wait for the job before, then begin *job*."""
        self.wait()
        self._thread = threading.Thread(target=self._do, args=[job], name="beside", daemon=True)
        self._thread.start()

    def wait(self) -> T | None:
        """Wait for the job that is being done; give the last job's result."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._result

    def _do(self, job: Callable[[], T]) -> None:
        try:
            self._result = job()
        except BaseException as error:  # noqa: BLE001 - handed over to who waits
            self._error = error
