"""Which indexes are looked at again."""

from __future__ import annotations

from core.model import FilesetState
from core.store import filesets, mending
from core.store.database import Database
from core.store.ids import file_id
from core.store.records import LOOK
from tests.core.store.seed import NOW, add_product, fileset, poll, some_files, transferring


async def waiting(db: Database, names: list[str]) -> list[int]:
    """Begin filesets of which a file waits for its next try after the server failed to send it."""
    found = []
    for name in names:
        row = await transferring(db, name, some_files())
        await db.run(
            """UPDATE files SET state = 'retry_wait', failure_kind = 'transient', failure = 'x', next_try = ?
               WHERE id = ?""",
            (NOW + 60, file_id(row.id, 0)),
        )
        found.append(row.id)
    await filesets.judge(db, found)
    return found


async def test_a_file_that_waits_may_not_be_listed_any_more(db: Database) -> None:
    await poll(db, await add_product(db), [("a", 1)])
    [number] = await waiting(db, ["a"])
    assert await mending.look_again(db, 1, NOW + 61) == 0, "it is tried now"
    await db.run("UPDATE files SET state = 'quarantined', next_try = NULL WHERE id = ?", (file_id(number, 0),))
    await filesets.judge(db, [number])
    assert await mending.look_again(db, 1, NOW + 61) == 1


async def test_of_those_that_wait_for_a_host_a_few_are_looked_at(db: Database) -> None:
    names = [f"n{number}" for number in range(mending.SAMPLE + 10)]
    await poll(db, await add_product(db), [(name, 1) for name in names])
    await waiting(db, names)
    assert await mending.look_again(db, 1, NOW) == mending.SAMPLE


async def test_what_is_looked_at_is_left_alone_unless_it_is_to_be_read_meanwhile(db: Database) -> None:
    await poll(db, await add_product(db), [("a", 1)])
    [number] = await waiting(db, ["a"])
    assert await mending.look_again(db, 1, NOW) == 1
    looked_at = await fileset(db, "a")
    assert (looked_at.reread, looked_at.state) == (LOOK, FilesetState.TRANSFERRING)
    await db.run("UPDATE filesets SET reread = 1 WHERE id = ?", (number,))
    await mending.nothing_seen(db, number)
    await filesets.index_confirmed(db, looked_at, NOW)
    assert (await fileset(db, "a")).reread == 1
