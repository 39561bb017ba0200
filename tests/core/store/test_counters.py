"""The counters that screens read equal a full recount, whatever happened to the rows."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from core.model import FilesetState, FileState
from core.store.database import Database, IllegalTransition
from core.store.ids import file_id, file_range
from tests.core.store.seed import add_mirror, counted, recounted

FILESETS = 4
FILES = 3
MANY = st.integers(0, 2**40)
FILESET = st.integers(1, FILESETS)
FILE = st.integers(0, FILES - 1)

STEP = st.one_of(
    st.tuples(st.just("discover"), FILESET, st.sampled_from(FilesetState)),
    st.tuples(st.just("move"), FILESET, st.sampled_from(FilesetState)),
    st.tuples(st.just("trouble"), FILESET, st.sampled_from(["", "failed", "quarantined"])),
    st.tuples(st.just("size"), FILESET, MANY),
    st.tuples(st.just("forget"), FILESET, st.none()),
    st.tuples(st.just("list"), FILESET, st.tuples(FILE, MANY)),
    st.tuples(st.just("move file"), FILESET, st.tuples(FILE, st.sampled_from(FileState))),
    st.tuples(st.just("size file"), FILESET, st.tuples(FILE, MANY)),
    st.tuples(st.just("forget file"), FILESET, FILE),
    st.tuples(st.just("all files"), st.none(), st.sampled_from(FileState)),
)


async def _step(db: Database, products: list[int], what: str, number: int, value: object) -> None:
    if what.endswith(("list", "file", "files")):
        await _file_step(db, what, number, value)
        return
    match what, value:
        case "discover", state:
            await db.run(
                """INSERT OR IGNORE INTO filesets
                       (id, product_id, seq, place, name, registered, type, state, discovered_at)
                   VALUES (?, ?, ?, 0, ?, 0, '', ?, 0)""",
                (number, products[number % 2], number, f"s{number}", state),
            )
        case "move", state:
            await db.run("UPDATE filesets SET state = ? WHERE id = ?", (state, number))
        case "trouble", trouble:
            await db.run("UPDATE filesets SET trouble = ? WHERE id = ?", (trouble, number))
        case "size", size:
            await db.run("UPDATE filesets SET files = ? % 97, bytes = ? WHERE id = ?", (size, size, number))
        case "forget", _:
            await db.run("DELETE FROM files WHERE id BETWEEN ? AND ?", file_range(number))
            await db.run("DELETE FROM filesets WHERE id = ?", (number,))


async def _file_step(db: Database, what: str, number: int, value: object) -> None:
    match what, value:
        case "list", (int() as position, size):
            await db.run(
                """INSERT OR IGNORE INTO files (id, name, size, type, state)
                   SELECT ?, 'x', ?, '', 'pending' FROM filesets WHERE id = ?""",
                (file_id(number, position), size, number),
            )
        case "move file", (int() as position, state):
            await db.run("UPDATE files SET state = ? WHERE id = ?", (state, file_id(number, position)))
        case "size file", (int() as position, size):
            await db.run("UPDATE files SET size = ? WHERE id = ?", (size, file_id(number, position)))
        case "forget file", int() as position:
            await db.run("DELETE FROM files WHERE id = ?", (file_id(number, position),))
        case "all files", state:
            await db.run("UPDATE files SET state = ?", (state,))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_the_counters_equal_a_recount(steps: list[tuple[str, int, object]]) -> None:
    async def check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with await Database.open_writer(Path(folder) / "state.db") as db:
                products = list((await add_mirror(db, products=["p", "q"])).values())
                beginning: list[tuple[str, int, object]] = [
                    ("discover", number, "queued") for number in range(1, FILESETS + 1)
                ]
                beginning += [("list", number, (at, 9)) for _, number, _ in beginning for at in range(FILES)]
                async with db.transaction():
                    for what, number, value in [*beginning, *steps]:
                        with suppress(IllegalTransition):
                            await _step(db, products, what, number, value)
                assert await counted(db) == await recounted(db)

    asyncio.run(check())


async def test_a_rolled_back_change_leaves_the_counters_alone(db: Database) -> None:
    products = list((await add_mirror(db)).values())
    await _step(db, products * 2, "discover", 1, "queued")
    before = await counted(db)
    with suppress(ZeroDivisionError):
        async with db.transaction():
            await db.run("UPDATE filesets SET state = 'transferring', bytes = 7")
            assert await counted(db) != before
            raise ZeroDivisionError
    assert await counted(db) == before
