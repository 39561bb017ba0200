"""Indexes that are too large for memory, and the disks on which they are held while they are read."""

from __future__ import annotations

from pathlib import Path

from core.sources.spool import DEFAULT_LIMITS
from tests.disks.disk import Disk
from tests.disks.sites import DiskSite
from tests.servers.datastore import DataStore
from tests.whole.site import fill

FEW = 3


def add_large(store: DataStore) -> dict[str, bytes]:
    """Register filesets whose indexes, for all the comments in them, are too large for memory; return their files."""
    expected = {}
    store.add_product("large")
    for number in range(FEW):
        store.add_fileset("large", f"f{number}", {"a.dat": b"data"})
        remark = b"# " + b"x" * 1000 + b"\n"
        padding = remark * (DEFAULT_LIMITS.memory_bytes // len(remark) + 1)
        store.raw_index(f"large/f{number}/index.txt", store.index(f"large/f{number}/index.txt") + padding)
        expected[f"large/f{number}/a.dat"] = b"data"
    return expected


def test_a_full_folder_for_temporary_files_is_no_trouble(disk: Disk, tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore) | add_large(datastore)
    disk.fill()
    site = DiskSite(tmp_path / "site", tmp_path / "data", datastore)
    site.environment["TMPDIR"] = str(disk.root)
    found = site.once()
    assert found["exit_code"] == 0, found
    assert site.published() == expected


def test_large_indexes_leave_room_to_the_state_and_only_they_wait_for_it(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected, large = fill(datastore), add_large(datastore)
    site = DiskSite(disk.root / "site", tmp_path / "data", datastore)
    assert disk.free < DEFAULT_LIMITS.spare_bytes
    ended = site.run("--once", "--json")
    assert ended.code == ended.json["exit_code"] == 5
    assert ended.json["mirrors"][0]["stopped"] is None
    assert {(one["product"], one["kind"]) for one in ended.json["failures"]} == {("large", "disk")}
    assert len(ended.json["failures"]) == FEW
    assert site.log().count(f"can't be spooled in {site.folder}: less than") == 1
    assert site.published() == expected
    (roomy := DiskSite(tmp_path / "site", tmp_path / "data", datastore)).folder.joinpath("mirror.db").write_bytes(
        (site.folder / "mirror.db").read_bytes()
    )
    assert roomy.once()["exit_code"] == 0
    assert roomy.published() == expected | large
