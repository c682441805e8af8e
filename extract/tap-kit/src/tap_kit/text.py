"""Text from elsewhere, such as names of files and answers of services, made safe for terminals and logs."""

from __future__ import annotations

import logging
import re
import unicodedata

from typing_extensions import override

MAX_PRINTED = 200
"""Characters of one foreign text in a line."""

MAX_LOG_LINE = 2000
"""Characters of a complete log line."""

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_HARMLESS = re.compile(r"[ -~]*")


def printable(text: object, limit: int = MAX_PRINTED) -> str:
    r"""Return *text* on one line, without characters that a terminal acts upon, in at most *limit* characters.

    Control characters, line ends, bidirectional and invisible marks, lone surrogates and unassigned characters are shown as
    escapes (``\x1b``, ``\u202e``); from a longer text the middle is left out, since names end in what tells most.

    Args:
        text: What is shown.
        limit: Characters, 20 or more.
    """
    shown = str(text)
    if len(shown) > 2 * limit:  # an escape needs more characters, never fewer
        shown = f"{shown[:limit]}…{shown[-limit:]}"
    if not _HARMLESS.fullmatch(shown):
        shown = "".join(map(_escaped, shown))
    if len(shown) <= limit:
        return shown
    tail = limit // 3
    return f"{shown[: limit - tail - 1]}…{shown[-tail:]}"


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")


class PrintableFilter(logging.Filter):
    """Make the lines of a logger printable, whatever names of files are in them."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(record.getMessage(), MAX_LOG_LINE), ()
        return True


PRINTABLE = PrintableFilter()
