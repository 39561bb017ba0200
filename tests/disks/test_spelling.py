"""A file system that does not tell case apart: never one file over the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.destinations.spelling import folded
from tests.disks.disk import CannotMount, Disk
from tests.disks.exfat import exfat
from tests.servers.datastore import DataStore
from tests.whole.service import seen
from tests.whole.site import Site, fill

SIZE = 16 << 20


@pytest.fixture
def folding(tmp_path: Path) -> Iterator[Disk]:
    try:
        with exfat(tmp_path / "folding", SIZE) as disk:
            yield disk
    except CannotMount as reason:
        pytest.skip(f"no exFAT can be mounted here (Debian: exfat-fuse, exfatprogs): {reason}")


@pytest.fixture
def site(tmp_path: Path, datastore: DataStore, folding: Disk) -> Site:
    site = Site(tmp_path / "site", datastore.url)
    site.config.write_text(site.config.read_text().replace('"data"', f'"{folding.root / "data"}"'))
    site.data = folding.root / "data"
    return site


def test_what_has_names_of_its_own_is_mirrored_there_as_anywhere(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    (site.folder / "mirror.db").unlink()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_files_whose_names_would_be_one_are_not_fetched(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=1)
    datastore.add_fileset("prod0", "twice", {"a.dat": b"small", "A.dat": b"great"})
    found = site.once()
    assert found["exit_code"] == 3
    [failure] = found["failures"]
    assert (failure["fileset"], failure["kind"], failure["next_try"]) == ("twice", "unsafe", None)
    assert "a.dat and A.dat would be one file" in failure["detail"]
    assert not datastore.requested("prod0/twice/*.dat")
    assert site.published() == expected


@pytest.mark.parametrize("name", ["INDEX.TXT", "Index.txt"])
def test_a_file_that_would_be_our_index_is_not_lost_silently(site: Site, datastore: DataStore, name: str) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {name: b"data", "z.dat": b"more"})
    datastore.add_fileset("p", name, {"z.dat": b"more"})
    datastore.add_product(name)
    datastore.add_fileset(name, "f", {"z.dat": b"more"})
    found = site.once()
    assert found["exit_code"] == 5
    assert {(one["product"], one["fileset"]) for one in found["failures"]} == {("p", "f"), ("p", name), (name, "f")}
    assert site.published() == {}


@pytest.mark.parametrize("name", ["a:b.dat", "a?.dat"])
def test_a_name_that_this_file_system_refuses_fails_alone(site: Site, datastore: DataStore, name: str) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.add_fileset("prod0", "odd", {name: b"data", "z.dat": b"more"})
    found = site.once()
    assert found["exit_code"] == 3
    [failure] = found["failures"]
    assert (failure["fileset"], failure["file"], failure["kind"], failure["next_try"]) == ("odd", name, "unsafe", None)
    assert "can't hold a file of this name" in failure["detail"]
    assert site.published() == expected
    assert not list(site.data.rglob(".mirrortui/staging/*/*/.mirrortui"))


@pytest.mark.parametrize("at_once", [True, False])
def test_of_filesets_whose_names_would_be_one_the_first_stays(site: Site, datastore: DataStore, at_once: bool) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "night", {"a.dat": b"small"})
    if not at_once:
        assert site.once()["exit_code"] == 0
    datastore.add_fileset("p", "Night", {"a.dat": b"great"})
    found = site.once()
    [failure] = found["failures"]
    assert "does not tell case" in failure["detail"]
    [(stands,)] = seen(site, "SELECT name FROM filesets WHERE state = 'published'")
    assert site.published() == {f"p/{stands}/a.dat": b"small" if stands == "night" else b"great"}
    assert at_once or stands == "night"


def test_of_products_whose_names_would_be_one_the_first_stays(site: Site, datastore: DataStore) -> None:
    for product, body in (("p", b"small"), ("P", b"great")):
        datastore.add_product(product)
        datastore.add_fileset(product, "f", {"a.dat": body})
    found = site.once()
    assert "does not tell case" in found["failures"][0]["detail"]
    [(product,)] = seen(
        site, "SELECT p.name FROM filesets f JOIN products p ON p.id = product_id WHERE state = 'published'"
    )
    assert site.published() == {f"{product}/f/a.dat": b"small" if product == "p" else b"great"}
    assert (site.data / product / "index.txt").read_text().count("|f|") == 0


@pytest.mark.parametrize(
    ("one", "other"), [("a.dat", "A.dat"), ("\u00e9", "e\u0301"), ("\u00c9", "e\u0301"), ("stra\u00dfe", "STRASSE")]
)
def test_names_that_may_be_one(one: str, other: str) -> None:
    assert folded(one) == folded(other)
