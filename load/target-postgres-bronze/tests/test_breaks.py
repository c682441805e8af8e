"""The connection breaks at every single step of a run, once before and once after the step's work was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_bronze.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Bronze

STEPS = 18


class Breaks:
    """Cuts the connection at one call of `Session.run`, counted from 0."""

    def __init__(self, at: int, *, is_done: bool) -> None:
        self.at, self.is_done, self.calls = at, is_done, 0
        self._honest = Session.run

    def run(self, session: Session, work: Callable[[psycopg.Connection[Any]], Any]) -> Any:
        number, self.calls = self.calls, self.calls + 1

        def once(connection: psycopg.Connection[Any]) -> Any:
            if number != self.at:
                return work(connection)
            self.at = -1
            if self.is_done:
                work(connection)
            connection.close()
            raise psycopg.OperationalError("cut")

        return self._honest(session, once)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_a_cut_at_any_step_leaves_the_same_records(
    bronze_18: Bronze, monkeypatch: pytest.MonkeyPatch, *, is_done: bool
) -> None:
    monkeypatch.setattr("target_postgres_bronze.session.time.sleep", lambda _seconds: None)
    cuts = 0
    for step in range(STEPS):
        stream = f"step_{step}"
        schema = bronze_18.schema(stream, x_absence="full", x_source_timestamp="at")

        def order(number: int, state: str, stream: str = stream) -> dict[str, Any]:
            return bronze_18.record({"id": number, "at": f"2024-0{number}-01", "state": state}, stream)

        whole = [schema, *(order(number, "open") for number in (1, 2, 3, 4)), bronze_18.finish(stream)]
        assert bronze_18.load(*whole).code == 0
        breaks = Breaks(step, is_done=is_done)
        monkeypatch.setattr(Session, "run", lambda session, work, breaks=breaks: breaks.run(session, work))
        changed = [order(1, "open"), order(2, "paid"), order(3, "open"), order(5, "open")]
        outcome = bronze_18.load(
            schema, *changed, bronze_18.finish(stream), bronze_18.state(step), batch_size_rows=2
        )
        monkeypatch.undo()
        monkeypatch.setattr("target_postgres_bronze.session.time.sleep", lambda _seconds: None)
        cuts += breaks.at == -1

        assert (outcome.code, outcome.states) == (0, [step]), outcome.log
        assert bronze_18.books() == ("succeeded", 4, 1, 1, 2, 0)
        rows = bronze_18.column(
            "raw_id || ' ' || (metadata ->> 'change')", f"metadata ->> 'stream' = '{stream}'"
        )
        # a cut may take away the knowledge of what is gone, and never makes gone what is there
        assert sorted(set(rows) - {"4 gone"}) == ["1 new", "2 changed", "2 new", "3 new", "4 new", "5 new"]
        assert len(rows) == len(set(rows))
    assert cuts >= 10
