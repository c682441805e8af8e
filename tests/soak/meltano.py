"""Trials: a part of a `meltano run`, or all of it, dies at a random moment; run again, each letter is there once.

By hand: ``pytest tests/soak/meltano.py``; ``SOAK_TRIALS`` says how many of each kind, and the ``SOAK_SEED`` that a failure
shows repeats it.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

if TYPE_CHECKING:
    from subprocess import Popen

    from tests.conftest import Project

log = logging.getLogger(__name__)
SEED = os.environ.get("SOAK_SEED") or str(random.randrange(1_000_000))
TRIALS = [
    pytest.param(number, id=f"trial{number}") for number in range(int(os.environ.get("SOAK_TRIALS", "2")))
]
LETTERS = 600
SETTINGS = {"TARGET_POSTGRES_BATCH_SIZE_ROWS": "50"}
#: Which processes die of which signal: those whose command line has the word, or all.
KINDS = {
    "everything": ("", signal.SIGKILL),
    "Meltano killed": ("meltano", signal.SIGKILL),
    "Meltano terminated": ("meltano", signal.SIGTERM),
    "Meltano interrupted": ("meltano", signal.SIGINT),
    "the tap": ("letters.py", signal.SIGKILL),
    "the loader killed": ("target-postgres-bronze", signal.SIGKILL),
    "the loader terminated": ("target-postgres-bronze", signal.SIGTERM),
}


def strike(meltano: Popen[str], word: str, number: signal.Signals) -> int:
    """Send *number* to the processes of the run that *word* names; return how many there were."""
    parent = psutil.Process(meltano.pid)
    family = [parent, *parent.children(recursive=True)]
    if word == "meltano":
        family = [parent]
    struck = 0
    for member in family:
        try:
            if word in ("", "meltano") or any(word in part for part in member.cmdline()):
                member.send_signal(number)
                struck += 1
        except psutil.NoSuchProcess:
            continue
    return struck


def count(project: Project, query: str) -> int:
    """Return the figure of *query*, 0 while its table is not there."""
    try:
        [(figure,)] = project.ask(query)
    except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
        return 0
    return int(figure)


@pytest.mark.parametrize("_number", TRIALS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_run_dies(
    project: Project, request: pytest.FixtureRequest, kind: str, _number: int
) -> None:
    log.info("SOAK_SEED=%s", SEED)
    chance = random.Random(f"{SEED} {request.node.name}")
    project.define(
        "tap-letters", Path(__file__).with_name("letters.py"), capabilities=["state"], label="Letters"
    )
    codes = []
    for _ in range(chance.randint(1, 2)):
        with project.start("run", "--force", "tap-letters", "target-postgres", **SETTINGS) as meltano:
            if chance.random() < 0.8:
                runs = count(project, "SELECT count(*) FROM bronze.runs")
                while meltano.poll() is None and runs == count(project, "SELECT count(*) FROM bronze.runs"):
                    time.sleep(0.05)
            time.sleep(chance.random() * 2.5)
            struck = strike(meltano, *KINDS[kind]) if meltano.poll() is None else 0
            said, _ = meltano.communicate(timeout=120)
            codes.append((struck, meltano.returncode))
        assert "Traceback" not in "".join(line for line in said.splitlines() if "target-postgres" in line)
    before = count(project, "SELECT count(*) FROM bronze_letters")

    project.run("tap-letters", **SETTINGS)
    wait_for_orphans(project)

    log.info("%s: struck, exit codes %s; %d rows before the complete run", kind, codes, before)
    rows = "SELECT count(*), count(DISTINCT raw_id), max(version) FROM bronze_letters"
    assert project.ask(rows) == [(LETTERS, LETTERS, 1)]
    figures = "read_count, new_count + changed_count + known_count + rejected_count"
    assert all(read == told for read, told in project.ask(f"SELECT {figures} FROM bronze.runs"))
    assert count(project, "SELECT sum(new_count) FROM bronze.runs") == LETTERS
    assert project.ask("SELECT count(*) FROM bronze.runs WHERE status = 'running'") == [(0,)]
    assert project.ask("SELECT * FROM bronze.disagreements('letters')") == []
    said_again = project.run("tap-letters", **SETTINGS)
    assert not any(" 1 new" in line for line in said_again)
    assert project.ask(rows) == [(LETTERS, LETTERS, 1)]


def wait_for_orphans(project: Project) -> None:
    """Wait until what outlived Meltano has ended: a loader goes on while its tap does."""
    deadline = time.monotonic() + 60
    living = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bronze'"
    while count(project, living) and time.monotonic() < deadline:
        time.sleep(0.2)
