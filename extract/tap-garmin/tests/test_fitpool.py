from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tap_garmin import fitfiles, fitpool
from tap_garmin.standin.fitmaker import activity_fit
from tap_kit.export import Member

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Outcome, Runner

START = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty files of a watch, one of them cut, one no FIT file at all."""
    place = tmp_path / "Activity"
    place.mkdir()
    for number in range(20):
        content = activity_fit(START + timedelta(days=number), 120 + 60 * number)
        content = content[:-30] if number == 7 else b"junk" if number == 9 else content
        (place / f"{number:02}.fit").write_bytes(content)
    return place


def read(runner: Runner, folder: Path, **config: Any) -> Outcome:
    runner.state = {}
    return runner.run("fit_messages", "fit_remains", "_files", path=str(folder), **config)


def test_processes_give_what_one_gives_in_the_same_order(
    runner: Runner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitpool, "processors", lambda: 1)
    alone = read(runner, folder)
    monkeypatch.setattr(fitpool, "processors", lambda: 2)
    together = read(runner, folder)
    assert together.records("fit_messages") == alone.records("fit_messages")
    assert together.told("fit_messages") == alone.told("fit_messages")
    assert together.records("_files") == alone.records("_files")
    assert together.of("RECORD", "fit_remains") == alone.of("RECORD", "fit_remains")
    assert len(alone.records("fit_remains")) == 2
    status = [record["status"] for record in together.records("_files")]
    assert (status.count("parsed"), status.count("damaged")) == (18, 2)


def test_a_process_that_dies_costs_time_and_no_message(
    runner: Runner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitpool, "processors", lambda: 1)
    alone = read(runner, folder)
    monkeypatch.setattr(fitpool, "processors", lambda: 2)
    monkeypatch.setattr(fitpool, "live_with_parent", partial(os._exit, 1))
    together = read(runner, folder)
    assert together.records("fit_messages") == alone.records("fit_messages")


def test_one_process_and_the_kits_own_way_give_the_same(runner: Runner, folder: Path) -> None:
    file = folder / "03.fit"
    direct = read(runner, file)
    assert direct.told("fit_messages")[1]["ordinal"] == 2
    tap_messages = [{**message, "time_extracted": None} for message in direct.of("RECORD", "fit_messages")]
    member = Member("03.fit", "03.fit", lambda: file.open("rb"))
    found = list(fitfiles.messages(member))
    assert [message["record"] for message in tap_messages] == [each.record for each in found]
    assert [message["provenance"]["source_timestamp"] for message in tap_messages] == [
        each.provenance["source_timestamp"] for each in found
    ]


def test_whose_files_they_are_is_no_part_of_their_identity(runner: Runner, folder: Path) -> None:
    outcome = read(runner, folder / "03.fit", account="someone")
    assert "account" not in outcome.told("fit_messages")[0]


@pytest.mark.parametrize("kind", [b'"SCHEMA"', b'"RECORD"'], ids=["at the start", "in the middle"])
def test_a_stop_ends_the_tap_and_its_processes_without_a_traceback(
    folder: Path, tmp_path: Path, kind: bytes
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"path": str(folder)}))
    command = [sys.executable, "-m", "tap_garmin", "--config", str(tmp_path / "config.json")]
    with (
        (tmp_path / "stderr").open("wb") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True) as tap,
    ):
        assert tap.stdout
        while kind not in tap.stdout.readline():
            pass
        os.killpg(tap.pid, signal.SIGINT)  # as the terminal does: to the processes too
        assert all(line.endswith(b"\n") for line in tap.stdout)
        assert tap.wait(30) == 128 + signal.SIGINT
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_a_killed_tap_leaves_no_process_behind(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import time
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        from os import getpid
        from tap_garmin.fitpool import live_with_parent
        if __name__ == "__main__":
            pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=live_with_parent)
            print(pool.submit(getpid).result(), flush=True)
            time.sleep(60)
    """)
    path = tmp_path / "program.py"
    path.write_text(program)
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        worker = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _is_alive(worker):
        time.sleep(0.05)
    assert not _is_alive(worker)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - not a file
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
