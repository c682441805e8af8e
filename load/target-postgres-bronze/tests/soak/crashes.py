"""Trials: something dies at a random moment, once or more; the complete run after it leaves what an undisturbed one leaves.

By hand: ``pytest load/target-postgres-bronze/tests/soak/crashes.py``; ``SOAK_TRIALS`` says how many of each kind, and the
``SOAK_SEED`` that a failure shows repeats it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from target_postgres_bronze import embedded

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from conftest import Bronze

log = logging.getLogger(__name__)
TRIALS = [
    pytest.param(number, id=f"trial{number}") for number in range(int(os.environ.get("SOAK_TRIALS", "5")))
]
BIN = Path(sys.executable).parent
ORDERS, NOTES, TAGS, FORMER_TAGS = 1500, 200, 45, 50
PAUSE = 0.04
PATIENCE = 150.0
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'bronze' AND pid <> pg_backend_pid()"
)
Row = tuple[str, str, int, str, str]


def order_states() -> Iterator[tuple[int, str]]:
    """Yield what becomes of the orders: each is opened, each seventh paid, each twenty-first opened again."""
    yield from ((number, "open") for number in range(ORDERS))
    yield from ((number, "paid") for number in range(0, ORDERS, 7))
    yield from ((number, "open") for number in range(0, ORDERS, 21))


def messages(bronze: Bronze, resume_at: int = 0) -> bytes:
    """Return a whole run from a state on: orders with the number of those sent as STATE, notes of two files, all tags."""
    schema = bronze.schema(replication_key="at", x_source_timestamp="day", x_volatile=["/at"])
    lines: list[dict[str, Any]] = [schema]
    for at, (number, state) in enumerate(order_states()):
        if at >= resume_at:
            day = f"20{20 + number % 3}-{number % 12 + 1:02}-11"
            lines.append(
                bronze.record({"id": number, "at": at, "day": day, "state": state, "x": "x" * (number % 300)})
            )
            if at % 10 == 9:
                lines.append(bronze.state(at + 1))
    lines.append(bronze.schema("notes", key=None))
    # each note is twice in a file: two real facts; the second file, a later export, tells the same ones
    lines += [
        bronze.record({"text": f"note {number // 2}"}, "notes", file_path=path, file_hash=path)
        for path in ("a.txt", "b.txt")
        for number in range(NOTES)
    ]
    return bronze.lines(*lines, *tags(bronze, TAGS), bronze.state(ORDERS * 2))


def tags(bronze: Bronze, count: int) -> list[dict[str, Any]]:
    """Return a stream that is the whole truth."""
    records = [bronze.record({"id": number}, "tags") for number in range(count)]
    return [bronze.schema("tags", x_absence="full"), *records, bronze.finish("tags")]


def expected_rows() -> list[Row]:
    """Return what an undisturbed run leaves, after a former one that saw more tags."""
    rows: list[Row] = []
    versions: dict[int, int] = {}
    for number, state in order_states():
        version = versions[number] = versions.get(number, 0) + 1
        rows.append(("orders", str(number), version, "new" if version == 1 else "changed", state))
    rows += [("tags", str(number), 1, "new", "") for number in range(FORMER_TAGS)]
    rows += [("tags", str(number), 2, "gone", "") for number in range(TAGS, FORMER_TAGS)]
    return sorted(rows)


class Trial:
    """A database that knows a former run, and runs against it that may die."""

    def __init__(self, bronze: Bronze, chance: random.Random, tmp_path: Path, **settings: Any) -> None:
        self.bronze, self.chance, self.folder = bronze, chance, tmp_path
        self.settings = {"batch_size_rows": chance.choice([50, 200, 700]), **settings}
        self.variables: dict[str, str] = {}
        self.states: list[int] = [0]
        self.codes: list[int] = []
        self.said = ""
        self._inputs = 0
        assert bronze.load(*tags(bronze, FORMER_TAGS)).code == 0

    def start(self) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
        """Start a tap, from the beginning or from the last state, and a loader behind it."""
        self._inputs += 1
        path = self.folder / f"input{self._inputs}.singer"
        path.write_bytes(messages(self.bronze, self.chance.choice([0, max(self.states)])))
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.bronze.config(**self.settings)))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MELTANO"))}
        words = [sys.executable, str(Path(__file__).with_name("tap.py")), str(path)]
        tap = subprocess.Popen(
            [*words, str(self.chance.random()), str(PAUSE)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        loader = subprocess.Popen(
            [str(BIN / "target-postgres-bronze"), "--config", str(config)],
            stdin=tap.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=kept | self.bronze.env | self.variables,
        )
        assert tap.stdout is not None
        tap.stdout.close()
        return tap, loader

    def wait(self, tap: subprocess.Popen[bytes], loader: subprocess.Popen[bytes], codes: set[int]) -> None:
        """Wait for the end of a run, note its states, and expect one of the exit *codes* and no traceback."""
        try:
            out, said = loader.communicate(timeout=PATIENCE)
        finally:
            for process in (loader, tap):
                process.kill()
                process.wait(timeout=30)
        self.said += said.decode(errors="replace")
        # Python itself, before it comes to the loader's first line, tells of a Ctrl-C in its own way
        is_python_starting = loader.returncode == -signal.SIGINT and b"in main\n" not in said
        assert b"Traceback" not in said or is_python_starting, self.said
        assert loader.returncode in codes, self.said
        # a process that is killed may leave a half line
        self.states += [int(line) for line in out.split(b"\n")[:-1]]
        self.codes.append(loader.returncode)

    def moment(self, seconds: float = 1.6) -> None:
        """Let a random time pass."""
        time.sleep(self.chance.random() * seconds)

    def moment_of_life(self, loader: subprocess.Popen[bytes]) -> None:
        """Let a random time of a run pass, mostly of the part that lands."""
        if self.chance.random() < 0.8:
            runs = self.bronze.query("SELECT count(*) FROM bronze.runs")
            while loader.poll() is None and runs == self.bronze.query("SELECT count(*) FROM bronze.runs"):
                time.sleep(0.02)
        self.moment(1)

    def finish(self) -> None:
        """Run once more, to the end, and look at everything."""
        before = self.bronze.query("SELECT count(*) FROM bronze_shop")[0][0]
        self._confirmed_orders_are_there()
        self.wait(*self.start(), {0})
        log.info("codes %s, %d rows before the complete run", self.codes, before)
        self._rows_are_those_of_an_undisturbed_run()
        self._books_balance()
        assert self.bronze.query("SELECT * FROM bronze.disagreements('shop')") == []

    def _confirmed_orders_are_there(self) -> None:
        landed = {row[0] for row in self.bronze.query("SELECT raw_id FROM bronze.heads")}
        for number, _state in list(order_states())[: max(self.states)]:
            assert str(number) in landed, self.said

    def _rows_are_those_of_an_undisturbed_run(self) -> None:
        rows = self.bronze.query(
            "SELECT metadata ->> 'stream', raw_id, version, metadata ->> 'change', coalesce(raw_data ->> 'state', '') "
            "FROM bronze_shop WHERE metadata ->> 'stream' <> 'notes'"
        )
        assert sorted(rows) == expected_rows(), self.said
        notes = self.bronze.query(
            "SELECT raw_data ->> 'text', file_path, count(*), count(DISTINCT raw_id), max(version) FROM bronze_shop "
            "WHERE metadata ->> 'stream' = 'notes' GROUP BY 1, 2"
        )
        assert sorted(notes) == sorted((f"note {number}", "a.txt", 2, 2, 1) for number in range(NOTES // 2))

    def _books_balance(self) -> None:
        runs = self.bronze.query(
            "SELECT status, read_count, new_count + changed_count + known_count + rejected_count, "
            "new_count + changed_count + gone_count, rejected_count FROM bronze.runs"
        )
        assert all(read == told for _, read, told, *_ in runs), runs
        assert sum(run[3] for run in runs) == self.bronze.query("SELECT count(*) FROM bronze_shop")[0][0]
        assert (
            sum(run[4] for run in runs) == self.bronze.query("SELECT count(*) FROM bronze.dead_letters")[0][0]
        )
        statuses = sorted(run[0] for run in runs)
        # a signal after the books were closed ends a run that succeeded
        assert 1 + self.codes.count(0) <= statuses.count("succeeded") <= 1 + len(self.codes), statuses
        assert set(statuses) <= {"succeeded", "interrupted", "failed"}


@pytest.fixture
def trial(bronze: Bronze, chance: random.Random, tmp_path: Path) -> Trial:
    return Trial(bronze, chance, tmp_path)


def trial_on(
    data_dir: Path, chance: random.Random, tmp_path: Path, like: type[Bronze], **settings: Any
) -> Trial:
    """Make a trial on a server of its own."""
    server = embedded.ensure_running(data_dir)
    embedded.ensure_database(server, "bronze")
    return Trial(like(server.conninfo("bronze"), tmp_path), chance, tmp_path, **settings)


@pytest.mark.parametrize("_number", TRIALS)
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name
)
def test_a_loader_that_gets_a_signal(trial: Trial, number: signal.Signals, _number: int) -> None:
    for _ in range(trial.chance.randint(1, 3)):
        tap, loader = trial.start()
        trial.moment_of_life(loader)
        loader.send_signal(number)
        # it may have ended before; a signal before Python listens is the system's own end
        trial.wait(tap, loader, {0, -number, 128 + number})
    trial.finish()


@pytest.mark.parametrize("_number", TRIALS)
def test_a_loader_that_is_killed_has_archived_what_it_confirmed(
    bronze: Bronze, chance: random.Random, tmp_path: Path, _number: int
) -> None:
    trial = Trial(bronze, chance, tmp_path, archive_dir=str(tmp_path / "archive"))
    tap, loader = trial.start()
    trial.moment_of_life(loader)
    loader.kill()
    trial.wait(tap, loader, {0, -signal.SIGKILL})
    for path in (tmp_path / "archive").rglob("*.zst"):
        kept = read_archive(path)
        for state in trial.states[1:]:
            assert b'"value": %d}' % state in kept
    trial.finish()


def read_archive(path: Path) -> bytes:
    """Return what can be read of a file that may end anywhere."""
    pieces: list[bytes] = []
    with path.open("rb") as file, suppress(zstandard.ZstdError):
        pieces.extend(zstandard.ZstdDecompressor().read_to_iter(file))
    return b"".join(pieces)


@pytest.mark.parametrize("_number", TRIALS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_tap_that_gets_a_signal(trial: Trial, number: signal.Signals, _number: int) -> None:
    for _ in range(trial.chance.randint(1, 3)):
        tap, loader = trial.start()
        trial.moment_of_life(loader)
        tap.send_signal(number)
        trial.wait(tap, loader, {0})
    trial.finish()


@pytest.mark.parametrize("_number", TRIALS)
def test_a_backend_that_is_terminated(trial: Trial, _number: int) -> None:
    tap, loader = trial.start()
    trial.moment_of_life(loader)
    for _ in range(trial.chance.randint(1, 4)):
        trial.moment(0.5)
        trial.bronze.query(TERMINATE)
    trial.wait(tap, loader, {0, 1})
    trial.finish()


@pytest.mark.parametrize("_number", TRIALS)
def test_the_same_run_several_times_at_once(trial: Trial, _number: int) -> None:
    runs = []
    for _ in range(trial.chance.randint(2, 3)):
        runs.append(trial.start())
        trial.moment(0.5)
    if killed := trial.chance.random() < 0.5:
        trial.moment()
        runs[0][1].kill()
    for index, (tap, loader) in enumerate(runs):
        trial.wait(tap, loader, {0, -signal.SIGKILL} if killed and not index else {0})
    trial.finish()


@pytest.mark.parametrize("_number", TRIALS)
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts(
    own_server: tuple[Bronze, Path], chance: random.Random, tmp_path: Path, mode: str, _number: int
) -> None:
    bronze, data_dir = own_server
    trial = Trial(bronze, chance, tmp_path)
    tap, loader = trial.start()
    trial.moment_of_life(loader)
    for _ in range(chance.randint(1, 2)):
        STOPS[mode](data_dir)
        trial.moment(1)
        embedded.ensure_running(data_dir)
    # at its own start a server that is away ends a run
    trial.wait(tap, loader, {0, 1})
    trial.finish()


def crash(data_dir: Path) -> None:
    """Kill the server's first process, as a lack of memory does."""
    postmaster = int((data_dir / "postmaster.pid").read_text().split("\n")[0])
    os.kill(postmaster, signal.SIGKILL)


STOPS: dict[str, Callable[[Path], object]] = {"fast": embedded.stop, "immediate": crash}


@pytest.mark.parametrize("_number", TRIALS)
def test_a_connection_that_is_refused_at_the_start(
    own_server: tuple[Bronze, Path], chance: random.Random, tmp_path: Path, _number: int
) -> None:
    bronze, data_dir = own_server
    trial = Trial(bronze, chance, tmp_path)
    embedded.stop(data_dir)
    tap, loader = trial.start()
    trial.moment(1)
    embedded.ensure_running(data_dir)
    trial.wait(tap, loader, {0, 1})
    assert (
        trial.codes == [0]
        or "no server answers there. Start it" in trial.said
        or "Trying again" in trial.said
    )
    trial.finish()


@pytest.mark.parametrize("_number", TRIALS)
def test_a_full_disk_under_the_archive(
    bronze: Bronze, chance: random.Random, tmp_path: Path, small_disk: Path, _number: int
) -> None:
    trial = Trial(bronze, chance, tmp_path, archive_dir=str(small_disk / "archive"))
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (256 * 1024 - chance.randrange(0, 24) * 1024))
    trial.wait(*trial.start(), {0, 1})
    assert trial.codes == [0] or "Free the disk" in trial.said
    ballast.unlink()
    trial.finish()


@pytest.mark.parametrize("_number", TRIALS)
def test_a_full_disk_under_the_server(
    own_server: tuple[Bronze, Path],
    chance: random.Random,
    tmp_path: Path,
    server_on_small_disk: Path,
    _number: int,
) -> None:
    trial = trial_on(server_on_small_disk, chance, tmp_path, type(own_server[0]))
    ballast = server_on_small_disk.parent / "ballast"
    tap, loader = trial.start()
    trial.moment_of_life(loader)
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 65536)
    trial.moment(6)
    ballast.unlink()
    embedded.ensure_running(server_on_small_disk)
    trial.wait(tap, loader, {0, 1})
    log.info("told of the full disk: %s", "disk is full" in trial.said)
    trial.finish()


@pytest.mark.parametrize("_number", TRIALS)
def test_a_clock_that_goes_backwards(
    own_server: tuple[Bronze, Path],
    chance: random.Random,
    tmp_path: Path,
    server_with_clock: Path,
    clock: Any,
    _number: int,
) -> None:
    trial = trial_on(server_with_clock, chance, tmp_path, type(own_server[0]))
    trial.variables = clock.variables
    for _ in range(2):
        tap, loader = trial.start()
        trial.moment_of_life(loader)
        for _ in range(3):
            trial.moment(0.3)
            clock.set(-chance.randrange(86_400 * 1000))
        if chance.random() < 0.5:
            loader.kill()
        trial.wait(tap, loader, {0, -signal.SIGKILL})
    trial.finish()
