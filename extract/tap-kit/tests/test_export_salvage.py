"""A zip that has lost its end gives the members that it still has."""

from __future__ import annotations

import io
import random
import zipfile
from typing import IO, TYPE_CHECKING

import pytest

from tap_kit.export import MemberError
from tap_kit.export_archives import open_archive
from tap_kit.export_salvage import salvaged

if TYPE_CHECKING:
    from tap_kit.export import Member

CHANCE = random.Random(1)
TEXTS = {
    "a/one.txt": b"one " * 1000,
    "a/zwei-\u00fc.txt": CHANCE.randbytes(100_000),
    "a/three.txt": b"",
    "a/four.txt": b"PK\x03\x04 PK\x01\x02",
}


class Unseekable(io.BytesIO):
    """Makes zipfile write the sizes behind the members, as a phone that streams does."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise io.UnsupportedOperation


def packed(method: int, *, streamed: bool) -> bytes:
    file = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, text in TEXTS.items():
            archive.writestr(name, text)
    return file.getvalue()


def members(content: bytes) -> list[Member]:
    def opener() -> IO[bytes]:
        return io.BytesIO(content)

    return list(salvaged("a.zip", opener, len(content)))


@pytest.mark.parametrize("streamed", [False, True], ids=["sizes before", "sizes behind"])
def test_members_are_found_without_the_directory(*, streamed: bool) -> None:
    content = packed(zipfile.ZIP_DEFLATED, streamed=streamed)
    found = members(content[: content.index(b"PK\x01\x02", content.rindex(b"four.txt", 0, -200))])
    assert {member.name: member.read() for member in found} == TEXTS


def test_stored_members_are_found() -> None:
    content = packed(zipfile.ZIP_STORED, streamed=False)
    assert {member.name: member.read() for member in members(content)} == TEXTS


@pytest.mark.parametrize("streamed", [False, True], ids=["sizes before", "sizes behind"])
def test_the_member_in_which_the_file_ends_gives_what_it_has(*, streamed: bool) -> None:
    content = packed(zipfile.ZIP_DEFLATED, streamed=streamed)
    first, second = members(content[:50_000])
    assert first.read() == TEXTS["a/one.txt"]
    with second.open() as file:
        got = b"".join(file.read(1000) for _ in range(40))
        with pytest.raises(MemberError, match="damaged or cut off"):
            file.read()
    assert TEXTS[second.name].startswith(got)
    assert len(got) == 40_000


def test_what_is_no_zip_at_all_is_told() -> None:
    with pytest.raises(MemberError, match=r"a\.zip: damaged or cut off"):
        open_archive("a.zip", lambda: io.BytesIO(b"hello" * 100), 500)


def test_random_bytes_behind_a_header_end_the_search() -> None:
    for seed in range(50):
        noise = random.Random(seed).randbytes(300)
        for member in members(b"PK\x03\x04" + noise):
            with pytest.raises(MemberError):
                member.read()
