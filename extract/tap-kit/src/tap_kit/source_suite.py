"""What every source is certified for that has records at once on this machine: a test class, to be derived from.

A source of export files derives from `tap_kit.export_suite.ExportSuite`, which adds what archives bring along. One that reads
something else, such as the databases of a browser in use, says how such a thing is written and which settings name it:

    class TestProfiles(SourceSuite):
        tap_class = TapBrowser
        stream = "visits"

        def write(self, place, facts, text="", *, drifted=False): ...
        def settings(self, path): ...

It needs pytest, which the tap's tests have anyway.
"""
# ruff: noqa: D102, PLR2004, S101 - tests: their names are sentences, their figures are what they are about

from __future__ import annotations

import inspect
import json
import logging
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tap_kit.export import ExportTap

NEW = "bronzeNew"
"""A field, column or attribute that no schema describes."""

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
    "control": "a\x0bb",
    "zero": "a\x00b",
    "half": "a\ud800b",
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

    def letters(self) -> list[dict[str, Any]]:
        """Return the messages that are dead letters."""
        return [m for m in self.messages if "dead_letter" in m.get("provenance", {})]

    def accounts(self, stream: str) -> set[str]:
        """Name the accounts of the records."""
        return {m.get("provenance", {}).get("account", "") for m in self.told("RECORD", stream)}

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


class SourceSuite:
    """The tests; see the module."""

    tap_class: ClassVar[type[ExportTap]]
    """The tap."""

    stream: ClassVar[str]
    """The stream whose records the facts are."""

    config: ClassVar[Mapping[str, Any]] = {}
    """Settings beside those that name the source."""

    impossible: ClassVar[Mapping[str, str]] = {}
    """Odd texts that such a source cannot hold, by their name here, and why."""

    silent_drift: ClassVar[str] = ""
    """Why a field that no schema describes is not said aloud, where that is so; it lands all the same."""

    many: ClassVar[int] = 2000
    """Facts of the smaller of the two large sources."""

    def write(self, place: Path, facts: Sequence[int], text: str = "", *, drifted: bool = False) -> Path:
        """Make a source with one record for each fact; equal facts are equal records.

        Args:
            place: Where it is to be, as a path without suffix whose folder exists.
            facts: Numbers, in this order.
            text: To be put somewhere into each record.
            drifted: With a member `NEW` somewhere in each record.

        Returns:
            Where it is.
        """
        raise NotImplementedError

    def settings(self, path: Path) -> dict[str, Any]:
        """Name the source, or the folder with several, that lies at *path*."""
        return {"path": str(path)}

    # Runs

    @pytest.fixture
    def run(self, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Imported]:
        """Run the tap on a path, by default on the test's folder."""

        def go(path: Path | None = None, state: Any = None) -> Imported:
            tap = self.tap_class(config={**self.config, **self.settings(path or tmp_path)}, state=state)
            tap.sync_all()
            return Imported(capsysbinary.readouterr().out.splitlines(), tap.gaps)

        return go

    def command(self, path: Path) -> list[str]:
        """Make the command of a process that runs the tap and tells its memory."""
        settings = json.dumps({**self.config, **self.settings(path)})
        return [
            sys.executable,
            "-c",
            _PROGRAM,
            inspect.getfile(self.tap_class),
            self.tap_class.__name__,
            settings,
        ]

    # Promises

    def test_an_import_again_sends_nothing(self, run: Callable[..., Imported], tmp_path: Path) -> None:
        self.write(tmp_path / "a", range(5))
        first = run()
        assert len(first.identities(self.stream)) == 5
        assert not run(state=first.state).told("RECORD", self.stream)

    def test_what_overlaps_brings_only_what_is_new(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        first = run(self.write(tmp_path / "a", range(6)))
        second = run(self.write(tmp_path / "b", range(3, 9)), first.state)
        both = first.identities(self.stream) | second.identities(self.stream)
        assert len(both) == 9

    def test_equal_records_are_kept_apart_and_known_again(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        first = run(self.write(tmp_path / "a", [1, 1, 2]))
        second = run(self.write(tmp_path / "b", [1, 2, 1, 1]))
        assert first.identities(self.stream) < second.identities(self.stream)
        assert len(second.identities(self.stream)) - len(first.identities(self.stream)) == 1

    def test_the_order_does_not_matter(self, run: Callable[..., Imported], tmp_path: Path) -> None:
        first = run(self.write(tmp_path / "a", [1, 2, 3, 3]))
        second = run(self.write(tmp_path / "b", [3, 2, 3, 1]))
        assert first.identities(self.stream) == second.identities(self.stream)

    def test_killed_anywhere_the_next_run_completes_it(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        self.write(tmp_path / "a", range(5))
        self.write(tmp_path / "b", range(4, 9))
        whole = run()
        assert len(whole.identities(self.stream)) == 9
        lines = [json.dumps(message).encode() for message in whole.messages]
        for end in range(0, len(lines) + 1, max(1, len(lines) // 12)):
            before = Imported(lines[:end])
            after = run(state=before.state)
            names = before.identities(self.stream) | after.identities(self.stream)
            assert names == whole.identities(self.stream)

    def test_killed_by_the_system_the_lines_before_are_whole_and_the_next_run_completes_them(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        path = self.write(tmp_path / "a", range(self.many))
        with subprocess.Popen(
            self.command(path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            lines: list[bytes] = []
            first = f'"RECORD","stream":"{self.stream}"'.encode()
            while sum(first in line for line in lines) < 20 and (line := process.stdout.readline()):
                lines.append(line)
            process.kill()
        before = Imported(lines)
        names = before.identities(self.stream)
        assert len(names) == 20
        assert len(names | run(path, before.state).identities(self.stream)) == self.many

    def test_a_field_that_is_new_lands_and_is_said_aloud(
        self, run: Callable[..., Imported], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        said = run(self.write(tmp_path / "a", range(3), drifted=True))
        records = [message["record"] for message in said.told("RECORD", self.stream)]
        assert len(records) == 3
        assert all(NEW in _names(record) for record in records)
        told = [line for line in caplog.messages if line.startswith(f"{self.stream}: ") and NEW in line]
        assert len(told) == (0 if self.silent_drift else 1)
        assert not said.gaps

    @pytest.mark.parametrize("kind", _POISON)
    def test_odd_texts_leave_as_they_are(
        self, kind: str, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        if reason := self.impossible.get(kind):
            pytest.skip(reason)
        text = _POISON[kind]
        said = run(self.write(tmp_path / "a", [1, 2], text))
        records = [message["record"] for message in said.told("RECORD", self.stream)]
        assert len(records) == 2
        assert all(text in _texts(record) for record in records)
        assert not said.gaps

    def test_one_without_records_ends_nothing(self, run: Callable[..., Imported], tmp_path: Path) -> None:
        said = run(self.write(tmp_path / "a", []))
        assert not said.told("RECORD", self.stream)
        assert self.stream not in said.ended
        assert not said.gaps

    def test_as_many_records_leave_as_there_are(self, run: Callable[..., Imported], tmp_path: Path) -> None:
        said = run(self.write(tmp_path / "a", range(7)))
        assert len(said.told("RECORD", self.stream)) == len(said.identities(self.stream)) == 7

    def test_each_record_says_which_file_it_came_from(
        self, run: Callable[..., Imported], tmp_path: Path
    ) -> None:
        path = self.write(tmp_path / "a", range(3))
        for message in run(path).told("RECORD", self.stream):
            provenance = message["provenance"]
            assert provenance["file_path"]
            assert len(provenance["file_hash"]) == 64
            assert provenance["file_size"] > 0

    def test_ten_times_the_size_needs_the_same_memory(self, tmp_path: Path) -> None:
        needed = []
        for size in (self.many, 10 * self.many):
            path = self.write(tmp_path / str(size), range(size))
            ended = subprocess.run(
                self.command(path),
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


def _names(value: Any) -> set[str]:
    """Return the names of all members inside a payload."""
    if isinstance(value, dict):
        return set(value).union(*(_names(member) for member in value.values()))
    if isinstance(value, list):
        return set().union(*(_names(element) for element in value))
    return set()
