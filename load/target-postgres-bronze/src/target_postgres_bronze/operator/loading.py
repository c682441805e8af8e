"""Runs of the loader in this process: messages that the operator has, landed like any tap's."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from target_postgres_bronze import project
from target_postgres_bronze.operator.schedules import extractor_of
from target_postgres_bronze.operator.session import LOADER_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import RawIOBase

    from target_postgres_bronze.database import Target


def land(
    source: str, messages: IO[bytes] | RawIOBase, config: Mapping[str, Any], env: Mapping[str, str]
) -> int:
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

    named = {"MELTANO_EXTRACTOR_NAME": extractor_of(project.find_root(), source)}
    return run_loader(
        {**config, "source": source},
        cast("IO[bytes]", messages),
        io.BytesIO(),
        {**env, **named},
        expects_completion=False,  # an archived run may have been interrupted
    )


def aimed_at(
    target: Target, config: Mapping[str, Any], env: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the loader's settings and variables, changed so that it lands in *target*."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - half a second for --help

    parts = {name: str(value) for name, value in conninfo_to_dict(target.conninfo).items()}
    database = quote(parts.pop("dbname"), safe="")
    rest = {
        name: value
        for name, value in config.items()
        if name not in LOADER_SETTINGS and not name.startswith("ssl_")
    }
    rest.pop("ssh_tunnel", None)
    # the demo's environment would choose the demo's database
    environment = env.get("MELTANO_ENVIRONMENT")
    named = {name: value for name, value in env.items() if name != "MELTANO_ENVIRONMENT"}
    if environment:
        rest.setdefault("environment", environment)
    return rest, named | {"PG_URL": f"postgresql:///{database}?{urlencode(parts, quote_via=quote)}"}
