"""Dead letters: the bytes of members that their parser cannot read, so that nothing of them is lost.

They go to a stream of their own, marked with ``dead_letter`` in the provenance: the loader keeps such lines apart until a replay lands
them. Meltano passes lines of up to 50 MiB on, so that a member is cut into chunks, and a large one is named by its hash alone.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from tap_kit.export_members import MemberError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_kit.export_members import Member

CHUNK_BYTES = 8 << 20
"""Bytes of a member in one line, which base64 makes a third longer."""

MAX_KEPT_BYTES = 64 << 20
"""Members with more bytes are named by their hash, and have to be kept as files."""


def letters(member: Member) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield records and their provenance that hold the bytes of *member*, as far as they can be read.

    The same bytes make the same lines, whatever archive they come in, so that the loader keeps them once.
    """
    size = member.size or 0
    if size > MAX_KEPT_BYTES:
        sentence = f"a parser cannot read this file of {size} bytes; it is too large to be kept here. Keep the export: its SHA-256 names it"
        yield _letter(member, 0, None, sentence)
        return
    offset = 0
    try:
        for chunk in member.chunks(CHUNK_BYTES):
            end = offset + len(chunk)
            yield _letter(
                member, offset, chunk, f"a parser cannot read bytes {offset} to {end} of {size} of this file"
            )
            offset = end
    except MemberError:
        return  # what can be read of a damaged member has been yielded


def _letter(
    member: Member, offset: int, content: bytes | None, sentence: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    name = member.name or member.path
    record = {
        "path": name,
        "sha256": member.digest,
        "size": member.size,
        "offset": offset,
        "content": None if content is None else b64encode(content).decode("ascii"),
    }
    return record, {"dead_letter": sentence, "raw_id": f"{name} {member.digest} {offset}"}
