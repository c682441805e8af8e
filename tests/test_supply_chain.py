"""Everything that the set-up downloads is held against the hashes of `uv.lock`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap import setup

if TYPE_CHECKING:
    import pytest

HASH = r"--hash=sha256:[0-9a-f]{64}"


def test_each_constraint_of_the_plugins_has_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "SYSTEM", tmp_path)
    setup._write_constraints(Path(sys.executable).with_name("uv"))
    written = (tmp_path / "constraints.txt").read_text()
    lines = [
        line
        for line in written.replace("\\\n", " ").splitlines()
        if line and not line.lstrip().startswith("#")
    ]
    assert any(line.startswith("singer-sdk==") for line in lines)
    assert [line for line in lines if not re.search(HASH, line)] == []


def test_the_uv_that_is_installed_has_hashes() -> None:
    assert re.fullmatch(rf"uv==[0-9.]+( {HASH})+\n", setup._locked_uv())
