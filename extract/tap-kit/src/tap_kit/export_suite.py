"""What every source of export files is certified for: a test class, to be derived from in a tap's tests.

    class TestTapPlayer(ExportSuite):
        tap_class = TapPlayer
        stream = "plays"

        def members(self, facts, text=""):
            return {"plays.json": json.dumps([{"at": fact, "title": text} for fact in facts]).encode()}

It needs pytest, which the tap's tests have anyway.
"""
# ruff: noqa: D102, PLR2004, S101 - tests: their names are sentences, their figures are what they are about

from __future__ import annotations

import inspect
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tap_kit.export import ExportTap

_PROGRAM = """
import json, resource, runpy, sys
file, name, config = sys.argv[1:]
runpy.run_path(file)[name](config=json.loads(config)).sync_all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
_POISON = {
    "quotes": "\"'`;--\\",
    "tags": "</a> <![CDATA[ ]]> &amp; &",
    "lines": "a\tb\u2028c",
    "emoji": "\U0001f600\u202e",
    "formula": "=1+1",
    "long": "x" * 200_000,
}
_GROWTH = 24 << 10
"""KiB that ten times the records may need more; a run's buffers, not its records."""


class Imported:
    """What one run of a tap said."""

    def __init__(self, lines: Iterable[bytes], gaps: Sequence[str] = ()) -> None:
        """Read its messages."""
        self.messages: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self.gaps = list(gaps)

    def told(self, kind: str, stream: str) -> list[dict[str, Any]]:
        """Return the messages of a kind and stream."""
        return [m for m in self.messages if m["type"] == kind and m.get("stream") == stream]

    @property
    def state(self) -> Any:
        """The last state, if there is one."""
        return next((m["value"] for m in reversed(self.messages) if m["type"] == "STATE"), None)

    @property
    def ended(self) -> set[str]:
        """The streams of which absent records would be gone."""
        return {m["stream"] for m in self.messages if m["type"] == "ACTIVATE_VERSION"}

    def files(self) -> dict[str, str]:
        """Return the status of each file."""
        return {m["record"]["path"]: m["record"]["status"] for m in self.told("RECORD", "_files")}

    def identities(self, stream: str) -> set[str]:
        """Name the records as the loader does: by key, by the tap's own name, or by content and occurrence."""
        keys: list[str] = next((m["key_properties"] for m in self.told("SCHEMA", stream)), [])
        seen: Counter[tuple[str, str]] = Counter()
        named = set()
        for message in self.told("RECORD", stream):
            record, provenance = message["record"], message.get("provenance", {})
            base = provenance.get("raw_id") or json.dumps(
                [record.get(key) for key in keys] if keys else record, sort_keys=True
            )
            if not keys:
                scope = provenance.get("file_hash", "")
                seen[scope, base] += 1
                base = f"{base}#{provenance.get('occurrence', seen[scope, base])}"
            named.add(base)
        return named


class ExportSuite:
    """The tests; see the module."""

    tap_class: ClassVar[type[ExportTap]]
    """The tap."""

    stream: ClassVar[str]
    """The stream whose records the facts are."""

    config: ClassVar[Mapping[str, Any]] = {}
    """Settings beside the path."""

    many: ClassVar[int] = 2000
    """Facts of the smaller of the two large exports."""

    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        """Make the files of an export with one record for each fact; equal facts are equal records.

        Args:
            facts: Numbers, in this order.
            text: To be put somewhere into each record.
        """
        raise NotImplementedError

    # Runs

    @pytest.fixture
    def run(self, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Imported]:
        """Run the tap on a path, by default on the test's folder."""

        def go(path: Path | None = None, state: Any = None) -> Imported:
            tap = self.tap_class(config={**self.config, "path": str(path or tmp_path)}, state=state)
            tap.sync_all()
            return Imported(capsysbinary.readouterr().out.splitlines(), tap.gaps)

        return go

    def zipped(
        self, path: Path, facts: Sequence[int], text: str = "", others: Mapping[str, bytes] | None = None
    ) -> Path:
        """Pack an export."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**self.members(facts, text), **(others or {})}.items():
                archive.writestr(name, content)
        return path

    def _command(self, path: Path) -> list[str]:
        settings = json.dumps({**self.config, "path": str(path)})
        return [
            sys.executable,
            "-c",
            _PROGRAM,
            inspect.getfile(self.tap_class),
            self.tap_class.__name__,
            settings,
        ]

    # Promises

    def test_an_import_again_costs_a_hash_and_sends_nothing(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        self.zipped(tmp_path / "a.zip", range(5))
        first = run()
        assert len(first.identities(self.stream)) == 5
        assert not run(state=first.state).told("RECORD", self.stream)

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
            assert run(other).identities(self.stream) == first.identities(self.stream)
            assert not run(other, first.state).told("RECORD", self.stream)

    def test_an_export_that_overlaps_brings_only_what_is_new(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        first = run(self.zipped(tmp_path / "a.zip", range(6)))
        second = run(self.zipped(tmp_path / "b.zip", range(3, 9)), first.state)
        both = first.identities(self.stream) | second.identities(self.stream)
        assert len(both) == 9

    def test_equal_records_are_kept_apart_and_known_again(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        first = run(self.zipped(tmp_path / "a.zip", [1, 1, 2]))
        second = run(self.zipped(tmp_path / "b.zip", [1, 2, 1, 1]))
        assert first.identities(self.stream) < second.identities(self.stream)
        assert len(second.identities(self.stream)) - len(first.identities(self.stream)) == 1

    def test_the_order_does_not_matter(self, run: Callable[..., Imported], tmp_path: Path) -> None:
        first = run(self.zipped(tmp_path / "a.zip", [1, 2, 3, 3]))
        second = run(self.zipped(tmp_path / "b.zip", [3, 2, 3, 1]))
        assert first.identities(self.stream) == second.identities(self.stream)

    def test_killed_anywhere_the_next_run_completes_it(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        self.zipped(tmp_path / "a.zip", range(5))
        self.zipped(tmp_path / "b.zip", range(4, 9))
        whole = run()
        lines = [json.dumps(message).encode() for message in whole.messages]
        for end in range(0, len(lines) + 1, max(1, len(lines) // 12)):
            before = Imported(lines[:end])
            after = run(state=before.state)
            names = before.identities(self.stream) | after.identities(self.stream)
            assert names == whole.identities(self.stream)

    def test_killed_by_the_system_the_lines_before_are_whole(self, tmp_path: Path) -> None:
        path = self.zipped(tmp_path / "a.zip", range(self.many))
        with subprocess.Popen(
            self._command(path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(20)]
            process.kill()
        assert Imported(lines).state is None

    def test_a_file_that_is_not_known_costs_itself_alone(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        others = {"new-kind.bin2": b"?", "../outside.json": b"[]", "__MACOSX/._a.json": b"\x00"}
        said = run(self.zipped(tmp_path / "a.zip", range(3), others=others))
        assert said.files()["a.zip/new-kind.bin2"] == "unknown"
        assert said.files()["a.zip/../outside.json"] == "refused"
        assert said.files()["a.zip/__MACOSX/._a.json"] == "ignored"
        assert len(said.identities(self.stream)) == 3

    @pytest.mark.parametrize("text", _POISON.values(), ids=_POISON)
    def test_odd_texts_leave_as_they_are(
        self, text: str, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        said = run(self.zipped(tmp_path / "a.zip", [1, 2], text))
        records = [message["record"] for message in said.told("RECORD", self.stream)]
        assert len(records) == 2
        assert all(text in _texts(record) for record in records)
        assert not said.gaps

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

    def test_each_record_says_which_file_it_came_from(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        said = run(self.zipped(tmp_path / "a.zip", range(3)))
        sizes = {f"a.zip/{name}": len(content) for name, content in self.members(range(3)).items()}
        for message in said.told("RECORD", self.stream):
            provenance = message["provenance"]
            assert provenance["file_size"] == sizes[provenance["file_path"]]
            assert len(provenance["file_hash"]) == 64
            assert provenance["compression_type"] == "deflate"
            assert provenance["ordinal"] >= 1

    def test_ten_times_the_size_needs_the_same_memory(self, tmp_path: Path) -> None:
        needed = []
        for size in (self.many, 10 * self.many):
            path = self.zipped(tmp_path / f"{size}.zip", range(size))
            ended = subprocess.run(
                self._command(path),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=True,
                timeout=120,
            )
            needed.append(int(ended.stderr.split()[-1]))
        assert needed[1] < needed[0] + _GROWTH


def _texts(value: Any) -> set[str]:
    """Return all texts inside a payload."""
    if isinstance(value, dict):
        return set().union(*(_texts(member) for member in value.values()))
    if isinstance(value, list):
        return set().union(*(_texts(element) for element in value))
    return {value} if isinstance(value, str) else set()
