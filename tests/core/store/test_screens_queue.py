"""The queue: its order, its filters, and its lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.errors import FailureKind
from core.store import filesets, operate, queue
from core.store.database import Database
from core.store.queue import Way
from core.store.screens import QueueLine, QueueOrder, queue_ids, queue_lines
from core.store.screens.queue import TURN
from tests.core.store.seed import NOW, add_mirror, fileset, poll, publish, read_index, some_files, transferring
from tests.core.store.watching import Watcher, fetching, file_failed

Products = dict[str, int]


@pytest.fixture
async def products(db: Database) -> Products:
    """Two products of one mirror, and a third one of another."""
    return await add_mirror(db, "sky", ["raw", "warp"]) | await add_mirror(db, "sea", ["tide"])


@pytest.fixture
async def watcher(db: Database) -> AsyncIterator[Watcher]:
    async with await Watcher.open_reader(db.path) as database:
        database.asked.clear()
        yield database


async def names(
    db: Database,
    order: QueueOrder = QueueOrder.TURN,
    reverse: bool = False,
    like: str = "",
    problems: bool = False,
    product: int | None = None,
) -> list[str]:
    ids = await queue_ids(db, order, reverse, like, problems, product)
    return [line.name for line in (await queue_lines(db, ids)).values()]


async def one(db: Database, name: str) -> QueueLine:
    number = (await fileset(db, name)).id
    return (await queue_lines(db, [number]))[number]


# Order.


async def test_what_is_under_way_comes_first_and_what_is_blocked_last(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [(name, 5) for name in "abcdefg"])
    for name in "bcd":
        await transferring(db, name, some_files())
    await file_failed(db, "b", 0)
    await file_failed(db, "c", 0, next_try=NOW + 60)
    await publish(db, "e")
    await read_index(db, "g", some_files())
    await operate.hold(db, [(await fileset(db, "f")).id])
    assert await names(db) == ["d", "c", "a", "f", "g", "b"]


async def test_what_is_transferring_now_comes_before_all_that_is_under_way(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [(name, 5) for name in "abcdef"])
    for name in "abcde":
        await transferring(db, name, some_files())
    await file_failed(db, "d", 1, next_try=NOW + 60)
    await file_failed(db, "e", 1)
    await file_failed(db, "c", 1)
    assert await names(db) == list("abdfce")
    for name in "bde":
        await fetching(db, name, 5)
        assert (await names(db))[0] == name
        assert (await one(db, name)).active == 1
    async with db.transaction():
        await db.run(
            "INSERT INTO transfers (file_id, host, started_at, received, rate, lease) "
            "SELECT id << 24, 'h', 0, 1, 1, 1 FROM filesets WHERE name IN ('b', 'd')"
        )
    assert await names(db) == list("bdeafc")


async def test_what_waits_is_ordered_by_priority_and_place(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [(name, 5) for name in "abcd"])
    for name in "bd":
        await read_index(db, name, some_files())
    ids = {name: (await fileset(db, name)).id for name in "abcd"}
    await queue.prioritise(db, [ids["d"]], 3, relative=False)
    assert await names(db) == ["d", "a", "b", "c"]
    await queue.move(db, [ids["c"]], Way.UP)
    assert await names(db) == ["d", "a", "c", "b"]
    await queue.prioritise(db, [ids["a"]], -1, relative=True)
    assert await names(db) == ["d", "c", "b", "a"]


async def test_products_take_turns(db: Database, products: Products) -> None:
    for product in ("raw", "tide", "warp"):
        await poll(db, products[product], [(f"{product}{at:02}", 5) for at in range(TURN + 2)])
    shown = await names(db)
    assert [name.rstrip("0123456789") for name in shown] == [
        *["tide"] * TURN, *["raw"] * TURN, *["warp"] * TURN,
        *["tide"] * 2, *["raw"] * 2, *["warp"] * 2,
    ]  # fmt: skip
    assert [name for name in shown if name.startswith("raw")] == [f"raw{at:02}" for at in range(TURN + 2)]


async def test_what_a_pause_holds_up_comes_after_what_can_go(db: Database, products: Products) -> None:
    for product, letters in (("raw", "abc"), ("warp", "xyz")):
        await poll(db, products[product], [(name, 5) for name in letters])
    for name in "bxy":
        await transferring(db, name, some_files())
    await file_failed(db, "x", 0)
    await db.run("UPDATE products SET paused = 'by root' WHERE name = 'raw'")
    assert await names(db) == ["y", "z", "b", "a", "c", "x"]
    await db.run("UPDATE products SET paused = NULL")
    assert await names(db) == ["b", "y", "a", "c", "z", "x"]


async def test_a_priority_is_above_turns(db: Database, products: Products) -> None:
    for product in ("raw", "tide"):
        await poll(db, products[product], [(f"{product}{at}", 5) for at in range(3)])
    await queue.prioritise(db, [(await fileset(db, "raw2")).id], 1, relative=False)
    assert (await names(db))[0] == "raw2"


async def _of_all_kinds(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [("b", 30), ("a", 20)])
    await poll(db, products["warp"], [("d", 10)])
    await poll(db, products["tide"], [("c", 40)])
    await read_index(db, "a", some_files(1))
    await read_index(db, "c", some_files(3))
    await transferring(db, "d", some_files(2))
    await file_failed(db, "d", 1)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (QueueOrder.TURN, "cbad"),
        (QueueOrder.PRODUCT, "cbad"),
        (QueueOrder.NAME, "abcd"),
        (QueueOrder.SIZE, "cdab"),
        (QueueOrder.REGISTERED, "dabc"),
        (QueueOrder.STATE, "dcab"),
    ],
)
async def test_each_order_and_its_reverse(db: Database, products: Products, order: QueueOrder, expected: str) -> None:
    await _of_all_kinds(db, products)
    assert await names(db, order) == list(expected)
    assert await names(db, order, reverse=True) == list(reversed(expected))


async def test_only_what_is_mirrored_and_wanted_is_in_the_queue(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [("a", 5), ("b", 5), ("x", 5)], wanted=lambda name: name != "x")
    await operate.cancel(db, [(await fileset(db, "b")).id])
    await poll(db, products["warp"], [("d", 5)])
    await operate.wish(db, products["warp"], mirrored=False, configured=True)
    assert await names(db) == ["a"]


# Filters.


@pytest.mark.parametrize("order", [QueueOrder.TURN, QueueOrder.NAME])
@pytest.mark.parametrize(
    ("like", "expected"),
    [
        ("", ["n1", "n_", "N%", "t"]),
        ("!", ["n1", "n_", "N%", "t"]),
        ("n", ["n1", "n_", "N%"]),
        ("!n", ["t"]),
        ("_", ["n_"]),
        ("!_", ["n1", "N%", "t"]),
        ("%", ["N%"]),
        ("n%", ["N%"]),
        ("\\", []),
        ("'", []),
        ("TID", ["t"]),
        ("sky/", ["n1", "n_", "N%"]),
        ("raw/n1", ["n1"]),
        ("!sky", ["t"]),
    ],
)
async def test_a_filter_is_part_of_a_name_literally(
    db: Database, products: Products, order: QueueOrder, like: str, expected: list[str]
) -> None:
    await poll(db, products["raw"], [("n1", 5), ("n_", 5), ("N%", 5)])
    await poll(db, products["tide"], [("t", 5)])
    assert sorted(await names(db, order, like=like)) == sorted(expected)


async def test_problems_only(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [(name, 5) for name in "abcd"])
    await transferring(db, "b", some_files())
    await file_failed(db, "b", 0)
    await filesets.failed(db, await fileset(db, "c"), FailureKind.MALFORMED, "html", NOW + 9, True, NOW)
    for order in QueueOrder:
        assert sorted(await names(db, order, problems=True)) == ["b", "c"]
    assert await names(db, problems=True, like="!b") == ["c"]


async def test_one_product_only(db: Database, products: Products) -> None:
    await _of_all_kinds(db, products)
    for order in QueueOrder:
        assert sorted(await names(db, order, product=products["raw"])) == ["a", "b"]


# Lines.


async def test_a_line_tells_what_a_fileset_is(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [("a", 1234)])
    shown = await one(db, "a")
    assert (shown.mirror, shown.product, shown.name, shown.whole) == ("sky", "raw", "a", "sky/raw/a")
    assert (shown.state, shown.trouble, shown.registered, shown.queued_at) == ("discovered", "", 1234, None)
    await read_index(db, "a", some_files(3, size=10))
    shown = await one(db, "a")
    assert (shown.state, shown.files, shown.bytes, shown.queued_at) == ("queued", 3, 30, NOW)


async def test_progress_is_what_is_staged_and_received(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [("a", 5), ("b", 5)])
    row = await transferring(db, "a", some_files(6, size=100))
    await transferring(db, "b", some_files(6, size=100))
    assert ((await one(db, "a")).done_files, (await one(db, "a")).done_bytes) == (0, 0)
    await fetching(db, "a", 10, 20, 30)
    first = row.id << 24
    async with db.transaction():
        await db.run("UPDATE files SET state = 'staged' WHERE id = ?", (first,))
        await db.run("UPDATE files SET state = 'partial', kept = 7 WHERE id = ?", (first + 4,))
    shown = await one(db, "a")
    assert (shown.done_files, shown.done_bytes, shown.active) == (1, 100 + 20 + 30 + 7, 2)
    other = await one(db, "b")
    assert (other.done_files, other.done_bytes, other.active) == (0, 0, 0)


async def test_what_is_held_keeps_what_is_done(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [("a", 5), ("b", 5)])
    row = await transferring(db, "a", some_files(4, size=100))
    await read_index(db, "b", some_files(4, size=100))
    async with db.transaction():
        await db.run("UPDATE files SET state = 'staged' WHERE id = ?", (row.id << 24,))
        await db.run("UPDATE files SET state = 'partial', kept = 7 WHERE id = ?", ((row.id << 24) + 1,))
    await operate.hold(db, [row.id])
    shown = await one(db, "a")
    assert (shown.state, shown.done_files, shown.done_bytes) == ("held", 1, 107)
    await operate.release(db, [row.id])
    shown = await one(db, "a")
    assert (shown.state, shown.done_files, shown.done_bytes) == ("discovered", 1, 107)
    await operate.cancel(db, [row.id])
    shown = await one(db, "a")
    assert (shown.state, shown.done_files, shown.done_bytes) == ("cancelled", 0, 0)


async def test_what_is_published_is_done(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [("a", 5)])
    await publish(db, "a", some_files(2, size=10))
    shown = await one(db, "a")
    assert (shown.state, shown.done_files, shown.done_bytes, shown.active) == ("published", 2, 20, 0)


async def test_a_line_tells_why_a_fileset_failed_and_when_it_is_tried_again(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [("a", 5), ("b", 5)])
    await transferring(db, "a", some_files())
    await file_failed(db, "a", 1, next_try=NOW + 60, detail="reset by peer")
    await file_failed(db, "a", 2, next_try=NOW + 30)
    await filesets.failed(db, await fileset(db, "b"), FailureKind.MALFORMED, "html", NOW + 9, True, NOW)
    shown = await one(db, "a")
    assert (shown.trouble, shown.failure, shown.next_try) == ("failed", "f1: reset by peer", NOW + 30)
    shown = await one(db, "b")
    assert (shown.trouble, shown.failure, shown.next_try) == ("failed", "html", NOW + 9)


async def test_lines_come_in_the_order_asked_for_without_what_is_gone(db: Database, products: Products) -> None:
    await poll(db, products["raw"], [("a", 5), ("b", 5)])
    first, second = [(await fileset(db, name)).id for name in "ab"]
    assert list(await queue_lines(db, [second, 999, first])) == [second, first]
    assert await queue_lines(db, []) == {}


async def test_no_table_is_read_as_a_whole(db: Database, products: Products, watcher: Watcher) -> None:
    await _of_all_kinds(db, products)
    for order in QueueOrder:
        ids = await queue_ids(watcher, order, like="a", problems=True)
    await queue_lines(watcher, ids)
    assert await watcher.whole_tables() == []
    await watcher.rows("SELECT name FROM filesets ORDER BY name")
    assert len(await watcher.whole_tables()) == 1
