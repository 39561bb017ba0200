"""SIGKILL at a named point of the program: nothing half is ever visible, and the next run completes everything."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

import pytest

from core.store.database import Database
from tests.core.store.seed import counted, recounted
from tests.servers.datastore import DataStore
from tests.whole.site import HERE, SECONDS, Site, fill

Filesets: TypeAlias = dict[str, dict[str, bytes]]
"""Files by name, of each fileset by its path."""

PRODUCTS = {"prod0", "prod1"}
CHANGED, UNCHANGED = "prod0/o470.chip.1", "prod1/o471.chip.0"

FRESH = [
    ("before:commit", 1),
    ("after:commit", 2),
    ("before:commit", 9),
    ("after:commit", 12),
    ("before:stage", 1),
    ("after:stage", 4),
    ("before:complete", 1),
    ("after:complete", 13),
    ("after:complete", 24),
    ("before:seal", 1),
    ("after:seal", 3),
    ("before:flush", 1),
    ("before:fsync", 20),
    ("before:publish", 1),
    ("after:publish", 1),
    ("before:rename", 4),
    ("after:publish", 6),
    ("after:settle", 1),
    ("before:write_index", 1),
    ("after:rename", 7),
    ("after:write_index", 2),
]
AGAIN = [
    ("before:inspect", 1),
    ("after:inspect", 2),
    ("after:complete", 2),
    ("after:seal", 1),
    ("after:flush", 1),
    ("before:exchange", 1),
    ("after:exchange", 1),
    ("after:publish", 2),
    ("before:settle", 1),
    ("before:write_index", 1),
]


def by_fileset(files: dict[str, bytes]) -> Filesets:
    found: Filesets = defaultdict(dict)
    for path, body in files.items():
        fileset, _, name = path.rpartition("/")
        found[fileset][name] = body
    return dict(found)


def register_again(store: DataStore, fileset: str, files: dict[str, bytes]) -> None:
    product, _, name = fileset.partition("/")
    store.register_again(product, name, files, registered="2026-11-02T00:00:00Z")


def kill_at(site: Site, point: str, number: int) -> None:
    """Run the program until it kills itself."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.whole.crashing", point, str(number), "--", "--once", "--quiet"],
        cwd=site.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(site.folder), "PYTHONPATH": str(HERE)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, f"{point} was not reached {number} times: {ended.stderr}"


def listed(folder: Path) -> dict[str, list[str]]:
    """Return the rows of the index in a folder, by their first cell; none if there is no index."""
    index = folder / "index.txt"
    lines = index.read_text().splitlines() if index.exists() else []
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if not line.startswith("#")]
    return {row[0]: row[1:] for row in rows}


def assert_whole(site: Site, *revisions: Filesets) -> None:
    """Every fileset that can be seen is complete and right, in one of its revisions; nothing is anywhere else."""
    for fileset, files in by_fileset(site.published()).items():
        assert files in [revision.get(fileset) for revision in revisions], fileset
        sums = {name: [str(len(body)), hashlib.md5(body).hexdigest()] for name, body in files.items()}
        assert {name: row[:2] for name, row in listed(site.data / fileset).items()} == sums
    for product in PRODUCTS:
        assert all((site.data / product / name).is_dir() for name in listed(site.data / product))
    assert [path.name for path in site.folder.parent.iterdir()] == [site.folder.name]
    known = {site.config.name, "data", "mirrortui.log", *(f"mirror.db{end}" for end in ("", "-wal", "-shm", ".lock"))}
    assert {path.name for path in site.folder.iterdir()} <= known
    if site.data.exists():
        assert {path.name for path in site.data.iterdir()} <= PRODUCTS | {".mirrortui", "index.txt"}


async def assert_complete_after_another_run(site: Site, wanted: Filesets) -> None:
    found = site.once()
    assert found["exit_code"] == 0, found["failures"]
    assert by_fileset(site.published()) == wanted
    assert_whole(site, wanted)
    assert set(listed(site.data)) == PRODUCTS
    assert {f"{product}/{name}" for product in PRODUCTS for name in listed(site.data / product)} == set(wanted)
    assert not list((site.data / ".mirrortui/staging").glob("*/*"))
    async with await Database.open_reader(site.folder / "mirror.db") as db:
        rows = await db.rows("SELECT state, count(*) FROM filesets WHERE state <> 'superseded' GROUP BY state")
        assert {row[0]: row[1] for row in rows} == {"published": len(wanted)}
        assert await counted(db) == await recounted(db)
        assert await db.value("SELECT count(*) FROM transfers") == 0
        assert await db.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize(("point", "number"), FRESH)
async def test_killed_at_first_sight_of_a_source(site: Site, datastore: DataStore, point: str, number: int) -> None:
    wanted = by_fileset(fill(datastore, products=2, filesets=3, files=4))
    kill_at(site, point, number)
    assert_whole(site, wanted)
    await assert_complete_after_another_run(site, wanted)


@pytest.mark.parametrize(("point", "number"), AGAIN)
async def test_killed_while_filesets_are_replaced(site: Site, datastore: DataStore, point: str, number: int) -> None:
    old = by_fileset(fill(datastore, products=2, filesets=3, files=4))
    assert site.once()["exit_code"] == 0
    first, second, *_ = old[CHANGED].items()
    changed = dict([first, (second[0], b"corrected"), ("added.fits", b"added"), ("empty.fits", b"")])
    new = {**old, CHANGED: changed}
    register_again(datastore, CHANGED, changed)
    register_again(datastore, UNCHANGED, old[UNCHANGED])
    kill_at(site, point, number)
    assert_whole(site, old, new)
    assert set(by_fileset(site.published())) == set(old), "at any moment a revision is there"
    await assert_complete_after_another_run(site, new)
