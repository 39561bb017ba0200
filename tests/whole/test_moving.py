"""A mirror gets the URL of another source: what is published follows what is offered there."""

from __future__ import annotations

from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen
from tests.whole.site import Site, fill


def test_another_store_with_other_files_ends_with_its_bytes(site: Site, datastore: DataStore) -> None:
    fill(datastore, filesets=3, size=3000)
    assert site.once()["exit_code"] == 0
    with DataStore() as other:
        expected = fill(other, filesets=3, size=5000)
        site.configure(other.url)
        ended = site.run("--once")
        assert ended.code == 0, ended
        assert site.published() == expected
        words = f"ps1: the source is {other.url} instead of {datastore.url}: all lists and the indexes of 6 published"
        assert words in ended.out
        assert words in site.log()
        again = site.run("--once")
        assert (again.code, "the source is" in again.out) == (0, False), "it is told once"


def test_the_same_store_under_another_name_costs_no_file(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, filesets=3)
    assert site.once()["exit_code"] == 0
    datastore.forget()
    site.configure(datastore.url.replace("127.0.0.1", "localhost"))
    assert site.once()["exit_code"] == 0
    assert len(datastore.requested("*/o47?.chip.?/index.txt")) == 6, "each index is read again"
    assert datastore.requested("*.fits") == []
    assert site.published() == expected
    assert seen(site, "SELECT count(*) FROM filesets WHERE reread OR revision > 1") == [(0,)]


def test_what_was_not_published_yet_comes_from_the_other_store(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=3, size=3000)
    datastore.fault("*.fits", Fault.status(404), times=None)
    assert site.once()["exit_code"] == 3
    site.run("hold", "o470.chip.1")
    assert site.once()["exit_code"] == 3
    with DataStore() as other:
        expected = fill(other, products=1, filesets=3, size=5000)
        site.configure(other.url)
        site.run("release", "o470.chip.1")
        assert site.once()["exit_code"] == 0
        assert site.published() == expected


def test_what_failed_at_the_old_store_is_asked_for_at_the_other(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.fault("*/o470.chip.1.1.fits", Fault.flip(3), times=None)
    assert site.once()["exit_code"] == 3
    with DataStore() as other:
        fill(other, products=1, filesets=3)
        site.configure(other.url)
        assert site.once()["exit_code"] == 0
        assert site.published() == expected


def test_what_was_repaired_by_an_index_of_the_old_store_follows_the_other(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=3, size=3000)
    assert site.once()["exit_code"] == 0
    (site.data / "prod0/o470.chip.1/o470.chip.1.1.fits").write_bytes(b"harmed")
    with DataStore() as other:
        expected = fill(other, products=1, filesets=3, size=5000)
        site.configure(other.url)
        assert site.run("verify", "--repair").code == 3, "the other store has no such file"
        assert site.once()["exit_code"] == 0
        assert site.published() == expected


def test_a_mirror_of_another_name_leaves_nothing_of_the_old_ones_in_staging(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.fault("*/o470.chip.1.1.fits", Fault.status(404), times=None)
    assert site.once()["exit_code"] == 3
    assert list((site.data / ".mirrortui/staging").rglob("*.fits"))
    datastore.heal()
    site.config.write_text(site.config.read_text().replace('name = "ps1"', 'name = "other"'))
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert not list((site.data / ".mirrortui/staging").rglob("*.fits"))
