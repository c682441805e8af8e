"""The length in a FIT file's header: a watch that dies while it records leaves it at zero, or too short.

Source: FIT protocol, "File Header": its own size, two versions, four bytes of length, ``.FIT``, a checksum in newer ones;
behind the data there is a checksum of two bytes.
"""

from __future__ import annotations

import re
import struct

_HEADER = re.compile(rb"[\x0c\x0e].{7}\.FIT", re.DOTALL)
_CHECKSUM = 2


def mended(content: bytes) -> bytes | None:
    """Give the file with a header that counts all its bytes, up to a file chained behind it.

    Nothing else differs, so that places in the one are places in the other. None where the header tells no less than
    there is.
    """
    if not _HEADER.match(content):
        return None
    size = content[0]
    (told,) = struct.unpack_from("<I", content, 4)
    following = _HEADER.search(content, size)
    there = (following.start() if following else len(content)) - size - _CHECKSUM
    if told >= there:
        return None
    return content[:4] + struct.pack("<I", there) + content[8:]
