"""What is dropped into the inbox is recognised by what it holds, and goes through the tap that it is for."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from target_postgres_bronze.operator import drops, running
from target_postgres_bronze.operator.commands import inbox as inbox_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from operating.conftest import Operator

SIGNS = [
    {"member": r"(.*/)?player/plays_\d+\.json", "means": "it has plays"},
    {"member": r".*\.xml", "content": "<Player", "means": "it has a player's file"},
]


@dataclass
class Runs:
    """Stands in for the runs of taps, and keeps what they were told."""

    paths: list[str] = field(default_factory=list)
    outcome: str = running.SUCCEEDED
    said: list[str] = field(default_factory=list)
    is_stopped: bool = False
    reasons: list[str] = field(default_factory=list)
    log: str = "tap-player a.zip: read before.\n"

    def __call__(
        self, root: Path, sources: Sequence[str], jobs: int, show: Callable[[Any], None]
    ) -> list[running.SourceRun]:
        assert (list(sources), jobs) == (["player"], 1)
        self.paths.append(os.environ["TAP_PLAYER_PATH"])
        run = running.SourceRun("player", root / "data" / "logs" / "player.log", self.outcome)
        run.said, run.reasons = self.said, self.reasons
        run.log.parent.mkdir(parents=True, exist_ok=True)
        with run.log.open("a") as log:
            log.write(self.log)
        run.is_stopping = self.is_stopped
        show(run)
        return [run]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs()
    monkeypatch.setattr(running, "run_all", runs)
    return runs


@pytest.fixture
def inbox(operator: Operator) -> Path:
    """The inbox of a project with one tap that takes files, and one that does not."""
    entries: list[dict[str, Any]] = [
        {
            "name": "tap-player",
            "label": "Player",
            "annotations": {"bronze": {"inbox": {"setting": "path", "signs": SIGNS}}},
        },
        {"name": "tap-other"},
    ]
    for entry in entries:
        file = operator.root / "plugins" / "extractors" / f"{entry['name']}.meltano.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump({"plugins": {"extractors": [entry]}}))
    folder = operator.root / "data" / "inbox"
    folder.mkdir(parents=True)
    return folder


def zipped(path: Path, *names: str, day: int = 1) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, date_time=(2024, 1, day, 0, 0, 0)), "<Player/>")
    return path


def tarred(path: Path, name: str, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return path


def test_drops_are_recognised_by_names_and_by_content(operator: Operator, inbox: Path, runs: Runs) -> None:
    zipped(inbox / "a.zip", "my data/player/plays_1.json")
    zipped(inbox / "b.zip", "anything.xml")
    tarred(inbox / "c.tgz", "player/plays_1.json")
    (inbox / "d.xml").write_text("<?xml version='1.0'?>\n<Player/>")
    (inbox / "e.xml.gz").write_bytes(gzip.compress(b"<Player/>"))
    (inbox / "folder" / "player").mkdir(parents=True)
    (inbox / "folder" / "player" / "plays_7.json").write_text("[]")
    (inbox / "f.xml").write_text("<Other/>")
    (inbox / ".hidden.xml").write_text("<Player/>")
    said = operator("inbox")
    assert said.code == 0
    assert sorted(runs.paths) == [
        str(inbox / name) for name in ("a.zip", "b.zip", "c.tgz", "d.xml", "e.xml.gz", "folder")
    ]
    assert "a.zip: Player (it has plays)" in said.out
    assert "d.xml: Player (it has a player's file)" in said.out
    assert "f.xml: not recognised. Known are exports of Player." in said.out


def test_the_oldest_export_goes_first(operator: Operator, inbox: Path, runs: Runs) -> None:
    zipped(inbox / "a.zip", "x.xml", day=9)
    zipped(inbox / "b.zip", "x.xml", day=3)
    operator("inbox")
    assert runs.paths == [str(inbox / "b.zip"), str(inbox / "a.zip")]


def test_the_pieces_of_a_split_archive_are_one_drop(operator: Operator, inbox: Path, runs: Runs) -> None:
    content = zipped(inbox / "a.zip", "x.xml").read_bytes()
    (inbox / "a.zip").unlink()
    for number, part in enumerate((content[:50], content[50:]), start=1):
        (inbox / f"a.zip.{number:03}").write_bytes(part)
    for number in (1, 2):
        zipped(inbox / f"takeout-{number:03}.zip", "x.xml")
    operator("inbox")
    assert sorted(runs.paths) == [str(inbox / "a.zip.001"), str(inbox / "takeout-001.zip")]


def test_what_lies_in_a_tar_in_pieces_or_in_a_zip_inside_a_zip_is_looked_into(
    operator: Operator, inbox: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    tarred(inbox / "a.tar.gz", "x.xml", b"<Player/>")
    tarred(inbox / "b.tar.gz", "x.xml", b"<Other/>")
    inner = zipped(inbox / "inner.zip", "x.xml").read_bytes()
    (inbox / "inner.zip").unlink()
    with zipfile.ZipFile(inbox / "c.zip", "w") as archive:
        archive.writestr("deep/inner.zip", inner)
    for number in range(3):
        (inbox / f"d.zip.{number + 1:03}").write_bytes(
            inner[number * 50 : (number + 1) * 50 if number < 2 else None]
        )
    monkeypatch.setattr(pathlib.Path, "read_bytes", None)  # pieces may be larger than the memory
    operator("inbox")
    assert sorted(runs.paths) == [str(inbox / name) for name in ("a.tar.gz", "c.zip", "d.zip.001")]


def test_who_stops_a_run_stops_the_rest(operator: Operator, inbox: Path, runs: Runs) -> None:
    runs.outcome, runs.is_stopped = running.FAILED, True
    zipped(inbox / "a.zip", "x.xml")
    zipped(inbox / "b.zip", "x.xml")
    said = operator("inbox")
    assert said.code == 1
    assert len(runs.paths) == 1
    assert "Stopped. What had come has landed; bronze inbox goes on from there." in said.err


def test_an_empty_file_is_said_to_be_one(operator: Operator, inbox: Path, runs: Runs) -> None:
    (inbox / "a.zip").touch()
    assert "a.zip: empty. Get it again." in operator("inbox").out
    assert runs.paths == []


def test_a_named_path_is_taken_instead(operator: Operator, inbox: Path, runs: Runs, tmp_path: Path) -> None:
    zipped(inbox / "a.zip", "x.xml")
    named = zipped(tmp_path / "elsewhere.zip", "x.xml")
    operator("inbox", str(named))
    assert runs.paths == [str(named)]


def test_a_dry_run_only_says_what_is_recognised(operator: Operator, inbox: Path, runs: Runs) -> None:
    zipped(inbox / "a.zip", "x.xml")
    assert "a.zip: Player" in operator("inbox", "--dry-run").out
    assert runs.paths == []


def test_what_came_in_is_said_and_what_was_not_read(operator: Operator, inbox: Path, runs: Runs) -> None:
    make = operator.bronze
    file = {"path": "a.zip/odd.bin", "status": "unknown", "reason": "no rule of the tap matches it"}
    schema = make.schema("_files", key="path")
    make.load(
        schema,
        make.record({**file, "path": "a.zip/x.xml", "status": "parsed"}, "_files"),
        make.record(file, "_files"),
        source="player",
    )
    runs.said = ["player.plays: 1 read, 1 new, 0 changed, 0 known, 0 rejected, 0.1 s"]
    zipped(inbox / "a.zip", "x.xml")
    said = operator("inbox")
    assert f"  {runs.said[0]}\n" in said.out
    assert "  a.zip/odd.bin: unknown. no rule of the tap matches it\n" in said.out
    assert "x.xml: parsed" not in said.out


def test_damage_of_an_export_that_was_read_before_is_said_again(
    operator: Operator, inbox: Path, runs: Runs
) -> None:
    make = operator.bronze
    file = {
        "path": "a.zip/x.xml",
        "export": "a.zip",
        "status": "damaged",
        "reason": "a.zip/x.xml: cut off. Get it again.",
    }
    schema = make.schema("_files", key="path")
    make.load(schema, make.record(file, "_files"), source="player")
    make.load(schema, make.record({**file, "path": "b.zip", "export": "b.zip"}, "_files"), source="player")
    zipped(inbox / "a.zip", "x.xml")
    said = operator("inbox").out
    assert "nothing new: it has been read before\n  a.zip/x.xml: damaged. cut off. Get it again.\n" in said
    assert "b.zip" not in said
    assert not runs.said


def test_how_far_it_is_comes_from_what_the_tap_said_last(tmp_path: Path) -> None:
    log = tmp_path / "player.log"
    lines = [
        "Beginning sync of '_files'",
        "0 of 2 files, 1 of 9 MiB, 5 records, 1/s",
        "a warning",
        "1 of 2 files, 6 of 9 MiB",
    ]
    log.write_text("\n".join(f"[info     ] tap-player {line}" for line in lines))
    assert inbox_command._last_progress(log) == "1 of 2 files, 6 of 9 MiB"
    log.write_text(log.read_text() + "\n[info] tap-player Beginning sync of '_files'\n")
    assert inbox_command._last_progress(log) == ""
    assert inbox_command._last_progress(tmp_path / "none.log") == ""


def test_an_export_that_was_read_before_is_said_to_be(operator: Operator, inbox: Path, runs: Runs) -> None:
    zipped(inbox / "a.zip", "x.xml")
    assert not runs.said
    assert "nothing new: it has been read before" in operator("inbox").out


def test_a_run_that_fails_is_named_with_its_log_and_the_others_go_on(
    operator: Operator, inbox: Path, runs: Runs
) -> None:
    runs.outcome = running.FAILED
    zipped(inbox / "a.zip", "x.xml")
    zipped(inbox / "b.zip", "x.xml")
    said = operator("inbox")
    assert said.code == 1
    assert len(runs.paths) == 2
    assert "the run failed; what it said is in" in said.err


def test_a_damaged_archive_is_said_to_be_one(operator: Operator, inbox: Path, runs: Runs) -> None:
    (inbox / "a.zip").write_bytes(b"PK\x03\x04")
    said = operator("inbox")
    assert "a.zip: damaged or cut off" in said.out
    assert "a.zip: not recognised." in said.out
    assert (runs.paths, said.code) == ([], 0)


def test_an_archive_without_its_end_is_recognised_by_what_it_still_has(
    operator: Operator, inbox: Path, runs: Runs
) -> None:
    content = zipped(inbox / "a.zip", "player/plays_1.json").read_bytes()
    (inbox / "a.zip").write_bytes(content[:-30])
    assert "a.zip: Player (it has plays)" in operator("inbox").out
    assert runs.paths == [str(inbox / "a.zip")]


def test_an_empty_inbox_says_what_to_drop(operator: Operator, inbox: Path) -> None:
    assert f"{inbox} is empty. Drop an export there: Player." in operator("inbox").out


def test_a_failed_run_shows_its_reasons(operator: Operator, inbox: Path, runs: Runs) -> None:
    runs.outcome, runs.reasons = running.FAILED, ["tap-player: a.zip/x.xml: damaged\x1b[2J."]
    runs.said = ["player.plays: 1 read, 1 new, 0 changed, 0 known, 0 rejected, 0.1 s"]
    zipped(inbox / "a.zip", "x.xml")
    said = operator("inbox").err
    assert r"  tap-player: a.zip/x.xml: damaged\x1b[2J." in said
    assert "What is counted above has landed." in said


def test_read_before_is_said_only_if_the_tap_said_so(operator: Operator, inbox: Path, runs: Runs) -> None:
    zipped(inbox / "a.zip", "x.xml")
    operator("inbox")
    runs.log = "tap-player Beginning sync\n"
    said = operator("inbox").out
    assert "read before" not in said
    assert "nothing was read" in said


def test_names_are_shown_without_what_a_terminal_acts_upon(
    operator: Operator, inbox: Path, runs: Runs
) -> None:
    for name in ("a\x1b[31m.bin", "b\nc.bin", "d\u202e.bin"):
        (inbox / name).write_bytes(b"x")
    zipped(inbox / "e\x1b[31m.zip", "x.xml")
    said = operator("inbox").out
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said.splitlines()) == 5
    assert len(runs.paths) == 1


def test_hidden_folders_and_pieces_inside_a_folder_are_looked_into(
    operator: Operator, inbox: Path, runs: Runs
) -> None:
    (inbox / "home" / ".app" / "player").mkdir(parents=True)
    (inbox / "home" / ".app" / "player" / "plays_1 (2).json").write_text("[]")
    content = zipped(inbox / "x.zip", "x.xml").read_bytes()
    (inbox / "x.zip").unlink()
    (inbox / "pieces").mkdir()
    for number, part in enumerate((content[:50], content[50:]), start=1):
        (inbox / "pieces" / f"x.zip.{number:03}").write_bytes(part)
    operator("inbox")
    assert sorted(runs.paths) == [str(inbox / "home"), str(inbox / "pieces")]


def damaged(path: Path, method: int) -> Path:
    """Make a zip whose member is damaged in its packed bytes."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.xml", "<Other/>" * 1000)
    content = bytearray(path.read_bytes())
    content[45:60] = b"\xff" * 15
    path.write_bytes(content)
    return path


def test_whatever_is_wrong_with_one_drop_the_others_are_read(
    operator: Operator, inbox: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        damaged(inbox / f"a{method}.zip", method)
    os.mkfifo(inbox / "pipe.xml")
    (inbox / "b.tar.xz").write_bytes(b"\xfd7zXZ\x00" + b"\x01" * 100)
    (inbox / "c.xml.gz").write_bytes(b"\x1f\x8b\x08" + b"\xff" * 50)
    zipped(inbox / "z.zip", "x.xml")
    said = operator("inbox")
    assert runs.paths == [str(inbox / "z.zip")]
    assert said.code == 0
    assert "b.tar.xz: damaged or cut off" in said.out
    assert "pipe.xml: neither a file nor a folder" in said.out

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(drops, "each_export", fail)
    assert "z.zip: cannot be looked at (MemoryError)" in operator("inbox").out


LOOK = """
import pathlib, sys
from target_postgres_bronze.operator import drops
found = drops.drops_in(pathlib.Path(sys.argv[1]))
sign = drops.Sign(member=".*", content="nowhere", means="x")
assert not any(sign.fits(drop) for drop in found)
print("\\n".join(problem for drop in found for problem in drop.problems))
status = pathlib.Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) >> 10)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells the memory of one program"
)
def test_a_hostile_inbox_takes_little_memory_and_time(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("zeros.bin", bytes(100 << 20))
    with zipfile.ZipFile(tmp_path / "nested.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(2):
            archive.writestr(f"{number}.zip", inner.getbuffer())
    info = tarfile.TarInfo("zeros.bin")
    info.size = 20 << 30
    zeros = bz2.compress(bytes(32 << 20))
    (tmp_path / "huge.tar.bz2").write_bytes(bz2.compress(info.tobuf()) + zeros * (info.size >> 25))
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(60_000):
            archive.writestr(f"{number}/x", b"")
    header = tarfile.TarInfo("x").tobuf()
    (tmp_path / "many.tar.gz").write_bytes(gzip.compress(header * 60_000, compresslevel=1))
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path)], check=True, capture_output=True, text=True, timeout=120
    )
    *problems, memory = ended.stdout.splitlines()
    assert int(memory) < 300
    assert time.monotonic() - started < 60
    for name in ("huge.tar.bz2", "many.zip", "many.tar.gz"):
        assert any(problem.startswith(f"{name}:") for problem in problems)
