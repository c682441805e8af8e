"""Everything that the set-up downloads is held against the hashes of `uv.lock`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from bootstrap import setup

ROOT = Path(__file__).resolve().parent.parent
HASH = r"--hash=sha256:[0-9a-f]{64}"


@pytest.fixture
def constraints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The lines that the set-up writes for the plugins, by package."""
    monkeypatch.setattr(setup, "SYSTEM", tmp_path)
    setup._write_constraints(Path(sys.executable).with_name("uv"))
    written = (tmp_path / "constraints.txt").read_text().replace("\\\n", " ")
    lines = [line for line in written.splitlines() if line and not line.lstrip().startswith("#")]
    return {line.partition("==")[0]: line for line in lines}


def test_each_constraint_of_the_plugins_has_hashes(constraints: dict[str, str]) -> None:
    assert "singer-sdk" in constraints
    assert [line for line in constraints.values() if not re.search(HASH, line)] == []


def test_what_builds_the_packages_is_locked_with_all_that_it_needs(constraints: dict[str, str]) -> None:
    packages = [tomllib.loads(file.read_text()) for file in ROOT.glob("[el]*/*/pyproject.toml")]
    required = {word for package in packages for word in package["build-system"]["requires"]}
    backends = {re.split(r"[^a-z-]", word)[0] for word in required}
    lock = {entry["name"]: entry for entry in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    needed = backends | {"editables"}  # hatchling asks for it when it installs from a folder
    while more := {d["name"] for name in needed for d in lock[name].get("dependencies", ())} - needed:
        needed |= more
    assert needed <= constraints.keys()


def test_the_set_up_builds_each_package_with_the_locked_backend() -> None:
    options = setup._built_by_the_locked_backend()
    names = {
        tomllib.loads(file.read_text())["project"]["name"] for file in ROOT.glob("[el]*/*/pyproject.toml")
    }
    assert set(options[::2]) == {"--no-build-isolation-package"}
    assert set(options[1::2]) == names


def test_a_build_backend_with_another_hash_is_refused(constraints: dict[str, str], tmp_path: Path) -> None:
    version = constraints["hatchling"].split()[0].partition("==")[2]
    info = f"hatchling-{version}.dist-info"
    with zipfile.ZipFile(tmp_path / f"hatchling-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: hatchling\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    package = tmp_path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[project]\nname = "package"\nversion = "1"\n[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    )
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", tmp_path / "venv"], check=True)
    words = [
        uv,
        "pip",
        "install",
        "--offline",
        "--no-cache",
        "--no-index",
        "--find-links",
        str(tmp_path),
        "--python",
        str(tmp_path / "venv"),
    ]
    pins = ["--build-constraints", str(tmp_path / "constraints.txt")]
    done = subprocess.run([*words, *pins, "-e", str(package)], check=False, capture_output=True, text=True)
    assert done.returncode
    assert "Hash mismatch for" in done.stderr


def test_taps_from_elsewhere_have_versions_of_their_own() -> None:
    content = yaml.safe_load((ROOT / "meltano.yml").read_text())
    assert not [name for name in content.get("env", {}) if name.startswith(("UV_", "PIP_"))]


def test_the_uv_that_is_installed_has_hashes() -> None:
    assert re.fullmatch(rf"uv==[0-9.]+( {HASH})+\n", setup._locked_uv())


@pytest.mark.parametrize("lock", sorted(ROOT.glob("extract/*/src/*/*.py.lock")), ids=lambda path: path.name)
def test_what_a_script_installs_has_hashes(lock: Path) -> None:
    packages = tomllib.loads(lock.read_text())["package"]
    files = [file for package in packages for file in (*package.get("wheels", ()), package.get("sdist", {}))]
    assert packages
    assert [file for file in files if file and not re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"])] == []
