"""Builds the indexes of a source's table after a first load, with two connections: both processors have work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import psycopg

from target_postgres_bronze.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from target_postgres_bronze.session import Session

_IS_INCOMPLETE: Final = "SELECT EXISTS (SELECT FROM bronze.missing_indexes(%s))"
_ON_PARTITIONS: Final = b"CALL bronze.index_partitions(%s)"
_ON_A_PARTITION: Final = "CALL bronze.index_partitions(%s, %s)"


class Indexing:
    """The index work of one run."""

    def __init__(self, session: Session, source: str) -> None:
        """Prepare; *session* gives the connection of the run, and a second one where there is something to build."""
        self._session = session
        self._source = source
        self._early: Worker[None] = Worker()
        self._is_late = False
        self._is_building = False

    def begin(self, months: Collection[date]) -> None:
        """Begin with the partitions of *months*, into which nothing will come any more, while the last parts land."""
        self._early.start(partial(self._build_early, months))

    def stop(self) -> None:
        """Go no further with what `begin` began than the partition that is in hand."""
        self._is_late = True
        self._early.wait()

    def break_off(self) -> None:
        """Leave what is being built, and the rest, to the next run."""
        self._is_late = True
        if self._is_building:
            self._session.break_off()

    def finish(self) -> None:
        """Build what indexes the table lacks yet, and merge what waits in its GIN indexes; or until a signal breaks it off."""
        self.stop()
        self._is_building = True
        try:
            self._session.run(self._build_all)
        except psycopg.errors.QueryCanceled:
            if not self._session.is_stopped():
                raise
        finally:
            self._is_building = False

    def _build_all(self, connection: psycopg.Connection[Any]) -> None:
        values = [self._source]
        if _is_incomplete(connection, self._source):
            helper: Worker[None] = Worker()
            helper.start(lambda: self._session.beside(_ON_PARTITIONS, values))
            try:
                connection.execute(_ON_PARTITIONS, values)
            finally:
                helper.wait()
        if not self._session.is_stopped():
            connection.execute("CALL bronze.index_source(%s)", values)

    def _build_early(self, months: Collection[date]) -> None:
        if not self._session.between(partial(_is_incomplete, source=self._source)):
            return
        self._is_building = True
        for month in sorted(months, reverse=True):
            if self._is_late or not self._session.between(partial(_build, source=self._source, month=month)):
                break
        self._is_building = False


def _is_incomplete(connection: psycopg.Connection[Any], source: str) -> bool:
    row: Any = connection.execute(_IS_INCOMPLETE, [source]).fetchone()
    return bool(row[0])


def _build(connection: psycopg.Connection[Any], source: str, month: date) -> bool:
    connection.execute(_ON_A_PARTITION, [source, [month]])
    return True
