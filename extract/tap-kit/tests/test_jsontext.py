"""JSON in is the same JSON out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_kit.jsontext import dumps, loads


@pytest.mark.parametrize(
    "text",
    [
        "1.10",
        "-0.0",
        "12345678901234567890.123",
        "123456789012345678901234567890",
        "9" * 5000,
        "1E+400",
        "NaN",
        "[Infinity,-Infinity]",
        '"\\ud800"',
        '{"K":1,"k":2}',
        '"\\u0000"',
        '["\u2028","é"]',
        "null",
    ],
    ids=lambda text: text[:30].encode("unicode_escape").decode(),
)
def test_text_comes_out_as_it_went_in(text: str) -> None:
    written = dumps(loads(text.encode("utf-8", "surrogatepass"))).decode()
    assert written in {text, text.replace("\\u0000", "\x00")}


def test_half_a_surrogate_pair_in_raw_bytes_survives() -> None:
    assert dumps(loads(b'["\xed\xa0\x80"]')) == b'["\\ud800"]'


def test_an_exponent_keeps_its_value() -> None:
    assert loads(dumps(loads("1e5"))) == Decimal("1e5")


@pytest.mark.parametrize("text", ["{", "<html>secret</html>", "", b"\xff\xfe\xfa", '{"a":1} x'])
def test_what_is_no_json_is_refused_without_quoting_it(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="not JSON") as caught:
        loads(text)
    assert "secret" not in str(caught.value)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_VALUES)
def test_any_value_survives_the_way_through_python(value: Any) -> None:
    text = dumps(value)
    assert b"\n" not in text
    assert dumps(loads(text)) == text
    assert json.loads(text, parse_float=Decimal) == loads(text)
