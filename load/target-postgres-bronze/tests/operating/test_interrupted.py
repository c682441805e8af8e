"""Ctrl-C, and a reader that has had enough: a sentence or nothing, never a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operating.conftest import Operator

COMMAND = [sys.executable, "-m", "target_postgres_bronze.operator"]


def test_ctrl_c_is_a_sentence_and_exit_code_130(orders: Operator) -> None:
    begun = "SELECT count(*) FROM bronze.reconciliations"
    with subprocess.Popen(
        [*COMMAND, "reconcile", "shop", "--messages", "-"],
        cwd=orders.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        for _ in range(600):
            if orders.bronze.query(begun) == [(1,)]:
                break
            time.sleep(0.05)
        time.sleep(0.2)  # until it waits for its first line
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (130, "")
    assert err == "\nInterrupted. What was finished before is kept.\n"
    assert orders.bronze.query("SELECT ended_at FROM bronze.reconciliations") == [(None,)]


def test_a_reader_that_has_had_enough_ends_an_export_quietly(orders: Operator) -> None:
    make = orders.bronze
    make.load(make.schema(), *(make.record({"id": number, "text": "x" * 1000}) for number in range(500)))
    with subprocess.Popen(
        [*COMMAND, "export", "shop"],
        cwd=orders.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as export:
        assert export.stdout is not None
        assert export.stderr is not None
        assert export.stdout.readline().startswith("{")
        export.stdout.close()
        assert "Traceback" not in export.stderr.read()
    assert export.returncode == 1


def test_an_unexpected_word_shows_how_the_command_is_used(orders: Operator) -> None:
    for words in (["exprot"], ["export"], ["export", "shop", "--all"], ["run", "shop", "--jobs", "0"]):
        done = subprocess.run(
            [*COMMAND, *words], check=False, cwd=orders.root, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 2, words
        assert done.stderr.startswith("Usage: bronze")
        assert "Error: " in done.stderr
        assert done.stdout == ""
