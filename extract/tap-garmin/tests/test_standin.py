from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_the_tap_reads_the_stand_in_from_the_command_line(tmp_path: Path) -> None:
    store = tmp_path / "store"
    command = [sys.executable, "-m", "tap_garmin.standin", "--token-store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as standin:
        try:
            assert standin.stdout
            url = standin.stdout.readline().strip()
            config = {"token_store": str(store), "api_url": url, "auth_url": url, "start_date": "2099-01-01"}
            (tmp_path / "config.json").write_text(json.dumps(config))
            tap = [sys.executable, "-m", "tap_garmin", "--config", str(tmp_path / "config.json")]
            shown = subprocess.run(tap, capture_output=True, text=True, timeout=60, check=False)
        finally:
            standin.terminate()
    assert shown.returncode == 0, shown.stderr[-2000:]
    records = [json.loads(line) for line in shown.stdout.splitlines() if '"RECORD"' in line[:20]]
    assert {"sleep", "activities", "fit_messages", "devices"} <= {record["stream"] for record in records}
    assert all("provenance" in record for record in records if record["stream"] != "_files")


def test_a_missing_token_is_one_line_and_exit_code_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"token_store": str(tmp_path / "none")}))
    tap = [sys.executable, "-m", "tap_garmin", "--config", str(tmp_path / "config.json")]
    shown = subprocess.run(tap, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 1
    assert "Traceback" not in shown.stderr
    assert "tap-garmin-login" in shown.stderr.splitlines()[-1]
