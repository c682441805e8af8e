"""The SDK's standard tests of taps, on a small export."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_spotify.tap import TapSpotify

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: dict[str, Any] = {"account": "ada"}

# The schemas describe every field of every generation; no export has them all. The records of exports do not pass
# through the SDK's streams, which these tests look into.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records"),
    pytest.mark.filterwarnings("ignore:No records were available to test"),
]


@pytest.fixture(scope="module", autouse=True)
def _small_export(tmp_path_factory: pytest.TempPathFactory) -> None:
    path: Path = tmp_path_factory.mktemp("standard") / "my_spotify_data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("endsong_0.json", json.dumps([{"ts": "2013-05-01T10:00:00Z", "ms_played": 1}]))
    CONFIG["path"] = str(path)


TestTapSpotify = get_tap_test_class(
    TapSpotify, config=CONFIG, parse_env_config=False, suite_config=SuiteConfig(ignore_no_records=True)
)
