"""``bronze schedule``: Meltano's schedules in cron or systemd."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator import alerts, plugins, readiness, schedules, session, timers

if TYPE_CHECKING:
    from pathlib import Path

CHECK: Final = "*/15 * * * *"
LANDED: Final = "SELECT DISTINCT source FROM bronze.streams"
TOOL: Final = click.option(
    "--with",
    "tool",
    type=click.Choice(["cron", "systemd"]),
    help="Which tool. Default: systemd where a user manager answers, else cron.",
)


@click.group(
    name="schedule",
    epilog="Example: bronze schedule install --with cron. Exit code 0, or 1 when that cannot be done.",
)
def command() -> None:
    """Let this machine run the schedules of meltano.yml."""


@command.command(
    epilog="Example: bronze schedule install --with cron. Exit code 0: the schedules are there; 1: they are not, and foreign entries are "
    "as they were."
)
@TOOL
def install(tool: str | None) -> None:
    """Write the schedules into cron or systemd, in place of this project's earlier ones."""
    root = project.find_root()
    jobs = _jobs(root)
    if not jobs:
        raise session.OperatorError(
            "meltano.yml has no schedule that can run here. Add one: meltano schedule add NAME --job JOB --interval @daily."
        )
    keeper = timers.choose(root, tool)
    keeper.install(jobs)
    click.echo(f"{len(jobs)} jobs are in {keeper.name}: {', '.join(job.name for job in jobs)}.")


@command.command(
    epilog="Example: bronze schedule show --json. Exit code 0, installed or not; 1 when meltano.yml cannot be read."
)
@TOOL
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def show(tool: str | None, *, as_json: bool) -> None:
    """Show the schedules, when each is due next (the machine's time), and what is installed."""
    root = project.find_root()
    now = datetime.now(UTC).replace(tzinfo=None)
    found = [
        {
            "name": schedule.name,
            "interval": schedule.cron,
            "sources": " ".join(schedule.sources),
            "next": schedule.due_after(now).replace(tzinfo=UTC).astimezone().replace(tzinfo=None),
        }
        for schedule in schedules.defined(root)
    ]
    try:
        keeper = timers.choose(root, tool)
        tool, installed = keeper.name, keeper.installed()
    except session.OperatorError:
        installed = []
    if as_json:
        session.show_json({"schedules": found, "tool": tool, "installed": installed})
        return
    lines = ([entry["name"], entry["interval"], entry["sources"], entry["next"]] for entry in found)
    session.show_table("Schedules", ["name", "interval", "sources", "next"], lines)
    click.echo(f"Installed in {tool}:" if installed else "Nothing is installed: bronze schedule install.")
    for line in installed:
        click.echo(f"  {line}")


@command.command(
    epilog="Example: bronze schedule remove. Exit code 0: none is left; 1: cron or systemd refuses."
)
@TOOL
def remove(tool: str | None) -> None:
    """Take this project's schedules out of cron or systemd; others stay."""
    keeper = timers.choose(project.find_root(), tool)
    count = len(keeper.installed())
    keeper.install([])
    click.echo(f"{count} jobs of this project were removed from {keeper.name}.")


def _jobs(root: Path) -> list[timers.Job]:
    """Return a job per schedule, and one that checks the levels where there is somebody to notify.

    A source that has never landed anything is left out, since perhaps nobody wants it; one that is not set up as well.
    """
    variables = project.environment(root)
    known = {schedules.source_of(plugin.name): plugin for plugin in plugins.defined(root)}
    with session.connected() as connection:
        landed = {row["source"] for row in session.rows(connection, LANDED)}
    named = os.environ.get("MELTANO_ENVIRONMENT")
    before = ("-e", named) if named else ()
    jobs = []
    for schedule in schedules.defined(root):
        wanted: list[str] = []
        for source in schedule.sources:
            missing = (
                readiness.surely_lacking(root, known[source], variables)
                if source in known and source in landed
                else ""
            )
            if source not in landed:
                reason = f"nothing of it has landed yet. Run it once: ./bronze run {source}"
            elif missing:
                reason = f"it is not set up. Set {missing} in .env, and install again."
            else:
                wanted.append(source)
                continue
            click.echo(f"{schedule.name}: {source} is left out, as {reason}", err=True)
        if wanted:
            jobs.append(timers.Job(schedule.name, schedule.cron, (*before, "run", *wanted)))
    if jobs and variables.get(alerts.VARIABLE):
        jobs.append(timers.Job("check", CHECK, (*before, "check", "--notify")))
    return jobs
