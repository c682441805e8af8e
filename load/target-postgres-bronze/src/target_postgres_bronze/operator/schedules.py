"""The schedules of ``meltano.yml``: which source is due when.

Source: Meltano's documentation of project files, "Schedules" and "Jobs". An interval is a cron expression or one of the
words that Meltano takes (``@hourly``); its times are the machine's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import yaml

from target_postgres_bronze.operator import plugins
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXTRACTOR: Final = "tap-"
#: No zone sets its clocks further forward or back in one night.
LONGEST_CLOCK_CHANGE: Final = timedelta(hours=2)
#: Schedules that run when a person says so.
BY_HAND: Final = "@once"
WORDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True)
class Schedule:
    """One schedule.

    Attributes:
        name: Its name in ``meltano.yml``.
        cron: Five fields: minute, hour, day of the month, month, day of the week.
        sources: The sources that it runs, in their order.
    """

    name: str
    cron: str
    sources: tuple[str, ...]

    def due_after(self, moment: datetime) -> datetime:
        """Return when the first run after *moment* is due; both are naive and in UTC.

        cron(8): the expression means the local time that clocks show. A time that daylight saving skips is due right after the
        change. In an hour that occurs twice, only expressions with ``*`` for the minute or the hour are due twice.
        """
        from croniter import croniter  # noqa: PLC0415 - needed by few commands

        after = moment.replace(tzinfo=UTC)
        local = after.astimezone().replace(tzinfo=None)
        is_repeated = "*" in "".join(field[0] for field in self.cron.split()[:2])
        due = local - LONGEST_CLOCK_CHANGE
        times = croniter(self.cron, due)
        found: list[datetime] = []
        while not found or due <= local:
            due = times.get_next(datetime)
            found += [utc for utc in _in_utc(due)[: None if is_repeated else 1] if utc > after]
        return min(found).replace(tzinfo=None)


def _in_utc(local: datetime) -> list[datetime]:
    """Return when clocks show *local*: twice in a repeated hour; for a skipped time the same distance after the change."""
    times = sorted({local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)})
    return [utc for utc in times if utc.astimezone().replace(tzinfo=None) == local] or times[-1:]


def source_of(extractor: str) -> str:
    """Return the source that *extractor* is loaded into, as the loader names it."""
    return re.sub(r"[^a-z0-9]", "_", extractor.lower().removeprefix(EXTRACTOR))


def extractor_of(root: Path, source: str) -> str:
    """Return the extractor of *source*: the one that the project at *root* defines, else the usual name."""
    names = [plugin.name for plugin in plugins.defined(root) if plugin.kind == "extractors"]
    usual = EXTRACTOR + source.replace("_", "-")
    return next((name for name in names if source_of(name) == source), usual)


def defined(root: Path) -> list[Schedule]:
    """Return the schedules of the project at *root* that a clock runs, in the order of its files.

    Raises:
        OperatorError: A file cannot be read, or a schedule is not usable.
    """
    contents = list(_contents(root))
    jobs = {job["name"]: job for content in contents for job in content.get("jobs") or []}
    return [
        _read(entry, jobs)
        for content in contents
        for entry in content.get("schedules") or []
        if entry.get("interval") != BY_HAND
    ]


def _contents(root: Path) -> Iterator[dict[str, Any]]:
    for file in [root / "meltano.yml", *sorted((root / "plugins").glob("*/*.meltano.yml"))]:
        try:
            content = yaml.safe_load(file.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise OperatorError(
                f"{file} cannot be read: {type(error).__name__}. Correct the file."
            ) from error
        if isinstance(content, dict):
            yield content


def _read(entry: dict[str, Any], jobs: dict[str, Any]) -> Schedule:
    from croniter import croniter  # noqa: PLC0415 - needed by few commands

    name, interval = entry.get("name", "(without a name)"), str(entry.get("interval"))
    cron = WORDS.get(interval, interval)
    fields = 5
    if len(cron.split()) != fields or not croniter.is_valid(cron):
        raise OperatorError(
            f"meltano.yml: schedule {name}: the interval {interval} is no cron expression. Write five fields, such as "
            '"15 * * * *", or one of ' + ", ".join(WORDS) + "."
        )
    if "job" not in entry:
        return Schedule(name, cron, (source_of(entry.get("extractor", "")),))
    job = jobs.get(entry["job"])
    if job is None:
        raise OperatorError(
            f"meltano.yml: schedule {name} names the job {entry['job']}, which is not defined. Add it under jobs."
        )
    return Schedule(name, cron, tuple(_sources(job["tasks"])))


def _sources(tasks: list[Any]) -> Iterator[str]:
    """Yield the sources of a job; a task is a line of plugins, or a list of such lines."""
    for task in tasks:
        for line in [task] if isinstance(task, str) else task:
            yield from (source_of(word) for word in line.split() if word.startswith(EXTRACTOR))
