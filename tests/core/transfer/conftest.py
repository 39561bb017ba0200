"""A Data Store that misbehaves, and a transport that fetches from it into an empty directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.core.transfer.courier import Courier
from tests.servers.datastore import DataStore


@pytest.fixture
def store() -> Iterator[DataStore]:
    with DataStore() as store:
        store.add_product("p")
        yield store


@pytest.fixture
async def courier(tmp_path: Path) -> AsyncIterator[Courier]:
    target = tmp_path / "target"
    target.mkdir()
    courier = Courier(target)
    yield courier
    courier.close()
