"""Filesets and their files on the way to publication."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import FailureKind
from core.model import FilesetState, FileState, ListedFile, Rejection
from core.store import files, filesets, indexes, operate, queries, registry, stamps
from core.store.database import Database, IllegalTransition
from core.store.files import Failed, Live
from core.store.ids import file_id, file_range, fileset_of
from tests.core.store.seed import (
    NOW,
    add_product,
    file_states,
    fileset,
    poll,
    publish,
    read_index,
    some_files,
    states,
    to_index,
    transferring,
)

CONFLICT = [ListedFile("good", 5, "a" * 32, "t"), ListedFile("twice", 7, "b" * 32, "t")]


@pytest.fixture
async def product(db: Database) -> int:
    number = await add_product(db)
    await poll(db, number, [("a", 1), ("b", 2), ("c", 3)])
    return number


def failure(number: int, state: FileState = FileState.RETRY_WAIT, **changes: object) -> Failed:
    """Return a failed try."""
    base = Failed(number, state, 1, 1, FailureKind.TRANSIENT, "reset by peer", NOW + 5, 3, '"v"', None, None)
    return replace(base, **changes)  # type: ignore[arg-type]


async def recount_trouble(db: Database, name: str) -> str:
    return (await fileset(db, name)).trouble


def test_a_files_id_carries_its_fileset() -> None:
    assert fileset_of(file_id(77, 5)) == 77
    assert file_range(77) == (file_id(77, 0), file_id(78, 0) - 1)


async def test_a_read_index_queues_the_fileset_with_its_size(db: Database, product: int) -> None:
    row = await read_index(db, "a", some_files(3, size=10))
    assert (row.state, row.files, row.bytes, row.index_sha256, row.trouble) == ("queued", 3, 30, "ab" * 32, "")
    assert await file_states(db, row.id) == dict.fromkeys(("f0", "f1", "f2"), "pending")
    assert [one for _, one in await files.listing(db, row.id, 0, 10)] == some_files(3, size=10)


async def test_conflicting_and_refused_rows_are_set_aside_and_shown(db: Database, product: int) -> None:
    refused = [Rejection(4, "..", "the name '..' is reserved"), Rejection(5, "x", "bad size")]
    row = await read_index(db, "a", CONFLICT, refused, conflicts=["twice"])
    assert (row.state, row.trouble) == ("queued", "quarantined")
    assert await file_states(db, row.id) == {"good": "pending", "twice": "quarantined"}
    shown = {(one.file, one.kind) for one in await queries.failures(db)}
    assert shown == {("twice", "conflict"), ("..", "rejected"), ("x", "rejected")}
    assert [one.name for one in await files.to_fetch(db, row.id, 0, NOW, 10)] == ["good"]


async def test_an_index_that_was_not_finished_is_begun_anew(db: Database, product: int) -> None:
    row = await fileset(db, "a")
    await filesets.begin_index(db, row)
    await filesets.add_files(db, row.id, 0, some_files(9))
    again = await read_index(db, "a", some_files(2))
    assert again.files == 2
    assert len(await file_states(db, row.id)) == 2


async def test_an_index_read_for_a_fileset_that_was_held_meanwhile_queues_nothing(db: Database, product: int) -> None:
    row = await fileset(db, "a")
    await filesets.begin_index(db, row)
    await filesets.add_files(db, row.id, 0, some_files())
    await operate.hold(db, [row.id])
    await filesets.index_read(db, row, "cd" * 32, [], [], NOW)
    assert (await fileset(db, "a")).state == "held"


async def test_indexes_are_read_best_first_and_when_due(db: Database, product: int) -> None:
    await db.run("UPDATE filesets SET priority = 5 WHERE name = 'c'")
    assert await to_index(db, product) == ["c", "a", "b"]
    await filesets.failed(db, await fileset(db, "a"), FailureKind.TRANSIENT, "timeout", NOW + 5, True, NOW)
    await filesets.failed(db, await fileset(db, "b"), FailureKind.MISSING, "404", None, True, NOW)
    assert await to_index(db, product) == ["c"]
    assert await to_index(db, product, NOW + 5) == ["c", "a"]
    assert await filesets.index_due(db, [product], NOW, NOW + 5)
    assert not await filesets.index_due(db, [product], NOW + 5, NOW + 10)
    assert await recount_trouble(db, "b") == "quarantined"


async def test_tries_are_counted_by_kind_and_only_if_they_count(db: Database, product: int) -> None:
    async def fail(kind: FailureKind, counts: bool = True) -> tuple[int, int]:
        await filesets.failed(db, await fileset(db, "a"), kind, "x", NOW, counts, NOW)
        row = await fileset(db, "a")
        return row.tries, row.attempts

    assert await fail(FailureKind.TRANSIENT) == (1, 1)
    assert await fail(FailureKind.TRANSIENT) == (2, 2)
    assert await fail(FailureKind.MALFORMED) == (1, 3)
    assert await fail(FailureKind.MALFORMED, counts=False) == (1, 3)


async def test_a_confirmed_index_frees_of_trouble(db: Database, product: int) -> None:
    row = await read_index(db, "a", some_files())
    await operate.retry(db, [row.id], None)
    assert (await fileset(db, "a")).state == "discovered"
    await filesets.failed(db, await fileset(db, "a"), FailureKind.TRANSIENT, "x", NOW, True, NOW)
    await filesets.index_confirmed(db, await fileset(db, "a"), NOW)
    after = await fileset(db, "a")
    assert (after.state, after.trouble, after.failure_kind, after.tries) == ("queued", "", None, 0)


async def test_a_changed_index_of_a_published_fileset_begins_a_revision(db: Database, product: int) -> None:
    old = await publish(db, "a", some_files())
    await filesets.index_replaced(db, old.id, NOW)
    new = await fileset(db, "a")
    assert (new.id != old.id, new.revision, new.state, new.registered) == (True, 2, "discovered", old.registered)


async def test_admission_takes_only_what_is_queued(db: Database, product: int) -> None:
    rows = [await read_index(db, name, some_files()) for name in "ab"]
    assert [row.name for row in await filesets.next_queued(db, product, 10, NOW)] == ["a", "b"]
    await operate.hold(db, [rows[0].id])
    await filesets.admit(db, [row.id for row in rows], lease=3)
    assert await states(db, product) == {"a": "held", "b": "transferring", "c": "discovered"}
    assert await filesets.begun(db, NOW) == [rows[1].id]


async def test_what_no_disk_holds_is_put_off_told_once_and_admitted_when_there_is_room(
    db: Database, product: int
) -> None:
    for name, size in (("a", 10), ("b", 90), ("c", 80)):
        await read_index(db, name, some_files(1, size))

    async def next_up(now: float) -> list[str]:
        return [row.name for row in await filesets.next_queued(db, product, 10, now)]

    assert await filesets.put_off(db, product, 50, "no room", NOW + 60) == ["b", "c"]
    assert await filesets.put_off(db, product, 50, "no room", NOW + 60) == []
    assert await next_up(NOW) == ["a"]
    assert {(one.fileset, one.kind, one.next_try) for one in await queries.failures(db)} == {
        ("b", "disk", NOW + 60),
        ("c", "disk", NOW + 60),
    }
    assert await filesets.products_due(db, [product], NOW + 59) == []
    assert await filesets.products_due(db, [product], NOW + 60) == [product]
    await filesets.look_again(db, await db.value("SELECT mirror_id FROM products"), NOW)
    assert await next_up(NOW) == ["a", "b", "c"]
    await filesets.admit(db, [(await fileset(db, "b")).id], lease=3)
    after = await fileset(db, "b")
    assert (after.state, after.trouble, after.failure_kind) == ("transferring", "", None)
    assert [one.fileset for one in await queries.failures(db)] == ["c"]


async def test_a_fileset_in_quarantine_stays_there_when_it_is_put_off_and_admitted(db: Database, product: int) -> None:
    row = await read_index(db, "a", CONFLICT, conflicts=["twice"])
    await filesets.put_off(db, product, 1, "no room", NOW + 60)
    assert await recount_trouble(db, "a") == "quarantined"
    await filesets.admit(db, [row.id], lease=3)
    assert await recount_trouble(db, "a") == "quarantined"


async def test_files_are_read_window_by_window(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(10))
    await transferring(db, "b", some_files(10))
    after, seen = 0, []
    while window := await files.to_fetch(db, row.id, after, NOW, 4):
        assert len(window) <= 4
        after = window[-1].id
        seen += [one.name for one in window]
    assert seen == [f"f{at}" for at in range(10)]


async def test_only_files_that_may_be_fetched_now_are_in_the_window(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(5))
    ids = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    await files.staged(db, [(one, None, None) for one in ids[:1]])
    await files.failed(db, [failure(ids[1]), failure(ids[2], FileState.QUARANTINED, next_try=None)], NOW)
    await files.interrupted(db, [(ids[3], 4, '"v"')])

    async def names(now: float) -> list[str]:
        return [one.name for one in await files.to_fetch(db, row.id, 0, now, 10)]

    assert await names(NOW) == ["f3", "f4"]
    assert await names(NOW + 5) == ["f1", "f3", "f4"]
    assert [one.name for one in await files.due_in(db, row.id, NOW + 5)] == ["f1"]
    assert await filesets.due(db, [product], NOW) == []
    assert await filesets.due(db, [product], NOW + 5) == [row.id]
    assert await filesets.next_due(db, [product], NOW, NOW + 5)
    assert not await filesets.next_due(db, [product], NOW + 5, NOW + 9)
    assert await files.unstaged(db, row.id) == 4


async def test_a_failure_is_kept_with_its_evidence(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(1))
    [file] = await files.all_of(db, row.id, 0, 10)
    await files.failed(db, [failure(file.id, kind=FailureKind.INTEGRITY, size=9, digest="e" * 32)], NOW)
    await files.failed(db, [failure(file.id, attempts=2)], NOW + 1)
    [file] = await files.all_of(db, row.id, 0, 10)
    assert (file.state, file.kept, file.validator) == ("retry_wait", 3, '"v"')
    assert (file.seen_size, file.seen_digest) == (9, "e" * 32)
    attempts = await db.rows("SELECT kind, size, digest FROM attempts WHERE file_id = ? ORDER BY id", (file.id,))
    assert [tuple(one) for one in attempts] == [("integrity", 9, "e" * 32), ("transient", None, None)]


@pytest.mark.parametrize("taken", ["held", "withdrawn"])
async def test_what_fails_after_it_was_taken_away_is_no_trouble(db: Database, product: int, taken: str) -> None:
    row = await transferring(db, "a", some_files(1))
    [file] = await files.all_of(db, row.id, 0, 10)
    await db.run("UPDATE filesets SET state = ? WHERE id = ?", (taken, row.id))
    await files.failed(db, [failure(file.id)], NOW)
    assert await recount_trouble(db, "a") == ""
    if taken == "held":
        await operate.release(db, [row.id])
        assert await recount_trouble(db, "a") == "failed"


async def test_trouble_follows_the_worst_file(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(2))
    first, second = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    await files.failed(db, [failure(first)], NOW)
    assert await recount_trouble(db, "a") == "failed"
    await files.failed(db, [failure(second, FileState.QUARANTINED, next_try=None)], NOW)
    assert await recount_trouble(db, "a") == "quarantined"
    await files.staged(db, [(second, None, None)])
    await files.recovered(db, [(second, 2)], NOW)
    assert await recount_trouble(db, "a") == "failed"
    await files.staged(db, [(first, None, None)])
    await files.recovered(db, [(first, 2)], NOW)
    assert await recount_trouble(db, "a") == ""
    assert await db.value("SELECT count(*) FROM attempts WHERE kind IS NULL") == 2
    assert await db.value("SELECT count(*) FROM files WHERE failure IS NOT NULL OR kept <> 0") == 0


async def test_a_failure_of_the_whole_fileset_is_not_judged_away_by_its_files(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(1))
    await filesets.failed(db, row, FailureKind.DISK, "no space", NOW + 60, False, NOW)
    await filesets.judge(db, [row.id])
    assert await recount_trouble(db, "a") == "failed"
    assert await filesets.begun(db, NOW) == []
    assert await filesets.begun(db, NOW + 60) == [row.id]
    assert await filesets.due(db, [product], NOW + 60) == [row.id]


async def test_interrupted_transfers_keep_their_bytes_and_lose_no_try(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(2))
    first, second = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    await files.live(db, [Live(one, "host", NOW, 5, 1.0, '"v"') for one in (first, second)], lease=1)
    assert await file_states(db, row.id) == {"f0": "active", "f1": "active"}
    await files.interrupted(db, [(first, 5, '"v"'), (second, 0, None)])
    kept = await files.all_of(db, row.id, 0, 10)
    assert [(one.state, one.kept, one.validator, one.tries) for one in kept] == [
        ("partial", 5, '"v"', 0),
        ("pending", 0, None, 0),
    ]
    await files.live(db, [], lease=1)
    assert await db.value("SELECT count(*) FROM transfers") == 0


async def test_what_is_live_is_kept_for_a_restart_only_with_a_validator(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(3))
    ids = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    await files.staged(db, [(one, None, None) for one in ids[2:]])
    live = [
        Live(ids[0], "h", NOW, 7, 1.0, '"v"'),
        Live(ids[1], "h", NOW, 7, 1.0, None),
        Live(ids[2], "h", NOW, 9, 1, ""),
    ]
    await files.live(db, live, lease=1)
    kept = [(one.state, one.kept) for one in await files.all_of(db, row.id, 0, 10)]
    assert kept == [("active", 7), ("active", 0), ("staged", 0)]


async def test_lost_bytes_are_fetched_again(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(2))
    ids = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    await files.staged(db, [(one, None, None) for one in ids])
    await files.reset_lost(db, ids[:1])
    await files.keep(db, {ids[0]: 4})
    [file] = await files.to_fetch(db, row.id, 0, NOW, 10)
    assert (file.name, file.state, file.kept) == ("f0", "pending", 4)


async def test_when_a_staged_file_was_changed_last_is_kept_until_it_is_published(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(1))
    [file] = await files.all_of(db, row.id, 0, 10)
    seen = [file.ctime]
    for ctime in (1_795_296_502_422_103_532, 1_795_296_502_422_103_533):
        await files.staged(db, [(file.id, "digest", ctime)])
        seen += [one.ctime for one in await files.all_of(db, row.id, 0, 10)]
    await filesets.intend(db, [(row.id, "1:2")])
    await filesets.published(db, [row.id], NOW)
    seen += [one.ctime for one in await files.all_of(db, row.id, 0, 10)]
    assert seen == [None, 1_795_296_502_422_103_532, 1_795_296_502_422_103_533, None]


async def test_a_clock_that_jumped_does_not_make_files_wait_for_ever(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(1))
    [file] = await files.all_of(db, row.id, 0, 10)
    await files.failed(db, [failure(file.id, next_try=NOW + 10**8)], NOW)
    await stamps.mend(db, NOW, 3600)
    assert [one.id for one in await files.to_fetch(db, row.id, 0, NOW, 10)] == [file.id]


async def test_the_intent_needs_every_file(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(2))
    ids = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    await files.staged(db, [(one, None, None) for one in ids[:1]])
    assert await filesets.intend(db, [(row.id, "1:2")]) == []
    assert (await fileset(db, "a")).state == "transferring"
    await db.run("UPDATE files SET state = 'skipped' WHERE id = ?", (ids[1],))
    assert await filesets.intend(db, [(row.id, "1:2")]) == [row.id]
    after = await fileset(db, "a")
    assert (after.state, after.inode) == ("publishing", "1:2")


async def test_the_intent_leaves_out_what_was_stopped_meanwhile(db: Database, product: int) -> None:
    rows = [await transferring(db, name, []) for name in "abc"]
    await operate.hold(db, [rows[0].id])
    await operate.cancel(db, [rows[1].id])
    assert await filesets.intend(db, [(row.id, "1:2") for row in rows]) == [rows[2].id]
    assert await states(db, product) == {"a": "held", "b": "cancelled", "c": "publishing"}


async def test_a_publication_that_failed_is_taken_back(db: Database, product: int) -> None:
    row = await transferring(db, "a", [])
    await filesets.intend(db, [(row.id, "1:2")])
    await filesets.take_back(db, row.id)
    after = await fileset(db, "a")
    assert (after.state, after.inode) == ("transferring", None)
    held = await transferring(db, "b", [])
    await operate.hold(db, [held.id])
    await filesets.take_back(db, held.id)
    assert (await fileset(db, "b")).state == "held"


async def test_published_means_files_fileset_and_index(db: Database, product: int) -> None:
    row = await publish(db, "a", some_files())
    assert (row.state, row.published) == ("published", True)
    assert set((await file_states(db, row.id)).values()) == {"published"}
    due = await indexes.due(db, 1)
    assert due == [(product, "raw", 2)]
    assert [one.most_recent for one in await registry.published_products(db, 1)] == ["a"]
    await indexes.written(db, due)
    assert await indexes.due(db, 1) == []
    with pytest.raises(IllegalTransition):
        await filesets.published(db, [(await fileset(db, "b")).id], NOW)


async def test_only_products_at_work_become_due(db: Database, product: int) -> None:
    row = await transferring(db, "a", some_files(1))
    [file] = await files.all_of(db, row.id, 0, 10)
    await files.failed(db, [failure(file.id)], NOW)
    await filesets.failed(db, await fileset(db, "b"), FailureKind.TRANSIENT, "timeout", NOW + 5, True, NOW)
    for products, told in (([product], True), ([product + 1], False), ([], False)):
        assert await filesets.due(db, products, NOW + 5) == ([row.id] if told else [])
        assert await filesets.next_due(db, products, NOW, NOW + 5) is told
        assert await filesets.index_due(db, products, NOW, NOW + 5) is told


@pytest.mark.parametrize("now", ["queued", "held", "cancelled"])
async def test_a_failure_that_comes_too_late_touches_nothing(db: Database, product: int, now: str) -> None:
    row = await fileset(db, "a")
    await db.run("UPDATE filesets SET state = ? WHERE id = ?", (now, row.id))
    await filesets.failed(db, row, FailureKind.TRANSIENT, "timeout", NOW + 5, True, NOW)
    after = await fileset(db, "a")
    assert (after.state, after.trouble, after.failure_kind, after.attempts) == (now, "", None, 0)
    assert await db.value("SELECT count(*) FROM attempts") == 0


async def test_a_failure_of_a_published_fileset_is_recorded(db: Database, product: int) -> None:
    await publish(db, "a", some_files(1))
    await filesets.failed(db, await fileset(db, "a"), FailureKind.TRANSIENT, "timeout", NOW + 5, True, NOW)
    after = await fileset(db, "a")
    assert (after.state, after.trouble, after.failure_kind) == ("published", "failed", "transient")


async def test_thousands_of_conflicting_rows_are_set_aside(db: Database, product: int) -> None:
    rows = some_files(3000)
    row = await read_index(db, "a", rows, conflicts=[one.name for one in rows[1:]])
    assert sorted((await file_states(db, row.id)).values()) == ["pending", *["quarantined"] * 2999]


async def test_staging_is_of_use_only_to_filesets_that_are_still_wanted(db: Database, product: int) -> None:
    useful = []
    for state in FilesetState:
        await db.run(
            """INSERT INTO filesets (product_id, seq, place, name, registered, type, state, discovered_at)
               VALUES (?, 9, 9, ?, 0, '', ?, 0)""",
            (product, f"in {state}", state),
        )
        useful.append((state, await db.value("SELECT max(id) FROM filesets")))
    found = await filesets.still_staged(db, [number for _, number in useful] + [9999], 1)
    assert {state for state, number in useful if number in found} == {
        "discovered", "queued", "transferring", "staged", "publishing", "held",
    }  # fmt: skip
    assert await filesets.still_staged(db, [number for _, number in useful], 2) == set()


async def test_a_change_that_comes_while_the_index_is_written_keeps_it_due(db: Database, product: int) -> None:
    await publish(db, "a")
    begun = await indexes.due(db, 1)
    await publish(db, "b")
    await indexes.written(db, begun)
    [again] = await indexes.due(db, 1)
    assert again[0] == product
    await indexes.written(db, [again])
    assert await indexes.due(db, 1) == []


async def test_hidden_products_stay_out_of_our_root_index(db: Database) -> None:
    ids = await registry.configure_mirrors(db, [("sky", "ipp", "http://sky.example/ds", "/data/sky")])
    await registry.choose_products(db, ids["sky"], ["raw"], ["secret"], lambda _: True, "")
    for row in await db.rows("SELECT id, name FROM products"):
        await poll(db, row["id"], [(f"of {row['name']}", 1)])
        await publish(db, f"of {row['name']}")
    assert [one.name for one in await registry.published_products(db, ids["sky"])] == ["raw"]
    assert {name for _, name, _ in await indexes.due(db, ids["sky"])} == {"raw", "secret"}
