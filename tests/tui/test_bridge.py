"""The bridge hands over what the state file holds: soon after a change, and only what is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.engine.lease import Lease
from core.store import events, operate, registry
from core.store.database import Database
from core.store.ids import file_id
from core.store.screens import FilesetDetails, ProductDetails, QueueOrder
from tests.core.store.seed import NOW, add_product, fileset, poll, read_index, some_files
from tests.core.store.watching import file_failed
from tui import bridge as module
from tui import pace
from tui.bridge import Bridge
from tui.snapshot import Snapshot, Subject, View

PATIENCE = 20.0
A_WHILE = 0.3
NEVER = 3600.0


class Shown:
    """Takes snapshots as the screen does."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self._news = asyncio.Event()

    def __call__(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self._news.set()

    async def wait_for(self, true: Callable[[Snapshot], object]) -> Snapshot:
        """Return the last snapshot as soon as something is true of it."""
        async with asyncio.timeout(PATIENCE):
            while not self.snapshots or not true(self.snapshots[-1]):
                self._news.clear()
                await self._news.wait()
        return self.snapshots[-1]


@asynccontextmanager
async def running(state: Path) -> AsyncIterator[tuple[Bridge, Shown]]:
    """Run a bridge for the time of the block."""
    shown = Shown()
    bridge = Bridge(state, shown)
    task = asyncio.create_task(bridge.run())
    try:
        yield bridge, shown
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(name="state")
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "mirror.db"


@pytest.fixture(name="db")
async def engines_connection(state: Path) -> AsyncIterator[Database]:
    async with await Database.open_writer(state) as database:
        yield database


async def test_a_change_is_shown_and_nothing_is_read_while_nothing_changes(
    state: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "STEADY_SECONDS", NEVER)
    async with running(state) as (bridge, shown):
        first = await shown.wait_for(lambda one: one.overview)
        assert first.overview is not None
        assert first.overview.products == ()
        product = await add_product(db)
        await shown.wait_for(lambda one: one.overview and one.overview.products)
        await poll(db, product, [("a", 1), ("b", 2)])
        await shown.wait_for(lambda one: len(one.queue) == 2)
        await asyncio.sleep(A_WHILE)
        before = len(shown.snapshots)
        await asyncio.sleep(A_WHILE)
        assert len(shown.snapshots) == before
        bridge.want(View())
        await asyncio.sleep(A_WHILE)
        assert len(shown.snapshots) == before, "the same view is not a new one"
        bridge.look()
        await shown.wait_for(lambda _: len(shown.snapshots) == before + 1)


async def test_what_comes_of_a_command_is_shown_at_once(
    state: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "STEADY_SECONDS", NEVER)
    monkeypatch.setattr(pace, "PAINT_SECONDS", NEVER)
    monkeypatch.setattr(module, "HURRY_SECONDS", NEVER)
    async with running(state) as (bridge, shown):
        await shown.wait_for(lambda one: one.overview)
        await add_product(db)
        await asyncio.sleep(A_WHILE)
        assert len(shown.snapshots) == 1
        bridge.hurry()
        await shown.wait_for(lambda one: one.overview and one.overview.products)


async def test_the_clock_goes_on_although_nothing_changes(
    state: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "STEADY_SECONDS", 0.1)
    async with running(state) as (_, shown):
        await shown.wait_for(lambda one: one.at > shown.snapshots[0].at)


async def test_what_the_view_asks_for_is_read_and_no_more(state: Path, db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 3), ("b", 2), ("c", 1)])
    row = await read_index(db, "a", some_files(3))
    async with running(state) as (bridge, shown):
        plain = await shown.wait_for(lambda one: len(one.queue) == 3)
        assert plain.details is None
        assert plain.files == ()
        names = [plain.lines[key].name for key in plain.queue]
        assert sorted(names) == ["a", "b", "c"], "the first rows are loaded before anybody asks for them"

        bridge.want(View(visible=plain.queue[:1], order=QueueOrder.NAME, reverse=True))
        sorted_down = await shown.wait_for(lambda one: one.view.reverse)
        assert set(sorted_down.lines) == {plain.queue[0], sorted_down.queue[0]}, "what is in sight, and the first row"
        assert sorted_down.queue != plain.queue

        bridge.want(View(like="b"))
        found = await shown.wait_for(lambda one: one.view.like == "b")
        assert [found.lines[key].name for key in found.queue] == ["b"]

        bridge.want(View(subject=Subject("product", product)))
        of_product = await shown.wait_for(lambda one: isinstance(one.details, ProductDetails))
        assert len(of_product.details_history) == module.STEPS

        bridge.want(View(subject=Subject("fileset", row.id)))
        assert (await shown.wait_for(lambda one: isinstance(one.details, FilesetDetails))).files == ()
        bridge.want(View(subject=Subject("fileset", row.id), files=True))
        assert [line.name for line in (await shown.wait_for(lambda one: one.files)).files] == ["f0", "f1", "f2"]

        bridge.want(View(subject=Subject("fileset", 10**6)))
        gone = await shown.wait_for(lambda one: one.view.subject == Subject("fileset", 10**6))
        assert gone.details is None


async def test_failures_and_events_arrive_as_they_happen(state: Path, db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1)])
    await read_index(db, "a", some_files(2))
    async with running(state) as (_, shown):
        await shown.wait_for(lambda one: one.queue)
        async with db.transaction():
            await file_failed(db, "a", 0, next_try=None, detail="came twice")
            await events.add(db, NOW, "error", "came twice", "sky", None, None)
        seen = await shown.wait_for(lambda one: one.failures and one.events)
        assert [line.detail for line in seen.failures] == ["came twice"]
        assert [line.message for line in seen.events][-1] == "came twice"
        async with db.transaction():
            await events.add(db, NOW, "info", "and more", "sky", None, None)
        later = await shown.wait_for(lambda one: len(one.events) > len(seen.events))
        assert [line.message for line in later.events][-2:] == ["came twice", "and more"]


async def test_an_order_that_stays_is_the_same_object(state: Path, db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1), ("b", 2)])
    async with running(state) as (_, shown):
        before = await shown.wait_for(lambda one: len(one.queue) == 2)
        async with db.transaction():
            await registry.choose_products(db, 1, ["raw", "more"], [], lambda _: True, "")
        after = await shown.wait_for(lambda one: one.overview and len(one.overview.products) == 2)
        assert after.queue is before.queue
        async with db.transaction():
            await operate.cancel(db, [(await fileset(db, "a")).id])
        assert len((await shown.wait_for(lambda one: len(one.queue) == 1)).queue) == 1


@pytest.mark.parametrize(
    ("queue", "seen"),
    [
        ((), range(10, 20)),
        (range(100), range(10, 20)),
        ((*range(500, 550), *range(100)), range(10, 20)),
        (range(12, 100), range(12, 20)),
        ((*range(5), *range(30, 100)), (*range(5), 30, 31, 32, 33, 34)),
    ],
)
def test_what_comes_into_sight_is_read_before_it_is_seen(queue: Sequence[int], seen: Sequence[int]) -> None:
    """Rows in sight are 10 to 19; that of 14 stays on its line, the fifth, if it is still there."""
    view = View(visible=tuple(range(10, 20)), anchor=(14, 4))
    assert set(seen) <= set(module.in_sight(tuple(queue), view))


async def test_a_state_that_cannot_be_read_is_told_and_read_once_it_can(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.05)
    async with running(state) as (_, shown):
        missing = await shown.wait_for(lambda one: one.trouble)
        assert missing.overview is None
        async with await Database.open_writer(state):
            found = await shown.wait_for(lambda one: one.overview)
            assert found.trouble == ""


async def test_a_state_of_a_newer_version_is_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await Database.open_writer(state) as db:
        await db.run("PRAGMA user_version = 999")
    async with running(state) as (_, shown):
        assert "newer" in (await shown.wait_for(lambda one: one.trouble)).trouble


async def test_without_an_engine_nothing_is_shown_as_moving(state: Path, db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1)])
    row = await read_index(db, "a", some_files(2))
    await db.run("UPDATE filesets SET state = 'transferring' WHERE id = ?", (row.id,))
    await db.run("UPDATE files SET state = 'active' WHERE id = ?", (file_id(row.id, 0),))
    await db.run(
        "INSERT INTO transfers (file_id, host, started_at, received, rate, lease) "
        "VALUES (?, 'sky.example', ?, 1, 1e6, 1)",
        (file_id(row.id, 0), NOW),
    )
    lease = Lease(state)
    lease.take()
    async with running(state) as (bridge, shown):
        bridge.want(View(subject=Subject("fileset", row.id)))
        moving = await shown.wait_for(lambda one: isinstance(one.details, FilesetDetails) and one.lines)
        assert _active(moving) == (1, 1, 1)
        lease.release()
        bridge.look()
        assert _active(await shown.wait_for(lambda one: one.engine is None)) == (0, 0, 0)


def _active(snapshot: Snapshot) -> tuple[int, ...]:
    """Return the transfers that the overview, the queue and the details tell of."""
    assert snapshot.overview is not None
    assert isinstance(snapshot.details, FilesetDetails)
    (queued,) = snapshot.lines.values()
    return snapshot.overview.products[0].active, queued.active, snapshot.details.line.active
