"""qutebrowser's ``history.sqlite``: rows without a number of their own, so a visit is its whole content."""

from __future__ import annotations

from tap_browser_history.base import HistoryStream
from tap_browser_history.clocks import seconds_since_1970
from tap_browser_history.columns import integers, schema, texts
from tap_kit.sqlite_rows import Part


class QutebrowserHistory(HistoryStream):
    """Visits."""

    name = "qutebrowser_history"
    kind = "qutebrowser"
    primary_keys = ("url", "atime")
    parts = (Part("visit", "History"),)
    identity = ("/atime", "/url", "/title", "/redirect")
    clock = ("/atime", seconds_since_1970)
    schema = schema(
        integers("redirect", atime="Seconds since 1970-01-01 UTC.") | texts("url", "title"),
        required=("url", "atime"),
    )
