"""A tap that knows the SDK alone: no annotations, no provenance, records conformed to their schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import Stream, Tap
from singer_sdk import typing as th
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context


class Readings(Stream):
    """Invented readings, of which one has a field that the schema leaves out."""

    name = "readings"
    primary_keys = ("place", "day")
    replication_key = "day"
    schema = th.PropertiesList(
        th.Property("place", th.StringType(nullable=False), required=True),
        th.Property("day", th.DateType(nullable=False), required=True),
        th.Property("level", th.NumberType),
    ).to_dict()

    @override
    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        start = str(self.get_starting_replication_key_value(context) or "")
        for day in ("2024-01-31", "2024-02-01", "2024-02-29"):
            if day >= start:
                yield {"place": "Mole", "day": day, "level": 1.25, "note": "left out by the SDK"}


class TapStock(Tap):
    """The tap with the one stream."""

    name = "tap-stock"
    config_jsonschema = th.PropertiesList().to_dict()

    @override
    def discover_streams(self) -> Sequence[Stream]:
        return [Readings(self)]


if __name__ == "__main__":
    TapStock.cli()
