# ruff: noqa: INP001 - Airflow reads the files of this folder one by one
"""Airflow DAGs of the bronze layer: one per schedule of ``meltano.yml``, a task per source.

Put this folder on Airflow's path of DAGs (``AIRFLOW__CORE__DAGS_FOLDER``, or a link to this file in yours) and name the project in
``BRONZE_PROJECT`` unless the file lies in it. Airflow needs nothing of this project but the command ``./bronze``, set up by
``./bronze setup``. Times of the schedules are the machine's own.

Source: Airflow 3 documentation, "DAGs" and "Tasks" (retries, skip on exit code).
"""

from __future__ import annotations

import os
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
import yaml
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, chain

ROOT = Path(os.environ.get("BRONZE_PROJECT") or Path(__file__).resolve().parents[2])
EXTRACTOR = "tap-"
#: Schedules that Meltano runs when a person says so.
BY_HAND = "@once"
#: `bronze run` ends so when a run of the source is going on already, or when the source is not set up.
BUSY = 3
DEFAULTS = {
    "retries": 3,
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(hours=1),
    "execution_timeout": timedelta(hours=12),
}


def read(root: Path) -> list[tuple[dict[str, Any], list[str]]]:
    """Return each schedule of the project with the sources that it runs, in their order."""
    files = [root / "meltano.yml", *sorted((root / "plugins").glob("*/*.meltano.yml"))]
    contents = [yaml.safe_load(file.read_text()) or {} for file in files]
    jobs = {job["name"]: job["tasks"] for content in contents for job in content.get("jobs") or []}
    return [
        (entry, sources(jobs[entry["job"]] if "job" in entry else [entry["extractor"]]))
        for content in contents
        for entry in content.get("schedules") or []
        if entry["interval"] != BY_HAND
    ]


def sources(tasks: list[Any]) -> list[str]:
    """Return the sources of a job; a task is a line of plugins, or a list of such lines."""
    lines = [line for task in tasks for line in ([task] if isinstance(task, str) else task)]
    words = [word for line in lines for word in line.split() if word.startswith(EXTRACTOR)]
    return [word.removeprefix(EXTRACTOR).replace("-", "_") for word in words]


def make(entry: dict[str, Any], names: list[str]) -> DAG:
    """Make the DAG of a schedule: its sources one after the other, each tried again with growing pauses."""
    dag = DAG(
        f"bronze-{entry['name']}",
        description=f"{', '.join(names)} into the bronze layer",
        schedule=entry["interval"],
        start_date=pendulum.datetime(2024, 1, 1, tz=pendulum.local_timezone()),
        catchup=False,  # a run brings everything since the last one, whenever that was
        max_active_runs=1,
        default_args=DEFAULTS,
        tags=["bronze"],
    )
    tasks = [
        BashOperator(
            dag=dag,
            task_id=name,
            bash_command=f"./bronze run {shlex.quote(name)}",
            cwd=str(ROOT),
            skip_on_exit_code=BUSY,
            append_env=True,
            trigger_rule="all_done",  # one source's failure is no other's
        )
        for name in names
    ]
    if len(tasks) > 1:
        chain(*tasks)
    return dag


for schedule, wanted in read(ROOT):
    globals()[f"bronze_{schedule['name']}"] = make(schedule, wanted)
