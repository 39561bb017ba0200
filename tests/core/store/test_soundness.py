"""Which state files are broken: those alone may be replaced."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from core.errors import StateError, Stopped
from core.store.database import Database
from core.store.soundness import fault
from tests.core.store.seed import add_product, poll

PAGE = 4096


@pytest.fixture
async def filled(state: Path) -> Path:
    """Return a state file with a product of a thousand filesets."""
    async with await Database.open_writer(state) as db:
        await poll(db, await add_product(db), [(f"fileset.{number}", number) for number in range(1000)])
    return state


async def test_a_state_file_that_was_closed_or_left_behind_is_sound(filled: Path) -> None:
    assert fault(filled, Event()) is None
    async with await Database.open_writer(filled) as db:
        await db.run("UPDATE filesets SET name = 'x' || name")
        assert fault(filled, Event()) is None
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute("PRAGMA user_version = 0")
    assert fault(filled, Event()) is None, "one of an older version"


async def test_every_page_that_is_gone_makes_it_broken(filled: Path) -> None:
    content = filled.read_bytes()
    for page in range(len(content) // PAGE):
        if any(content[page * PAGE : (page + 1) * PAGE]):
            torn = bytearray(content)
            torn[page * PAGE : (page + 1) * PAGE] = b"\xff" * PAGE
            filled.write_bytes(torn)
            assert fault(filled, Event()), page


async def test_a_file_that_was_cut_is_broken(filled: Path) -> None:
    content = filled.read_bytes()
    for size in (0, 1, 50, PAGE, 3 * PAGE, len(content) // 2, len(content) - PAGE):
        filled.write_bytes(content[:size])
        assert fault(filled, Event()), size


async def test_random_bytes_are_broken_and_random_damage_raises_nothing_else(filled: Path) -> None:
    content, chance = filled.read_bytes(), random.Random(4711)
    filled.write_bytes(chance.randbytes(100_000))
    assert fault(filled, Event())
    for _ in range(100):
        torn = bytearray(content)
        at = chance.randrange(100, len(torn) - 50)
        torn[at : at + 50] = chance.randbytes(50)
        filled.write_bytes(torn)
        fault(filled, Event())


async def test_an_index_that_lacks_a_row_is_found(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        [(root,)] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'filesets_lag'").fetchall()
    content = bytearray(filled.read_bytes())
    content[(root - 1) * PAGE + 3 : (root - 1) * PAGE + 5] = b"\x00\x00"
    filled.write_bytes(content)
    assert fault(filled, Event())


@pytest.mark.parametrize("pragma", ["user_version = 99", "application_id = 7"])
async def test_what_is_newer_or_not_ours_is_not_for_us_to_judge(filled: Path, pragma: str) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        connection.execute(f"PRAGMA {pragma}")
    with pytest.raises(StateError, match="nothing was changed"):
        fault(filled, Event())


async def test_it_can_be_stopped_and_changes_nothing(filled: Path) -> None:
    before = filled.read_bytes()
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        fault(filled, stop)
    assert filled.read_bytes() == before
