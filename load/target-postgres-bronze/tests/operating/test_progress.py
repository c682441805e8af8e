"""What takes longer than a moment shows a bar on a terminal, and nothing in a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from operating.conftest import Operator

#: Commands that may take long, and what the bar says of them.
LONG = {
    ("verify",): "computing hashes",
    ("catalog", "--coverage"): "Counting",
    ("maintain",): "Vacuuming",
    ("rebuild", "shop", "--database", "rebuilt"): "landing 2 runs",
    ("export", "shop", "--output", "out.jsonl"): "Writing shop",
    ("backup", "saved", "--no-verify"): "Saving the database",
    ("archive-month", "shop", "2024-01"): "Writing bronze_shop_y2024m01",
    ("reconcile", "shop", "--messages", "now.singer"): "reading it again",
}


def on_terminal(operator: Operator, *words: str) -> str:
    """Return what the command writes to stderr where that is a terminal."""
    screen, end = pty.openpty()
    command = [sys.executable, "-m", "target_postgres_bronze.operator", *words]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        command,
        cwd=operator.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=end,
    ) as process:
        os.close(end)
        said = b""
        try:
            while part := os.read(screen, 65536):
                said += part
        except OSError:  # the other end is closed
            pass
    os.close(screen)
    assert process.returncode in {0, 3}, said.decode()
    return said.decode()


@pytest.mark.parametrize("words", LONG, ids=" ".join)
def test_a_bar_moves_on_a_terminal_alone(orders: Operator, words: tuple[str, ...]) -> None:
    make = orders.bronze
    (orders.root / "now.singer").write_bytes(make.lines(make.schema(), make.record({"id": 1})))
    quiet = orders(*words)
    assert LONG[words] not in quiet.err
    assert "\x1b" not in quiet.err + quiet.out
    if words[0] == "archive-month":
        orders(*words, "--attach")
    if words[0] == "rebuild":
        orders.bronze.query("DROP DATABASE rebuilt")
    (orders.root / "out.jsonl").unlink(missing_ok=True)
    shown = on_terminal(orders, *words)
    assert LONG[words] in shown
    assert "0:00:0" in shown, "the time that has passed"
    if words[0] == "rebuild":
        orders.bronze.query("DROP DATABASE rebuilt")
