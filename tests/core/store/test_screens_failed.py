"""What failed, is in quarantine, or was refused, as its table shows it."""

from __future__ import annotations

import pytest

from core.errors import FailureKind
from core.model import ListedProduct, Rejection
from core.store import filesets, operate, registry
from core.store.database import Database
from core.store.screens import FailureLine, failed_filesets, failure_groups, failure_lines, failures_of
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


def three_of_each_in_every_fileset(at: int) -> dict[str, object]:
    """Return what became of the file at a place: the second one came with a wrong digest."""
    if at == 1:
        return {"kind": FailureKind.INTEGRITY, "seen": WRONG, "detail": "wrong digest"}
    return {"next_try": NOW + 9 + at, "number": at + 1, "detail": "503" if at == 0 else "reset"}


async def failing(db: Database, names: str = "abc") -> None:
    for name in names:
        await transferring(db, name, some_files(3))
        for at in range(3):
            await file_failed(db, name, at, **three_of_each_in_every_fileset(at))  # type: ignore[arg-type]


async def test_what_failed_in_one_way_in_one_product_is_one_group(db: Database, raw: int) -> None:
    more = await add_mirror(db, "sea", ["tide"])
    await poll(db, more["tide"], [("t", 5)])
    await failing(db, "abct")
    found = await failure_groups(db)
    assert [(one.mirror, one.product, one.kind) for one in found] == [
        ("sea", "tide", "integrity"),
        ("sky", "raw", "integrity"),
        ("sea", "tide", "transient"),
        ("sky", "raw", "transient"),
    ]
    wrong, waiting = found[1], found[3]
    assert (wrong.failures, wrong.files, wrong.filesets, wrong.quarantined, wrong.acceptable) == (3, 3, 3, 3, 3)
    assert (wrong.next_try, wrong.many) == (None, False)
    assert (waiting.failures, waiting.filesets, waiting.quarantined, waiting.many) == (6, 3, 0, True)
    assert (waiting.least_attempts, waiting.most_attempts, waiting.next_try) == (1, 3, NOW + 9)
    assert (waiting.detail, waiting.same) in {("503", 3), ("reset", 3)}
    assert sum(one.failures for one in found) == len(await failure_lines(db))


async def test_the_lines_of_a_group(db: Database, raw: int) -> None:
    await failing(db)
    wrong, waiting = await failure_groups(db)
    assert await failure_lines(db, groups=[]) == []
    lines = await failure_lines(db, groups=[waiting.key])
    assert {line.group for line in lines} == {waiting.key}
    assert [(line.fileset, line.file) for line in lines[:3]] == [("a", "f0"), ("a", "f2"), ("b", "f0")]
    assert {line.kind for line in await failure_lines(db, groups=[wrong.key, waiting.key])} == {
        "integrity",
        "transient",
    }
    once = await failed_filesets(db, groups=[waiting.key])
    assert [line.whole for line in once] == ["sky/raw/a", "sky/raw/b", "sky/raw/c"]


async def test_groups_and_lines_of_what_a_filter_lets_through(db: Database, raw: int) -> None:
    await failing(db)
    [waiting] = await failure_groups(db, like="RESET")
    assert (waiting.failures, waiting.detail) == (3, "reset")
    assert {line.detail for line in await failure_lines(db, like="!reset")} == {"503", "wrong digest"}
    assert [line.whole for line in await failed_filesets(db, like="raw/b")] == ["sky/raw/b"]
    assert await failure_groups(db, like="%") == []


async def test_refused_rows_are_groups_too_and_each_is_hit_by_itself(db: Database, raw: int) -> None:
    refused = [Rejection(line, f"../{line}", "unsafe name") for line in range(1, 6)]
    await poll(db, raw, list(refused), cursor="c")
    async with db.transaction():
        await registry.list_products(db, 1, [ListedProduct("raw"), refused[0]], lambda _: True, NOW)
    of_root, of_product = await failure_groups(db)
    assert (of_root.product, of_root.failures, of_root.filesets) == (None, 1, 0)
    assert (of_product.product, of_product.failures, of_product.quarantined) == ("raw", 5, 5)
    assert len(await failed_filesets(db, groups=[of_product.key])) == 5


async def test_the_failures_of_one_fileset(db: Database, raw: int) -> None:
    await failing(db)
    lines = await failures_of(db, (await fileset(db, "b")).id)
    assert [(line.fileset, line.file) for line in lines] == [("b", "f1"), ("b", "f0"), ("b", "f2")]


async def test_no_table_is_read_as_a_whole_for_groups(db: Database, raw: int) -> None:
    async with await Watcher.open_reader(db.path) as watcher:
        await failure_groups(watcher, like="a")
        await failed_filesets(watcher, groups=["x"])
        await failures_of(watcher, 1)
        assert await watcher.whole_tables() == []
