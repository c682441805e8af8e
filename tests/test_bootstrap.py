"""`./bronze` before and during the set-up, with programs that only write down how they were called."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.machine import explain

ROOT = Path(__file__).resolve().parent.parent

#: Stands for uv: makes a `.venv` whose meltano is the second script.
UV = """#!/bin/sh
echo "uv $*" >> "$(dirname "$0")/calls"
case "$1" in
  --version) echo "uv 99.0.0" ;;
  sync) echo "$UV_COMPILE_BYTECODE" > compiles; mkdir -p .venv/bin; ln -sf "{python}" .venv/bin/python; cp meltano-double .venv/bin/meltano ;;
  export) echo "package==1" > .meltano/constraints.txt ;;
esac
"""

MELTANO = """#!/bin/sh
echo "meltano $*" >> calls
if [ -e break ]; then cat break; exit 1; fi
"""


class Clone:
    """A clone of the project with doubles of uv and Meltano."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        shutil.copy(ROOT / "bronze", root)
        shutil.copytree(ROOT / "bootstrap", root / "bootstrap")
        (root / "uv.lock").write_text("version = 1\n")
        self._script("meltano-double", MELTANO)
        self._script("uv", UV.replace("{python}", sys.executable))

    def _script(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)
        (self.root / name).chmod(0o755)

    def run(self, *words: str, umask: int = -1, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``./bronze`` from another folder."""
        env = os.environ | {"PATH": f"{self.root}{os.pathsep}/usr/bin{os.pathsep}/bin"} | variables
        command = [sys.executable, str(self.root / "bronze"), *words]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, cwd="/", env=env, timeout=60, umask=umask
        )

    def calls(self) -> list[str]:
        """Return what was called since the last time, the questions for a version left out."""
        file = self.root / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [" ".join(line.split()[:2]) for line in lines if "--version" not in line]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A fresh clone in a path with a space."""
    return Clone(tmp_path / "my clone")


ALL = ["uv sync", "uv export", "meltano install"]


@pytest.mark.parametrize(("forbidden", "compiles"), [("1", "1"), ("", "")])
def test_where_python_may_not_keep_what_it_compiles_the_set_up_compiles_once(
    clone: Clone, forbidden: str, compiles: str
) -> None:
    module = clone.root / "load" / "package" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    assert clone.run("setup", PYTHONDONTWRITEBYTECODE=forbidden, UV_COMPILE_BYTECODE="").returncode == 0
    assert (clone.root / "compiles").read_text().strip() == compiles
    assert (module.parent / "__pycache__").is_dir() == bool(compiles)


def test_a_second_set_up_has_nothing_to_do(clone: Clone) -> None:
    assert clone.run("setup").returncode == 0
    assert clone.calls() == ALL
    again = clone.run("setup")
    assert "Everything is set up" in again.stdout
    assert clone.calls() == []


def test_an_interrupted_set_up_goes_on(clone: Clone) -> None:
    (clone.root / "break").write_text("something odd\n")
    failed = clone.run("setup")
    assert failed.returncode == 1
    assert "something odd" in failed.stderr
    assert "Traceback" not in failed.stderr
    (clone.root / "break").unlink()
    clone.calls()
    assert clone.run("setup").returncode == 0
    assert clone.calls() == ALL


@pytest.mark.parametrize(
    "file", ["uv.lock", "meltano.yml", "extract/tap-x/pyproject.toml", "plugins/extractors/tap-x.meltano.yml"]
)
def test_what_decides_the_set_up_makes_it_anew(clone: Clone, file: str) -> None:
    clone.run("setup")
    clone.calls()
    (clone.root / file).parent.mkdir(parents=True, exist_ok=True)
    (clone.root / file).write_text("changed\n")
    clone.run("setup")
    assert clone.calls() == ALL


def test_a_moved_project_is_made_anew(clone: Clone) -> None:
    clone.run("setup")
    plugin = clone.root / ".meltano" / "extractors" / "tap-x" / "venv"
    plugin.mkdir(parents=True)
    clone.root = clone.root.rename(clone.root.with_name("moved"))
    clone.calls()
    assert clone.run("setup").returncode == 0
    assert clone.calls() == ALL
    assert not (clone.root / ".meltano" / "extractors" / "tap-x" / "venv").exists()


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_the_set_up_closes_data_and_progress_to_others_and_leaves_packages_readable(
    clone: Clone, umask: int
) -> None:
    (clone.root / "data").mkdir(mode=0o755)
    for _ in range(2):  # the second time there is nothing else to do
        assert clone.run("setup", umask=umask).returncode == 0
        for name in ("data", ".meltano", ".meltano/run"):
            assert stat.S_IMODE((clone.root / name).stat().st_mode) == 0o700
            (clone.root / name).chmod(0o755)
    assert stat.S_IMODE((clone.root / ".venv").stat().st_mode) == 0o755
    assert stat.S_IMODE((clone.root / ".venv" / "bronze-setup").stat().st_mode) == 0o600


def test_several_at_once_set_up_once(clone: Clone) -> None:
    command = [sys.executable, str(clone.root / "bronze"), "setup"]
    env = os.environ | {"PATH": f"{clone.root}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    started = [subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait(timeout=60) for process in started] == [0] * 4
    assert clone.calls() == ALL


def test_other_words_before_the_set_up_say_what_to_do(clone: Clone) -> None:
    told = clone.run("status")
    assert told.returncode == 1
    assert told.stderr == "Nothing is set up here yet. Run ./bronze setup (or ./bronze demo) first.\n"


def test_other_words_are_about_this_project_from_any_folder(clone: Clone) -> None:
    clone.run("setup")
    (clone.root / "meltano.yml").write_text("project_id: mine\n")
    packages = os.pathsep.join(path for path in sys.path if path)
    told = clone.run("db", "status", MELTANO_PROJECT_ROOT="/elsewhere", PYTHONPATH=packages)
    assert told.stdout == f"Not running ({clone.root / 'data' / 'postgres'}).\n", told.stderr


def test_help_is_there_before_the_set_up(clone: Clone) -> None:
    assert "./bronze demo" in clone.run("--help").stdout


def test_an_old_python_says_so(clone: Clone) -> None:
    pretend = "import runpy, sys; sys.version_info = (3, 8, 18); sys.argv = ['bronze', 'setup']; runpy.run_path({path!r}, run_name='__main__')"
    command = [sys.executable, "-c", pretend.format(path=str(clone.root / "bronze"))]
    told = subprocess.run(command, check=False, capture_output=True, text=True, env={"PATH": str(clone.root)})
    assert told.returncode == 1
    assert told.stderr.startswith("bronze needs Python 3.11 or newer, and this is 3.8. Install one")


def test_a_python_without_its_venv_module_says_so(clone: Clone) -> None:
    (clone.root / "uv").unlink()
    hide = "import importlib.util as u; find = u.find_spec; u.find_spec = lambda n: None if n == 'ensurepip' else find(n)"
    run = f"import sys; sys.path.insert(0, {str(clone.root)!r}); from bootstrap.commands import run; sys.exit(run(['setup'], ''))"
    env = {"PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", f"{hide}; {run}"]
    told = subprocess.run(command, check=False, capture_output=True, text=True, env=env, cwd=clone.root)
    assert told.returncode == 1
    assert "sudo apt install python3-venv" in told.stderr


@pytest.mark.parametrize(
    ("printed", "remedy"),
    [
        (
            "error: Failed to fetch: `https://…`\n  dns error: failed to lookup address",
            "Connect to the network",
        ),
        (
            "Could not install packages due to an OSError: [Errno 28] No space left on device",
            "no space left on the disk",
        ),
        ("error: failed to open file `/x/uv.lock`: Permission denied (os error 13)", "may not be written"),
        ("line\n" * 40 + "the last word", "the last word"),
    ],
)
def test_a_failure_is_told_with_its_remedy(printed: str, remedy: str) -> None:
    told = explain("installing the packages", printed)
    assert told.startswith("Installing the packages failed")
    assert remedy in told
    assert len(told.splitlines()) < 16
