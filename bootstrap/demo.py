"""`./bronze demo`: from nothing to rows, with real taps through `meltano run`, in a database of its own.

Sources that need no account: this clone's own commits, and invented accounts of Toggl and Garmin that servers on this
machine answer for.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from bootstrap import setup
from bootstrap.machine import PYTHON, ROOT, SYSTEM, BootstrapError, environment, say, tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

#: What the stand-in Toggl takes for a token (extract/tap-toggl, tap_toggl.standin); it opens nothing else.
STANDIN_TOKEN = "stand-in-token"  # noqa: S105 - a password for nobody

LOG = SYSTEM / "demo.log"

SAMPLE = """
SELECT source_timestamp, metadata ->> 'stream' AS stream, version, left(raw_data::text, 70) || ' …' AS raw_data
FROM bronze_{source}_current ORDER BY source_timestamp DESC NULLS LAST, id LIMIT 5
"""

NEXT = """
That was the demo, in the database bronze_demo. Run it again: nothing new lands, since nothing is new. Next:
  ./bronze -e demo psql                              look around: \\d bronze_git, SELECT … FROM bronze_git_current
  cp .env.example .env                               then put your own credentials in, and:
  .venv/bin/meltano run tap-toggl target-postgres    your own data, into the database bronze
  ./bronze status                                    what has landed
The database runs until ./bronze db stop."""


def show() -> int:
    """Set everything up, land what needs no account, and show it; return 0 when all went well."""
    setup.ensure()
    say("== The embedded PostgreSQL, in data/postgres")
    _bronze("db", "start")
    landed = {"git": _land_commits(), "toggl": _land_invented_hours(), "garmin": _land_invented_days()}
    if any(went_well is not None for went_well in landed.values()):
        say("== What is in the database")
        _bronze("status")
    for source, went_well in landed.items():
        if went_well:
            say(f"== The newest of bronze_{source}_current")
            _bronze("psql", "-X", "-P", "pager=off", "-P", "footer=off", "-c", SAMPLE.format(source=source))
    if False in landed.values():
        raise BootstrapError(
            f"A run failed (see above; all of Meltano's words are in {LOG}). Run the demo again."
        )
    say(NEXT)
    return 0


def _land_commits() -> bool | None:
    """Run tap-git on this clone; return whether it went well, None if there is nothing to run on."""
    if shutil.which("git") is None:
        say("== tap-git: left out, since git is not installed. Install it to collect your commits.")
        return None
    if not (ROOT / ".git").exists():
        say(
            "== tap-git: left out, since this project came without its git history (as a zip?). A clone has it."
        )
        return None
    return _run("tap-git", {})


def _land_invented_hours() -> bool | None:
    """Run tap-toggl against its stand-in; return whether it went well, None if it is not there."""
    if not (ROOT / "plugins" / "extractors" / "tap-toggl.meltano.yml").exists():
        return None
    with _standin("tap_toggl", "--plan", "none") as url:
        return _run("tap-toggl", {"TAP_TOGGL_API_URL": url, "TAP_TOGGL_API_TOKEN": STANDIN_TOKEN})


def _land_invented_days() -> bool | None:
    """Run tap-garmin against its stand-in; return whether it went well, None if it is not there."""
    if not (ROOT / "plugins" / "extractors" / "tap-garmin.meltano.yml").exists():
        return None
    token_store = str(SYSTEM / "demo-garmin")
    with _standin("tap_garmin", "--token-store", token_store) as url:
        place = {"TAP_GARMIN_API_URL": url, "TAP_GARMIN_AUTH_URL": url, "TAP_GARMIN_TOKEN_STORE": token_store}
        return _run("tap-garmin", place)


def _bronze(*words: str) -> None:
    """Run the operator command on the demo's database."""
    command = [str(PYTHON), "-m", "target_postgres_bronze.operator", "--environment", "demo", *words]
    if subprocess.run(command, check=False, cwd=ROOT, env=environment()).returncode != 0:
        raise BootstrapError("The demo stops here (see above).")


def _run(tap: str, variables: Mapping[str, str]) -> bool:
    """Run *tap* into the demo's database, showing what its plugins say; return whether it went well."""
    say(f"== meltano --environment=demo run {tap} target-postgres")
    started = time.monotonic()
    command = [
        tool("meltano"),
        "--environment=demo",
        "--log-format=json",
        "run",
        "--force",  # a demo that was killed would bar the next one for five minutes
        tap,
        "target-postgres",
    ]
    with LOG.open("a") as log, subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as meltano:  # fmt: skip
        assert meltano.stdout is not None  # noqa: S101 - it was asked for
        try:
            _show(meltano.stdout, log)
        except KeyboardInterrupt:
            # The same Ctrl-C has reached Meltano, which ends its plugins first; a second one ends the waiting.
            with contextlib.suppress(subprocess.TimeoutExpired):
                meltano.wait(timeout=30)
            raise
    say(f"{tap}: {time.monotonic() - started:.1f} s" if meltano.returncode == 0 else f"{tap}: failed")
    return meltano.returncode == 0


def _show(lines: IO[str], log: IO[str]) -> None:
    """Write *lines* to *log*, and show those that a person wants to see."""
    for line in lines:
        log.write(line)
        try:
            entry = json.loads(line)
        except ValueError:
            say(line.rstrip())
            continue
        from_plugin, bad = "stdio" in entry, entry.get("level") in {"error", "critical"}
        if bad or (from_plugin and (entry.get("consumer") or entry.get("level") == "warning")):
            say(f"   {entry.get('event', '')}")


@contextlib.contextmanager
def _standin(tap: str, *words: str) -> Iterator[str]:
    """Serve the invented account that a tap's package brings along for a while; give its address."""
    command = [str(PYTHON), "-m", f"{tap}.standin", "--port", "0", *words]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None  # noqa: S101 - it was asked for
        try:
            url = server.stdout.readline().strip()
            if not url:
                raise BootstrapError(
                    f"The stand-in of {tap} does not start. Run ./bronze setup, and the demo again."
                )
            yield url
        finally:
            server.terminate()
