"""The raw archive holds every byte that came, in time and readable after a crash."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import zstandard

from target_postgres_bronze.archive import FileArchive
from target_postgres_bronze.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Bronze


def content(path: Path) -> bytes:
    """Read an archive as far as it goes; a killed run leaves its frame open."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        return b"".join(iter(lambda: reader.read(65536), b""))


def archives(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.singer.zst"))


def test_the_archive_equals_what_came_to_the_last_byte(bronze: Bronze, tmp_path: Path) -> None:
    messages = bronze.lines(
        *(bronze.schema(), bronze.record({"id": 1}), b"no json", b"\xff\x00", bronze.state(1)),
        *(bronze.finish(), bronze.schema("later"), b'{"type": "RECORD", "str'),
    )

    bronze.load_from(io.BytesIO(messages), archive_dir=str(tmp_path / "raw"), batch_size_rows=1)

    (path,) = archives(tmp_path / "raw")
    assert content(path) == messages


def test_messages_after_the_last_record_are_archived_too(bronze_18: Bronze, tmp_path: Path) -> None:
    class Lines(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002 - a tap's writes come one by one
            return self.readline()

    messages = bronze_18.lines(
        bronze_18.schema(), bronze_18.record({"id": 1}), bronze_18.state(1), bronze_18.finish()
    )

    bronze_18.load_from(Lines(messages), archive_dir=str(tmp_path / "raw"), batch_size_rows=1)

    (path,) = archives(tmp_path / "raw")
    assert content(path) == messages


def test_the_run_names_its_archive(bronze: Bronze, tmp_path: Path) -> None:
    bronze.load(bronze.schema(), bronze.record({"id": 1}), archive_dir=str(tmp_path / "raw"))

    ((name, run_id),) = bronze.query("SELECT archive_path, run_id FROM bronze.runs")
    assert name == f"shop/{run_id}.singer.zst"
    assert (tmp_path / "raw" / name).is_file()


def test_without_the_archive_the_run_names_none(bronze_18: Bronze) -> None:
    bronze_18.load(bronze_18.schema(), bronze_18.record({"id": 1}))

    assert bronze_18.query("SELECT archive_path FROM bronze.runs") == [(None,)]


def test_the_archive_of_a_killed_run_has_everything_that_was_confirmed(
    bronze_18: Bronze, tmp_path: Path
) -> None:
    loader = bronze_18.start(archive_dir=str(tmp_path / "raw"), batch_size_rows=10)
    records = [bronze_18.record({"id": number}) for number in range(10)]
    sent = bronze_18.lines(bronze_18.schema(), *records[:9], bronze_18.state(1), records[9])
    assert loader.stdin is not None
    assert loader.stdout is not None
    loader.stdin.write(sent)
    loader.stdin.flush()

    assert loader.stdout.readline() == b"1\n"
    loader.send_signal(signal.SIGKILL)
    loader.wait(timeout=30)

    (path,) = archives(tmp_path / "raw")
    assert content(path) == sent


def test_a_folder_that_cannot_be_written_is_one_sentence(bronze_18: Bronze, tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file where the folder should be")

    outcome = bronze_18.load(
        bronze_18.schema(), bronze_18.record({"id": 1}), archive_dir=str(tmp_path / "raw")
    )

    assert (outcome.code, outcome.states) == (1, [])
    assert "cannot be written" in outcome.log
    assert "archive_dir" in outcome.log
    assert "Traceback" not in outcome.log


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KB, or a device that is always full where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=False, capture_output=True
    )
    yield folder if mounted.returncode == 0 else tmp_path / "none"
    if mounted.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_fails_the_run_and_confirms_nothing_that_is_not_archived(
    bronze_18: Bronze, small_disk: Path
) -> None:
    if not small_disk.exists():  # not allowed to mount: a full device says the same of the file alone
        archive = FileArchive.__new__(FileArchive)
        archive._path, archive._file = small_disk, open("/dev/full", "wb")  # noqa: SIM115, PTH123 - closed by close
        archive._writer = zstandard.ZstdCompressor().stream_writer(archive._file)
        archive.write(os.urandom(100))
        with pytest.raises(LoaderError, match="No space left"):
            archive.sync()
        return
    noise = [bronze_18.record({"id": number, "a": os.urandom(2000).hex()}) for number in range(400)]
    messages = [line for number, record in enumerate(noise) for line in (record, bronze_18.state(number))]

    outcome = bronze_18.load(bronze_18.schema(), *messages, archive_dir=str(small_disk), batch_size_rows=20)

    assert outcome.code == 1
    assert "No space left" in outcome.log
    assert "Traceback" not in outcome.log
    (landed,) = bronze_18.query("SELECT count(*) FROM bronze_shop")[0]
    assert max(outcome.states, default=-1) < landed < 400
    assert bronze_18.query("SELECT status FROM bronze.runs") == [("failed",)]


def test_an_archive_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.singer.zst"
    first = FileArchive(path)
    first.write(b"kept")
    first.close()

    with pytest.raises(LoaderError, match="cannot be written"):
        FileArchive(path)
    assert content(path) == b"kept"


def test_a_standard_tool_reads_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "run.singer.zst"
    archive = FileArchive(path)
    archive.write(b"one\n")
    archive.sync()
    archive.write(b"two\n")
    archive.close()

    program = "import sys, zstandard; sys.stdout.buffer.write(zstandard.ZstdDecompressor().stream_reader(open(sys.argv[1], 'rb')).read())"
    read = subprocess.run(
        [sys.executable, "-c", program, str(path)], check=True, capture_output=True, timeout=30
    )
    assert read.stdout == b"one\ntwo\n"
