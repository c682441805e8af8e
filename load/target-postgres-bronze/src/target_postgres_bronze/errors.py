"""What the loader says when it cannot go on, and when a single message cannot become a row."""

from __future__ import annotations

from typing import Literal

Category = Literal["api", "validation", "database", "system", "source"]


class LoaderError(Exception):
    """The run cannot go on; the message says what, where, the rule and the remedy, and quotes no payload."""


class RejectedError(Exception):
    """One message cannot become a row: it goes to the dead letters, and the rest goes on.

    Attributes:
        reason: Which rule, in words; never the content.
        category: ``api`` (the tap breaks the protocol), ``validation`` (the message cannot be read),
            ``database`` (PostgreSQL refuses it), ``system`` (the loader fails on it), ``source`` (the tap could not read it).
        stream: Stream that the message names, empty if none.
    """

    def __init__(self, reason: str, category: Category = "validation", stream: str = "") -> None:
        """Make the error; arguments as in the attributes."""
        super().__init__(reason)
        self.reason = reason
        self.category = category
        self.stream = stream
