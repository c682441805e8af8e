"""Lines that are too long for PostgreSQL: measured as they come, and never held in memory."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Final

#: A value has 1 GB at most (PostgreSQL 18, appendix K), and the bytes of a dead letter are sent in hexadecimal digits, two for each.
LARGEST_LINE: Final = 500_000_000
#: A line begins with its type and stream if singer-sdk or singer-python wrote it.
_BEGINNING: Final = re.compile(
    rb'\s*\{\s*"type"\s*:\s*"RECORD"\s*,\s*"stream"\s*:\s*"([\x20\x21\x23-\x5b\x5d-\x7e]{1,500})"'
)
_BEGINNING_BYTES: Final = 1024


class LongLine:
    """A line that is read to its end without being kept.

    Attributes:
        size: Its bytes so far.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.size = 0
        self._digest = sha256()
        self._beginning = b""

    def add(self, piece: bytes) -> None:
        """Add the next bytes of the line."""
        self.size += len(piece)
        self._digest.update(piece)
        if len(self._beginning) < _BEGINNING_BYTES:
            self._beginning += piece[:_BEGINNING_BYTES]

    @property
    def stream(self) -> str:
        """The stream that its beginning names, or nothing."""
        match = _BEGINNING.match(self._beginning)
        return match[1].decode() if match else ""

    def reference(self) -> bytes:
        """Return what a dead letter keeps instead of the line: the same for the same line in every run."""
        return json.dumps({"size": self.size, "sha256": self._digest.hexdigest()}).encode()
