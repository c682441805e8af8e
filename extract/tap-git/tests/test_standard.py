"""The SDK's standard tests of taps, on a small repository."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import get_tap_test_class

from tap_git.tap import TapGit

if TYPE_CHECKING:
    from pathlib import Path

CONFIG: dict[str, Any] = {"repositories": []}


@pytest.fixture(scope="module", autouse=True)
def _small_repository(tmp_path_factory: pytest.TempPathFactory) -> None:
    path: Path = tmp_path_factory.mktemp("standard")
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for command in (
        ("init", "--quiet"),
        (*person, "commit", "--quiet", "--allow-empty", "-m", "one"),
        (*person, "tag", "-a", "-m", "tagged", "v1"),
    ):
        subprocess.run(["git", *command], cwd=path, check=True)
    CONFIG["repositories"].append(str(path))


TestTapGit = get_tap_test_class(TapGit, config=CONFIG, parse_env_config=False)  # all of them
