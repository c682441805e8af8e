"""Schedules in cron or as systemd user timers, between marks of their own; foreign entries stay as they are.

Sources: crontab(5) ("%" ends a command unless escaped), systemd.timer(5) and systemd.time(7) (calendar events).
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What cron's jobs print, from the project's folder.
LOGS: Final = "data/logs"
DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: `bronze run` ends so when it left a source out, which is no failure of the machine's.
LEFT_OUT: Final = 3
#: First value of each field of a cron expression; steps count from it.
FIRST: Final = (0, 0, 1, 1, 0)


@dataclass(frozen=True)
class Job:
    """Something to run by the clock: a name, a cron expression, and the words after ``bronze``."""

    name: str
    cron: str
    words: tuple[str, ...]

    def command(self) -> list[str]:
        """Return the command; it names this Python, as cron's PATH is short."""
        return [sys.executable, "-m", "target_postgres_bronze.operator", *self.words]


class Keeper(Protocol):
    """A tool of this machine that runs jobs by the clock."""

    name: str

    def install(self, jobs: Sequence[Job]) -> None:
        """Put *jobs* in place of those that were there of this project."""

    def installed(self) -> list[str]:
        """Return the lines or units that are there of this project."""


def choose(root: Path, named: str | None) -> Keeper:
    """Return the tool that is *named*, else systemd where a user manager answers, else cron.

    Raises:
        OperatorError: The machine has neither.
    """
    if named in {None, "systemd"} and shutil.which("systemctl"):
        answer = subprocess.run(
            ["systemctl", "--user", "show-environment"], check=False, capture_output=True, timeout=30
        )
        if answer.returncode == 0:
            return Systemd(root)
    if named in {None, "cron"} and shutil.which("crontab"):
        return Cron(root)
    raise OperatorError(
        f"This machine has no {named or 'systemd for users and no cron'} that answers. Install cron (Debian, Ubuntu: sudo apt "
        "install cron), or let another scheduler call `bronze run SOURCE`."
    )


class Cron:
    """The user's crontab."""

    name = "cron"

    def __init__(self, root: Path) -> None:
        """Work for the project at *root*."""
        self._root = root
        self._begin, self._end = f"# >>> bronze {root}", f"# <<< bronze {root}"

    def install(self, jobs: Sequence[Job]) -> None:
        """Put *jobs* in place of those between the project's marks."""
        before, _, after = self._parts()
        (self._root / LOGS).mkdir(parents=True, exist_ok=True)
        block = [self._begin, *map(self._line, jobs), self._end] if jobs else []
        text = "".join(f"{line}\n" for line in [*before, *block, *after])
        done = subprocess.run(["crontab", "-"], check=False, input=text, text=True, capture_output=True)
        if done.returncode:
            raise OperatorError(f"crontab refuses the schedule: {done.stderr.strip() or 'it says nothing'}.")

    def installed(self) -> list[str]:
        """Return the lines between the project's marks."""
        return self._parts()[1]

    def _line(self, job: Job) -> str:
        command = f"cd {shlex.quote(str(self._root))} && umask 077 && {shlex.join(job.command())} >>{LOGS}/schedule.log 2>&1"
        return f"{job.cron} {command}".replace("%", r"\%")

    def _parts(self) -> tuple[list[str], list[str], list[str]]:
        """Return the lines before, between and after the marks."""
        listed = subprocess.run(["crontab", "-l"], check=False, capture_output=True, text=True)
        # an empty crontab is told as an error, and cannot be told from others by its code
        if listed.returncode and "no crontab" not in listed.stderr:
            raise OperatorError(f"crontab does not answer: {listed.stderr.strip() or 'it says nothing'}.")
        lines = listed.stdout.splitlines() if listed.returncode == 0 else []
        if self._begin not in lines:
            return lines, [], []
        start = lines.index(self._begin)
        if self._end not in lines[start:]:
            raise OperatorError(
                f"The crontab has the line `{self._begin}` without its end. Correct it with crontab -e; nothing was changed."
            )
        end = lines.index(self._end, start)
        return lines[:start], lines[start + 1 : end], lines[end + 1 :]


class Systemd:
    """Timers of the user's systemd."""

    name = "systemd"

    def __init__(self, root: Path) -> None:
        """Work for the project at *root*."""
        self._root = root
        config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        self._folder = Path(config) / "systemd" / "user"
        digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
        self._prefix = f"bronze-{digest}-"

    def install(self, jobs: Sequence[Job]) -> None:
        """Put *jobs* in place of the project's units."""
        units = {job.name: (_service(self._root, job), _timer(job)) for job in jobs}
        self._remove()
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, (service, timer) in units.items():
            (self._folder / f"{self._prefix}{_unit(name)}.service").write_text(service)
            (self._folder / f"{self._prefix}{_unit(name)}.timer").write_text(timer)
        self._call("daemon-reload")
        for name in units:
            self._call("enable", "--now", f"{self._prefix}{_unit(name)}.timer")

    def installed(self) -> list[str]:
        """Return the names of the project's timers."""
        return sorted(file.name for file in self._folder.glob(f"{self._prefix}*.timer"))

    def _remove(self) -> None:
        for timer in self.installed():
            self._call("disable", "--now", timer)
        for file in self._folder.glob(f"{self._prefix}*"):
            if file.suffix in {".service", ".timer"}:
                file.unlink()
        self._call("daemon-reload")

    @staticmethod
    def _call(*words: str) -> None:
        done = subprocess.run(["systemctl", "--user", *words], check=False, capture_output=True, text=True)
        if done.returncode:
            raise OperatorError(f"systemctl --user {' '.join(words)} failed: {done.stderr.strip()}")


def _unit(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]", "-", name)


def _service(root: Path, job: Job) -> str:
    words = " ".join(f'"{_escaped(word)}"' for word in job.command())
    return (
        f"[Unit]\nDescription=bronze: {_escaped(job.name)}\n\n"
        f"[Service]\nType=oneshot\nSuccessExitStatus={LEFT_OUT}\nWorkingDirectory={_plain(str(root))}\nExecStart={words.replace('$', '$$')}\n"
    )


def _timer(job: Job) -> str:
    return (
        f"[Unit]\nDescription=bronze: {_escaped(job.name)}\n\n"
        # a machine that slept makes up for what it missed
        f"[Timer]\nOnCalendar={calendar(job)}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )


def _plain(text: str) -> str:
    """Return a path for a setting that knows no quotes, and takes what follows a per cent sign for a specifier."""
    return text.replace("%", "%%")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def calendar(job: Job) -> str:
    """Return a cron expression as systemd's calendar event.

    Raises:
        OperatorError: It says what a calendar event cannot.
    """
    minute, hour, day, month, weekday = job.cron.split()
    if "*" not in {day, weekday}:
        raise OperatorError(
            f"The schedule {job.name} names days of the month and of the week ({job.cron}), which cron takes as either and systemd "
            "as both. Make two schedules of it, or install with --with cron."
        )
    fields = [_field(job, place, text) for place, text in enumerate((minute, hour, day, month, weekday))]
    days = "" if weekday == "*" else f"{fields[4]} "
    return f"{days}*-{fields[3]}-{fields[2]} {fields[1]}:{fields[0]}:00"


def _field(job: Job, place: int, text: str) -> str:
    parts = []
    for part in text.split(","):
        found = re.fullmatch(r"(\*|\d+)(?:-(\d+))?(?:/(\d+))?", part)
        if found is None:
            raise OperatorError(
                f"The schedule {job.name} ({job.cron}) has {part}, which cannot be said to systemd. Write numbers, or install "
                "with --with cron."
            )
        start, end, step = found[1], found[2], found[3]
        if place == len(FIRST) - 1:
            days = _weekdays(start, end, step)
            if not days:
                raise OperatorError(
                    f"The schedule {job.name} ({job.cron}) has no day of the week in {part}. Begin with the smaller number."
                )
            parts.append(days)
            continue
        if step and start == "*":
            start = str(FIRST[place])
        parts.append(start + (f"..{end}" if end else "") + (f"/{step}" if step else ""))
    return ",".join(parts)


def _weekdays(start: str, end: str | None, step: str | None) -> str:
    """Return the days of the week by name, as systemd takes no steps there."""
    first, last = (0, 6) if start == "*" else (int(start), int(end or start))
    return ",".join(DAYS[day] for day in range(first, last + 1, int(step or 1)))
