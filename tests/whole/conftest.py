"""A site that mirrors the Data Store of the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.site import Site


@pytest.fixture
def site(tmp_path: Path, datastore: DataStore) -> Site:
    return Site(tmp_path / "site", datastore.url)
