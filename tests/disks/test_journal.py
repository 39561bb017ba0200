"""The journal on a disk that is full: what it keeps in reserve is for what has to be recorded."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import DiskError
from core.store.ballast import SHARE, Ballast
from core.store.database import Database
from core.store.journal import Journal, Operation
from tests.disks.conftest import SMALL
from tests.disks.disk import Disk

SIZE = SMALL // SHARE
MUCH = SIZE // 4


@pytest.fixture
def state(disk: Disk) -> Path:
    """Return the path of a state file on a small disk."""
    return disk.root / "mirror.db"


@pytest.fixture
async def journal(state: Path) -> AsyncIterator[Journal]:
    async with await Database.open_writer(state) as db, await Database.open_reader(state) as reader:
        one = Journal(db, reader, Ballast(state))
        one.start()
        yield one
        await one.close()


def put(key: str, size: int = 1) -> Operation[str]:
    async def operation(db: Database) -> str:
        await db.run("INSERT INTO settings VALUES (?, ?)", (key, "x" * size))
        return key

    return operation


async def keys(journal: Journal) -> list[str]:
    return [row["key"] for row in await journal.reader.rows("SELECT key FROM settings ORDER BY key")]


async def attempt(journal: Journal, key: str) -> str | None:
    """Write much; return why that was refused, if it was."""
    try:
        await journal.write(put(key, MUCH))
    except sqlite3.OperationalError as error:
        return str(error)
    return None


def is_kept(state: Path) -> bool:
    ballast = Ballast(state).path
    return ballast.exists() and ballast.stat().st_blocks * 512 >= SIZE


async def test_what_was_to_be_recorded_when_the_disk_became_full_is(journal: Journal, state: Path, disk: Disk) -> None:
    told: list[str | None] = []
    journal.on_short = lambda: told.append(journal.short)
    await journal.secure()
    assert is_kept(state)
    disk.fill()
    wanted = [("a", 1), ("b", MUCH), ("c", 1)]
    assert await asyncio.gather(*(journal.write(put(*one)) for one in wanted)) == ["a", "b", "c"]
    assert await keys(journal) == ["a", "b", "c"]
    assert told == ["database or disk is full"]
    assert not is_kept(state)


async def test_when_the_reserve_is_used_up_writing_fails_and_what_was_written_stays(
    journal: Journal, disk: Disk
) -> None:
    await journal.secure()
    disk.fill()
    ends = [await attempt(journal, str(number)) for number in range(10)]
    written = [str(number) for number, end in enumerate(ends) if end is None]
    assert await keys(journal) == written
    assert len(written) >= 2
    assert set(ends) == {None, "database or disk is full"}
    disk.make_room()
    assert await journal.write(put("more", MUCH)) == "more"
    assert await keys(journal) == [*written, "more"]


async def test_the_reserve_is_taken_again_when_twice_as_much_is_free(journal: Journal, state: Path, disk: Disk) -> None:
    await journal.secure()
    disk.fill()
    await journal.write(put("a", MUCH))
    with pytest.raises(DiskError, match="the disk of the state file is full"):
        await journal.secure()
    disk.make_room()
    await journal.secure()
    assert is_kept(state)
    assert journal.short is None
