"""Foreign text on one line, harmless to a terminal."""

from __future__ import annotations

import logging

import pytest

from tap_kit.text import PRINTABLE, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müsli 日本 🎉.json", "Müsli 日本 🎉.json"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("a\u2066\u200b\ufeff", r"a\u2066\u200b\ufeff"),
        ("a\u2028b\x85c\x9b", r"a\u2028b\x85c\x9b"),
        ("a\udcffb\x00\x7f", r"a\udcffb\x00\x7f"),
        (None, "None"),
    ],
)
def test_what_a_terminal_acts_upon_is_shown_as_an_escape(text: object, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["x" * 10_000, "\x1b" * 10_000, "\u202e" * 201])
def test_long_text_is_cut_in_the_middle(text: str) -> None:
    shown = printable(f"begin{text}end.json", 100)
    assert len(shown) == 100
    assert shown.startswith("begin")
    assert shown.endswith("end.json")


def test_a_filtered_logger_writes_one_line_without_escapes(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("printable")
    logger.addFilter(PRINTABLE)
    logger.warning("%s: %d\n", "a\x1b]0;title\x07\nb", 3)
    assert caplog.records[0].getMessage() == r"a\x1b]0;title\x07\nb: 3\n"
