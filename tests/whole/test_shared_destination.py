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


def test_what_another_state_published_over_is_told_and_made_right(
    tmp_path: Path, datastore: DataStore, elsewhere: DataStore
) -> None:
    for store, contested in ((datastore, b"of the first"), (elsewhere, b"of the other")):
        store.add_product("p")
        store.add_fileset("p", "contested", {"a.dat": contested})
    datastore.add_fileset("p", "own", {"b.dat": b"nobody else's"})
    first, other = Site(tmp_path / "first", datastore.url), Site(tmp_path / "other", elsewhere.url)
    other.data.symlink_to(first.data)
    assert [site.run("--once").code for site in (first, other)] == [0, 0]
    assert first.published() == {"p/contested/a.dat": b"of the other", "p/own/b.dat": b"nobody else's"}
    again = first.run("--once")
    assert again.code == 3, again
    assert "another state file has published here since, over 1 fileset of this one" in first.log()
    assert states(first) == {"contested": "damaged", "own": "published"}
    assert first.run("--once").code == 3
    assert first.run("verify", "--repair").code == 0
    assert first.published() == {"p/contested/a.dat": b"of the first", "p/own/b.dat": b"nobody else's"}
    assert (first.run("--once").code, states(first)["contested"]) == (0, "published")


def test_a_state_that_published_nothing_there_is_no_matter(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "own", {"b.dat": b"nobody else's"})
    assert site.run("--once").code == 0
    idle = Site(site.folder / "idle", datastore.url, mirror='products = ["none"]')
    idle.data.symlink_to(site.data)
    idle.run("--once")
    assert site.run("--once").code == 0
    assert "another state file" not in site.log()
    assert site.published() == {"p/own/b.dat": b"nobody else's"}
