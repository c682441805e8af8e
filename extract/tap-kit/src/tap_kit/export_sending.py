"""Sends what a parser finds in one member to the streams that it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_kit.export_members import Envelope, Found, Lines, Member, Rule

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from tap_kit.export import ExportTap
    from tap_kit.export_streams import ExportStream


class Sending:
    """The records of one member on their way.

    Attributes:
        counts: How many have been sent, by stream.
        found: How many the parser found, those of deselected streams included.
        strays: How many of them are not objects.
        has_letters: The parser keeps what it cannot read itself.
    """

    def __init__(
        self,
        tap: ExportTap,
        streams: Mapping[str, ExportStream],
        provenance: Mapping[str, Any],
        member: Member,
        only: AbstractSet[str] | None = None,
    ) -> None:
        """Send the records of *member*, which have *provenance* in common; of *only* these streams, if given."""
        self._tap = tap
        self._streams = streams
        self._provenance = provenance
        self._member = member
        self._envelopes: dict[str, Envelope] = {}
        self._limit = min((s.ABORT_AT_RECORD_COUNT or 0 for s in streams.values()), default=0)
        self._bytes = 0
        self._wanted = {
            name for name, stream in streams.items() if stream.selected and (only is None or name in only)
        }
        self.counts: Counter[str] = Counter()
        self.found = 0
        self.strays = 0
        self.has_letters = False

    def close(self) -> None:
        """Take note that the member is done."""
        self._member.watch = lambda _count: None
        self._tap.progress.advance(members=1, count=max(0, (self._member.size or 0) - self._bytes))

    def _advance(self, count: int) -> None:
        self._bytes += count
        self._tap.progress.advance(count=count)

    def run(self, rule: Rule) -> None:
        """Send what *rule* finds; errors of the parser come through, after what it found before."""
        if rule.parser is None:
            return
        self._member.envelope = self._prepared
        self._member.watch = self._advance
        for ordinal, found in enumerate(rule.parser(self._member), start=1):
            stream = self._streams[found.stream]
            self.found += found.count if isinstance(found, Lines) else 1
            if found.stream not in self._wanted:
                pass
            elif isinstance(found, Lines):
                self._send_lines(stream, found)
            else:
                self._send(stream, found, ordinal)
            if ordinal == self._limit:
                return

    def _send(self, stream: ExportStream, found: Found, ordinal: int) -> None:
        self.has_letters |= "dead_letter" in found.provenance
        if not isinstance(found.record, Mapping):
            self.strays += 1
            found = _stray(found)
        stream.send(found, self._common(stream), self._envelope(stream.name), ordinal)
        self.counts[stream.name] += 1
        self._tap.progress.advance(records=1)

    def _send_lines(self, stream: ExportStream, lines: Lines) -> None:
        if lines.fields:
            stream.tell_drift(lines.fields)
        self._tap.write(lines.content)
        stream.count += lines.count
        self.counts[stream.name] += lines.count
        self._tap.progress.advance(records=lines.count)

    def _envelope(self, name: str) -> Envelope:
        if name not in self._envelopes:
            stream = self._streams[name]
            self._envelopes[name] = stream.envelope(self._common(stream))
        return self._envelopes[name]

    def _common(self, stream: ExportStream) -> Mapping[str, Any]:
        """Tell what the records of a stream have in common: an old export's land, and what a later one said stays current."""
        return {**self._provenance, "degraded": True} if stream.is_stale else self._provenance

    def _prepared(self, name: str) -> Envelope | None:
        """Give the bytes around prepared lines, unless records have to be altered, or only a few are wanted."""
        stream = self._streams[name]
        usable = name in self._wanted and not stream.is_altered and not self._limit
        return self._envelope(name) if usable else None


def _stray(found: Found) -> Found:
    """Return the dead letter of an element that is not an object."""
    said = {"dead_letter": "an element of the file is not an object"}
    return replace(found, record={"value": found.record}, provenance={**found.provenance, **said})
