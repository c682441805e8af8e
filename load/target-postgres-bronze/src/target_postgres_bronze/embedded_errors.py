"""What keeps the embedded PostgreSQL from running, in a sentence with the remedy."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path


class EmbeddedServerError(Exception):
    """The embedded server cannot do what was asked; the message says what, where, and the remedy."""


#: What the system says, and what it means with the remedy; the first that fits is taken.
_REASONS: Final = (
    (errno.ENOSPC, "there is no space left on the disk. Free some, and run the command again"),
    (errno.EDQUOT, "your disk quota is used up. Free some space, and run the command again"),
    (errno.EROFS, "the folder is on a read-only file system. Move the project to a writable one"),
    (errno.EACCES, "the folder may not be written. Give yourself the right to, or move the project"),
    (errno.EPERM, "the folder may not be written. Give yourself the right to, or move the project"),
)


def explain(data_dir: Path, cause: OSError | str) -> str:
    """Return the sentence for *cause*: an error of the system, or what PostgreSQL's programs printed."""
    said = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(cause)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    worst = [line for line in lines if "FATAL:" in line or "PANIC:" in line or "error:" in line] or lines
    reason = worst[-1] if worst else "it said nothing"
    start = f"The embedded PostgreSQL cannot run in {data_dir}: "
    for number, remedy in _REASONS:
        if os.strerror(number) in said:
            return (
                f"{start}{remedy}." if isinstance(cause, OSError) else f"{start}{remedy}. It said: {reason}"
            )
    return f"{start}{reason} (more in {data_dir / 'server.log'})."
