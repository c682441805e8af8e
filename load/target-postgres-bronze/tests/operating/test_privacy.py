"""What the project writes is the caller's alone, whatever the umask; what an earlier version left open is closed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from operating.conftest import Operator

BRONZE = [sys.executable, "-m", "target_postgres_bronze.operator"]


def modes(folder: Path) -> set[str]:
    """Return kind and mode of everything below *folder*, and of itself."""
    return {stat.filemode(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_what_is_written_is_the_callers_alone(operator: Operator, umask: int) -> None:
    make, root = operator.bronze, operator.root
    (root / "loader.json").write_text('{"source": "shop"}')
    loader = [str(Path(sys.executable).with_name("target-postgres-bronze")), "--config", "loader.json"]
    messages = make.lines(make.schema(), make.record({"id": 1}))
    subprocess.run(loader, check=True, cwd=root, input=messages, umask=umask, env=os.environ | make.env)
    archive = next((root / "data").rglob("*.zst"))
    archive.chmod(0o644)  # as an earlier version left it
    (root / "backups").mkdir(mode=0o700)
    for words in (["backup", "backups", "--no-verify"], ["export", "shop", "--output", "shop.jsonl"]):
        subprocess.run([*BRONZE, *words], check=True, cwd=root, umask=umask, capture_output=True)
    assert modes(root / "backups") == {"drwx------", "-rw-------"}
    assert modes(root / "shop.jsonl") == {"-rw-------"}
    archive.chmod(0o600)
    assert modes(root / "data") == {"drwx------", "-rw-------"}


@pytest.fixture
def opened(operator: Operator) -> Operator:
    """A project as an earlier version left it."""
    for name in ("data/bronze/shop", "data/postgres", ".meltano/run/tap-shop", ".meltano/loaders/x/venv/bin"):
        (operator.root / name).mkdir(parents=True)
    for name in (
        ".env",
        "data/bronze/shop/1.zst",
        ".meltano/run/tap-shop/t.json",
        ".meltano/loaders/x/venv/bin/x",
    ):
        (operator.root / name).touch()
    for path in operator.root.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return operator


def test_doctor_names_what_is_open_and_closes_it(opened: Operator) -> None:
    root = opened.root
    (root / "data" / "link").symlink_to("/etc/hostname")
    said = opened("doctor").out
    for name in (".env", "data", ".meltano"):
        assert any(line.startswith(f"--  {root / name} ") for line in said.splitlines())
    assert "credentials of a running `meltano run` included  ->  ./bronze doctor --fix" in said

    assert opened("doctor", "--fix").code == 0

    assert modes(root / "data" / "bronze") | modes(root / ".meltano" / "run") == {"drwx------", "-rw-------"}
    assert stat.S_IMODE((root / ".env").stat().st_mode) == 0o600
    # installed packages are no secret, and the server's folder is the server's business
    assert stat.S_IMODE((root / ".meltano/loaders/x/venv/bin/x").stat().st_mode) == 0o644
    assert stat.S_IMODE((root / "data" / "postgres").stat().st_mode) == 0o755
    assert stat.S_IMODE(Path("/etc/hostname").stat().st_mode) & 0o044
    said = opened("doctor").out
    assert "on this machine  ->" not in said
    assert f"ok  {root / '.meltano'} is closed to others on this machine" in said


def test_what_is_in_a_closed_folder_is_not_named(opened: Operator) -> None:
    opened("doctor", "--fix")
    (opened.root / ".meltano" / "run" / "tap-shop" / "t.json").chmod(0o644)
    assert "is open to others" not in opened("doctor").out
