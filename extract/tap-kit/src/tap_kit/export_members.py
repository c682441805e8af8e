"""What an export consists of: members, each a stream of bytes, and how a tap tells them apart.

A member is a file as it lies in a folder, or inside an archive; it is read from its beginning as often as needed, in
constant memory, and nothing is unpacked to disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

from tap_kit.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_kit.export_archives import Held

CHUNK = 1 << 18
"""Bytes that are read at once."""

_PART = 1 << 15

LITTER = re.compile(
    r"(?:^|/)(?:__MACOSX/|\._[^/]*$|\.DS_Store$|\.localized$|Thumbs\.db$|desktop\.ini$|\.(?:Trashes|Trash-\d+|fseventsd|Spotlight-V100|"
    r"TemporaryItems|DocumentRevisions-V100)/|\$RECYCLE\.BIN/|System Volume Information/)",
    re.IGNORECASE,
)
"""What operating systems leave behind in folders and archives."""

_SECOND_DOWNLOAD = re.compile(
    r"(?: \(\d{1,3}\)|(?: -)? (?:copy|kopie|copie|copia)(?: \d{1,3}| \(\d{1,3}\))?)+(?=(?:\.[^/.]+)*(?:/|$))",
    re.IGNORECASE,
)
"""What browsers and file managers add to the name of a second download or a copy: `` (1)``, `` - Copy``, `` - Kopie (2)``."""

_ANY_STEM = "\x00"


def plain_name(name: str) -> str:
    """Return *name* (a path) without what marks second downloads and copies."""
    return _SECOND_DOWNLOAD.sub("", name)


def copy_mark(name: str) -> str:
    """Return what marks the file at the end of *name* as a second download or copy; empty if nothing does."""
    return "".join(_SECOND_DOWNLOAD.findall(name.rpartition("/")[2]))


def folder_of(name: str) -> str:
    """Return the folder of *name*, with a slash at its end; empty at the top."""
    return name[: name.rfind("/") + 1]


class MemberError(TapError):
    """A member cannot be read, or not to its end; what was read before stays read."""


class LockedError(MemberError):
    """A member cannot be read today (password, permission): the next run tries again."""


class LeftOutError(MemberError):
    """A parser has looked, and the member is none of its kind: it counts as ignored, with the message as the reason."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record that a parser found.

    Attributes:
        stream: Name of its stream.
        record: The payload, untouched; a value that is not an object becomes a dead letter.
        provenance: What is known of this record alone, such as ``raw_id``; the kit adds the file's.
    """

    stream: str
    record: Any
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lines:
    """RECORD messages that a parser has made itself, for speed (see ``ExportTap.envelope``).

    Attributes:
        stream: Name of their stream.
        content: Whole lines, each with its end.
        count: How many they are.
        fields: Names of the records' members that the parser has met for the first time.
    """

    stream: str
    content: bytes
    count: int
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a tap's table: which members, and what reads them.

    Attributes:
        pattern: Regular expression that the member's name, or the end of it from a slash on, matches as a whole, in
            upper or lower case.
        parser: Yields what it finds in a member; None: left out on purpose.
        reason: Why it is left out.
        content: Regular expression that has to occur in the first 64 KiB, where the name does not tell.
        encoding: Of the text in it, for the provenance; empty: it is no text.
        record_bytes: The most that a record takes on average; fewer records than the file's size suggests are said
            aloud. 0: not known.
        inside: Makes the line a catch-all, for names that say nothing: it counts only for files below a folder whose name
            this regular expression matches as a whole, and beside files (same folder) whose names other lines know.
    """

    pattern: str
    parser: Callable[[Member], Iterable[Found | Lines]] | None
    reason: str = ""
    content: bytes = b""
    encoding: str = ""
    record_bytes: int = 0
    inside: str | None = None

    def matches(self, member: Member) -> bool:
        """Tell whether this line is about *member*; of a catch-all, whether its pattern is.

        Raises:
            LockedError: It would have to be looked into, and cannot be read today.
        """
        if not self.names(member.name):
            return False
        return not self.content or re.search(self.content, member.head()) is not None

    def names(self, name: str) -> bool:
        """Tell whether the pattern matches *name*, as it is or without the mark of a second download."""
        return self._fits(name) or ((plain := plain_name(name)) != name and self._fits(plain))

    def knows(self, name: str) -> bool:
        """Tell whether *name* shows by more than its extension that the file is of this source."""
        if self.parser is None or self.inside is not None or self.content or not self.names(name):
            return False
        file = plain_name(name).rpartition("/")[2]
        return not self._fits(_ANY_STEM + file[len(file.partition(".")[0]) :])

    def is_inside(self, name: str) -> bool:
        """Tell whether *name* is below a folder of which a catch-all may take everything."""
        pattern = f"(?:.*/)?(?:{self.inside})/.*"
        return self.inside is not None and bool(
            re.fullmatch(pattern, plain_name(name), re.IGNORECASE | re.DOTALL)
        )

    def expects_content(self, name: str) -> bool:
        """Tell whether a file of this *name*, which alone does not decide, has to have content for the parser."""
        return bool(self.parser and self.content and not self._fits(_ANY_STEM)) and self.names(name)

    def _fits(self, name: str) -> bool:
        return re.fullmatch(f"(?:.*/)?(?:{self.pattern})", name, re.IGNORECASE | re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Envelope:
    """The constant bytes around the records of one stream and member.

    ``before + record + between + provenance + after`` is a line, where *provenance* are further members as JSON,
    each with a comma before it: ``,"raw_id":"x"``.
    """

    before: bytes
    between: bytes
    after: bytes = b"}}\n"


@dataclass(slots=True)
class Member:
    """One file of an export.

    Attributes:
        path: Where it lies, from the named folder on: ``export.zip/a/b.json``.
        name: Where it lies inside the export: ``a/b.json``.
        opener: Opens it at its beginning.
        size: Bytes, unpacked; None until it has been read, where the archive does not say.
        modified: When it was changed, as the archive or the folder says, ISO 8601; informative.
        compression: Such as ``deflate``; None where it is stored as it is.
        refused: Why it must not be read, if so.
        ignored: That is on purpose, and no gap.
        locked: That is so today alone, and the next run tries again.
        export: The export that it belongs to.
        digest: SHA-256 of its bytes, once they have been read (`hash_content`).
        damage: What went wrong while they were.
        envelope: Gives the bytes around the records of a stream, for parsers that make lines themselves; None: that
            is not wanted (the stream or a field is deselected), yield `Found`.
        watch: Told how many bytes have been read by way of `chunks`.
    """

    path: str
    name: str
    opener: Callable[[], IO[bytes]]
    size: int | None = None
    modified: str | None = None
    compression: str | None = None
    refused: str = ""
    ignored: bool = False
    locked: bool = False
    export: Export | None = None
    digest: str = ""
    damage: str = ""
    envelope: Callable[[str], Envelope | None] = lambda _stream: None
    watch: Callable[[int], None] = lambda _count: None

    def open(self) -> IO[bytes]:
        """Open it at its beginning, for reading forward.

        Raises:
            MemberError: It cannot be opened, or while reading: it is damaged.
        """
        return self.opener()

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """Yield its bytes, *size* at a time; where it is damaged, what comes before that and then the error."""
        for chunk in self._chunks(size):
            self.watch(len(chunk))
            yield chunk

    def _chunks(self, size: int) -> Iterator[bytes]:
        with self.open() as file:
            goes_on = True
            while goes_on:
                parts: list[bytes] = []
                try:
                    goes_on = _fill(parts, file, size)
                except MemberError:
                    if parts:
                        yield b"".join(parts)
                    raise
                if parts:
                    yield b"".join(parts)

    def head(self, size: int = 1 << 16) -> bytes:
        """Return its first bytes; what is damaged is missing.

        Raises:
            LockedError: It cannot be read today.
        """
        content = b""
        try:
            for chunk in self._chunks(min(size, CHUNK)):
                content += chunk
                if len(content) >= size:
                    break
        except LockedError:
            raise
        except MemberError:
            return content
        return content[:size]

    def read(self, limit: int = 256 << 20) -> bytes:
        """Return its bytes at once.

        Raises:
            MemberError: They are more than *limit*, which is meant for members that are small by nature.
        """
        with self.open() as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise MemberError(f"{self.path}: larger than {limit >> 20} MiB, which such a file never is.")
        return content

    def hash_content(self, told: Callable[[int], None] = lambda _count: None) -> str:
        """Read it through for `digest` and `size`; damage is noted, and the hash is of what could be read.

        Raises:
            LockedError: It cannot be read today.
        """
        hashing, size = sha256(), 0
        try:
            for chunk in self.chunks(1 << 20):
                hashing.update(chunk)
                size += len(chunk)
                told(len(chunk))
        except LockedError:
            raise
        except MemberError as error:
            self.damage = str(error)
        self.digest = hashing.hexdigest()
        self.size = size
        return self.digest

    @property
    def provenance(self) -> dict[str, Any]:
        """What each record from this member says of where it came from."""
        said = {
            "file_path": self.path,
            "file_hash": self.digest,
            "file_size": self.size,
            "compression_type": self.compression,
        }
        return {name: value for name, value in said.items() if value not in {None, ""}}


def _fill(parts: list[bytes], file: IO[bytes], size: int) -> bool:
    """Read *size* bytes into *parts*, little by little, as an error takes its piece with it; tell whether more may come."""
    read = getattr(file, "read1", file.read)
    while size > 0:
        part: bytes = read(min(size, _PART))
        if not part:
            return False
        parts.append(part)
        size -= len(part)
    return True


@dataclass(slots=True)
class Export:
    """What came from the service at one time: an archive, a set of archives, or the loose files of a folder.

    It is read as a whole or not at all: what it does not hold may be gone.

    Attributes:
        path: Where it lies, from the named folder on.
        members: Its files, in the order of the archive.
        files: The archives' own bytes, for the quick look whether it has been read before; none for loose files.
        moment: When it was made, as text that sorts; see ``ExportTap.moment_of``.
        is_dated: Its content says so, and not only the times of its files.
        helds: What is open for its members.
    """

    path: str
    members: Sequence[Member]
    files: Sequence[Member] = ()
    moment: str = ""
    helds: Sequence[Held] = ()
    is_dated: bool = False

    def close(self) -> None:
        """Close what is open for its members; reading one opens it again."""
        for held in self.helds:
            held.close()

    def find(self, name: str) -> Member | None:
        """Return the member whose name ends in *name* (whole steps of the path), if there is one."""
        wanted = name.strip("/")
        return next((m for m in self.members if m.name == wanted or m.name.endswith("/" + wanted)), None)
