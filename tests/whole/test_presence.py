"""What was published, and is not there any more when the next run begins, or is something else."""

from __future__ import annotations

import shutil
import subprocess

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
    assert "taken away since the last run; fetched again" in site.log()
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
    assert "1 published fileset taken away" in site.log()
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
