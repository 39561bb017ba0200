"""The disk of a destination fills up, goes read-only, fails, and comes back."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from tests.disks.disk import Disk, Ext4
from tests.disks.sites import DiskSite, stopped
from tests.servers.datastore import DataStore
from tests.servers.faults import Fault
from tests.whole.service import seen, serving, states, wait_until
from tests.whole.site import fill, register

LARGE = 4_000_000
ATTEMPTS = "SELECT count(*), ifnull(sum(attempts), 0) FROM files"


def register_large(store: DataStore) -> dict[str, bytes]:
    """Register some small filesets, and a large file whose second half is kept back until `open` of the gate."""
    expected = fill(store, products=1, filesets=3)
    content = os.urandom(LARGE)
    store.add_fileset("prod0", "large", {"large.dat": content})
    return expected | {"prod0/large/large.dat": content}


def test_a_disk_that_fills_up_in_the_midst_of_a_file_costs_no_try_and_the_next_run_goes_on(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected = register_large(datastore)
    opened = threading.Event()
    datastore.fault("prod0/large/large.dat", Fault.gate(opened, after=LARGE // 2))
    site = DiskSite(tmp_path / "site", disk.root / "data", datastore)
    process = site.start("--once", "--json")
    wait_until(lambda: list(states(site).values()).count("published") == 3, "the small ones to be published")
    wait_until(lambda: any(site.data.rglob("large.dat")), "the large one to be begun")
    disk.fill()
    opened.set()
    out, _ = process.communicate(timeout=60)
    why = stopped(json.loads(out))
    assert f"{site.data}: prod0/large/large.dat: the file cannot be written: no space left on device" in why
    assert seen(site, ATTEMPTS) == [(13, 0)]
    assert "prod0/large/large.dat" not in site.published()
    assert stopped(site.once()), "there is still no room"
    disk.make_room()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert seen(site, ATTEMPTS) == [(13, 0)]
    site.demand_sound()


def test_a_service_goes_on_by_itself_when_there_is_room_again(disk: Disk, tmp_path: Path, datastore: DataStore) -> None:
    expected = register_large(datastore)
    opened = threading.Event()
    datastore.fault("prod0/large/large.dat", Fault.gate(opened, after=LARGE // 2))
    site = DiskSite(tmp_path / "site", disk.root / "data", datastore)
    with serving(site):
        wait_until(lambda: any(site.data.rglob("large.dat")), "the large one to be begun")
        disk.fill()
        opened.set()
        wait_until(lambda: seen(site, "SELECT 1 FROM mirrors WHERE stopped_kind = 'disk'"), "the mirror to stop")
        disk.make_room()
        wait_until(lambda: set(states(site).values()) == {"published"}, "everything to be published")
    assert site.published() == expected
    assert seen(site, ATTEMPTS) == [(13, 0)]


def test_a_disk_that_is_read_only_for_a_while_is_told_and_the_next_run_goes_on(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1)
    site = DiskSite(tmp_path / "site", disk.root / "data", datastore)
    assert site.once()["exit_code"] == 0
    expected |= register(datastore, "prod0", "more")
    disk.read_only()
    why = stopped(site.once())
    assert str(site.data) in why
    assert "Read-only file system" in why
    disk.writable()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert seen(site, ATTEMPTS)[0][1] == 0


def test_a_disk_that_fails_in_the_midst_of_a_file_is_told_and_the_next_run_goes_on(
    failing_disk: Ext4, tmp_path: Path, datastore: DataStore
) -> None:
    expected = register_large(datastore)
    opened = threading.Event()
    datastore.fault("prod0/large/large.dat", Fault.gate(opened, after=LARGE // 2))
    site = DiskSite(tmp_path / "site", failing_disk.root / "data", datastore)
    with serving(site):
        wait_until(lambda: list(states(site).values()).count("published") == 3, "the small ones to be published")
        wait_until(lambda: any(site.data.rglob("large.dat")), "the large one to be begun")
        failing_disk.fail()
        opened.set()
        wait_until(lambda: seen(site, "SELECT 1 FROM mirrors WHERE stopped_kind = 'disk'"), "the mirror to stop")
    assert site.log().count("stopped: ") == 1, "what lasts is told once"
    failing_disk.mend()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert seen(site, ATTEMPTS) == [(13, 0)]


def test_a_repair_for_which_there_is_no_room_is_the_disks_fault_until_there_is(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=2, size=200_000)
    site = DiskSite(tmp_path / "site", disk.root / "data", datastore)
    site.once()
    path, body = next(iter(expected.items()))
    (site.data / path).write_bytes(body[::-1])
    disk.fill()
    for _ in range(2):
        assert site.run("verify", "--repair").code == 5
    assert site.run("verify").code == 3, "it stands damaged"
    disk.make_room()
    assert site.run("verify", "--repair").code == 0
    assert site.published() == expected
