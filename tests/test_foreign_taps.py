"""Taps from elsewhere, with versions of singer-sdk that this project does not have, are installed and land.

They come from the package index: without it the test is skipped. It takes some twenty seconds for downloads and two environments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from bootstrap.machine import NO_NETWORK

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer

    from tests.conftest import Project

FEED = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Notes</title><id>urn:notes</id><updated>2024-05-06T07:08:09Z</updated>
<entry><id>urn:notes:1</id><title>One</title><published>2024-05-06T07:08:09Z</published><updated>2024-05-06T07:08:09Z</updated><summary>First</summary></entry></feed>
"""


def add(project: Project, tap: str, version: str, **config: object) -> None:
    """Add *tap* from the package index, as its page in Meltano's hub says."""
    entry = {
        "name": tap,
        "namespace": tap.replace("-", "_"),
        "pip_url": f"{tap}=={version}",
        "executable": tap,
        "capabilities": ["catalog", "discover", "state"],
        "settings": [{"name": name, "kind": "array"} for name in config],
        "config": config,
    }
    file = project.root / "plugins" / "extractors" / f"{tap}.meltano.yml"
    file.write_text(yaml.safe_dump({"plugins": {"extractors": [entry]}}))


def test_taps_with_another_sdk_are_installed_and_land(project: Project, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/feed").respond_with_data(FEED, content_type="application/atom+xml")
    add(project, "tap-feed", "1.1.1", feed_urls=[httpserver.url_for("/feed")])  # singer-sdk 0.8
    books = project.root / "books.csv"
    books.write_text("title,pages\nOne,12\nTwo,3\n")
    file = {"path": str(books), "format": "csv", "table_name": "books", "primary_keys": ["title"]}
    add(project, "tap-spreadsheets", "1.1.2", files=[file])  # singer-sdk 0.52
    with project.start("install", "--plugin-type=extractors", "tap-feed", "tap-spreadsheets") as meltano:
        said, _ = meltano.communicate(timeout=240)
    if meltano.returncode and any(words in said.lower() for words in NO_NETWORK):
        pytest.skip("the package index cannot be reached")
    assert meltano.returncode == 0, said

    for tap in ("tap-feed", "tap-spreadsheets"):
        project.run(tap)

    assert project.ask("SELECT raw_data ->> 'entry_title' FROM bronze_feed") == [("One",)]
    assert project.ask("SELECT raw_id FROM bronze_spreadsheets ORDER BY 1") == [("One",), ("Two",)]
