"""Commits and tags from the text of their Git objects, losing nothing.

Source: the object format as Git's documentation gives it (``gitformat-signature``, ``git-commit-tree``, ``git-mktag``)
and as ``git fsck`` tolerates it: headers up to the first empty line, continued by lines that start with a space;
then the message. A person's line is ``Name <email> seconds offset``; old tools have left broken ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

_PERSON = re.compile(
    rb"^(?P<name>[^<]*?) ?<(?P<email>[^>]*)>(?: (?P<seconds>-?\d{1,18}) (?P<offset>[+-]\d+))?$"
)
_LONGEST_OFFSET = timedelta(hours=24)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class GitObject:
    """Headers and message of a commit or tag, in bytes, in their order."""

    headers: tuple[tuple[bytes, bytes], ...]
    message: bytes

    def first(self, name: bytes) -> bytes | None:
        """Give the first header of this name."""
        return next((value for header, value in self.headers if header == name), None)

    def all(self, name: bytes) -> list[bytes]:
        """Give all headers of this name."""
        return [value for header, value in self.headers if header == name]

    def others(self, *names: bytes) -> list[tuple[bytes, bytes]]:
        """Give the headers that have none of these names."""
        return [(name, value) for name, value in self.headers if name not in names]


def parse_object(content: bytes) -> GitObject:
    """Split the content of a commit or tag object; continued headers are joined by line ends."""
    head, _, message = content.partition(b"\n\n")
    headers: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and headers:
            name, value = headers[-1]
            headers[-1] = (name, value + b"\n" + line[1:])
        else:
            name, _, value = line.partition(b" ")
            headers.append((name, value))
    return GitObject(tuple(headers), message)


def commit_record(identity: str, git_object: GitObject, codec: str) -> dict[str, Any]:
    """Make the payload of a commit, without its files.

    Args:
        identity: The commit's hash.
        git_object: Its content.
        codec: What :func:`codec_of` said.
    """
    known = (b"tree", b"parent", b"author", b"committer", b"encoding")
    declared = git_object.first(b"encoding")
    return {
        "hash": identity,
        "tree": decode(git_object.first(b"tree") or b"", codec),
        "parents": [decode(parent, codec) for parent in git_object.all(b"parent")],
        "author": person(git_object.first(b"author"), codec),
        "committer": person(git_object.first(b"committer"), codec),
        "encoding": None if declared is None else decode(declared, codec),
        "headers": _told(git_object.others(*known), codec),
        "message": decode(git_object.message, codec),
    }


def tag_record(git_object: GitObject, codec: str) -> dict[str, Any]:
    """Make the part of a tag's payload that an annotated tag's own object holds."""
    return {
        "tagger": person(git_object.first(b"tagger"), codec),
        "message": decode(git_object.message, codec),
        "headers": _told(git_object.others(b"object", b"type", b"tag", b"tagger"), codec),
    }


def codec_of(git_object: GitObject) -> str:
    """Find the encoding of an object's texts: the declared one if it holds, else UTF-8 or ISO-8859-1.

    One that holds decodes everything and gives the same bytes back; ISO-8859-1 always does, so nothing is lost
    even where it is a guess.
    """
    declared = (git_object.first(b"encoding") or b"").decode("ascii", "replace")
    content = b"\n".join([git_object.message, *(part for header in git_object.headers for part in header)])
    return next(codec for codec in (declared, "UTF-8", "ISO-8859-1") if codec and holds(codec, content))


def holds(codec: str, content: bytes) -> bool:
    """Tell whether *codec* decodes *content* to a text that encodes to the same bytes."""
    try:
        return content.decode(codec).encode(codec) == content
    except (LookupError, UnicodeError):
        return False


def decode(content: bytes, codec: str) -> str:
    """Decode what :func:`codec_of` has tried out."""
    return content.decode(codec)


def person(line: bytes | None, codec: str) -> dict[str, Any] | None:
    """Read an author, committer or tagger.

    Returns:
        name, email, ``seconds`` since 1970 (UTC), ``offset`` as written (``+0200``), and ``date``, the two as
        ISO 8601. A line that does not follow the form has these null, and whole in ``line``. None: no line.
    """
    if line is None:
        return None
    match = _PERSON.match(line)
    if match is None or match["seconds"] is None:
        known = {} if match is None else match.groupdict()
        name, email = known.get("name"), known.get("email")
        return {
            "name": None if name is None else decode(name, codec),
            "email": None if email is None else decode(email, codec),
            "seconds": None,
            "offset": None,
            "date": None,
            "line": decode(line, codec),
        }
    seconds, offset = int(match["seconds"]), match["offset"].decode("ascii")
    return {
        "name": decode(match["name"], codec),
        "email": decode(match["email"], codec),
        "seconds": seconds,
        "offset": offset,
        "date": iso_date(seconds, offset),
    }


def iso_date(seconds: int, offset: str) -> str | None:
    """Write a moment with its offset in ISO 8601; in UTC if the offset is none, null outside of years 1 to 9999."""
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
        return moment.astimezone(_zone(offset)).isoformat()
    except OverflowError:
        return None


def _zone(offset: str) -> timezone:
    distance = timedelta(hours=int(offset[1:-2] or 0), minutes=int(offset[-2:]))
    if len(offset) != len("+hhmm") or distance >= _LONGEST_OFFSET:
        return UTC
    return timezone(-distance if offset.startswith("-") else distance)


def _told(headers: list[tuple[bytes, bytes]], codec: str) -> list[dict[str, str]]:
    return [{"name": decode(name, codec), "value": decode(value, codec)} for name, value in headers]
