"""``bronze doctor``: open credentials, and APIs whose end is announced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from operating.conftest import Operator


def define(operator: Operator, **api: object) -> None:
    entry = {"name": "tap-shop", "namespace": "tap_shop", "annotations": {"bronze": {"api": api}}}
    folder = operator.root / "plugins" / "extractors"
    folder.mkdir(parents=True)
    (folder / "tap-shop.meltano.yml").write_text(yaml.safe_dump({"plugins": {"extractors": [entry]}}))


@pytest.mark.parametrize(("mode", "is_told"), [(0o600, False), (0o640, True), (0o604, True)])
def test_credentials_that_others_can_read_are_told(operator: Operator, mode: int, *, is_told: bool) -> None:
    file = operator.root / ".env"
    file.write_text("")
    file.chmod(mode)
    answer = operator("doctor")
    assert (f"--  {file} can be read by others on this machine  ->  chmod 600" in answer.out) is is_told
    assert answer.code == 0


def test_the_announced_end_of_an_api_is_told_ahead_of_time(operator: Operator) -> None:
    ends = datetime.now(UTC).date() + timedelta(days=90)
    define(operator, version="v9", ends=ends, successor="v10", notice="https://shop.example/v10")
    answer = operator("doctor")
    assert f"tap-shop speaks version v9 of its API, which ends on {ends} (in 90 days)" in answer.out
    assert "the successor is v10 (https://shop.example/v10)." in answer.out
    assert answer.code == 0


def test_an_api_that_has_ended_is_told(operator: Operator) -> None:
    define(operator, version="v8", ends=datetime(2020, 1, 2, tzinfo=UTC).date())
    assert "version v8 of its API, which ended on 2020-01-02" in operator("doctor").out


def test_an_api_without_an_announced_end_is_no_matter(operator: Operator) -> None:
    define(operator, version="v9")
    assert "v9" not in operator("doctor").out
