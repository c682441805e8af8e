"""The SDK's standard tests of taps, on a small profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browsers import Chromium
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_browser_history.tap import TapBrowserHistory

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: dict[str, Any] = {"profiles": []}

# The schemas describe every column that was ever seen; no layout has them all, no machine all browsers.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records"),
    pytest.mark.filterwarnings("ignore:No records were available to test"),
]


@pytest.fixture(scope="module", autouse=True)
def _small_profile(tmp_path_factory: pytest.TempPathFactory) -> None:
    path: Path = tmp_path_factory.mktemp("standard") / "History"
    chrome = Chromium(path)
    chrome.visit(chrome.url())
    CONFIG["profiles"].append({"path": str(path), "label": "chrome/Default"})


TestTapBrowserHistory = get_tap_test_class(
    TapBrowserHistory,
    config=CONFIG,
    parse_env_config=False,
    suite_config=SuiteConfig(ignore_no_records=True),
)
