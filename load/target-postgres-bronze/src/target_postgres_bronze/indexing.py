"""Builds the indexes of a source's table after a first load, with two connections: both processors have work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from target_postgres_bronze.worker import Worker

if TYPE_CHECKING:
    import psycopg

    from target_postgres_bronze.session import Session

_ON_PARTITIONS: Final = b"CALL bronze.index_partitions(%s)"


def build_indexes(session: Session, connection: psycopg.Connection[Any], source: str) -> None:
    """Build what indexes the table of *source* lacks yet, and merge what waits in its GIN indexes.

    Args:
        session: Gives a second connection, where there is something to build.
        connection: The first one, outside a transaction.
        source: Source.
    """
    values = [source]
    if connection.execute("SELECT FROM bronze.missing_indexes(%s)", values).fetchone() is not None:
        helper: Worker[None] = Worker()
        helper.start(lambda: session.beside(_ON_PARTITIONS, values))
        connection.execute(_ON_PARTITIONS, values)
        helper.wait()
    connection.execute("CALL bronze.index_source(%s)", values)
