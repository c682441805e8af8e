"""Runs of the loader in this process: messages that the operator has, landed like any tap's."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

from target_postgres_bronze.operator.schedules import extractor_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def land(source: str, messages: IO[bytes], config: Mapping[str, Any], env: Mapping[str, str]) -> int:
    """Land *messages* as a run of *source*.

    Args:
        source: Source.
        messages: Singer messages; their STATE is nobody's.
        config: The loader's settings.
        env: The project's variables.

    Returns:
        The loader's exit code; what failed is on stderr.
    """
    from target_postgres_bronze.pipeline import run_loader  # noqa: PLC0415 - half a second for --help

    named = {"MELTANO_EXTRACTOR_NAME": extractor_of(source)}
    return run_loader({**config, "source": source}, messages, io.BytesIO(), {**env, **named})
