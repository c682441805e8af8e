"""Records with provenance, and the writer that puts them on stdout."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage, StateMessage
from typing_extensions import override

from tap_kit.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping


class Raw(dict[str, Any]):
    """A record as the source sent it, with what is known of where it came from.

    It is the payload (the SDK and the stream treat it as the plain dict it is); the provenance travels beside
    it, as an attribute, and never becomes part of it.
    """

    __slots__ = ("provenance",)

    def __init__(self, record: Mapping[str, Any], provenance: Mapping[str, Any] | None = None) -> None:
        """Wrap *record*; members of *provenance* are named in the README ("Provenance")."""
        super().__init__(record)
        self.provenance: dict[str, Any] = dict(provenance or {})


@dataclass(slots=True)
class ProvenanceRecordMessage(RecordMessage):
    """A RECORD message with the member ``provenance`` beside ``record``."""

    provenance: dict[str, Any] | None = None

    @override
    def to_dict(self) -> dict[str, Any]:
        result = RecordMessage.to_dict(self)
        if self.provenance:
            result["provenance"] = self.provenance
        return result


class ExactWriter(GenericSingerWriter[bytes, Message]):
    """Writes Singer messages in UTF-8 with every digit, one per line, whatever the locale says."""

    def __init__(self) -> None:
        """Start without a state."""
        self._last_state = b'{"type":"STATE","value":{}}'

    def write_completion(self) -> None:
        """Write that the tap has sent everything that it was asked for.

        It is the last STATE message again, with a member ``"completed": true`` that other targets ignore.
        """
        self._write(self._last_state[:-1] + b',"completed":true}\n')

    @override
    def serialize_message(self, message: Message) -> bytes:
        return dumps(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        line = self.format_message(message)
        if isinstance(message, StateMessage):
            self._last_state = line.rstrip()
        self._write(line)

    @staticmethod
    def _write(line: bytes) -> None:
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is None:  # a test's StringIO
            sys.stdout.write(line.decode())
        else:
            buffer.write(line)
        sys.stdout.flush()
