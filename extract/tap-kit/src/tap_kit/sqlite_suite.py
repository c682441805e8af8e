"""For tests of sources that read SQLite: journals that make SQLite delete a file if it opens them unguarded."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = bytes.fromhex("d9d505f920a163d7")
SECTOR = 512
PAGE = 4096
LOCK_PAGE = 0x40000000 // PAGE + 1


def journal_naming(victim: Path, *, headers: int = 1, pages: int = 2) -> bytes:
    """Build a hot rollback journal that ends with the record of a super-journal called *victim*.

    Args:
        victim: The file that SQLite would delete.
        headers: How many headers without pages there are.
        pages: What the database has; it is truncated to them.
    """
    header = MAGIC + struct.pack(">IIIII", 0, 0, pages, SECTOR, PAGE)
    return header.ljust(SECTOR, b"\0") * headers + super_journal(victim)


def super_journal(victim: Path) -> bytes:
    """Build the record at a journal's end: lock page, name, length, checksum, magic number."""
    name = str(victim).encode()
    checksum = sum(struct.unpack(f"{len(name)}b", name)) & 0xFFFFFFFF
    return struct.pack(">I", LOCK_PAGE) + name + struct.pack(">II", len(name), checksum) + MAGIC
