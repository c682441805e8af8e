"""Chrome, Chromium, Edge, Brave, Vivaldi, Arc, Opera: the database ``History`` and the file ``Bookmarks``.

Source: the table definitions of Chromium (layouts 43 to 70; downloads before Chrome 26 are of an older one). Visits are forgotten after 90 days, so a visit that is
absent says nothing. Row numbers begin anew after the history was cleared (layout 43).
"""

from __future__ import annotations

from tap_browser_history.base import HistoryStream
from tap_browser_history.clocks import of_download, since_1601
from tap_browser_history.columns import blobs, integers, part, reals, schema, texts
from tap_kit.sqlite_rows import Part

_SINCE_1601 = "Microseconds since 1601-01-01 UTC."

_OF_DOWNLOAD = f"{_SINCE_1601} Before Chrome 26: seconds since 1970-01-01 UTC."

_URL = integers(
    "id",
    "visit_count",
    "typed_count",
    "hidden",
    "favicon_id",
    last_visit_time=_SINCE_1601,
) | texts("url", "title")

_VISIT = integers(
    "id",
    "url",
    "from_visit",
    "segment_id",
    "incremented_omnibox_typed_score",
    "publicly_routable",
    "is_indexed",
    "opener_visit",
    "originator_from_visit",
    "originator_opener_visit",
    "is_known_to_sync",
    "consider_for_ntp_most_visited",
    "visited_link_id",
    visit_time=_SINCE_1601,
    visit_duration="Microseconds; 0 until the visit ends.",
    transition="Bit field: the low byte is the kind, the rest are flags.",
    originator_visit_id="Of a visit that came by sync: its number there.",
) | texts(
    "external_referrer_url",
    "app_id",
    originator_cache_guid="Of a visit that came by sync: the other device.",
)

_CONTENT = (
    reals("visibility_score")
    | integers(
        "visit_id",
        "floc_protected_score",
        "page_topics_model_version",
        "annotation_flags",
        "password_state",
        "has_url_keyed_image",
    )
    | texts(
        "categories",
        "entities",
        "related_searches",
        "search_normalized_url",
        "search_terms",
        "alternative_title",
        "page_language",
    )
)
_CONTEXT = integers(
    "visit_id",
    "context_annotation_flags",
    "page_end_reason",
    "browser_type",
    "window_id",
    "tab_id",
    "task_id",
    "root_task_id",
    "parent_task_id",
    "response_code",
    duration_since_last_visit="Microseconds.",
    total_foreground_duration="Microseconds; -1000000 where unknown.",
)

_DOWNLOAD = (
    integers(
        "id",
        "received_bytes",
        "total_bytes",
        "state",
        "danger_type",
        "interrupt_reason",
        "opened",
        "transient",
        start_time=_OF_DOWNLOAD,
        end_time=_OF_DOWNLOAD,
        last_access_time=_SINCE_1601,
    )
    | texts(
        "guid",
        "full_path",
        "url",
        "current_path",
        "target_path",
        "referrer",
        "site_url",
        "embedder_download_data",
        "tab_url",
        "tab_referrer_url",
        "http_method",
        "by_ext_id",
        "by_ext_name",
        "by_web_app_id",
        "etag",
        "last_modified",
        "mime_type",
        "original_mime_type",
    )
    | blobs("hash")
)

_URL_OF_VISIT = Part("url", "urls", '"url"."id" = "visit"."url"')


class ChromiumVisits(HistoryStream):
    """Visits with their page, where they came from, and what the browser noted about them.

    A finished visit gets its duration: one more version, and wanted. Title and counts of the page change without the
    visit having changed; they are in ``chromium_urls``.
    """

    name = "chromium_visits"
    kind = "chromium"
    forgets = True
    primary_keys = ("visit",)
    parts = (
        Part("visit", "visits"),
        _URL_OF_VISIT,
        Part("visit_source", "visit_source", '"visit_source"."id" = "visit"."id"'),
        Part("content_annotations", "content_annotations", '"content_annotations"."visit_id" = "visit"."id"'),
        Part("context_annotations", "context_annotations", '"context_annotations"."visit_id" = "visit"."id"'),
    )
    identity = ("/visit/originator_cache_guid", "/visit/originator_visit_id", "/visit/visit_time", "/url/url")
    clock = ("/visit/visit_time", since_1601)
    volatile = (
        "/visit/id",
        "/visit/url",
        "/visit/from_visit",
        "/visit/opener_visit",
        "/visit/segment_id",
        "/visit/incremented_omnibox_typed_score",
        "/visit/is_known_to_sync",
        "/visit/consider_for_ntp_most_visited",
        "/visit/visited_link_id",
        "/url/id",
        "/url/title",
        "/url/visit_count",
        "/url/typed_count",
        "/url/last_visit_time",
        "/url/hidden",
        "/visit_source/id",
        "/content_annotations/visit_id",
        "/context_annotations/visit_id",
    )
    schema = schema(
        {
            "visit": part(_VISIT, "Row of visits."),
            "url": part(_URL, "Row of urls that the visit names."),
            "visit_source": part(
                integers("id", "source"), "Row of visit_source; mostly none for the browser's own visits."
            ),
            "content_annotations": part(_CONTENT, "Row of content_annotations."),
            "context_annotations": part(_CONTEXT, "Row of context_annotations."),
        },
        required=("visit",),
    )


class ChromiumUrls(HistoryStream):
    """Pages with their title as of now; counts and times of visits change without a new version."""

    name = "chromium_urls"
    kind = "chromium"
    primary_keys = ("url",)
    parts = (Part("url", "urls"),)
    identity = ("/url",)
    clock = ("/last_visit_time", since_1601)
    volatile = ("/id", "/visit_count", "/typed_count", "/last_visit_time")
    schema = schema(_URL, required=("url",))


class ChromiumSearchTerms(HistoryStream):
    """What was searched for in the address bar, with the page that answered."""

    name = "chromium_search_terms"
    kind = "chromium"
    primary_keys = ("search_term",)
    parts = (
        Part("search_term", "keyword_search_terms"),
        Part("url", "urls", '"url"."id" = "search_term"."url_id"'),
    )
    identity = ("/url/url", "/search_term/term")
    clock = ("/url/last_visit_time", since_1601)
    volatile = (
        "/search_term/keyword_id",
        "/search_term/url_id",
        "/url/id",
        "/url/title",
        "/url/visit_count",
        "/url/typed_count",
        "/url/last_visit_time",
        "/url/hidden",
    )
    schema = schema(
        {
            "search_term": part(
                integers("keyword_id", "url_id")
                | texts("term", "normalized_term", lower_term="The same in older layouts."),
                "Row of keyword_search_terms.",
            ),
            "url": part(_URL, "Row of urls that it names."),
        },
        required=("search_term",),
    )


class ChromiumDownloads(HistoryStream):
    """Downloads with the chain of addresses that led to them."""

    name = "chromium_downloads"
    kind = "chromium"
    primary_keys = ("download",)
    parts = (
        Part("download", "downloads"),
        Part("url_chain", "downloads_url_chains", '"id" = :main', many=True),
    )
    identity = ("/download/guid", "/download/start_time")
    clock = ("/download/start_time", of_download)
    volatile = (
        "/download/id",
        "/download/opened",
        "/download/last_access_time",
        "/download/transient",
        "/url_chain/*/id",
    )
    schema = schema(
        {
            "download": part(_DOWNLOAD, "Row of downloads."),
            "url_chain": {
                "type": ["array", "null"],
                "items": part(integers("id", "chain_index") | texts("url"), "Row of downloads_url_chains."),
            },
        },
        required=("download",),
    )
