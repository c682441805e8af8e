"""The loader's own settings, beside those of target-postgres."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from target_postgres_bronze.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS: Final = {"type": ["array", "string", "null"], "items": {"type": "string"}}

#: JSON Schema of each setting, as ``--about`` shows it.
OWN_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "source": {
        "type": ["string", "null"],
        "title": "Source",
        "description": "Name of the source; rows land in bronze_<source>. Default: the extractor's name without tap-, with _ for -.",
    },
    "environment": {
        "type": ["string", "null"],
        "title": "Environment",
        "description": "What the column environment says. Default: Meltano's environment, else development.",
    },
    "archive": {
        "type": ["boolean", "null"],
        "title": "Keep the raw archive",
        "description": "Whether each run's messages are kept as they came, compressed.",
        "default": True,
    },
    "archive_dir": {
        "type": ["string", "null"],
        "title": "Folder of the raw archive",
        "description": "Where they are kept. Default: data/bronze in the project's folder.",
    },
    "before_run_sql": {
        **_TEXTS,
        "title": "SQL before a run",
        "description": "SQL files or folders that run once at the start, after those in sql/hooks/before_run.",
    },
    "after_run_sql": {
        **_TEXTS,
        "title": "SQL after each batch",
        "description": "SQL files or folders that run for every batch inside its transaction, after those in sql/hooks/after_run.",
    },
    "batch_size_rows": {
        "type": ["integer", "null"],
        "title": "Records per batch",
        "description": "How many messages are landed and committed together at most.",
        "default": 12_000,
        "minimum": 1,
    },
    "batch_wait_limit_seconds": {
        "type": ["number", "null"],
        "title": "Longest wait for a batch",
        "description": "Seconds after which what has come is landed even if a batch is not full.",
        "default": 5,
        "minimum": 0,
    },
    "max_rejected_share": {
        "type": ["number", "null"],
        "title": "Bearable share of rejected records",
        "description": "A run with more rejected records than this share (and more than one) fails, after everything has landed.",
        "default": 0.05,
        "minimum": 0,
        "maximum": 1,
    },
    "max_invalid_share": {
        "type": ["number", "null"],
        "title": "Bearable share of invalid records",
        "description": "A run with more records that break their schema than this share (and more than one) fails, after everything has landed.",
        "default": 0.5,
        "minimum": 0,
        "maximum": 1,
    },
    "stream_annotations": {
        "type": ["object", "null"],
        "title": "Annotations by stream",
        "description": "For taps from elsewhere: by stream, members that are added to its schema, such as x-source-timestamp, x-volatile, x-absence.",
    },
}


@dataclass(frozen=True)
class Settings:
    """The loader's own settings, with their defaults; meanings as in `OWN_SETTINGS`."""

    source: str | None
    environment: str | None
    archive: bool
    archive_dir: Path | None
    before_run_sql: str | list[str] | None
    after_run_sql: str | list[str] | None
    batch_size_rows: int
    batch_wait_limit_seconds: float
    max_rejected_share: float
    max_invalid_share: float
    stream_annotations: dict[str, dict[str, Any]]


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Read the loader's own settings from *config*; an empty text is unset.

    Raises:
        LoaderError: A setting has the wrong type or is out of bounds; its value is not repeated.
    """
    from target_postgres_bronze.schemas import SchemaChecker  # noqa: PLC0415 - compiles with Rust's help, only here

    values: dict[str, Any] = {
        name: schema.get("default") if config.get(name) in (None, "") else config[name]
        for name, schema in OWN_SETTINGS.items()
    }
    broken = SchemaChecker({"type": "object", "properties": OWN_SETTINGS}).broken_rules(values)
    if broken:
        raise LoaderError(
            f"The loader's settings are not usable: {broken}. Correct them in meltano.yml, .env or the config file."
        )
    annotations = values["stream_annotations"] or {}
    if not all(isinstance(members, dict) for members in annotations.values()):
        raise LoaderError(
            "The setting stream_annotations names streams, and for each an object of annotations."
        )
    folder = values["archive_dir"]
    return Settings(
        **{
            **values,
            "archive_dir": Path(folder).expanduser() if folder else None,
            "stream_annotations": annotations,
        }
    )
