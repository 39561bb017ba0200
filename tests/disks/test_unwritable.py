"""A state file that can't be written, or is not what it should be: told in one line, with the file and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disks.disk import Disk
from tests.disks.sites import DiskSite, as_others
from tests.servers.datastore import DataStore
from tests.whole.service import states, wait_until
from tests.whole.site import Ended, fill

CHANGING = [("--once",), ("--once", "--dry-run"), ("retry", "--all"), ("rebuild",)]
LOOKING = [("status", "--json"), ("failures",)]


def demand_told(ended: Ended, site: DiskSite, *words: str) -> None:
    assert ended.code == 2, ended
    told = [line for line in ended.err.splitlines() if line.startswith("mirrortui: ")]
    assert len(told) == 1, ended
    for word in (str(site.folder / "mirror.db"), *words):
        assert word in told[0]


def test_on_a_read_only_disk_looking_works_and_all_else_is_told_and_changes_nothing(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    fill(datastore, products=1, filesets=1)
    site = DiskSite(disk.root / "site", tmp_path / "data", datastore)
    site.once()
    before = (site.folder / "mirror.db").read_bytes()
    disk.read_only()
    for command in CHANGING:
        demand_told(site.run(*command), site, "let this user write")
    for command in LOOKING:
        ended = site.run(*command)
        assert ended.code == 0, ended
    disk.writable()
    assert (site.folder / "mirror.db").read_bytes() == before
    assert site.once()["exit_code"] == 0


def test_what_an_engine_left_that_was_killed_is_seen_though_its_disk_is_read_only_now(
    disk: Disk, tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=3)
    site = DiskSite(disk.root / "site", tmp_path / "data", datastore)
    process = site.start("run")
    wait_until(lambda: list(states(site).values()) == ["published"] * 3, "everything to be published")
    process.kill()
    process.communicate()
    disk.read_only()
    (found,) = site.run("status", "--json").json["mirrors"]
    assert found["products"][0]["filesets"]["published"] == 3
    disk.writable()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_an_empty_state_file_is_told_and_filled_anew_by_the_next_run(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    site = DiskSite(tmp_path / "site", tmp_path / "data", datastore)
    site.once()
    (site.folder / "mirror.db").write_bytes(b"")
    for command in [*LOOKING, ("retry", "--all"), ("backup", "copy.db")]:
        demand_told(site.run(*command), site, "is empty")
    assert (site.folder / "mirror.db").read_bytes() == b""
    assert not (site.folder / "copy.db").exists()
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert not datastore.requested("*.fits"), "what is published is taken over"


@pytest.mark.parametrize("kind", ["folder", "missing"])
def test_a_state_that_cannot_be_a_file_is_told_by_every_command(
    tmp_path: Path, datastore: DataStore, kind: str
) -> None:
    site = DiskSite(tmp_path / "site", tmp_path / "data", datastore)
    if kind == "folder":
        (site.folder / "mirror.db").mkdir()
    else:
        site.config.write_text(site.config.read_text().replace('"mirror.db"', '"nowhere/mirror.db"'))
    for command in (("--once",), ("status",), ("retry", "--all")):
        ended = site.run(*command)
        assert ended.code == 2, ended
        assert len(ended.err.splitlines()) == 1
        assert str(site.folder / ("mirror.db" if kind == "folder" else "nowhere")) in ended.err
    assert {path.name for path in site.folder.iterdir()} <= {"mirrortui.toml", "mirror.db"}


def test_a_state_that_was_looked_at_while_it_was_read_only_can_be_written_again(
    tmp_path: Path, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=1)
    site = DiskSite(tmp_path / "site", tmp_path / "data", datastore)
    state = site.folder / "mirror.db"
    site.once()
    state.chmod(0o400)
    demand_told(site.run_under(as_others(), "--once"), site, "let this user write")
    assert site.run_under(as_others(), "status").code == 0
    state.chmod(0o600)
    for command in "pause", "resume", "--once":
        ended = site.run_under(as_others(), command)
        assert ended.code == 0, ended
    assert site.published() == expected
