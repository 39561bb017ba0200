"""The disk of a destination is unmounted, or covered by another one, under a service, and comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.disks.disk import CannotMount, Disk, run
from tests.disks.sites import DiskSite
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, serving, states, wait_until
from tests.whole.site import fill

WORDS = "moved, replaced or unmounted while the engine was at work"
LARGE = 4_000_000


class Place:
    """A second place of a disk, from which it can be taken though it is in use."""

    def __init__(self, disk: Disk, root: Path):
        self._disk = disk
        self.root = root
        self.data = root / "data"

    def mount(self) -> None:
        run("mount", "--bind", self._disk.root, self.root)

    def unmount(self) -> None:
        run("umount", "--lazy", self.root)

    def cover(self) -> None:
        run("mount", "-t", "tmpfs", "tmpfs", self.data)

    def uncover(self) -> None:
        run("umount", "--lazy", self.data)


@pytest.fixture
def place(disk: Disk, tmp_path: Path) -> Iterator[Place]:
    """Yield a place where the disk is mounted."""
    place = Place(disk, tmp_path / "place")
    place.root.mkdir()
    place.mount()
    yield place
    for end in (place.uncover, place.unmount):
        with suppress(CannotMount):
            end()


@pytest.mark.parametrize(
    ("harm", "mend"), [(Place.unmount, Place.mount), (Place.cover, Place.uncover)], ids=["unmounted", "covered"]
)
def test_a_service_whose_destination_is_out_of_sight_waits_and_goes_on_where_it_was(
    place: Place,
    tmp_path: Path,
    datastore: DataStore,
    harm: Callable[[Place], None],
    mend: Callable[[Place], None],
) -> None:
    expected = fill(datastore, products=1, filesets=3)
    content = bytes(LARGE)
    datastore.add_fileset("prod0", "large", {"large.dat": content})
    opened = threading.Event()
    datastore.fault("prod0/large/large.dat", Fault.gate(opened, after=LARGE // 2))
    site = DiskSite(tmp_path / "site", place.data, datastore)
    with serving(site):
        wait_until(lambda: list(states(site).values()).count("published") == 3, "the small ones to be published")
        wait_until(lambda: any(site.data.rglob("large.dat")), "the large one to be begun")
        harm(place)
        wait_until(lambda: WORDS in str(seen(site, "SELECT message FROM events")), "the mirror to stop")
        opened.set()
        verified = site.run("verify")
        assert verified.code == 5, verified
        assert site.published() == {}
        mend(place)
        wait_until(lambda: set(states(site).values()) == {"published"}, "everything to be published")
    assert site.published() == expected | {"prod0/large/large.dat": content}
    assert seen(site, "SELECT sum(attempts) FROM files") == [(0,)]
    site.demand_sound()


@pytest.mark.parametrize("where", ["prod0", ".mirrortui/staging"])
def test_a_disk_in_the_midst_of_a_destination_is_told_with_what_to_do(
    tmp_path: Path, datastore: DataStore, disk: Disk, where: str
) -> None:
    expected = fill(datastore, products=1, filesets=1)
    site = DiskSite(tmp_path / "site", tmp_path / "data", datastore)
    covered = site.data / where
    covered.mkdir(parents=True)
    run("mount", "--bind", disk.root, covered)
    try:
        ended = site.run("--once")
    finally:
        run("umount", "--lazy", covered)
    assert ended.code == 5, ended
    assert "on another disk than the rest of the destination" in ended.out
    assert "unmount that, or make it the destination of a mirror of its own" in ended.out
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
