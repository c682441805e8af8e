"""The SDK's own tests of a tap, against the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_toggl.standin import TOKEN, Clock, StandIn, small_account
from tap_toggl.tap import TapToggl

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDIN = StandIn(small_account(Clock()), plan="none")

# The schemas describe every field that was ever seen; no account has them all.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records"),
    pytest.mark.filterwarnings("ignore:No records were available to test"),
    pytest.mark.usefixtures("_serving"),
]


@pytest.fixture(scope="module")
def _serving() -> Iterator[None]:
    with STANDIN:
        yield


class TestTapToggl(
    get_tap_test_class(  # type: ignore[misc] # the SDK makes the class
        TapToggl,
        config={"api_token": TOKEN, "api_url": STANDIN.url},
        suite_config=SuiteConfig(max_records_limit=None, ignore_no_records_for_streams=["timesheets"]),
        parse_env_config=False,
    )
):
    """Standard tests; ``timesheets`` is a paid feature, which the invented account lacks."""
