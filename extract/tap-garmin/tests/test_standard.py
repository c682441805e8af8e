"""The SDK's own tests of a tap, against the stand-in."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_garmin.standin import Clock, StandIn, invented_account
from tap_garmin.tap import TapGarmin

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDIN = StandIn(invented_account(Clock(datetime.now(UTC)), activities=2))
STORE = (
    Path(tempfile.gettempdir()) / f"tap-garmin-test-{uuid4().hex}"
)  # made by the fixture: the class needs its name

EMPTY = [
    "activity_exercise_sets",
    "activity_power_zones",
    "activity_split_summaries",
    "activity_typed_splits",
    "activity_weather",
    "challenges",
    "endurance_score",
    "events",
    "fitness_age",
    "hill_score",
    "lifestyle",
    "naps",
    "nutrition_logs",
    "nutrition_meals",
]
"""What the invented account lacks."""

# The schemas describe every field that was ever seen; no account has them all.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records"),
    pytest.mark.filterwarnings("ignore:No records were available to test"),
    pytest.mark.usefixtures("_serving"),
]


@pytest.fixture(scope="module")
def _serving() -> Iterator[None]:
    STANDIN.signin.write(STORE)
    try:
        with STANDIN:
            yield
    finally:
        shutil.rmtree(STORE)


class TestTapGarmin(
    get_tap_test_class(  # type: ignore[misc] # the SDK makes the class
        TapGarmin,
        config={
            "token_store": str(STORE),
            "api_url": STANDIN.url,
            "auth_url": STANDIN.url,
            "start_date": "2099-01-01",
        },
        include_stream_tests=False,  # they ask for keys inside the record; some lie deeper (raw_id tells them)
        suite_config=SuiteConfig(max_records_limit=None, ignore_no_records_for_streams=EMPTY),
        parse_env_config=False,
    )
):
    """Standard tests of the tap; those of single streams are in the other files."""
