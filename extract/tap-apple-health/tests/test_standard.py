"""The SDK's standard tests of taps, on an export that has everything once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_apple_health.standin import one_of_each
from tap_apple_health.tap import TapAppleHealth

if TYPE_CHECKING:
    from collections.abc import Iterator


# The schemas describe every attribute that was ever seen; no export has them all.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records"),
    pytest.mark.filterwarnings("ignore:No records were available to test"),
]


@pytest.fixture(scope="module", autouse=True)
def _whole_export(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    project = tmp_path_factory.mktemp("standard")
    one_of_each(project / "export.zip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MELTANO_PROJECT_ROOT", str(project))
        yield


class TestTapAppleHealth(
    get_tap_test_class(  # type: ignore[misc] # the SDK makes the class
        TapAppleHealth,
        config={"path": "export.zip"},
        suite_config=SuiteConfig(
            max_records_limit=None, ignore_no_records_for_streams=["other_elements", "damaged_elements"]
        ),
        parse_env_config=False,
    )
):
    """Standard tests; elements that nobody knows or that are no XML are what the export lacks."""
