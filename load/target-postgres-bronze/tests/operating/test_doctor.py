"""``bronze doctor``: open credentials, and APIs whose end is announced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from target_postgres_bronze.operator.commands import doctor

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


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_of_variables_that_meltano_cannot_read_is_told(operator: Operator, encoding: str) -> None:
    (operator.root / ".env").write_bytes("SHOP_TOKEN=gr\u00fcn\n".encode(encoding))
    answer = operator("doctor")
    assert answer.code == 1
    assert ".env is not in UTF-8, and meltano cannot read it either. Save it as UTF-8" in answer.out


def test_a_byte_order_mark_that_hides_a_variable_from_meltano_is_told(operator: Operator) -> None:
    (operator.root / ".env").write_text("SHOP_TOKEN=x\n", encoding="utf-8-sig")
    assert (
        "begins with a byte order mark, and meltano does not find its first variable"
        in operator("doctor").out
    )


def test_locks_that_a_backup_will_lack_are_told_ahead_of_time(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "A backup locks" not in operator("doctor").out
    monkeypatch.setattr(doctor, "LOCKS", "SELECT 3300 AS needed, 6400 AS available")
    answer = operator("doctor")
    assert (
        "A backup locks up to 3,300 tables and indexes at once, and the server has 6,400 locks" in answer.out
    )
    assert "Raise max_locks_per_transaction to 1024" in answer.out
    assert answer.code == 0


def test_a_log_in_counts_only_if_its_file_exists(operator: Operator) -> None:
    entry = {
        "name": "tap-shop",
        "namespace": "tap_shop",
        "annotations": {"bronze": {"files": ["login_file"]}},
        "settings": [{"name": "login_file", "value": "data/login.json"}, {"name": "path"}],
        "settings_group_validation": [["login_file"], ["path"]],
    }
    folder = operator.root / "plugins" / "extractors"
    folder.mkdir(parents=True)
    (folder / "tap-shop.meltano.yml").write_text(yaml.safe_dump({"plugins": {"extractors": [entry]}}))
    missing = "TAP_SHOP_LOGIN_FILE (there is no data/login.json) or TAP_SHOP_PATH is not set"

    assert missing in operator("doctor").out
    (operator.root / "data").mkdir(exist_ok=True)
    (operator.root / "data" / "login.json").write_text("{}")
    assert "tap-shop is installed\n" in operator("doctor").out
    (operator.root / ".env").write_text("TAP_SHOP_LOGIN_FILE=elsewhere.json\n")
    assert "there is no elsewhere.json" in operator("doctor").out
    (operator.root / ".env").write_text("TAP_SHOP_LOGIN_FILE=elsewhere.json\nTAP_SHOP_PATH=export.zip\n")
    assert "tap-shop is installed\n" in operator("doctor").out
