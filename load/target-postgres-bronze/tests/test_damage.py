"""Random damage to a valid stream: the loader never hangs, never loses a line from its books, never prints a payload."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_postgres_bronze.errors import RejectedError
from target_postgres_bronze.messages import read_message

if TYPE_CHECKING:
    from conftest import Bronze

PAYLOAD = "p4yl0ad"
TOLD = (
    "SELECT told FROM (SELECT reason FROM bronze.dead_letters UNION ALL SELECT error_message FROM bronze.runs "
    "UNION ALL SELECT error_message FROM bronze_shop WHERE error_message NOT LIKE '%%not declared%%') AS words (told) WHERE told LIKE %s"
)
_DAMAGE = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["cut", "flip", "insert", "double"]),
        st.binary(min_size=1, max_size=4) | st.sampled_from([b"\n", b'"', b"{", b"}", b"\\", b"\x00", b"\\u0000", b"\\ud800", b"NaN", b",", b"1e999999"]),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


def damaged(stream: bytes, damage: list[tuple[float, str, bytes]]) -> bytes:
    for share, kind, junk in damage:
        at = int(share * len(stream))
        tail = {"cut": at + len(junk), "flip": at + len(junk), "insert": at, "double": max(0, at - 40)}[kind]
        stream = stream[:at] + (junk if kind in {"flip", "insert"} else b"") + stream[tail:]
    return stream


def kind(line: bytes) -> str:
    try:
        return read_message(line).type
    except RejectedError:
        return ""


@given(damage=_DAMAGE)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_damaged_every_line_is_accounted_for(
    bronze_18: Bronze, damage: list[tuple[float, str, bytes]]
) -> None:
    whole = bronze_18.lines(
        bronze_18.schema(
            replication_key="at", properties={"id": {"type": "integer"}, "at": {}, "a": {"type": "string"}}
        ),
        *(
            bronze_18.record({"id": number, "at": f"2024-01-0{number}", "a": PAYLOAD}, page=number)
            for number in range(1, 6)
        ),
        bronze_18.state({"at": 1}),
    )
    stream = damaged(whole, damage)

    outcome = bronze_18.load_from(io.BytesIO(stream), max_rejected_share=1, max_invalid_share=1)

    status, read, new, changed, known, rejected = bronze_18.books()
    assert "Traceback" not in outcome.log
    assert PAYLOAD not in outcome.log
    assert not bronze_18.query(TOLD, f"%{PAYLOAD}%")
    if outcome.code == 0:
        assert status == "succeeded"
        others = sum(kind(line) in {"SCHEMA", "STATE"} for line in stream.split(b"\n"))
        lines = sum(bool(line.strip()) for line in stream.split(b"\n"))
        assert read == new + changed + known + rejected
        assert lines - others <= read <= lines
    else:
        assert "BATCH" in outcome.log
