"""``bronze schedule`` and ``bronze run``: cron, systemd, and sources side by side."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import stat
import threading
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from target_postgres_bronze.operator import meltano, running, timers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from operating.conftest import Operator

PROJECT = """
project_id: test
jobs:
- {name: both, tasks: [tap-shop target-postgres, [tap-two-words target-postgres]]}
schedules:
- {name: nightly, interval: 7 4 * * *, job: both}
- {name: old, interval: "@weekly", extractor: tap-shop, loader: target-postgres, transform: skip}
- {name: by-hand, interval: "@once", job: both}
"""
LANDED = "INSERT INTO bronze.streams (source, stream, lineage_prefix) VALUES (%s, 'orders', '')"
FOREIGN = "# mine\n0 5 * * * make coffee\n"

CRONTAB = """#!/bin/sh
case "$1" in
-l) [ -s "{file}" ] && exec cat "{file}"; echo "no crontab for me" >&2; exit 1 ;;
-) exec cat > "{file}" ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{file}"
"""


def program(folder: Path, name: str, text: str, file: Path) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text.format(file=file))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def project(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """A project with schedules, two extractors, and a machine with neither cron nor systemd."""
    (operator.root / "meltano.yml").write_text(PROJECT)
    (operator.root / "plugins" / "extractors").mkdir(parents=True)
    for name in ("tap-shop", "tap-two-words"):
        entry = {"plugins": {"extractors": [{"name": name, "namespace": name.replace("-", "_")}]}}
        (operator.root / "plugins" / "extractors" / f"{name}.meltano.yml").write_text(yaml.safe_dump(entry))
    for source in ("shop", "two_words"):
        operator.bronze.query(LANDED, source)
    (operator.root / "bin").mkdir()
    monkeypatch.setenv("PATH", str(operator.root / "bin") + os.pathsep + "/bin")
    monkeypatch.setattr(shutil, "which", _which(operator.root / "bin"))
    return operator


def _which(folder: Path) -> Callable[..., str | None]:
    def which(name: str, **_options: object) -> str | None:
        return str(folder / name) if (folder / name).exists() else None

    return which


@pytest.fixture
def crontab(project: Operator) -> Path:
    """The crontab of a machine with cron, which holds a foreign entry."""
    file = project.root / "crontab.txt"
    file.write_text(FOREIGN)
    program(project.root / "bin", "crontab", CRONTAB, file)
    return file


def test_schedules_stand_in_cron_beside_foreign_entries(project: Operator, crontab: Path) -> None:
    assert project("schedule", "install").out == "2 jobs are in cron: nightly, old.\n"
    lines = crontab.read_text().removeprefix(FOREIGN).splitlines()
    assert lines[0] == f"# >>> bronze {project.root}"
    assert lines[1].startswith(f"7 4 * * * cd {project.root} && ")
    assert lines[1].endswith(
        "-m target_postgres_bronze.operator run shop two_words >>data/logs/schedule.log 2>&1"
    )
    assert (project.root / "data" / "logs").is_dir()
    assert lines[2].startswith("0 0 * * 0 ")
    assert lines[3:] == [f"# <<< bronze {project.root}"]


def test_installing_again_replaces_and_removing_leaves_what_was_there(
    project: Operator, crontab: Path
) -> None:
    project("schedule", "install")
    once = crontab.read_text()
    later = "@daily something of mine\n"
    crontab.write_text(once + later)
    project("schedule", "install")
    assert crontab.read_text() == once + later
    assert project("schedule", "remove").out == "2 jobs of this project were removed from cron.\n"
    assert crontab.read_text() == FOREIGN + later


def test_an_empty_crontab_is_none(project: Operator, crontab: Path) -> None:
    crontab.write_text("")
    assert project("schedule", "install").code == 0
    project("schedule", "remove")
    assert crontab.read_text() == ""


def test_a_block_without_its_end_is_not_touched(project: Operator, crontab: Path) -> None:
    broken = f"{FOREIGN}# >>> bronze {project.root}\n0 1 * * * something\n"
    crontab.write_text(broken)
    assert "without its end" in project("schedule", "install").err
    assert crontab.read_text() == broken


def test_a_check_is_scheduled_where_somebody_is_to_be_told(
    project: Operator, crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRONZE_NOTIFY_URLS", "json://127.0.0.1")
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "prod")
    project("schedule", "install")
    assert "*/15 * * * * " in crontab.read_text()
    assert "operator -e prod check --notify" in crontab.read_text()
    assert "json://" not in crontab.read_text()


def test_a_source_that_has_never_landed_anything_is_left_out(project: Operator, crontab: Path) -> None:
    project.bronze.query(
        "SET bronze.maintenance = 'on'; DELETE FROM bronze.streams WHERE source = 'two_words'"
    )
    answer = project("schedule", "install")
    assert answer.err.startswith(
        "nightly: two_words is left out, as nothing of it has landed yet. Run it once"
    )
    assert answer.out == "2 jobs are in cron: nightly, old.\n"
    assert "operator run shop >" in crontab.read_text()
    assert "two_words" not in crontab.read_text()


def test_show_tells_what_is_due_and_what_is_installed(project: Operator, crontab: Path) -> None:
    shown = project("schedule", "show", "--json").json
    assert [(entry["name"], entry["sources"]) for entry in shown["schedules"]] == [
        ("nightly", "shop two_words"),
        ("old", "shop"),
    ]
    assert shown["installed"] == []
    project("schedule", "install")
    assert len(project("schedule", "show", "--json").json["installed"]) == 2
    assert crontab.exists()


def test_systemd_gets_units_of_the_project_alone(project: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = project.root / "calls.txt"
    program(project.root / "bin", "systemctl", SYSTEMCTL, calls)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(project.root / "config"))
    units = project.root / "config" / "systemd" / "user"
    units.mkdir(parents=True)
    (units / "bronze-other.timer").write_text("of another project")
    assert project("schedule", "install").out == "2 jobs are in systemd: nightly, old.\n"
    timer = next(units.glob("bronze-*-nightly.timer"))
    assert "OnCalendar=*-*-* 4:7:00\nPersistent=true" in timer.read_text()
    service = timer.with_suffix(".service").read_text()
    assert f"WorkingDirectory={project.root}\n" in service
    assert '"run" "shop" "two_words"' in service
    assert "SuccessExitStatus=3\n" in service, "a source that was left out is no failure"
    assert f"--user enable --now {timer.name}" in calls.read_text()
    project("schedule", "remove")
    assert f"--user disable --now {timer.name}" in calls.read_text()
    assert [file.name for file in units.iterdir()] == ["bronze-other.timer"]


def test_a_machine_without_a_scheduler_is_a_sentence(project: Operator) -> None:
    assert "Install cron" in project("schedule", "install").err
    assert project("schedule", "show").code == 0


@pytest.mark.parametrize(
    ("cron", "event"),
    [
        ("7 4 * * *", "*-*-* 4:7:00"),
        ("*/15 * * * *", "*-*-* *:0/15:00"),
        ("0 8-18/2 * * 1-5", "Mon,Tue,Wed,Thu,Fri *-*-* 8..18/2:0:00"),
        ("30 0 1,15 */3 *", "*-1/3-1,15 0:30:00"),
        ("0 0 * * 0", "Sun *-*-* 0:0:00"),
        ("0 0 * * 7", "Sun *-*-* 0:0:00"),
        ("0 0 * * */2", "Sun,Tue,Thu,Sat *-*-* 0:0:00"),
    ],
)
def test_cron_is_said_in_systemds_words(cron: str, event: str) -> None:
    assert timers.calendar(timers.Job("x", cron, ())) == event


@pytest.mark.parametrize("cron", ["0 0 1 * 1", "0 0 * jan *"])
def test_what_systemd_cannot_say_is_refused(cron: str) -> None:
    with pytest.raises(Exception, match="--with cron"):
        timers.calendar(timers.Job("x", cron, ()))


def test_days_of_the_week_that_end_before_they_begin_are_refused() -> None:
    with pytest.raises(Exception, match="has no day of the week in 6-1"):
        timers.calendar(timers.Job("x", "0 0 * * 6-1", ()))


def test_odd_characters_in_the_path_reach_systemd_as_they_are() -> None:
    from pathlib import Path as At  # noqa: PLC0415 - at run time only here

    job = timers.Job("100%", "0 0 * * *", ("run", 'a"b', "$c"))
    unit = timers._service(At('/home/me/100% "mine"'), job)
    assert 'WorkingDirectory=/home/me/100%% "mine"\n' in unit
    assert '"run" "a\\"b" "$$c"\n' in unit


def test_a_percent_sign_in_the_path_does_not_end_crons_command() -> None:
    from pathlib import Path as At  # noqa: PLC0415 - at run time only here

    line = timers.Cron(At("/home/me/100% mine"))._line(timers.Job("x", "0 0 * * *", ("run", "shop")))
    assert r"cd '/home/me/100\% mine' && " in line


@pytest.mark.parametrize(
    "schedule",
    ["{name: x, interval: often, job: both}", "{name: x, interval: '@daily', job: none}"],
    ids=["no cron expression", "no job"],
)
def test_a_schedule_that_cannot_be_read_is_named(project: Operator, schedule: str) -> None:
    (project.root / "meltano.yml").write_text(f"{PROJECT}- {schedule}\n")
    answer = project("schedule", "show")
    assert answer.code == 1
    assert "schedule x" in answer.err


MELTANO = """#!/bin/sh
echo "$(date +%s.%N) $2 begins" >> "{file}"
trap 'echo "$2 is stopped" >> "{file}"; exit 143' TERM
[ "$2" = tap-shop ] && echo "2024 [info] shop.orders: 1,240 read, 12 new, 0 changed, 1,228 known, 0 rejected, 0.3 s"
i=0; while [ $i -lt "${{TICKS:-3}}" ]; do sleep 0.1; i=$((i+1)); done
echo "$(date +%s.%N) $2 ends" >> "{file}"
[ "$2" != "$FAILING" ]
"""


@pytest.fixture
def runs(project: Operator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a stand-in for Meltano was called with, and when."""
    calls = project.root / "runs.txt"
    program(project.root / "bin", "meltano-stand-in", MELTANO, calls)
    monkeypatch.setattr(meltano, "program", lambda: str(project.root / "bin" / "meltano-stand-in"))
    return calls


def order(calls: Path) -> list[str]:
    return [" ".join(line.split()[-2:]) for line in calls.read_text().splitlines()]


def test_sources_run_one_after_the_other_unless_more_are_wanted(project: Operator, runs: Path) -> None:
    assert project("run", "shop", "tap-two-words").code == 0
    assert order(runs) == ["tap-shop begins", "tap-shop ends", "tap-two-words begins", "tap-two-words ends"]
    runs.unlink()
    assert project("run", "shop", "two_words", "--jobs", "2").code == 0
    assert {line.split()[1] for line in order(runs)[:2]} == {"begins"}


def test_each_source_is_told_with_its_streams(project: Operator, runs: Path) -> None:
    answer = project("run", "shop")
    assert answer.err.splitlines()[0].startswith("shop: succeeded in ")
    assert "  shop.orders: 1,240 read, 12 new, 0 changed, 1,228 known, 0 rejected, 0.3 s" in answer.err
    assert "1,240 read" in (project.root / "data" / "logs" / "shop.log").read_text()
    assert runs.exists()


def test_a_failed_source_does_not_stop_the_others(
    project: Operator, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILING", "tap-shop")
    answer = project("run", "shop", "two_words")
    assert answer.code == 1
    assert "shop: failed in" in answer.err
    assert "two_words: succeeded" in answer.err
    assert len(order(runs)) == 4


SAID = """
2024-01-02T03:04:05.123456Z [warning  ] meltano      No state was found, complete import.
2024-01-02T03:04:05.123456Z [info     ] tap-shop     Beginning sync of 'orders'
2024-01-02T03:04:05.123456Z [warning  ] tap-shop     A page is missing.
2024-01-02T03:04:05.123456Z [error    ] tap-shop     Not everything could be read.
2024-01-02T03:04:05.123456Z [info     ] target-postgres PostgreSQL refuses: DiskFull (SQLSTATE 53100).
2024-01-02T03:04:05.123456Z [info     ] target-postgres shop.orders: 1,240 read, 12 new, 0 changed, 1,228 known, 0 rejected, 0.3 s
2024-01-02T03:04:05.123456Z [error    ] meltano      Extractor failed
"""


def test_a_failed_run_says_why(project: Operator, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "said.txt").write_text(SAID)
    program(project.root / "bin", "meltano-stand-in", "#!/bin/sh\ncat said.txt; exit $CODE\n", runs)
    monkeypatch.setenv("CODE", "1")
    said = project("run", "shop").err.splitlines()
    assert said[0].startswith("shop: failed in")
    assert said[1:] == [
        "  shop.orders: 1,240 read, 12 new, 0 changed, 1,228 known, 0 rejected, 0.3 s",
        "  tap-shop: A page is missing.",
        "  tap-shop: Not everything could be read.",
        "  target-postgres: PostgreSQL refuses: DiskFull (SQLSTATE 53100).",
    ]
    monkeypatch.setenv("CODE", "0")
    assert project("run", "shop", "--json").json[0]["reasons"] == []


def test_two_runs_of_one_source_exclude_each_other(project: Operator, runs: Path) -> None:
    lock = project.root / "data" / "locks" / "shop.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = project("run", "shop", "two_words")
    assert answer.code == 3
    assert "shop: left out" in answer.err
    assert order(runs) == ["tap-two-words begins", "tap-two-words ends"]
    assert project("run", "shop").code == 0


def test_a_signal_stops_what_runs_and_begins_nothing_more(
    project: Operator, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKS", "100")

    def stop() -> None:
        while not runs.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    answer = project("run", "shop", "two_words")
    stopper.join()
    assert answer.code == 1
    assert runs.read_text().splitlines()[-1] == "tap-shop is stopped"
    first, *others = answer.err.splitlines()
    assert first == "shop: stopped; what had landed is safe, and the next run goes on from there"
    assert others[-1] == "two_words: not begun"


def test_runs_of_the_whole_project_wait_for_room(project: Operator, runs: Path) -> None:
    locks = project.root / "data" / "locks"
    locks.mkdir(parents=True)
    held = [(locks / f"run.{number}").open("w") for number in range(running.MOST)]
    for lock in held:
        fcntl.flock(lock, fcntl.LOCK_EX)

    def leave() -> None:
        time.sleep(0.5)
        assert not runs.exists()
        held[3].close()

    leaver = threading.Thread(target=leave)
    leaver.start()
    answer = project("run", "shop", "two_words", "--jobs", "2")
    leaver.join()
    assert answer.code == 0
    assert answer.err.count(f"shop: waits, as {running.MOST} runs of this project are going on") == 1
    assert order(runs) == ["tap-shop begins", "tap-shop ends", "tap-two-words begins", "tap-two-words ends"]
    for lock in held:
        lock.close()


def test_a_script_is_told_what_each_run_came_to(
    project: Operator, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILING", "tap-two-words")
    shop, two_words = project("run", "shop", "two_words", "--json").json
    assert shop["outcome"] == "succeeded"
    assert shop["streams"][0].startswith("shop.orders: 1,240 read")
    assert (two_words["outcome"], two_words["source"]) == ("failed", "two_words")
    assert two_words["log"] == str(project.root / "data" / "logs" / "two_words.log")
    assert runs.exists()


NEEDS = [["path"], ["client_id", "key"]]


@pytest.fixture
def unset(project: Operator, runs: Path) -> Operator:
    """The project, whose source shop wants settings that nobody has given."""
    entry = {
        "name": "tap-shop",
        "namespace": "tap_shop",
        "pip_url": "tap-shop",
        "settings_group_validation": NEEDS,
        "settings": [{"name": "path"}, {"name": "client_id"}, {"name": "key", "value": "$SHOP_KEY"}],
    }
    file = project.root / "plugins" / "extractors" / "tap-shop.meltano.yml"
    file.write_text(yaml.safe_dump({"plugins": {"extractors": [entry]}}))
    (project.root / ".meltano" / "extractors" / "tap-shop" / "venv").mkdir(parents=True)
    program(project.root / "bin", "meltano-stand-in", ASKED + MELTANO.removeprefix("#!/bin/sh\n"), runs)
    return project


#: What Meltano answers when it is asked for a tap's settings.
ASKED = """#!/bin/sh
[ "$2" = invoke ] && {{ cat settings.json; exit; }}
"""


def test_a_source_that_is_not_set_up_is_left_out_with_a_sentence(unset: Operator, runs: Path) -> None:
    (unset.root / "settings.json").write_text('{"path": "", "client_id": "x", "key": null}')
    answer = unset("run", "shop", "two_words")
    assert answer.code == 3
    said = "shop: left out, as it is not set up. Set TAP_SHOP_PATH or TAP_SHOP_CLIENT_ID and SHOP_KEY in .env"
    assert answer.err.startswith(said)
    assert order(runs) == ["tap-two-words begins", "tap-two-words ends"]
    assert [run["outcome"] for run in unset("run", "shop", "--json").json] == ["not set up"]


@pytest.mark.parametrize(
    "settings",
    [
        {"TAP_SHOP_PATH": "x"},
        {"TAP_SHOP_CLIENT_ID": "x", "SHOP_KEY": "y"},
        {"TAP_SHOP_CLIENT_ID": "x", "TAP_SHOP_KEY": "y"},
    ],
    ids=["one way", "the other way", "Meltano's own variable"],
)
def test_a_source_with_the_settings_of_one_way_runs(
    unset: Operator, runs: Path, settings: dict[str, str]
) -> None:
    (unset.root / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    assert unset("run", "shop").code == 0
    assert order(runs) == ["tap-shop begins", "tap-shop ends"]


def test_settings_in_the_projects_file_or_known_to_meltano_alone_count(unset: Operator, runs: Path) -> None:
    settings = unset.root / "settings.json"
    settings.write_text('{"path": "of Meltano\'s database"}')
    assert unset("run", "shop").code == 0
    settings.write_text("{}")
    config = "{plugins: {extractors: [{name: tap-shop, config: {path: x}}]}}"
    (unset.root / "meltano.yml").write_text(
        f"{PROJECT}\ndefault_environment: dev\nenvironments:\n- name: dev\n  config: {config}\n- name: other\n"
    )
    assert unset("run", "shop").code == 0
    assert unset("-e", "other", "run", "shop").code == 3
    assert len(order(runs)) == 4


def test_a_meltano_that_cannot_say_lets_the_run_speak(unset: Operator, runs: Path) -> None:
    (unset.root / "settings.json").write_text("no JSON")
    assert unset("run", "shop").code == 0
    assert order(runs) == ["tap-shop begins", "tap-shop ends"]


def test_a_schedule_of_a_source_that_is_not_set_up_is_not_installed(unset: Operator, crontab: Path) -> None:
    (unset.root / "settings.json").write_text("{}")
    answer = unset("schedule", "install")
    assert "nightly: shop is left out, as it is not set up. Set TAP_SHOP_PATH or" in answer.err
    assert answer.out == "1 jobs are in cron: nightly.\n"
    assert "run two_words" in crontab.read_text()


def test_no_run_is_due_of_a_source_that_is_not_set_up(unset: Operator) -> None:
    run = "INSERT INTO bronze.runs (run_id, source, environment, status, started_at, ended_at) VALUES ('r', 'shop', 'dev', 'succeeded', '2024-01-01', '2024-01-01')"
    unset.bronze.query(run)
    assert _freshness(unset) == "unknown"
    (unset.root / ".env").write_text("TAP_SHOP_PATH=x\n")
    assert _freshness(unset) == "missed"


def _freshness(operator: Operator) -> str:
    levels = operator("check", "--json").json
    (found,) = (entry for entry in levels if entry["source"] == "shop" and entry["level"] == "freshness")
    return str(found["outcome"])


def test_doctor_says_what_a_source_wants(unset: Operator) -> None:
    lines = unset("doctor").out.splitlines()
    (line,) = (line for line in lines if "tap-shop" in line)
    assert line.startswith(
        "--  tap-shop is installed; TAP_SHOP_PATH or TAP_SHOP_CLIENT_ID and SHOP_KEY is not set"
    )
    (unset.root / ".env").write_text("TAP_SHOP_PATH=x\n")
    assert "ok  tap-shop is installed" in unset("doctor").out


def test_a_source_that_is_not_in_the_project_is_a_sentence(project: Operator) -> None:
    assert "There is no source nix in this project. Sources: shop, two_words." in project("run", "nix").err
