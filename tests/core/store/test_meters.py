"""Figures behind rates and forecasts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from core.store import meters
from core.store.database import Database
from core.store.schema import APPLICATION_ID, INITIAL
from tests.core.store.seed import NOW


async def all_of(db: Database, table: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await db.rows(f"SELECT * FROM {table}")]


async def test_what_is_fetched_adds_up_by_product(db: Database) -> None:
    await meters.fetched(db, {1: (2, 300), 2: (1, 50)})
    await meters.fetched(db, {1: (1, 100)})
    assert await all_of(db, "meters") == [(1, 3, 400), (2, 1, 50)]


async def test_what_comes_adds_up_by_product_and_by_interval(db: Database) -> None:
    await meters.came(db, {1: 300, 2: 50}, NOW + 1)
    await meters.came(db, {1: 100}, NOW + 9.9)
    await meters.came(db, {1: 7}, NOW + 10)
    assert await all_of(db, "history") == [(NOW, 1, 400), (NOW, 2, 50), (NOW + 10, 1, 7)]


async def test_old_figures_are_forgotten_and_meters_stay(db: Database) -> None:
    day = 86_400
    for age in (8 * day, day + 20, day - 20, 0):
        await meters.fetched(db, {1: (1, 10)})
        await meters.came(db, {1: 10}, NOW - age)
        await meters.sample_disks(db, {1: (100, 1000)}, NOW - age)
    await meters.prune(db, NOW)
    assert [row[0] for row in await all_of(db, "history")] == [NOW - day + 20, NOW]
    assert [row[1] for row in await all_of(db, "disks")] == [NOW - day - 20, NOW - day + 20, NOW]
    assert await all_of(db, "meters") == [(1, 4, 40)]


async def test_the_history_of_an_older_state_file_is_kept(tmp_path: Path) -> None:
    state = tmp_path / "old.db"
    with closing(sqlite3.connect(state)) as old:
        for statement in INITIAL:
            old.execute(statement)
        old.execute("INSERT INTO history (at, product_id, files, bytes) VALUES (?, 1, 3, 400)", (NOW,))
        old.execute("PRAGMA user_version = 1")
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.commit()
    async with await Database.open_writer(state) as db:
        await meters.came(db, {1: 7}, NOW)
        assert await all_of(db, "history") == [(NOW, 1, 407)]


async def test_a_disk_is_sampled_once_a_second_at_most(db: Database) -> None:
    await meters.sample_disks(db, {1: (100, 1000), 2: (5, 10)}, NOW)
    await meters.sample_disks(db, {1: (90, 1000)}, NOW + 0.5)
    assert await all_of(db, "disks") == [(1, NOW, 90, 1000), (2, NOW, 5, 10)]
