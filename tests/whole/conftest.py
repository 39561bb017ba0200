"""A site that mirrors the Data Store of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.screen import end_engine
from tests.whole.site import Site


@pytest.fixture
def site(tmp_path: Path, datastore: DataStore) -> Iterator[Site]:
    """Yield a site; no engine that was started for it outlives the test."""
    site = Site(tmp_path / "site", datastore.url)
    yield site
    end_engine(site)
