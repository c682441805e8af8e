"""Original files that Garmin gives out: kept whole, and their FIT messages sent as well."""

from __future__ import annotations

import base64
import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError

if TYPE_CHECKING:
    from tap_garmin.tap import TapGarmin
    from tap_kit import Raw

LARGEST = 200_000_000
"""Bytes that a download may unpack to; a few megabytes are usual."""


@dataclass(frozen=True)
class Original:
    """A file out of a download."""

    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Hash of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def payload(self) -> dict[str, Any]:
        """What a record says of the file, itself included."""
        return {
            "sha256": self.sha256,
            "name": self.name,
            "size": len(self.content),
            "content": base64.b64encode(self.content).decode(),
        }


class Originals:
    """The FIT files among the records of one request, until these have been sent."""

    def __init__(self, tap: TapGarmin) -> None:
        """Keep none yet."""
        self._tap = tap
        self._waiting: list[tuple[dict[str, Any], bytes]] = []

    def told(self, record: Raw, original: Original) -> Raw:
        """Say in a record's provenance which file it is, and keep a FIT file for :meth:`sent`."""
        record.provenance |= {
            "file_path": original.name,
            "file_hash": original.sha256,
            "file_size": len(original.content),
        }
        if original.name.lower().endswith(".fit"):
            self._waiting.append((record.provenance, original.content))
        return record

    def sent(self) -> None:
        """Send the messages of the files whose records have been sent."""
        waiting, self._waiting = self._waiting, []
        for provenance, content in waiting:
            self._tap.fit_messages.take(provenance, content)


def unpacked(body: bytes, what: str) -> list[Original]:
    """Take the files out of a download; what is no zip counts as the file itself.

    Args:
        body: The download.
        what: Its name in errors.

    Raises:
        FatalAPIError: The zip is damaged, or unpacks to far more than such files have.
    """
    if not body.startswith(b"PK"):
        return [Original("original.fit" if body[8:12] == b".FIT" else "original", body)]
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if sum(info.file_size for info in infos) > LARGEST:
                raise FatalAPIError(f"{what} unpacks to more than {LARGEST // 1_000_000} MB; left out.")
            return [Original(info.filename, archive.read(info)) for info in infos]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise FatalAPIError(
            f"{what} came as a damaged zip ({type(error).__name__}). It is fetched again in the next run."
        ) from None
