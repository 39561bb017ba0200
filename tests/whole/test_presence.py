"""What was published, and is not there any more when the next run begins, or is something else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.datastore import DataStore
from tests.whole.service import states
from tests.whole.site import Site, fill


@pytest.mark.parametrize("gone", ["prod0/o470.chip.1", "prod0", "prod0/o470.chip.1 prod1"])
def test_what_was_taken_away_is_fetched_again_by_the_next_run(site: Site, datastore: DataStore, gone: str) -> None:
    expected = fill(datastore, products=2, filesets=3)
    assert site.run("--once").code == 0
    assert site.run("--once").code == 0
    for path in gone.split():
        shutil.rmtree(site.data / path)
    ended = site.run("--once")
    assert (ended.code, site.published()) == (0, expected), ended
    assert "not there any more, or not whole; fetched again" in site.log()
    datastore.forget()
    assert site.run("--once").code == 0
    assert not datastore.requested("*.fits")


def test_what_stands_in_the_place_of_a_fileset_is_set_aside(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    assert site.run("--once").code == 0
    place = site.data / "prod0/o470.chip.1"
    place.rename(site.folder / "away")
    place.symlink_to(site.folder / "away")
    assert (site.run("--once").code, site.published()) == (0, expected)
    assert place.is_dir()
    assert not place.is_symlink()


def test_a_copy_is_taken_for_what_it_is_a_copy_of(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=3)
    assert site.run("--once").code == 0
    copy = site.folder / "copy"
    subprocess.run(["cp", "-a", site.data, copy], check=True)
    shutil.rmtree(copy / "prod0/o470.chip.2")
    site.data.rename(site.folder / "old")
    copy.rename(site.data)
    assert (site.run("--once").code, site.published()) == (0, expected)
    assert "1 published fileset not there any more" in site.log()
    assert "is not what was put there" not in site.log()


def test_a_careless_copy_is_told_once_and_not_taken_for_damaged(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    assert site.run("--once").code == 0
    copy = site.folder / "copy"
    subprocess.run(["cp", "-r", site.data, copy], check=True)
    site.data.rename(site.folder / "old")
    copy.rename(site.data)
    assert [site.run("--once").code for _ in range(2)] == [0, 0]
    assert site.log().count("what stands of 3 filesets is not what was put there") == 1
    assert "`mirrortui verify --mirror ps1` proves it" in site.log()
    assert (site.published(), set(states(site).values())) == (expected, {"published"})


def test_a_folder_that_is_not_whole_is_made_whole(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=4)
    assert site.run("--once").code == 0
    for number, harm in enumerate((empty, cut, take_one)):
        harm(site.data / f"prod0/o470.chip.{number}")
    touch(site.data / "prod0")
    datastore.forget()
    assert (site.run("--once").code, site.published()) == (0, expected)
    assert len(datastore.requested("*.fits")) == 4 + 1 + 1
    assert "3 published filesets not there any more, or not whole" in site.log()


def empty(fileset: Path) -> None:
    shutil.rmtree(fileset)
    fileset.mkdir()


def cut(fileset: Path) -> None:
    next(fileset.glob("*.fits")).write_bytes(b"half")
    touch(fileset)


def take_one(fileset: Path) -> None:
    next(fileset.glob("*.fits")).unlink()


def touch(folder: Path) -> None:
    (folder / "x").touch()
    (folder / "x").unlink()


def test_what_was_hidden_by_upstream_and_removed_meanwhile_is_fetched_again(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    site.configure(datastore.url, mirror='reconcile_interval = "0.1s"')
    assert site.run("--once").code == 0
    datastore.hide("prod0", "o470.chip.1")
    assert site.run("--once").code == 0
    shutil.rmtree(site.data / "prod0/o470.chip.1")
    assert site.run("--once").code == 0
    datastore.show("prod0", "o470.chip.1")
    assert (site.run("--once").code, site.published()) == (0, expected)


def test_what_was_removed_while_its_product_was_not_mirrored_is_fetched_again(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=2)
    assert site.run("--once").code == 0
    site.configure(datastore.url, mirror='products = ["prod0"]')
    assert site.run("--once").code == 0
    shutil.rmtree(site.data / "prod1/o471.chip.1")
    assert site.run("--once").code == 0
    site.configure(datastore.url)
    assert (site.run("--once").code, site.published()) == (0, expected)
