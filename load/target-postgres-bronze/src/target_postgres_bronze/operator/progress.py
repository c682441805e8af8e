"""A moving bar on a terminal for what takes longer than a moment; nothing in a file or a pipe."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

TICK: Final = 0.1


@contextlib.contextmanager
def progress(doing: str, total: float | Decimal | None = None) -> Iterator[Callable[[float], None]]:
    """Show on stderr that *doing* goes on, if that is a terminal.

    Args:
        doing: What is done, such as ``Reading toggl again``.
        total: How much there is to do; unknown or nothing: the bar moves without an end.

    Yields:
        A function that takes how much was done since it was last called.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _count: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - half of `bronze --help`

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(doing, total=float(total) if total else None)
        waiting, shown_at = 0.0, 0.0

        def advance(count: float) -> None:
            nonlocal waiting, shown_at
            waiting += count
            # called for every row, and drawing is not for free
            if time.monotonic() - shown_at > TICK:
                bar.advance(task, waiting)
                waiting, shown_at = 0.0, time.monotonic()

        yield advance
