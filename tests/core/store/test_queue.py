"""The order of the queue, as operators change it."""

from __future__ import annotations

import random

import pytest

from core.errors import FailureKind
from core.model import FileState
from core.store import files, filesets, operate, queue
from core.store.database import Database
from core.store.files import Failed
from core.store.queue import Way
from tests.core.store.seed import NOW, add_mirror, fileset, poll, some_files, to_index, transferring

NAMES = tuple("abcdef")


@pytest.fixture
async def product(db: Database) -> int:
    """Six filesets, a to f, in this order; and another product that must never change."""
    products = await add_mirror(db, products=["raw", "other"])
    await poll(db, products["raw"], [(name, 1) for name in NAMES])
    await poll(db, products["other"], [("x", 1), ("y", 1)])
    return products["raw"]


async def ids(db: Database, names: str) -> list[int]:
    return [(await fileset(db, name)).id for name in names]


async def order(db: Database, product: int) -> str:
    rows = await db.rows("SELECT name FROM filesets WHERE product_id = ? ORDER BY priority DESC, place, id", (product,))
    return "".join(row["name"] for row in rows)


@pytest.mark.parametrize(
    ("names", "way", "after", "moved"),
    [
        ("c", Way.UP, "acbdef", 1),
        ("c", Way.DOWN, "abdcef", 1),
        ("c", Way.TOP, "cabdef", 1),
        ("c", Way.BOTTOM, "abdefc", 1),
        ("a", Way.UP, "abcdef", 0),
        ("f", Way.DOWN, "abcdef", 0),
        ("cd", Way.UP, "acdbef", 2),
        ("cd", Way.DOWN, "abecdf", 2),
        ("db", Way.TOP, "bdacef", 2),
        ("db", Way.BOTTOM, "acefbd", 2),
        ("ab", Way.UP, "abcdef", 0),
        ("abd", Way.UP, "abdcef", 1),
        ("efb", Way.DOWN, "acbdef", 1),
    ],
)
async def test_filesets_move_and_keep_their_order(
    db: Database, product: int, names: str, way: Way, after: str, moved: int
) -> None:
    assert await queue.move(db, await ids(db, names), way) == moved
    assert await order(db, product) == after


async def test_moving_past_another_priority_takes_it_on(db: Database, product: int) -> None:
    await queue.prioritise(db, await ids(db, "ab"), 5, relative=False)
    await queue.move(db, await ids(db, "c"), Way.UP)
    assert await order(db, product) == "acbdef"
    assert [(await fileset(db, name)).priority for name in "acbd"] == [5, 5, 5, 0]
    await queue.move(db, await ids(db, "b"), Way.DOWN)
    assert await order(db, product) == "acdbef"
    assert [(await fileset(db, name)).priority for name in "acdb"] == [5, 5, 0, 0]
    await queue.move(db, await ids(db, "f"), Way.TOP)
    await queue.move(db, await ids(db, "a"), Way.BOTTOM)
    assert await order(db, product) == "fcdbea"
    assert [(await fileset(db, name)).priority for name in "fa"] == [5, 0]


async def test_what_arrives_later_comes_behind_what_was_moved_to_the_bottom(db: Database, product: int) -> None:
    for name in "abcf":
        await queue.move(db, await ids(db, name), Way.BOTTOM)
    await poll(db, product, [(name, 1) for name in (*NAMES, "g", "h", "i", "j", "k", "l")])
    assert (await order(db, product)).startswith("de")
    places = [row[0] for row in await db.rows("SELECT place FROM filesets WHERE product_id = ?", (product,))]
    assert len(set(places)) == len(places)


async def test_any_row_of_moves_gives_the_same_order_as_a_list(db: Database, product: int) -> None:
    chance = random.Random(4)
    expected = list(NAMES)
    for _ in range(200):
        name, way = chance.choice(NAMES), chance.choice(list(Way))
        at = expected.index(name)
        expected.remove(name)
        expected.insert({Way.UP: max(0, at - 1), Way.DOWN: at + 1, Way.TOP: 0, Way.BOTTOM: len(NAMES)}[way], name)
        await queue.move(db, await ids(db, name), way)
        assert await order(db, product) == "".join(expected)
        if chance.random() < 0.1:
            await queue.prioritise(db, await ids(db, "".join(expected[:3])), 1, relative=True)
    others = await db.rows("SELECT name, seq, place, priority FROM filesets WHERE product_id <> ?", (product,))
    assert [tuple(row) for row in others] == [("x", 1, 1, 0), ("y", 2, 2, 0)]


async def test_filesets_in_equal_places_can_be_moved_apart(db: Database, product: int) -> None:
    await db.run("UPDATE filesets SET place = 3 WHERE product_id = ?", (product,))
    await queue.move(db, await ids(db, "c"), Way.UP)
    assert (await order(db, product)).index("c") < (await order(db, product)).index("b")
    await queue.move(db, await ids(db, "d"), Way.DOWN)
    assert (await order(db, product)).index("d") > (await order(db, product)).index("e")


async def test_priorities_are_set_changed_and_bounded(db: Database, product: int) -> None:
    found = await ids(db, "bc")
    assert await queue.prioritise(db, found, 7, relative=False) == (7, 7)
    assert await queue.prioritise(db, found[:1], -2, relative=True) == (5, 5)
    assert await queue.prioritise(db, found, 1, relative=True) == (6, 8)
    assert await order(db, product) == "cbadef"
    assert await queue.prioritise(db, found, 500, relative=True) == (100, 100)
    assert await queue.prioritise(db, found, -999, relative=True) == (-100, -100)


async def test_what_is_on_its_way_to_its_place_needs_no_place_in_the_queue(db: Database, product: int) -> None:
    await transferring(db, "x", some_files())
    await db.run("UPDATE filesets SET state = 'staged' WHERE name = 'x'")
    await db.run("UPDATE filesets SET state = 'cancelled' WHERE name = 'y'")
    await queue.put_first(db, await ids(db, "xe"), NOW)
    assert await order(db, product) == "eabcdf"


async def test_what_is_put_first_goes_before_every_other_product_and_is_tried_at_once(
    db: Database, product: int
) -> None:
    await queue.prioritise(db, await ids(db, "y"), 9, relative=False)
    begun = await transferring(db, "e", some_files())
    waiting = (await files.all_of(db, begun.id, 0, 10))[0].id
    failed = Failed(waiting, FileState.RETRY_WAIT, 3, 3, FailureKind.TRANSIENT, "reset", NOW + 99, 0, None, None, None)
    await files.failed(db, [failed], NOW)
    await filesets.failed(db, await fileset(db, "d"), FailureKind.TRANSIENT, "503", NOW + 999, True, NOW)
    await queue.put_first(db, await ids(db, "ed"), NOW)
    assert await order(db, product) == "deabcf"
    assert [(await fileset(db, name)).priority for name in "dey"] == [9, 9, 9]
    assert [one.tries for one in await files.due_in(db, begun.id, NOW)] == [3]
    assert "d" in await to_index(db, product)
    assert (await filesets.get(db, begun.id)).place < 1  # type: ignore[union-attr]


async def test_a_held_fileset_keeps_its_place(db: Database, product: int) -> None:
    await operate.hold(db, await ids(db, "c"))
    await queue.move(db, await ids(db, "d"), Way.UP)
    await operate.release(db, await ids(db, "c"))
    assert await order(db, product) == "abdcef"
