"""Stages a part on a connection of its own while the one before it lands on another: both processors have work."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from target_postgres_bronze.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_postgres_bronze.batch import Part

    Connection = psycopg.Connection[Any]


class Ahead:
    """One part ahead at most, and one that waits for its turn. What cannot be staged ahead is staged where it lands; nothing depends on it."""

    def __init__(
        self, connect: Callable[[], Connection | None], stage: Callable[[Connection, Part], None]
    ) -> None:
        """Connect when there is something to stage.

        Args:
            connect: Gives a connection with the loader's temporary tables, or None where the server has none for us.
            stage: Sends a part over it, in a transaction.
        """
        self._connect = connect
        self._stage = stage
        self._worker: Worker[Connection | None] = Worker()
        self._part: Part | None = None
        self._next: Part | None = None
        # who reads starts, who lands takes
        self._turn = threading.Lock()
        self._idle: list[Connection] = []
        self._is_of_use = self._is_first = True

    def prepare(self) -> None:
        """Connect already, where nothing has been staged so far: there will be something."""
        if self._is_first:
            self._is_first = False
            self._worker.start(self._open)

    def start(self, part: Part) -> None:
        """Begin to stage *part*, or where the one before it was not taken yet, as soon as it is."""
        with self._turn:
            if self._part is None:
                self._begin(part)
            else:
                self._next = part

    def take(self, part: Part) -> Connection | None:
        """Return the connection on which *part* is staged, in a transaction to commit; None if it is staged on none."""
        if self._part is not part:
            return None
        connection = self._worker.wait()
        with self._turn:
            self._part = None
            if self._next is not None:
                part, self._next = self._next, None
                self._begin(part)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Take a connection back; what was not committed is undone."""
        try:
            connection.rollback()
            self._idle.append(connection)
        except psycopg.Error:
            connection.close()

    def close(self) -> None:
        """Close the connections for good; what is staged and was not taken is undone."""
        self._is_of_use = False
        self._next = None
        if self._part is not None and (connection := self.take(self._part)) is not None:
            connection.close()
        self._worker.wait()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _begin(self, part: Part) -> None:
        if self._is_of_use:
            self._is_first = False
            self._part = part
            self._worker.start(partial(self._send, part))

    def _open(self) -> None:
        if (connection := self._connect()) is None:
            self._is_of_use = False
        else:
            self._idle.append(connection)

    def _send(self, part: Part) -> Connection | None:
        if not self._idle:
            self._open()
        if not self._is_of_use:
            return None
        connection = self._idle.pop()
        try:
            self._stage(connection, part)
        except psycopg.Error:
            # a record that PostgreSQL refuses is found where the part lands
            self.give_back(connection)
            return None
        return connection
