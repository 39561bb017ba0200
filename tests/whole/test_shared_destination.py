"""Two state files that take turns at one destination: what one has put over the other's filesets is not overlooked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.service import states
from tests.whole.site import Site


@pytest.fixture
def elsewhere() -> Iterator[DataStore]:
    with DataStore() as store:
        yield store


@pytest.fixture
def sites(tmp_path: Path, datastore: DataStore, elsewhere: DataStore) -> tuple[Site, Site]:
    """Return two sites with one destination: they list one fileset with the same bytes, and one with others."""
    for store, bytes_ in ((datastore, b"of the first"), (elsewhere, b"of the other")):
        store.add_product("p")
        store.add_fileset("p", "common", {"a.dat": b"both"})
        store.add_fileset("p", "contested", {"b.dat": bytes_})
    first, other = Site(tmp_path / "first", datastore.url), Site(tmp_path / "other", elsewhere.url)
    other.data.symlink_to(first.data)
    return first, other


def test_what_another_state_published_over_is_told_and_made_right(sites: tuple[Site, Site]) -> None:
    first = sites[0]
    assert [site.run("--once").code for site in sites] == [0, 0]
    assert first.published() == {"p/common/a.dat": b"both", "p/contested/b.dat": b"of the other"}
    again = first.run("--once")
    assert again.code == 3, again
    assert "another state file has published here since, over 1 fileset of this one" in first.log()
    assert states(first) == {"common": "published", "contested": "damaged"}
    assert first.run("--once").code == 3
    assert first.run("verify", "--repair").code == 0
    assert first.published() == {"p/common/a.dat": b"both", "p/contested/b.dat": b"of the first"}
    assert (first.run("--once").code, states(first)["contested"]) == (0, "published")


def test_a_state_that_only_looked_on_costs_nothing(sites: tuple[Site, Site], datastore: DataStore) -> None:
    first = sites[0]
    assert first.run("--once").code == 0
    apart = Site(first.folder.parent / "apart", datastore.url, mirror='products = ["none"]')
    apart.data.symlink_to(first.data)
    apart.run("--once")
    before = first.published()
    assert (first.run("--once").code, first.published()) == (0, before)
    assert "another state file" not in first.log()
