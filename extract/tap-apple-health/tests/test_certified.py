"""The certification that every source of export files passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from xml.sax.saxutils import escape

from typing_extensions import override

from tap_apple_health.standin import FOLDER, document, record
from tap_apple_health.tap import TapAppleHealth
from tap_kit.export_suite import NEW, ExportSuite

if TYPE_CHECKING:
    from collections.abc import Sequence


class TestTapAppleHealth(ExportSuite):
    """All of it."""

    tap_class = TapAppleHealth
    stream = "records"
    impossible: ClassVar[dict[str, str]] = {
        "zero": "no XML holds U+0000, and the phone writes none",
        "half": "the file is UTF-8, which has no halves of pairs",
    }

    @override
    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        quoted = escape(text, {'"': "&quot;", "\t": "&#9;"})
        lines = [record(fact, sourceName=quoted) for fact in facts]
        return {f"{FOLDER}/export.xml": document(*lines).encode()}

    @override
    def drifted(self, facts: Sequence[int]) -> dict[str, bytes]:
        lines = [record(fact, **{NEW: "1"}) for fact in facts]
        return {f"{FOLDER}/export.xml": document(*lines).encode()}
