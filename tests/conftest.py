"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.certificates import Authority
from tests.servers.datastore import DataStore


@pytest.fixture(name="datastore")
def store_server() -> Iterator[DataStore]:
    """Yield a started Data Store on loopback."""
    with DataStore() as store:
        yield store


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Return a certificate authority that no client trusts unless it is told to."""
    return Authority()
