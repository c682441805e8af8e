"""Content hashes computed again from the rows, by the loader's own reading."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final

from target_postgres_bronze.errors import RejectedError
from target_postgres_bronze.payload import content_hash, read_payload
from target_postgres_bronze.streams import volatile_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import psycopg
    from psycopg.rows import DictRow

PART: Final = 5_000
ROWS: Final = """
    SELECT
        r.id, r.raw_id, r.raw_data::text AS text, r.metadata ->> 'raw_base64' AS original, r.metadata ->> 'stream' AS stream,
        r.lineage_metadata ->> 'content_hash' AS hash, r.lineage_metadata ->> 'schema_hash' AS schema_hash
    FROM public.{} AS r
"""
VOLATILE: Final = """
    SELECT stream, schema_hash, json_schema -> 'x-volatile' AS pointers FROM bronze.schemas
    WHERE source = %s AND jsonb_typeof(json_schema -> 'x-volatile') = 'array'
"""
#: jsonb writes 1E+20 in all its digits; whether a number was sent so cannot be told from the row.
MANY_ZEROS: Final = re.compile(r"\d0{5}")


class HashCheck:
    """Goes through a source's rows.

    Attributes:
        checked: Rows that were looked at.
        untold: Rows whose hash cannot be computed from jsonb: a number may have been sent with an exponent.
    """

    def __init__(self, connection: psycopg.Connection[DictRow], source: str) -> None:
        """Check the rows of *source* over *connection*."""
        self._connection = connection
        self._source = source
        self.checked = self.untold = 0
        found = connection.execute(VOLATILE, [source]).fetchall()
        self._volatile = {
            (row["stream"], row["schema_hash"]): volatile_paths(row["pointers"]) for row in found
        }

    def damaged(self, advance: Callable[[float], None]) -> Iterator[dict[str, Any]]:
        """Yield a disagreement for each row whose content does not give its hash; tell *advance* of each row."""
        from psycopg import sql  # noqa: PLC0415 - half a second for --help

        with self._connection.cursor(name="rows") as cursor:
            cursor.itersize = PART
            for row in cursor.execute(sql.SQL(ROWS).format(sql.Identifier(f"bronze_{self._source}"))):
                self.checked += 1
                advance(1)
                if self._hash(row) == row["hash"]:
                    continue
                if row["original"] is None and MANY_ZEROS.search(row["text"]):
                    self.untold += 1
                    continue
                yield {
                    "rule": "the content gives its hash",
                    "stream": row["stream"],
                    "raw_id": row["raw_id"],
                    "detail": f"row {row['id']}",
                }

    def _hash(self, row: Mapping[str, Any]) -> str:
        raw = base64.b64decode(row["original"]) if row["original"] else row["text"].encode()
        try:
            payload = read_payload(raw)
        except RejectedError:
            return ""
        return content_hash(payload, self._volatile.get((row["stream"], row["schema_hash"]), []))
