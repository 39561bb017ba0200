"""The disk of the state file is full, while the destination has room, or none either."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from core.store.ballast import SHARE
from tests.disks.conftest import SMALL
from tests.disks.disk import Disk
from tests.disks.sites import DiskSite, stopped
from tests.servers.datastore import DataStore
from tests.servers.faults import Fault
from tests.whole.service import seen, serving, states, wait_until
from tests.whole.site import counts, fill

SIZE = SMALL // SHARE
FULL = "the disk of the state file is full"


def hold_back(store: DataStore) -> threading.Event:
    """Let nothing come of filesets after the first ten until the event is set."""
    opened = threading.Event()
    store.fault("*/o470.chip.[1-9][0-9].*.fits", Fault.gate(opened), times=None)
    return opened


def test_a_state_whose_disk_is_full_records_what_is_published_and_why_no_more_is(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=60, files=20, size=10)
    opened = hold_back(datastore)
    site = DiskSite(disk.root / "site", tmp_path / "data", datastore)
    process = site.start("--once", "--json")
    wait_until(lambda: "published" in states(site).values(), "a fileset to be published")
    ballast = site.folder / "mirror.db.ballast"
    assert ballast.stat().st_blocks * 512 >= SIZE
    assert stat.S_IMODE(ballast.stat().st_mode) == 0o600
    disk.fill()
    opened.set()
    out, _ = process.communicate(timeout=60)
    found = json.loads(out)
    assert f"{site.folder / 'mirror.db'}: {FULL}" in stopped(found)
    assert not ballast.exists()
    known = {path for path, state in states(site).items() if state == "published"}
    assert known == {path.split("/")[1] for path in site.published()}
    assert counts(found, "prod0")["published"] == len(known) < 60
    assert FULL in site.run("status").out
    assert FULL in stopped(site.once()), "there is still no room"
    disk.make_room()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert ballast.stat().st_blocks * 512 >= SIZE
    site.demand_sound()


def test_a_service_whose_state_finds_no_room_goes_on_by_itself_when_there_is_some(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=60, files=20, size=10)
    site = DiskSite(disk.root / "site", tmp_path / "data", datastore)
    opened = hold_back(datastore)
    with serving(site):
        wait_until(lambda: "published" in states(site).values(), "a fileset to be published")
        disk.fill()
        opened.set()
        wait_until(lambda: FULL in str(seen(site, "SELECT stopped FROM mirrors")), "the mirror to stop")
        disk.make_room()
        wait_until(lambda: set(states(site).values()) == {"published"}, "everything to be published")
        wait_until((site.folder / "mirror.db.ballast").exists, "room to be kept again")
    assert site.published() == expected
    site.demand_sound()


def test_state_and_destination_on_one_disk_that_fills_up_lose_nothing(disk: Disk, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=60, files=20, size=3000)
    site = DiskSite(disk.root / "site", disk.root / "data", datastore)
    opened = hold_back(datastore)
    process = site.start("--once", "--json")
    wait_until(lambda: "published" in states(site).values(), "a fileset to be published")
    disk.fill()
    opened.set()
    out, _ = process.communicate(timeout=60)
    stopped(json.loads(out))
    known = {path for path, state in states(site).items() if state == "published"}
    assert known == {path.split("/")[1] for path in site.published()}
    disk.make_room()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert seen(site, "SELECT ifnull(sum(attempts), 0) FROM files") == [(0,)]
    site.demand_sound()


def test_a_state_that_finds_no_room_at_all_is_told_in_one_line_and_the_next_run_goes_on(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1)
    site = DiskSite(disk.root / "site", tmp_path / "data", datastore)
    disk.fill()
    ended = site.run("--once")
    assert ended.code == 5, ended
    assert len(ended.err.splitlines()) == 1
    assert f"{site.folder / 'mirror.db'}" in ended.err
    assert "make room" in ended.err
    disk.make_room()
    assert site.once()["exit_code"] == 0
    disk.fill()
    status = site.run("status")
    assert status.code == 0, status
    disk.make_room()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


@pytest.mark.parametrize("files", range(4))
def test_a_disk_that_holds_no_more_files_is_told_as_such_and_the_next_run_goes_on(
    disk: Disk, tmp_path: Path, datastore: DataStore, files: int
) -> None:
    expected = fill(datastore, products=1)
    site = DiskSite(disk.root / "site", tmp_path / "data", datastore)
    disk.hold_files(files)
    ended = site.run("--once")
    assert ended.code == 5, ended
    assert len(ended.err.splitlines()) == 1 + ("logging to stderr" in ended.err)
    assert "make room on that disk, for bytes and for files" in ended.err
    disk.hold_files(1000)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    site.demand_sound()


@pytest.mark.parametrize("beyond", [-100_000, 8192])
def test_a_dry_run_that_finds_no_room_for_its_copy_of_the_state_names_that_folder(
    disk: Disk, tmp_path: Path, datastore: DataStore, beyond: int
) -> None:
    fill(datastore, products=1)
    site = DiskSite(tmp_path / "site", tmp_path / "data", datastore)
    assert site.once()["exit_code"] == 0
    disk.fill(leave=(site.folder / "mirror.db").stat().st_size + beyond)
    ended = site.run("--once", "--dry-run", env={"TMPDIR": str(disk.root)})
    assert ended.code == 5, ended
    assert ended.err.startswith(f"mirrortui: {disk.root}: no copy of the state")
    assert "set TMPDIR" in ended.err
    assert str(site.folder) not in ended.err
    assert len(ended.err.splitlines()) == 1
    disk.make_room()
    assert site.run("--once", "--dry-run", env={"TMPDIR": str(disk.root)}).code == 0


def test_a_state_on_a_very_small_disk_works_and_keeps_its_promises(
    very_small_disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=40, files=20, size=10)
    opened = hold_back(datastore)
    site = DiskSite(very_small_disk.root / "site", tmp_path / "data", datastore)
    process = site.start("--once", "--json")
    wait_until(lambda: "published" in states(site).values(), "a fileset to be published")
    very_small_disk.fill()
    opened.set()
    out, _ = process.communicate(timeout=60)
    assert FULL in stopped(json.loads(out))
    known = {path for path, state in states(site).items() if state == "published"}
    assert known == {path.split("/")[1] for path in site.published()}
    very_small_disk.make_room()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    site.demand_sound()
