"""Who lands: a run of the loader, as rows and books name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """Who lands, as the rows and the books say it.

    Attributes:
        run_id: Name of the run.
        source: Source.
        environment: Meltano's environment.
        pipeline_version: Tap and loader with their versions.
        parameters: The tap's settings without secrets.
        archive_path: The run's file in the raw archive, relative to the archive's folder.
        tap: Name of the tap.
    """

    run_id: str
    source: str
    environment: str
    pipeline_version: str
    parameters: dict[str, Any]
    archive_path: str | None
    tap: str
