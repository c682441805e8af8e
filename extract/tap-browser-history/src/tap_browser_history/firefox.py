"""Firefox, LibreWolf, Waterfox, Floorp, Zen: the database ``places.sqlite``; and Firefox for Android before 2020.

Source: the table definitions of Firefox (layouts 54 to 80). Old visits are expired by size, so a visit that is absent
says nothing. Moments are µs since 1970; on Android, and in the old layout there, some are ms.
"""

from __future__ import annotations

from tap_browser_history.base import HistoryStream
from tap_browser_history.clocks import since_1970
from tap_browser_history.columns import integers, part, reals, schema, texts
from tap_kit.sqlite_rows import Part

_MICROSECONDS = "Microseconds since 1970-01-01 UTC (milliseconds on Android)."
_MILLISECONDS = "Milliseconds since 1970-01-01 UTC."

_PLACE = integers(
    "id",
    "visit_count",
    "visit_count_local",
    "visit_count_remote",
    "hidden",
    "typed",
    "frecency",
    "foreign_count",
    "url_hash",
    "origin_id",
    "recalc_frecency",
    "alt_frecency",
    "recalc_alt_frecency",
    last_visit_date=_MICROSECONDS,
    last_visit_date_local=_MICROSECONDS,
    last_visit_date_remote=_MICROSECONDS,
) | texts(
    "url",
    "title",
    "rev_host",
    "description",
    "preview_image_url",
    "site_name",
    guid="Names the page, the same in all profiles that sync.",
)
_RANKING = (
    "visit_count",
    "visit_count_local",
    "visit_count_remote",
    "frecency",
    "recalc_frecency",
    "alt_frecency",
    "recalc_alt_frecency",
    "last_visit_date",
    "last_visit_date_local",
    "last_visit_date_remote",
    "foreign_count",
    "origin_id",
    "typed",
)
"""What changes with each visit, or when Firefox counts anew."""

_OF_PLACE = (
    "/place/id",
    *(f"/place/{name}" for name in _RANKING),
    "/place/title",
    "/place/hidden",
    "/place/description",
    "/place/preview_image_url",
    "/place/site_name",
)
"""What changes of a page without its visits having changed; it is in ``firefox_places``."""

_PLACE_PART = part(_PLACE, "Row of moz_places that it names.")

_BOOKMARK = integers(
    "id",
    "fk",
    "parent",
    "position",
    "keyword_id",
    "syncStatus",
    "syncChangeCounter",
    dateAdded=_MICROSECONDS,
    lastModified=_MICROSECONDS,
    type="1 bookmark, 2 folder, 3 separator.",
) | texts("title", "guid", "folder_type")
_ANNOTATION = integers(
    "id",
    "anno_attribute_id",
    "flags",
    "expiration",
    "type",
    dateAdded=_MICROSECONDS,
    lastModified=_MICROSECONDS,
) | texts("content", "mime_type")


class FirefoxVisits(HistoryStream):
    """Visits with their page."""

    name = "firefox_visits"
    kind = "firefox"
    forgets = True
    primary_keys = ("visit",)
    parts = (
        Part("visit", "moz_historyvisits"),
        Part("place", "moz_places", '"place"."id" = "visit"."place_id"'),
    )
    identity = ("/visit/visit_date", "/place/url")
    clock = ("/visit/visit_date", since_1970)
    volatile = (
        "/visit/id",
        "/visit/from_visit",
        "/visit/place_id",
        "/visit/triggeringPlaceId",
        "/visit/session",
        *_OF_PLACE,
    )
    schema = schema(
        {
            "visit": part(
                integers(
                    "id",
                    "from_visit",
                    "place_id",
                    "session",
                    "triggeringPlaceId",
                    "is_local",
                    "unknown_sync_fields",
                    visit_date=_MICROSECONDS,
                    visit_type="1 link, 2 typed, 3 bookmark, 4 embed, 5 and 6 redirects, 7 download, 8 framed, 9 reload.",
                    source="0 organic, 1 sponsored, 2 bookmarked, 3 searched.",
                ),
                "Row of moz_historyvisits.",
            ),
            "place": _PLACE_PART,
        },
        required=("visit",),
    )


class FirefoxPlaces(HistoryStream):
    """Pages, those that are only bookmarked included; counts and rankings change without a new version."""

    name = "firefox_places"
    kind = "firefox"
    primary_keys = ("guid",)
    parts = (Part("place", "moz_places"),)
    identity = ("/guid", "/url")
    clock = ("/last_visit_date", since_1970)
    volatile = ("/id", *(f"/{name}" for name in _RANKING))
    schema = schema(_PLACE, required=("url",))  # Firefox 3 has no guid


class FirefoxMetadata(HistoryStream):
    """How long pages were looked at, typed in and scrolled."""

    name = "firefox_metadata"
    kind = "firefox"
    primary_keys = ("metadata",)
    parts = (
        Part("metadata", "moz_places_metadata"),
        Part("place", "moz_places", '"place"."id" = "metadata"."place_id"'),
        Part(
            "search_query",
            "moz_places_metadata_search_queries",
            '"search_query"."id" = "metadata"."search_query_id"',
        ),
    )
    identity = ("/place/url", "/metadata/created_at")
    clock = ("/metadata/created_at", since_1970)
    volatile = (
        "/metadata/id",
        "/metadata/place_id",
        "/metadata/referrer_place_id",
        "/metadata/search_query_id",
        "/search_query/id",
        *_OF_PLACE,
    )
    schema = schema(
        {
            "metadata": part(
                integers(
                    "id",
                    "place_id",
                    "referrer_place_id",
                    "key_presses",
                    "scrolling_distance",
                    "document_type",
                    "search_query_id",
                    created_at=_MILLISECONDS,
                    updated_at=_MILLISECONDS,
                    total_view_time="Milliseconds.",
                    typing_time="Milliseconds.",
                    scrolling_time="Milliseconds.",
                ),
                "Row of moz_places_metadata.",
            ),
            "place": _PLACE_PART,
            "search_query": part(
                integers("id") | texts("terms"), "Row of moz_places_metadata_search_queries that it names."
            ),
        },
        required=("metadata",),
    )


class FirefoxBookmarks(HistoryStream):
    """Bookmarks, folders and separators, with the page and the folder that they are in."""

    name = "firefox_bookmarks"
    kind = "firefox"
    primary_keys = ("bookmark",)
    parts = (
        Part("bookmark", "moz_bookmarks"),
        Part("place", "moz_places", '"place"."id" = "bookmark"."fk"'),
        Part("folder", "moz_bookmarks", '"folder"."id" = "bookmark"."parent"'),
    )
    identity = ("/bookmark/guid",)
    clock = ("/bookmark/dateAdded", since_1970)
    volatile = (
        "/bookmark/id",
        "/bookmark/fk",
        "/bookmark/parent",
        "/bookmark/position",  # it shifts with each neighbour that comes or goes
        "/bookmark/keyword_id",
        "/bookmark/syncStatus",
        "/bookmark/syncChangeCounter",
        *_OF_PLACE,
        *(
            f"/folder/{name}"
            for name in (
                "id",
                "fk",
                "parent",
                "position",
                "keyword_id",
                "lastModified",
                "syncStatus",
                "syncChangeCounter",
            )
        ),
    )
    schema = schema(
        {
            "bookmark": part(_BOOKMARK, "Row of moz_bookmarks."),
            "place": _PLACE_PART,
            "folder": part(_BOOKMARK, "Row of moz_bookmarks of the folder that it is in."),
        },
        required=("bookmark",),
    )


class FirefoxAnnotations(HistoryStream):
    """Notes on pages; downloads are kept as such (``downloads/destinationFileURI``, ``downloads/metaData``)."""

    name = "firefox_annotations"
    kind = "firefox"
    primary_keys = ("annotation",)
    parts = (
        Part("annotation", "moz_annos"),
        Part("attribute", "moz_anno_attributes", '"attribute"."id" = "annotation"."anno_attribute_id"'),
        Part("place", "moz_places", '"place"."id" = "annotation"."place_id"'),
    )
    # Downloading an address again overwrites the row, so the moment is no part of it.
    identity = ("/place/url", "/attribute/name")
    clock = ("/annotation/dateAdded", since_1970)
    volatile = (
        "/annotation/id",
        "/annotation/place_id",
        "/annotation/anno_attribute_id",
        "/attribute/id",
        *_OF_PLACE,
    )
    schema = schema(
        {
            "annotation": part(_ANNOTATION | integers("place_id"), "Row of moz_annos."),
            "attribute": part(integers("id") | texts("name"), "Row of moz_anno_attributes that it names."),
            "place": _PLACE_PART,
        },
        required=("annotation",),
    )


_OF_BOOKMARK = (
    "id",
    "fk",
    "parent",
    "position",
    "keyword_id",
    "lastModified",
    "syncStatus",
    "syncChangeCounter",
)
"""What changes of a bookmark without its notes having changed; it is in ``firefox_bookmarks``."""


class FirefoxItemAnnotations(HistoryStream):
    """Notes on bookmarks and folders, such as descriptions (Firefox up to 61, Waterfox Classic, Pale Moon)."""

    name = "firefox_item_annotations"
    kind = "firefox"
    primary_keys = ("annotation",)
    parts = (
        Part("annotation", "moz_items_annos"),
        Part("attribute", "moz_anno_attributes", '"attribute"."id" = "annotation"."anno_attribute_id"'),
        Part("bookmark", "moz_bookmarks", '"bookmark"."id" = "annotation"."item_id"'),
    )
    identity = ("/bookmark/guid", "/attribute/name", "/annotation/dateAdded")
    clock = ("/annotation/dateAdded", since_1970)
    volatile = (
        "/annotation/id",
        "/annotation/item_id",
        "/annotation/anno_attribute_id",
        "/attribute/id",
        *(f"/bookmark/{name}" for name in (*_OF_BOOKMARK, "title")),
    )
    schema = schema(
        {
            "annotation": part(_ANNOTATION | integers("item_id"), "Row of moz_items_annos."),
            "attribute": part(integers("id") | texts("name"), "Row of moz_anno_attributes that it names."),
            "bookmark": part(_BOOKMARK, "Row of moz_bookmarks that it names."),
        },
        required=("annotation",),
    )


class FirefoxKeywords(HistoryStream):
    """Keywords that open a bookmark from the address bar; before Firefox 39 the bookmark names its keyword (``keyword_id``)."""

    name = "firefox_keywords"
    kind = "firefox"
    primary_keys = ("keyword",)
    parts = (
        Part("keyword", "moz_keywords"),
        Part(
            "place",
            "moz_places",
            '"place"."id" = "keyword"."place_id"',
            needs=("moz_keywords", "place_id"),
        ),
        Part(
            "bookmarks",
            "moz_bookmarks",
            '"keyword_id" = :main',
            many=True,
            needs=("moz_bookmarks", "keyword_id"),
        ),
    )
    identity = ("/place/url", "/keyword/keyword")
    volatile = (
        "/keyword/id",
        "/keyword/place_id",
        *_OF_PLACE,
        *(f"/bookmarks/*/{name}" for name in (*_OF_BOOKMARK, "title")),
    )
    schema = schema(
        {
            "keyword": part(
                integers("id", "place_id") | texts("keyword", "post_data"), "Row of moz_keywords."
            ),
            "place": _PLACE_PART,
            "bookmarks": {
                "type": ["array", "null"],
                "items": part(_BOOKMARK, "Row of moz_bookmarks that names the keyword, before Firefox 39."),
            },
        },
        required=("keyword",),
    )


class FirefoxInputHistory(HistoryStream):
    """What was typed into the address bar before a page was chosen; how often fades with time, without a new version."""

    name = "firefox_input_history"
    kind = "firefox"
    primary_keys = ("input",)
    parts = (
        Part("input", "moz_inputhistory"),
        Part("place", "moz_places", '"place"."id" = "input"."place_id"'),
    )
    identity = ("/place/url", "/input/input")
    volatile = ("/input/place_id", "/input/use_count", *_OF_PLACE)
    schema = schema(
        {
            "input": part(
                integers("place_id") | reals("use_count") | texts("input"), "Row of moz_inputhistory."
            ),
            "place": _PLACE_PART,
        },
        required=("input",),
    )


class FirefoxAndroidVisits(HistoryStream):
    """Visits of Firefox for Android before 2020 (``browser.db``): visits in µs, their pages in ms."""

    name = "firefox_android_visits"
    kind = "firefox_android"
    primary_keys = ("visit",)
    parts = (
        Part("visit", "visits"),
        Part("history", "history", '"history"."guid" = "visit"."history_guid"'),
    )
    identity = ("/visit/date", "/history/url")
    clock = ("/visit/date", since_1970)
    volatile = (
        "/visit/_id",
        *(
            f"/history/{name}"
            for name in (
                "_id",
                "title",
                "visits",
                "visits_local",
                "visits_remote",
                "date",
                "date_local",
                "date_remote",
                "modified",
                "favicon_id",
            )
        ),
    )
    schema = schema(
        {
            "visit": part(
                integers("_id", "visit_type", "is_local", date=_MICROSECONDS) | texts("history_guid"),
                "Row of visits.",
            ),
            "history": part(
                integers(
                    "_id",
                    "visits",
                    "visits_local",
                    "visits_remote",
                    "favicon_id",
                    "deleted",
                    date=_MILLISECONDS,
                    date_local=_MILLISECONDS,
                    date_remote=_MILLISECONDS,
                    created=_MILLISECONDS,
                    modified=_MILLISECONDS,
                )
                | texts("url", "title", "guid"),
                "Row of history that it names.",
            ),
        },
        required=("visit",),
    )
