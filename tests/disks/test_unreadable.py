"""`mirrortui verify` on a disk that can't read a file any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disks.sites import as_others
from tests.servers.datastore import DataStore
from tests.whole.site import Site, fill, register

FILE = "prod0/o470.chip.0/o470.chip.0.1.fits"


@pytest.fixture
def site(tmp_path: Path, datastore: DataStore) -> Site:
    return Site(tmp_path / "site", datastore.url)


def bad_sector(site: Site) -> list[str]:
    """Return what a program is run under to which FILE can't be read."""
    failing = ["-P", str(site.data / FILE), "-e", "trace=read,pread64", "-e", "inject=read,pread64:error=EIO"]
    return ["strace", "-f", "-qq", "-o", str(site.folder / "trace"), *failing]


def test_a_file_that_cannot_be_read_is_found_and_the_others_are_read(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    assert site.once()["exit_code"] == 0
    done = site.run_under(bad_sector(site), "verify", "--json")
    found = done.json
    assert (done.code, found["files"], found["damaged"]) == (3, 8, 1)
    [finding] = found["findings"]
    assert (finding["fileset"], finding["file"], finding["damage"]) == (
        "o470.chip.0", FILE.rpartition("/")[2], "unreadable",
    )  # fmt: skip
    assert "input/output error" in finding["detail"].lower()
    assert site.once()["exit_code"] == 3, "it is damaged until somebody has it mended"
    assert site.run("retry", "--all").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_published_file_that_cannot_be_read_is_replaced(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    assert site.once()["exit_code"] == 0
    done = site.run_under(bad_sector(site), "verify", "--repair", "--json")
    found = done.json
    assert (done.code, found["damaged"], found["mended"]) == (0, 1, 1)
    assert site.published() == expected
    assert len(datastore.requested(FILE)) == 2


@pytest.mark.parametrize("what", [FILE, FILE.rpartition("/")[0]])
def test_what_we_may_not_read_is_found_and_replaced_alone(site: Site, datastore: DataStore, what: str) -> None:
    expected = fill(datastore, products=1, filesets=2)
    assert site.once()["exit_code"] == 0
    (site.data / what).chmod(0)
    expected |= register(datastore, "prod0", "new")
    found = site.run_under(as_others(), "verify", "--repair", "--json").json
    assert [one["damage"] for one in found["findings"]] == ["unreadable"]
    assert (found["exit_code"], found["filesets"], found["mended"]) == (0, 2, 1)
    assert site.run_under(as_others(), "--once", "--json").json["exit_code"] == 0
    assert site.published() == expected
