"""Moments of four clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_browser_history.clocks import of_download, seconds_since_1970, since_1601, since_1970, since_2001

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = "2026-06-04T12:00:00+00:00"


@pytest.mark.parametrize(
    ("read", "value", "moment"),
    [
        (since_1601, 13_425_048_000_000_000, NOON),
        (since_1601, "13425048000000001", "2026-06-04T12:00:00.000001+00:00"),
        (of_download, 13_425_048_000_000_000, NOON),
        (of_download, 1_372_627_565, "2013-06-30T21:26:05+00:00"),
        (of_download, 0, None),
        (of_download, None, None),
        (since_1970, 1_780_574_400_000_000, NOON),
        (since_1970, 1_780_574_400_000, NOON),
        (seconds_since_1970, 1_780_574_400, NOON),
        (since_2001, 802_267_200.0, NOON),
        (since_2001, 802_267_200.4026309, "2026-06-04T12:00:00.402631+00:00"),
        (since_2001, -63_114_076_800.0, None),
        (since_1601, 0, None),
        (since_1601, None, None),
        (since_1601, "soon", None),
        (since_1601, True, None),
        (since_1601, {"base64": ""}, None),
        (since_1601, 2**63 - 1, None),
        (since_2001, float("inf"), None),
        (since_2001, 1e300, None),
    ],
)
def test_a_moment_is_converted_to_the_microsecond(
    read: Callable[[Any], str | None], value: Any, moment: str | None
) -> None:
    assert read(value) == moment
