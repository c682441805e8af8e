"""What every source of export files is certified for."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_garmin.tap import TapGarmin
from tap_kit.export_suite import ExportSuite

if TYPE_CHECKING:
    from collections.abc import Sequence

START = date(2011, 1, 1)
FOLDER = "DI_CONNECT/DI-Connect-Aggregator"


class TestTapGarmin(ExportSuite):
    """Daily summaries; the same day in two files is one record, as neighbouring files share a day."""

    tap_class = TapGarmin
    stream = "export_daily_summaries"
    silent_drift = "fields differ by device, sport and year, so the schemas name the keys alone"

    @override
    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        days = [
            {
                "calendarDate": (START + timedelta(days=fact)).isoformat(),
                "totalSteps": 1000 + fact,
                "wellness": {"rule": text},
            }
            for fact in facts
        ]
        return {f"{FOLDER}/UDSFile_2011-01-01_2011-04-11.json": json.dumps(days).encode()}
