"""What listings of a product change in the state, and what they must not."""

from __future__ import annotations

from core.model import CommandKind, ListedFileset, Rejection
from core.store import indexes, listings, operate, registry
from core.store.commands import Target
from core.store.database import Database
from core.store.records import ProductRow
from tests.core.store.seed import (
    NOW,
    add_mirror,
    add_product,
    cursor_of,
    fileset,
    poll,
    publish,
    read_index,
    some_files,
    states,
    to_index,
    transferring,
)

ABC = [("a", 1), ("b", 2), ("c", 3)]


async def test_the_first_list_discovers_everything_in_order(db: Database) -> None:
    product = await add_product(db)
    merged = await poll(db, product, [("z", 5), ("a", 5), ("m", 5)])
    assert (merged.listed, merged.discovered, merged.full, merged.empty) == (3, 3, True, False)
    assert [row["name"] for row in await db.rows("SELECT name FROM filesets ORDER BY seq")] == ["z", "a", "m"]
    assert await states(db, product) == dict.fromkeys("zam", "discovered")
    assert await cursor_of(db, product) == "m"


async def test_an_incremental_list_adds_and_withdraws_nothing(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    merged = await poll(db, product, [("d", 3), ("e", 9)], cursor="c")
    assert (merged.discovered, merged.withdrawn, merged.full) == (2, 0, False)
    assert await states(db, product) == dict.fromkeys("abcde", "discovered")
    assert await cursor_of(db, product) == "e"
    merged = await poll(db, product, [], cursor="e")
    assert (merged.listed, merged.empty, merged.full) == (0, False, False)
    assert await cursor_of(db, product) == "e"


async def test_an_answer_to_a_cursor_proves_no_absence(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [*ABC, Rejection(5, "x", "bad time")])
    merged = await poll(db, product, [("b", 2), ("c", 3), ("d", 4)], cursor="c")
    assert (merged.discovered, merged.withdrawn, merged.full, merged.doubtful) == (1, 0, False, True)
    assert await states(db, product) == dict.fromkeys("abcd", "discovered")
    assert await cursor_of(db, product) == "d"
    assert await _refused(db) == [("x", "bad time")]


async def test_an_answer_to_a_cursor_is_doubtful_if_it_begins_before_it_and_lacks_something(db: Database) -> None:
    product = await add_product(db)
    known = [("a", 1), ("b", 2), ("c", 7), ("d", 7), ("e", 7)]
    await poll(db, product, known)
    answers: list[tuple[list[tuple[str, int] | Rejection], bool]] = [
        ([], False),
        ([*known[-1:]], False),  # the cursor and what comes after it
        ([*known[-1:], ("f", 7)], False),
        ([*known[2:]], False),  # its second
        ([*known], False),
        ([known[2], known[4]], True),
        ([*known[1:]], True),
        ([("b", 2), Rejection(2, "a", "bad time"), *known[2:]], False),
        ([*known[:4]], True),  # the cursor itself is gone
        ([("late", 1)], False),  # what is new may have an older time
    ]
    for rows, doubtful in answers:
        merged = await poll(db, product, rows, cursor="e")
        assert (merged.withdrawn, merged.full, merged.doubtful) == (0, False, doubtful), rows
        await db.run("DELETE FROM filesets WHERE name = 'f'")


async def test_what_was_damaged_when_it_was_withdrawn_does_not_stand_when_it_is_listed_again(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    row = await publish(db, "a", some_files())
    await db.run(
        "UPDATE filesets SET state = 'damaged', rejected = 1, failure_kind = 'damaged' WHERE id = ?", (row.id,)
    )
    for state in ("damaged", "queued", "transferring", "cancelled"):
        await db.run("UPDATE filesets SET state = ?, failure_kind = NULL WHERE id = ?", (state, row.id))
        await poll(db, product, ABC[1:])
        await operate.retry(db, (await operate.to_retry(db, Target())).ids, None)
        await operate.release(db, [row.id])
        assert (await states(db, product))["a"] == "withdrawn"
        await poll(db, product, ABC)
        assert (await states(db, product))["a"] == "discovered", state
        await db.run("UPDATE filesets SET state = 'queued' WHERE id = ?", (row.id,))


async def test_falling_back_to_an_older_cursor_withdraws_nothing(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    merged = await poll(db, product, [("c", 3), ("d", 4)], cursor="b")
    assert (merged.discovered, merged.withdrawn, merged.full) == (1, 0, False)
    assert await states(db, product) == dict.fromkeys("abcd", "discovered")


async def test_cursors_are_the_last_seen_names_without_withdrawn_ones(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    [row] = await registry.selected_products(db, 1)
    assert isinstance(row, ProductRow)
    assert await registry.known_cursors(db, row, 2) == ["c", "b"]
    await poll(db, product, [("a", 1), ("hidden", 1), ("b", 2)])
    [row] = await registry.selected_products(db, 1)
    assert await registry.known_cursors(db, row, 3) == ["b", "hidden", "a"]


async def test_filesets_of_one_second_are_all_seen(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 7), ("b", 7)])
    await poll(db, product, [("c", 7)], cursor="b")
    assert await states(db, product) == dict.fromkeys("abc", "discovered")


async def test_a_fileset_that_was_hidden_is_found_by_the_whole_list(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1), ("c", 3)])
    merged = await poll(db, product, ABC)
    assert (merged.discovered, merged.withdrawn) == (1, 0)
    assert await states(db, product) == dict.fromkeys("abc", "discovered")
    assert await cursor_of(db, product) == "c"


async def test_what_is_withdrawn_stops_and_comes_back_as_what_it_was(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    done, begun = await publish(db, "a"), await transferring(db, "b", some_files())
    merged = await poll(db, product, [("c", 3)])
    assert merged.withdrawn == 2
    assert set(merged.stopped) == {done.id, begun.id}
    assert await states(db, product) == {"a": "withdrawn", "b": "withdrawn", "c": "discovered"}
    merged = await poll(db, product, ABC)
    assert (merged.discovered, merged.withdrawn) == (0, 0)
    assert await states(db, product) == {"a": "published", "b": "discovered", "c": "discovered"}
    assert (await fileset(db, "b")).id == begun.id


async def test_another_registration_time_makes_a_new_revision(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    old = [await publish(db, "a"), await transferring(db, "b", some_files())]
    merged = await poll(db, product, [("a", 9), ("b", 9)], cursor="c")
    assert (merged.superseded, merged.discovered) == (2, 2)
    assert set(merged.stopped) == {row.id for row in old}
    for name in "ab":
        new = await fileset(db, name)
        assert (new.revision, new.registered, new.state) == (2, 9, "discovered")
    assert await db.value("SELECT count(*) FROM filesets WHERE state = 'superseded'") == 2
    await poll(db, product, [("a", 12)], cursor="b")
    assert (await fileset(db, "a")).revision == 3


async def test_a_fileset_that_is_just_being_published_is_not_pulled_away(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    row = await transferring(db, "a", [])
    await db.run("UPDATE filesets SET state = 'staged' WHERE id = ?", (row.id,))
    await db.run("UPDATE filesets SET state = 'publishing' WHERE id = ?", (row.id,))
    await poll(db, product, [("b", 2), ("c", 3)])
    await poll(db, product, [("a", 9), ("b", 2), ("c", 3)])
    assert (await fileset(db, "a")).state == "publishing"
    await db.run("UPDATE filesets SET state = 'published' WHERE id = ?", (row.id,))
    await poll(db, product, [("a", 9), ("b", 2), ("c", 3)])
    assert (await fileset(db, "a")).revision == 2


async def test_an_upstream_that_lost_everything_raises_an_alarm_and_changes_nothing(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    await publish(db, "a")
    before = [tuple(row) for row in await db.rows("SELECT * FROM filesets")]
    merged = await poll(db, product, [])
    assert (merged.empty, merged.withdrawn, merged.stopped) == (True, 0, ())
    assert [tuple(row) for row in await db.rows("SELECT * FROM filesets")] == before
    assert await cursor_of(db, product) == "c"
    assert "nothing was deleted" in await db.value("SELECT alarm FROM products")
    await poll(db, product, ABC)
    assert await db.value("SELECT alarm FROM products") is None


async def test_a_product_that_never_had_anything_is_no_alarm(db: Database) -> None:
    product = await add_product(db)
    assert (await poll(db, product, [])).empty is False
    assert await db.value("SELECT alarm FROM products") is None
    assert await cursor_of(db, product) is None


async def test_a_changed_choice_moves_filesets_both_ways(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [*ABC, ("d", 4)], wanted=lambda name: name != "a")
    assert (await states(db, product))["a"] == "excluded"
    await publish(db, "d")
    begun = await transferring(db, "b", some_files())
    merged = await poll(db, product, [*ABC, ("d", 4)], wanted=lambda name: name == "a")
    assert begun.id in merged.stopped
    assert await states(db, product) == {"a": "discovered", "b": "excluded", "c": "excluded", "d": "published"}
    await poll(db, product, [*ABC, ("d", 4)])
    assert await states(db, product) == {**dict.fromkeys("abc", "discovered"), "d": "published"}


async def test_a_changed_choice_asks_for_the_whole_list(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    for choice, due in (("", False), ("*.fits", True)):
        await registry.choose_products(db, 1, ["raw"], [], lambda _: True, choice)
        [row] = await registry.selected_products(db, 1)
        assert (row.id, row.full_list_due) == (product, due)


async def test_of_a_fileset_listed_twice_the_row_that_does_not_count_is_refused(db: Database) -> None:
    product = await add_product(db)
    rows = [
        ListedFileset("later", 2, "t", line=2), ListedFileset("later", 5, "t", line=3),
        ListedFileset("earlier", 5, "t", line=4), ListedFileset("earlier", 2, "t", line=5),
        ListedFileset("columns", 1, "t", {"a": "1"}, line=6), ListedFileset("columns", 1, "t", {"a": "2"}, line=7),
        ListedFileset("same", 1, "t", {"a": "1"}, line=8), ListedFileset("same", 1, "t", {"a": "1"}, line=9),
    ]  # fmt: skip
    for batch in (rows, rows[:4]):
        await poll(db, product, batch)
        await poll(db, product, batch)
        refused = [tuple(row) for row in await db.rows("SELECT name, line FROM rejections ORDER BY line")]
        assert refused == [("later", 2), ("earlier", 5), ("columns", 6)][: len(batch) // 2]
    assert await db.rows("SELECT 1 FROM filesets WHERE state = 'superseded'") == []
    found = await db.rows("SELECT name, registered, columns FROM filesets ORDER BY seq")
    assert [tuple(row) for row in found][:3] == [("later", 5, None), ("earlier", 5, None), ("columns", 1, '{"a":"2"}')]


async def test_a_fileset_listed_twice_is_one_with_its_later_registration(db: Database) -> None:
    product = await add_product(db)
    merged = await poll(db, product, [("a", 1), ("b", 2), ("a", 3), ("b", 2)])
    assert (merged.listed, merged.discovered) == (2, 2)
    assert (await fileset(db, "a")).registered == 3
    assert await cursor_of(db, product) == "b"


async def _refused(db: Database) -> list[tuple[str, str]]:
    return [(row["name"], row["reason"]) for row in await db.rows("SELECT * FROM rejections ORDER BY name")]


async def test_refused_rows_of_a_whole_list_replace_those_before(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1), Rejection(3, "..", "reserved"), Rejection(4, "x", "bad time")])
    assert await _refused(db) == [("..", "reserved"), ("x", "bad time")]
    await poll(db, product, [("a", 1), Rejection(9, "y", "bad time")])
    assert await _refused(db) == [("y", "bad time")]


async def test_refused_rows_of_incremental_lists_accumulate_without_duplicates(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1), Rejection(3, "x", "bad time")])
    for _ in range(2):
        await poll(db, product, [Rejection(1, "y", "bad time"), Rejection(2, "x", "bad time")], cursor="a")
    assert await _refused(db) == [("x", "bad time"), ("y", "bad time")]
    assert await cursor_of(db, product) == "a"


async def test_a_refused_row_that_is_mended_is_forgotten_whichever_list_tells_it(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [("a", 1), Rejection(3, "x", "bad time"), Rejection(4, "y", "bad time")])
    await poll(db, product, [("x", 2)], cursor="a")
    assert await _refused(db) == [("y", "bad time")]
    await poll(db, product, [("y", 2), ("y", 3)], cursor="x")
    assert [name for name, _ in await _refused(db)] == ["y"], "another row of it is refused"


async def test_a_fileset_whose_row_is_garbled_is_not_withdrawn(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    merged = await poll(db, product, [("a", 1), Rejection(2, "b", "the time is not a time")])
    assert merged.withdrawn == 1
    assert await states(db, product) == {"a": "discovered", "b": "discovered", "c": "withdrawn"}


async def test_the_cursor_moves_only_with_the_rows(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    try:
        async with db.transaction():
            await listings.begin(db, product)
            await listings.add(db, product, 0, [ListedFileset("d", 4, "")], lambda _: True)
            await listings.merge(db, product, 1, "c", NOW)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert await cursor_of(db, product) == "c"
    assert await states(db, product) == dict.fromkeys("abc", "discovered")
    assert (await poll(db, product, [("d", 4)], cursor="c")).discovered == 1


async def test_a_listing_cut_off_before_its_merge_leaves_no_trace(db: Database) -> None:
    product = await add_product(db)
    await listings.begin(db, product)
    await listings.add(db, product, 0, [ListedFileset("ghost", 4, ""), Rejection(1, "x", "y")], lambda _: True)
    await poll(db, product, ABC)
    assert await states(db, product) == dict.fromkeys("abc", "discovered")
    assert await _refused(db) == []


async def test_products_do_not_mix(db: Database) -> None:
    products = await add_mirror(db, products=["p", "q"])
    await listings.begin(db, products["p"])
    await listings.add(db, products["p"], 0, [ListedFileset("a", 1, "")], lambda _: True)
    await poll(db, products["q"], [("a", 2), ("b", 3)])
    async with db.transaction():
        await listings.merge(db, products["p"], 1, None, NOW)
    assert await states(db, products["p"]) == {"a": "discovered"}
    assert await states(db, products["q"]) == {"a": "discovered", "b": "discovered"}


async def test_text_that_is_not_utf8_can_be_listed(db: Database) -> None:
    product = await add_product(db)
    bad = b"caf\xe9".decode("utf-8", "surrogateescape")
    await poll(db, product, [ListedFileset("a", 1, bad, {bad: bad, "none": None})])
    await publish(db, "a", [])
    [(_, row)] = await registry.published_filesets(db, product, 0, 10)
    assert row.columns == {bad: bad, "none": None}
    assert row.type == "caf\udce9"


async def test_held_and_cancelled_filesets_stay_what_they_are(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    await operate.hold(db, (await operate.matching(db, Target(filesets=("a",)), CommandKind.HOLD)).ids)
    await operate.cancel(db, (await operate.matching(db, Target(filesets=("b",)), CommandKind.HOLD)).ids)
    await poll(db, product, ABC, wanted=lambda _: False)
    assert await states(db, product) == {"a": "held", "b": "cancelled", "c": "excluded"}


async def test_what_was_held_or_cancelled_is_so_when_it_is_listed_again(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, [*ABC, ("d", 4)])
    await operate.hold(db, [(await fileset(db, name)).id for name in "ac"])
    await operate.cancel(db, [(await fileset(db, "b")).id])
    for rows in ([], ABC[:1]):  # lists that are flawed, one after the other
        await poll(db, product, [*rows, ("d", 4)])
        await poll(db, product, [("d", 4)])
    assert await states(db, product) == {**dict.fromkeys("abc", "withdrawn"), "d": "discovered"}
    await poll(db, product, [("a", 1), ("b", 2), ("c", 9), ("d", 4)])
    assert await states(db, product) == {"a": "held", "b": "cancelled", "c": "held", "d": "discovered"}
    assert (await fileset(db, "c")).revision == 2


async def test_what_is_released_while_it_is_withdrawn_is_fetched_when_it_is_listed_again(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    await operate.hold(db, [(await fileset(db, "a")).id])
    await operate.cancel(db, [(await fileset(db, "b")).id])
    await poll(db, product, ABC[2:])
    for name, kind, other in (("a", CommandKind.RELEASE, "b"), ("b", CommandKind.REQUEUE, "a")):
        found = await operate.matching(db, Target(filesets=(name, other, "c")), kind)
        assert (found.ids, len(found.left_out)) == ([(await fileset(db, name)).id], 2)
        await operate.release(db, found.ids)
    assert await states(db, product) == {"a": "withdrawn", "b": "withdrawn", "c": "discovered"}
    await poll(db, product, ABC)
    assert await states(db, product) == dict.fromkeys("abc", "discovered")


async def test_the_index_of_what_is_listed_again_is_read_again(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    await publish(db, "a")
    await read_index(db, "b", some_files())
    await operate.hold(db, [(await fileset(db, "b")).id])
    await poll(db, product, ABC[2:])
    await poll(db, product, ABC)
    assert await to_index(db, product) == ["c", "a"]
    await operate.release(db, [(await fileset(db, "b")).id])
    assert await states(db, product) == {"a": "published", "b": "discovered", "c": "discovered"}


async def test_a_list_of_50000(db: Database) -> None:
    product = await add_product(db)
    rows = [(f"o{at:06d}", at) for at in range(50_000)]
    assert (await poll(db, product, rows)).discovered == 50_000
    await read_index(db, "o000000", some_files())
    merged = await poll(db, product, [*rows[1:], ("new", 99)])
    assert (merged.listed, merged.discovered, merged.withdrawn) == (50_000, 1, 1)
    assert await db.value("SELECT n FROM counters WHERE scope = 'fileset' AND state = 'discovered'") == 50_000
    assert await cursor_of(db, product) == "new"


async def test_what_is_withdrawn_or_reappears_makes_our_index_due(db: Database) -> None:
    product = await add_product(db)
    await poll(db, product, ABC)
    await publish(db, "a")

    async def due() -> bool:
        found = await indexes.due(db, 1)
        await indexes.written(db, found)
        return bool(found)

    assert await due()
    await poll(db, product, ABC)
    assert not await due()
    await poll(db, product, ABC[1:])
    assert await due()
    assert await registry.published_filesets(db, product, 0, 10) == []
    await poll(db, product, ABC)
    assert await due()
    assert [row.name for _, row in await registry.published_filesets(db, product, 0, 10)] == ["a"]
