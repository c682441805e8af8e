"""Safari's ``History.db``.

Source: databases of layout 15. ``metadata`` holds tokens of iCloud's sync and is left out. Moments are seconds since
2001 with a fraction, stored as 64-bit floats; they leave in the shortest form that reads back the same.
"""

from __future__ import annotations

from tap_browser_history.base import HistoryStream
from tap_browser_history.clocks import since_2001
from tap_browser_history.columns import blobs, integers, part, reals, schema, texts
from tap_kit.sqlite_rows import Part

_SINCE_2001 = "Seconds since 2001-01-01 UTC."

_ITEM = (
    integers("id", "visit_count", "should_recompute_derived_visit_counts", "visit_count_score", "status_code")
    | texts("url", "domain_expansion")
    | blobs("daily_visit_counts", "weekly_visit_counts", "autocomplete_triggers")
)
_COUNTS = (
    "id",
    "visit_count",
    "visit_count_score",
    "should_recompute_derived_visit_counts",
    "daily_visit_counts",
    "weekly_visit_counts",
    "autocomplete_triggers",
)


class SafariVisits(HistoryStream):
    """Visits with their page; the title belongs to the visit."""

    name = "safari_visits"
    kind = "safari"
    forgets = True
    primary_keys = ("visit",)
    parts = (
        Part("visit", "history_visits"),
        Part("item", "history_items", '"item"."id" = "visit"."history_item"'),
    )
    identity = ("/visit/visit_time", "/item/url")
    clock = ("/visit/visit_time", since_2001)
    volatile = (
        "/visit/id",
        "/visit/history_item",
        "/visit/redirect_source",
        "/visit/redirect_destination",
        "/visit/generation",
        "/visit/score",
        *(f"/item/{name}" for name in (*_COUNTS, "status_code", "domain_expansion")),
    )
    schema = schema(
        {
            "visit": part(
                integers(
                    "id",
                    "history_item",
                    "load_successful",
                    "http_non_get",
                    "synthesized",
                    "redirect_source",
                    "redirect_destination",
                    "generation",
                    "attributes",
                    "score",
                    origin="0 this device, 1 another one, by iCloud.",
                )
                | reals(visit_time=_SINCE_2001)
                | texts("title"),
                "Row of history_visits.",
            ),
            "item": part(_ITEM, "Row of history_items that it names."),
        },
        required=("visit",),
    )


class SafariItems(HistoryStream):
    """Pages; counts change without a new version."""

    name = "safari_items"
    kind = "safari"
    primary_keys = ("url",)
    parts = (Part("item", "history_items"),)
    identity = ("/url",)
    volatile = tuple(f"/{name}" for name in _COUNTS)
    schema = schema(_ITEM, required=("url",))


class SafariTombstones(HistoryStream):
    """What was deleted: the only record of deletions that a browser keeps."""

    name = "safari_tombstones"
    kind = "safari"
    primary_keys = ("start_time", "end_time", "url")
    parts = (Part("tombstone", "history_tombstones"),)
    identity = ("/start_time", "/end_time", "/url")
    clock = ("/end_time", since_2001)
    volatile = ("/id", "/generation")
    schema = schema(
        integers("id", "generation")
        | reals(start_time=f"{_SINCE_2001} -63114076800: from the beginning.", end_time=_SINCE_2001)
        | texts("url"),
        required=("start_time", "end_time"),
    )
