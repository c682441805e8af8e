"""What every source of export files is certified for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_kit.export_suite import ExportSuite
from tap_spotify.tap import TapSpotify

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2011, 1, 1, tzinfo=UTC)


class TestTapSpotify(ExportSuite):
    """The extended history, in two files, so that equal plays lie in either."""

    tap_class = TapSpotify
    stream = "streaming_history"

    @override
    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        plays = [
            {
                "ts": f"{START + timedelta(seconds=fact):%Y-%m-%dT%H:%M:%SZ}",
                "ms_played": 200_000,
                "platform": "Android OS 4.2.2 API 17 (maker, model)",
                "master_metadata_track_name": text,
                "spotify_track_uri": f"spotify:track:{fact:022}",
            }
            for fact in facts
        ]
        half = (len(plays) + 1) // 2
        return {
            f"Streaming_History_Audio_2011_{number}.json": json.dumps(part).encode()
            for number, part in enumerate((plays[:half], plays[half:]))
        }
