"""Sends rows by COPY, no faster than the server takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg.copy import LibpqWriter
from psycopg.generators import copy_to

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import psycopg
    from psycopg.abc import Buffer, Query
    from psycopg.copy import Copy

#: What the server has not taken is at most so much.
_CHUNK: Final = 1024 * 1024


def copy_in(cursor: psycopg.Cursor[Any], statement: Query) -> AbstractContextManager[Copy]:
    """Begin *statement*, a COPY FROM STDIN; what is written to it goes to the server before the next is taken."""
    return cursor.copy(statement, writer=_Writer(cursor))


class _Writer(LibpqWriter):
    """Sends each chunk before it takes the next.

    psycopg's own leaves what the server does not take at once in libpq's buffer, which then grows to all that is written, and is moved
    up in memory as a whole whenever the server has taken a little: time that grows with the square of what is sent.
    """

    def write(self, data: Buffer) -> None:
        view = memoryview(data)
        for start in range(0, len(view), _CHUNK):
            self.connection.wait(copy_to(self.connection.pgconn, view[start : start + _CHUNK], flush=True))
