"""Only the state changes of transitions.py can be written, whatever statement tries."""

from __future__ import annotations

import pytest

from core.model import OPEN_STATES, FilesetState, FileState
from core.store import operate
from core.store.database import Database, IllegalTransition
from core.store.transitions import FILE_TRANSITIONS, FILESET_TRANSITIONS
from tests.core.store.seed import add_product, file_states, poll, publish, set_fileset, states


async def _accepted(db: Database, sql: str, number: int) -> bool:
    try:
        await db.run(sql, (number,))
    except IllegalTransition:
        return False
    return True


@pytest.mark.parametrize("old", FilesetState)
async def test_a_fileset_moves_only_as_the_table_says(db: Database, old: FilesetState) -> None:
    await add_product(db)
    for new in FilesetState:
        await set_fileset(db, "a", old)
        number = await db.value("SELECT id FROM filesets")
        legal = new is old or new in FILESET_TRANSITIONS[old]
        assert await _accepted(db, f"UPDATE filesets SET state = '{new}' WHERE id = ?", number) is legal, (old, new)
        assert await db.value("SELECT state FROM filesets") == (new if legal else old)


@pytest.mark.parametrize("old", FileState)
async def test_a_file_moves_only_as_the_table_says(db: Database, old: FileState) -> None:
    await add_product(db)
    await set_fileset(db, "a", "transferring")
    number = (await db.value("SELECT id FROM filesets")) << 24
    for new in FileState:
        await db.run("DELETE FROM files")
        await db.run("INSERT INTO files (id, name, size, type, state) VALUES (?, 'x', 1, '', ?)", (number, old))
        legal = new is old or new in FILE_TRANSITIONS[old]
        assert await _accepted(db, f"UPDATE files SET state = '{new}' WHERE id = ?", number) is legal, (old, new)
        assert await db.value("SELECT state FROM files") == (new if legal else old)


def test_the_tables_know_every_state() -> None:
    assert set(FILESET_TRANSITIONS) == set(FilesetState)
    assert set(FILE_TRANSITIONS) == set(FileState)
    for state in (*OPEN_STATES, FilesetState.HELD):
        if state is not FilesetState.PUBLISHING:
            assert {FilesetState.CANCELLED, FilesetState.WITHDRAWN} <= set(FILESET_TRANSITIONS[state])


async def test_one_illegal_row_undoes_a_whole_bulk_update(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1), ("b", 2), ("c", 3)])
    await publish(db, "c")
    before = await states(db, product)
    with pytest.raises(IllegalTransition):
        await db.run("UPDATE filesets SET state = 'queued'")
    assert await states(db, product) == before
    with pytest.raises(IllegalTransition):
        await db.rows("UPDATE filesets SET state = 'queued' RETURNING id")
    assert await states(db, product) == before


async def test_holding_several_filesets_holds_none_if_one_may_not_be_held(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1), ("b", 2)])
    row = await publish(db, "b")
    numbers = [one["id"] for one in await db.rows("SELECT id FROM filesets ORDER BY id")]
    assert row.id == numbers[-1]
    with pytest.raises(IllegalTransition):
        async with db.transaction():
            await operate.hold(db, numbers)
    assert await states(db, product) == {"a": "discovered", "b": "published"}


async def test_a_bulk_update_of_files_is_guarded_too(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1)])
    await set_fileset(db, "a", "transferring")
    number = await db.value("SELECT id FROM filesets")
    rows = [(number << 24 | at, f"f{at}", state) for at, state in enumerate(["active", "skipped"])]
    await db.run_many("INSERT INTO files (id, name, size, type, state) VALUES (?, ?, 1, '', ?)", rows)
    with pytest.raises(IllegalTransition):
        await db.run("UPDATE files SET state = 'staged'")
    assert await file_states(db, number) == {"f0": "active", "f1": "skipped"}
