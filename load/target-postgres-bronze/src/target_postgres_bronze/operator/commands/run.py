"""``bronze run``: sources side by side, each an ordinary ``meltano run``."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from tap_kit.text import printable
from target_postgres_bronze import project
from target_postgres_bronze.database import DatabaseError
from target_postgres_bronze.embedded import EmbeddedServerError
from target_postgres_bronze.operator import outcomes, plugins, readiness, running, session
from target_postgres_bronze.operator.schedules import source_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.progress import Progress, TaskID

LEFT_OUT: Final = 3
WORDS: Final = {
    running.SUCCEEDED: "succeeded",
    running.FAILED: "failed",
    running.BUSY: "left out: a run of it is going on",
    running.STOPPED: "stopped; what had landed is safe, and the next run goes on from there",
    running.IDLE: "left out, as it is not set up",
}


@click.command(
    epilog="Example: bronze run toggl garmin --jobs 2. Exit code 0: all succeeded; 1: one failed or was stopped; 3: none "
    "failed, and one was left out, because a run of it is going on or because it is not set up."
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--jobs", type=click.IntRange(1, running.MOST), default=1, show_default=True, help="How many at once."
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(sources: Sequence[str], jobs: int, *, as_json: bool) -> None:
    """Run sources, each through `meltano run tap-SOURCE target-postgres`; what they say goes to data/logs."""
    root = project.find_root()
    wanted = [source_of(source) for source in dict.fromkeys(sources)]
    known = {source_of(p.name): p for p in plugins.defined(root) if p.kind == "extractors"}
    for source in wanted:
        if source not in known:
            raise session.OperatorError(
                f"There is no source {source} in this project. Sources: {', '.join(sorted(known)) or 'none yet'}."
            )
    variables = project.environment(root)
    idle = {
        source: said
        for source in wanted
        if (said := readiness.surely_lacking(root, known[source], variables))
    }
    with _Screen(wanted) as screen:
        for source, said in idle.items():
            screen.leave_out(source, known[source].name, said)
        runs = running.run_all(root, [source for source in wanted if source not in idle], jobs, screen.show)
    runs += [running.SourceRun(source, running.log_of(root, source), running.IDLE) for source in idle]
    found = {run.outcome for run in runs}
    if running.FAILED in found:
        _record_failures(root)
    if as_json:
        session.show_json([_entry(run) for run in runs])
    if found & {running.FAILED, running.STOPPED}:
        sys.exit(1)
    sys.exit(LEFT_OUT if found & {running.BUSY, running.IDLE} else 0)


def _record_failures(root: Path) -> None:
    """Have ``bronze.runs`` show failures that the loader did not see; a database that is down is reported by the runs already."""
    with (
        contextlib.suppress(session.OperatorError, DatabaseError, EmbeddedServerError),
        session.connected() as connection,
    ):
        outcomes.record_failures(connection, root)


def _entry(run: running.SourceRun) -> dict[str, Any]:
    return {
        "source": run.source,
        "outcome": run.outcome,
        "seconds": round(run.seconds, 1),
        "streams": run.said,
        "reasons": run.reasons,
        "log": run.log,
    }


class _Screen:
    """A moving line per source on a terminal; in a file or pipe a line when one has ended."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = sources
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._lines: dict[str, TaskID] = {}
        self._waiting: set[str] = set()

    def __enter__(self) -> _Screen:  # noqa: PYI034 - no class is derived from it
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - used here alone

        if self._console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._progress:
            self._progress.stop()

    def show(self, run: running.SourceRun) -> None:
        """Show how far *run* is."""
        if run.outcome:
            self._end(run)
        elif run.is_waiting:
            if run.source not in self._waiting:
                self._waiting.add(run.source)
                self._console.print(
                    f"{run.source}: waits, as {running.MOST} runs of this project are going on", markup=False
                )
        elif self._progress and run.source not in self._lines:
            self._lines[run.source] = self._progress.add_task(f"{run.source}: running", total=None)

    def leave_out(self, source: str, extractor: str, missing: str) -> None:
        """Say that *source* is not run, and what to set."""
        remedy = f"Set {missing} in .env (extract/{extractor}/README.md)."
        self._console.print(f"{source}: {WORDS[running.IDLE]}. {remedy}", markup=False)

    def _end(self, run: running.SourceRun) -> None:
        if self._progress and run.source in self._lines:
            self._progress.remove_task(self._lines[run.source])
        if run.outcome == running.STOPPED and not run.seconds:
            self._console.print(f"{run.source}: not begun", markup=False)
            return
        took = f" in {run.seconds:.0f} s" if run.outcome in {running.SUCCEEDED, running.FAILED} else ""
        see = f" (see {run.log})" if run.outcome == running.FAILED else ""
        self._console.print(f"{run.source}: {WORDS[run.outcome]}{took}{see}", markup=False)
        for line in [*run.said, *run.reasons]:
            self._console.print(f"  {printable(line, session.MAX_LINE)}", markup=False)
