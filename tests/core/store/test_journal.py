"""Group commit: shared transactions, failures undone alone, nothing lost at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.store.database import Database, IllegalTransition
from core.store.journal import Journal, Operation
from tests.core.store.seed import add_product, poll, states


@pytest.fixture
async def watcher(db: Database, state: Path) -> AsyncIterator[Database]:
    """Yield the engine's second connection, for reading."""
    async with await Database.open_reader(state) as reader:
        yield reader


@pytest.fixture
async def journal(db: Database, watcher: Database) -> AsyncIterator[Journal]:
    one = Journal(db, watcher)
    one.start()
    yield one
    await one.close()


def put(key: str) -> Operation[str]:
    async def operation(db: Database) -> str:
        await db.run("INSERT INTO settings VALUES (?, 'x')", (key,))
        return key

    return operation


async def keys(db: Database) -> set[str]:
    return {row["key"] for row in await db.rows("SELECT key FROM settings")}


async def test_a_write_is_visible_to_others_when_it_returns(journal: Journal) -> None:
    assert await journal.write(put("a")) == "a"
    assert await keys(journal.reader) == {"a"}


async def test_reading_shows_nothing_that_is_not_committed(journal: Journal) -> None:
    async def watched(db: Database) -> set[str]:
        await put("a")(db)
        return await keys(journal.reader)

    assert await journal.write(watched) == set()
    assert await keys(journal.reader) == {"a"}


async def test_concurrent_writes_share_transactions(journal: Journal) -> None:
    seen: list[int] = []

    async def counted(number: int) -> None:
        await journal.write(put(str(number)))
        seen.append(len(await keys(journal.reader)))

    await asyncio.gather(*(counted(number) for number in range(200)))
    assert set(seen) == {200}


async def test_results_reach_their_own_callers(journal: Journal) -> None:
    wanted = [f"k{number}" for number in range(600)]
    assert await asyncio.gather(*(journal.write(put(key)) for key in wanted)) == wanted
    assert await keys(journal.db) == set(wanted)


async def test_an_operation_that_fails_is_undone_alone(journal: Journal) -> None:
    async def half(db: Database) -> None:
        await put("half")(db)
        raise ZeroDivisionError("the second half")

    ends = await asyncio.gather(
        journal.write(put("a")), journal.write(half), journal.write(put("b")), journal.write(put("a")),
        return_exceptions=True,
    )  # fmt: skip
    assert (ends[0], ends[2]) == ("a", "b")
    assert isinstance(ends[1], ZeroDivisionError)
    assert "UNIQUE" in str(ends[3])
    assert await keys(journal.db) == {"a", "b"}


async def test_an_illegal_transition_raises_to_its_caller(journal: Journal) -> None:
    product = await add_product(journal.db)
    await poll(journal.db, product, [("a", 1)])

    async def illegal(db: Database) -> None:
        await db.run("UPDATE filesets SET state = 'published'")

    with pytest.raises(IllegalTransition):
        await journal.write(illegal)
    assert await states(journal.db, product) == {"a": "discovered"}


async def test_a_caller_that_gives_up_disturbs_nobody(journal: Journal) -> None:
    tasks = [asyncio.create_task(journal.write(put(str(number)))) for number in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [end for end in ends if isinstance(end, str)] == [str(number) for number in range(10) if number != 3]
    assert await journal.write(put("later")) == "later"


@pytest.mark.parametrize("turns", [1, 2, 50])
async def test_closing_writes_what_waits(db: Database, watcher: Database, turns: int) -> None:
    journal = Journal(db, watcher)
    journal.start()
    tasks = [asyncio.create_task(journal.write(put(str(number)))) for number in range(1000)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await journal.close()
    assert len(await asyncio.gather(*tasks)) == 1000
    assert len(await keys(watcher)) == 1000


async def test_closing_an_idle_journal_returns(db: Database, watcher: Database) -> None:
    journal = Journal(db, watcher)
    await journal.close()
    journal.start()
    await journal.close()


async def test_a_journal_that_is_closed_takes_nothing_more(journal: Journal) -> None:
    await journal.close()
    with pytest.raises(RuntimeError, match="closed"):
        await journal.write(put("late"))
    assert await keys(journal.reader) == set()


async def test_the_task_that_writes_ends_when_the_journal_is_closed(db: Database, watcher: Database) -> None:
    journal = Journal(db, watcher)
    with pytest.raises(RuntimeError, match="not started"):
        _ = journal.task
    journal.start()
    assert not journal.task.done()
    await journal.close()
    assert journal.task.done()
