"""What every source of export files is certified for: a test class, to be derived from in a tap's tests.

    class TestTapPlayer(ExportSuite):
        tap_class = TapPlayer
        stream = "plays"

        def members(self, facts, text=""):
            return {"plays.json": json.dumps([{"at": fact, "title": text} for fact in facts]).encode()}

Beside what is here it has the tests of `tap_kit.source_suite.SourceSuite`.
"""
# ruff: noqa: D102, PLR2004, S101 - tests: their names are sentences, their figures are what they are about

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_kit.source_suite import NEW, Imported, SourceSuite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

__all__ = ["NEW", "ExportSuite", "Imported"]

_WATCH = """
import os, sys
def tell(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        print("written:", arguments[0], file=sys.stderr)
sys.addaudithook(tell)
"""
"""What has a process tell the files that it opens for writing."""


class ExportSuite(SourceSuite):
    """The tests; see the module."""

    unpacks: ClassVar[str] = ""
    """Why something is unpacked to disk, where that cannot be helped; it has to be gone at the end."""

    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        """Make the files of an export with one record for each fact; equal facts are equal records.

        Args:
            facts: Numbers, in this order.
            text: To be put somewhere into each record.
        """
        raise NotImplementedError

    def drifted(self, facts: Sequence[int]) -> dict[str, bytes]:
        """Make the files with a member `NEW` in each record; arrays in JSON get it by themselves."""
        return {
            name: json.dumps([{**record, NEW: 1} for record in json.loads(content)]).encode()
            for name, content in self.members(facts).items()
        }

    @override
    def write(self, place: Path, facts: Sequence[int], text: str = "", *, drifted: bool = False) -> Path:
        return _packed(
            place.with_suffix(".zip"), self.drifted(facts) if drifted else self.members(facts, text)
        )

    def zipped(
        self, path: Path, facts: Sequence[int], text: str = "", others: Mapping[str, bytes] | None = None
    ) -> Path:
        """Pack an export, and *others* with it."""
        return _packed(path, {**self.members(facts, text), **(others or {})})

    def test_nothing_is_unpacked_to_disk(self, tmp_path: Path) -> None:
        path = self.zipped(tmp_path / "a.zip", range(5))
        there = tmp_path / "temporary"
        there.mkdir()
        command = self.command(path)
        command[2] = _WATCH + command[2]
        ended = subprocess.run(
            command,
            capture_output=True,
            check=True,
            timeout=120,
            text=True,
            env=os.environ | {"TMPDIR": str(there), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        written = [line for line in ended.stderr.splitlines() if line.startswith("written:")]
        assert bool(written) is bool(self.unpacks)
        assert all(str(there) in line for line in written)
        assert not list(there.iterdir())

    def test_the_same_under_another_name_and_date_costs_a_hash(
        self, run: Callable[..., Imported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = run(self.zipped(tmp_path / "a.zip", range(5)))
        copy = (tmp_path / "a.zip").rename(tmp_path / "copy (1).zip")
        os.utime(copy, (1, 1))
        monkeypatch.setattr(self.tap_class, "moment_of", None)  # what is asked first once the hash is new
        again = run(copy, first.state)
        assert not again.told("RECORD", self.stream)
        assert not again.told("RECORD", "_files")
        assert not again.gaps

    def test_the_same_in_another_packing_is_known(self, run: Callable[..., Imported], tmp_path: Path) -> None:
        first = run(self.zipped(tmp_path / "a.zip", range(5)))
        folder = tmp_path / "folder"
        with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
            for name, content in self.members(range(5)).items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        for other in (tmp_path / "b.tar.gz", folder):
            again = run(other)
            assert again.identities(self.stream) == first.identities(self.stream)
            assert again.accounts(self.stream) == first.accounts(self.stream)
            assert not run(other, first.state).told("RECORD", self.stream)

    def test_a_file_that_is_not_known_costs_itself_alone(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        others = {"new-kind.bin2": b"?", "../outside.json": b"[]", "__MACOSX/._a.json": b"\x00"}
        said = run(self.zipped(tmp_path / "a.zip", range(3), others=others))
        assert said.files()["a.zip/new-kind.bin2"] == "unknown"
        assert said.files()["a.zip/../outside.json"] == "refused"
        assert said.files()["a.zip/__MACOSX/._a.json"] == "ignored"
        assert len(said.identities(self.stream)) == 3

    def test_an_empty_archive_is_told_and_nothing_is_gone(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        (tmp_path / "a.zip").write_bytes(b"")
        with zipfile.ZipFile(tmp_path / "b.zip", "w"):
            pass
        said = run()
        assert not said.told("RECORD", self.stream)
        assert not said.ended
        assert any("a.zip: empty" in gap for gap in said.gaps)

    def test_an_archive_that_is_cut_off_gives_what_it_has_and_ends_nothing(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        content = self.zipped(tmp_path / "a.zip", range(50)).read_bytes()
        whole = run().identities(self.stream)
        (tmp_path / "a.zip").write_bytes(content[: len(content) * 9 // 10])
        said = run()
        assert said.identities(self.stream) <= whole
        assert said.files()["a.zip"] == "damaged"
        assert not said.ended
        assert any(gap.startswith("a.zip: damaged or cut off") for gap in said.gaps)

    def test_the_pieces_of_a_split_archive_are_one(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        content = self.zipped(tmp_path / "whole.zip", range(20)).read_bytes()
        whole = run(tmp_path / "whole.zip")
        pieces = tmp_path / "pieces"
        pieces.mkdir()
        size = len(content) // 3 + 1
        for number in range(3):
            part = content[number * size : (number + 1) * size]
            (pieces / f"whole.zip.{number + 1:03}").write_bytes(part)
        assert run(pieces).identities(self.stream) == whole.identities(self.stream)
        assert not run(pieces, whole.state).told("RECORD", self.stream)
        (pieces / "whole.zip.002").unlink()
        assert run(pieces).gaps == [
            "whole.zip: of the split archive the parts 002 are missing. Put them beside the others."
        ]

    def test_the_books_balance(self, run: Callable[..., Imported], tmp_path: Path) -> None:
        said = run(self.zipped(tmp_path / "a.zip", range(7)))
        counted: Counter[str] = Counter()
        for message in said.told("RECORD", "_files"):
            counted.update(message["record"]["records"])
        sent = Counter(
            m["stream"] for m in said.messages if m["type"] == "RECORD" and m["stream"] != "_files"
        )
        assert counted == sent

    def test_each_record_says_which_member_it_came_from(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        said = run(self.zipped(tmp_path / "a.zip", range(3)))
        sizes = {f"a.zip/{name}": len(content) for name, content in self.members(range(3)).items()}
        for message in said.told("RECORD", self.stream):
            provenance = message["provenance"]
            assert provenance["file_size"] == sizes[provenance["file_path"]]
            assert provenance["compression_type"] == "deflate"
            assert provenance["ordinal"] >= 1


def _packed(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
