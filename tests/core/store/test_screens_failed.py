"""What failed, is in quarantine, or was refused, as its table shows it."""

from __future__ import annotations

import pytest

from core.errors import FailureKind
from core.model import ListedProduct, Rejection
from core.store import filesets, operate, registry
from core.store.database import Database
from core.store.screens import FailureLine, failure_lines
from tests.core.store.seed import NOW, add_mirror, add_product, fileset, poll, read_index, some_files, transferring
from tests.core.store.watching import Watcher, file_failed

WRONG = (12, "f" * 32)


@pytest.fixture
async def raw(db: Database) -> int:
    product = await add_product(db)
    await poll(db, product, [(name, 5) for name in "abc"])
    return product


async def only(db: Database) -> FailureLine:
    [line] = await failure_lines(db)
    return line


async def test_a_file_in_quarantine_tells_what_was_listed_and_what_was_seen(db: Database, raw: int) -> None:
    row = await transferring(db, "a", some_files(2))
    await file_failed(db, "a", 1, FailureKind.INTEGRITY, detail="wrong digest", seen=WRONG)
    line = await only(db)
    assert (line.key, line.fileset_id, line.whole, line.file) == (f"f{(row.id << 24) + 1}", row.id, "sky/raw/a", "f1")
    assert (line.kind, line.detail, line.attempts, line.next_try) == ("integrity", "wrong digest", 1, None)
    assert (line.listed_size, line.listed_digest) == (10, f"{1:032x}")
    assert (line.seen_size, line.seen_digest) == WRONG
    assert line.quarantined is True
    assert line.acceptable


async def test_only_evidence_in_quarantine_can_be_accepted(db: Database, raw: int) -> None:
    await transferring(db, "a", some_files(3))
    await file_failed(db, "a", 0, FailureKind.INTEGRITY, next_try=NOW + 9, seen=WRONG)
    await file_failed(db, "a", 1, FailureKind.INTEGRITY)
    await file_failed(db, "a", 2, FailureKind.UNSAFE, seen=WRONG)
    assert [line.acceptable for line in await failure_lines(db)] == [False, False, False]


async def test_a_file_that_waits_tells_for_when(db: Database, raw: int) -> None:
    await transferring(db, "a", some_files())
    await file_failed(db, "a", 0, next_try=NOW + 9, number=3)
    line = await only(db)
    assert (line.kind, line.attempts, line.next_try, line.quarantined) == ("transient", 3, NOW + 9, False)


async def test_a_fileset_that_failed_as_a_whole_is_one_line(db: Database, raw: int) -> None:
    row = await fileset(db, "b")
    await filesets.failed(db, row, FailureKind.MISSING, "404", None, True, NOW)
    line = await only(db)
    assert (line.key, line.fileset_id, line.fileset, line.file) == (f"s{row.id}", row.id, "b", None)
    assert (line.kind, line.detail, line.attempts, line.quarantined) == ("missing", "404", 1, True)
    assert not line.acceptable


async def test_refused_rows_of_every_index(db: Database, raw: int) -> None:
    async with db.transaction():
        rows: list[ListedProduct | Rejection] = [ListedProduct("raw"), Rejection(3, "../etc", "unsafe name")]
        await registry.list_products(db, 1, rows, lambda _: True, NOW)
    await poll(db, raw, [Rejection(7, "..", "reserved")], cursor="c")
    row = await read_index(db, "a", some_files(), [Rejection(2, "x", "bad size")])
    lines = await failure_lines(db)
    assert [(line.product, line.fileset, line.file, line.fileset_id, line.detail) for line in lines] == [
        (None, None, None, None, "root index, line 3: unsafe name: ../etc"),
        ("raw", "..", None, None, "line 7: reserved"),
        ("raw", "a", "x", row.id, "line 2: bad size"),
    ]
    assert [line.whole for line in lines] == ["sky", "sky/raw/..", "sky/raw/a"]
    assert {(line.kind, line.quarantined) for line in lines} == {("rejected", True)}
    assert len({line.key for line in lines}) == 3
    assert all(line.key.startswith("r") for line in lines)


async def test_failures_are_grouped_by_kind_then_by_place(db: Database, raw: int) -> None:
    more = await add_mirror(db, "sea", ["tide"])
    await poll(db, more["tide"], [("t", 5)])
    for name in "tba":
        await transferring(db, name, some_files(2))
        await file_failed(db, name, 0, next_try=NOW + 9)
        await file_failed(db, name, 1, FailureKind.INTEGRITY)
    assert [(line.kind, line.mirror, line.fileset) for line in await failure_lines(db)] == [
        ("integrity", "sea", "t"),
        ("integrity", "sky", "a"),
        ("integrity", "sky", "b"),
        ("transient", "sea", "t"),
        ("transient", "sky", "a"),
        ("transient", "sky", "b"),
    ]


async def test_keys_stay_while_other_failures_come_and_go(db: Database, raw: int) -> None:
    await transferring(db, "b", some_files())
    await file_failed(db, "b", 1)
    before = (await only(db)).key
    await transferring(db, "a", some_files())
    await file_failed(db, "a", 0)
    await file_failed(db, "b", 1, number=2)
    assert before in {line.key for line in await failure_lines(db)}


async def test_no_more_lines_than_asked_for_the_worst_of_them(db: Database, raw: int) -> None:
    await transferring(db, "a", some_files())
    await file_failed(db, "a", 0, next_try=NOW + 9)
    await filesets.failed(db, await fileset(db, "b"), FailureKind.MISSING, "404", None, True, NOW)
    assert [line.kind for line in await failure_lines(db, limit=1)] == ["missing"]


async def test_what_was_given_up_or_is_not_mirrored_is_no_failure(db: Database, raw: int) -> None:
    row = await transferring(db, "a", some_files())
    await file_failed(db, "a", 0)
    await poll(db, raw, [Rejection(7, "..", "reserved")], cursor="c")
    await operate.wish(db, raw, mirrored=False, configured=True)
    assert await failure_lines(db) == []
    await operate.wish(db, raw, mirrored=True, configured=True)
    assert len(await failure_lines(db)) == 2
    await operate.cancel(db, [row.id])
    assert [line.kind for line in await failure_lines(db)] == ["rejected"]


async def test_no_table_is_read_as_a_whole(db: Database, raw: int) -> None:
    async with await Watcher.open_reader(db.path) as watcher:
        await failure_lines(watcher)
        assert await watcher.whole_tables() == []
