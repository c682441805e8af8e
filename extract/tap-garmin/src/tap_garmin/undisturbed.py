"""What must not be broken off in its middle."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOPS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM inside the block; what came in it counts when it ends.

    Python runs handlers of signals in its main thread alone, so there is nothing to hold back in others.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    former = {each: signal.signal(each, lambda number, _: came.append(number)) for each in _STOPS}
    try:
        yield
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
        for number in came[:1]:
            signal.raise_signal(number)
