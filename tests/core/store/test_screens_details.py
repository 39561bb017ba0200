"""Everything about one product, and about one fileset and its files."""

from __future__ import annotations

import pytest

from core.errors import FailureKind
from core.model import ListedFileset, Rejection
from core.store import files, filesets
from core.store.database import Database
from core.store.screens import (
    FilesetDetails,
    ProductDetails,
    file_lines,
    fileset_details,
    overview,
    product_details,
)
from tests.core.store.seed import NOW, add_product, fileset, poll, publish, read_index, some_files, transferring
from tests.core.store.watching import Watcher, fetching, file_failed


@pytest.fixture
async def raw(db: Database) -> int:
    return await add_product(db)


async def of_fileset(db: Database, name: str) -> FilesetDetails:
    found = await fileset_details(db, (await fileset(db, name)).id)
    assert found is not None
    return found


async def of_product(db: Database, product: int) -> ProductDetails:
    found = await product_details(db, product, NOW)
    assert found is not None
    return found


# Filesets.


async def test_a_fileset_tells_where_it_comes_from_and_goes_to(db: Database, raw: int) -> None:
    columns = {"stage": "chip", "note": None}
    await poll(db, raw, [ListedFileset("o1 #2", 1234, "IPP", columns)])
    shown = await of_fileset(db, "o1 #2")
    assert (shown.line.whole, shown.type, shown.columns, shown.revision) == ("sky/raw/o1 #2", "IPP", columns, 1)
    assert shown.source_url == "http://sky.example/ds/raw/o1%20%232"
    assert shown.destination_path == "/data/sky/raw/o1 #2"
    assert (shown.discovered_at, shown.published_at, shown.attempts) == (NOW, None, ())


@pytest.mark.parametrize("url", ["http://host/ds/", "http://host/ds/index.txt", "http://host/ds"])
async def test_the_source_of_a_fileset_is_below_the_root_however_that_is_written(
    db: Database, raw: int, url: str
) -> None:
    await poll(db, raw, [("a", 5)])
    await db.run("UPDATE mirrors SET url = ?", (url,))
    assert (await of_fileset(db, "a")).source_url == "http://host/ds/raw/a"


async def test_a_fileset_counts_its_files_by_state(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5), ("b", 5)])
    await publish(db, "b", some_files(2))
    row = await transferring(db, "a", some_files(4))
    await files.staged(db, [(row.id << 24, None, None)])
    await file_failed(db, "a", 1)
    assert (await of_fileset(db, "a")).counts_by_file_state == {"staged": 1, "quarantined": 1, "pending": 2}
    shown = await of_fileset(db, "b")
    assert (shown.counts_by_file_state, shown.published_at) == ({"published": 2}, NOW)


async def test_a_fileset_tells_its_attempts_newest_first(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5), ("b", 5)])
    await filesets.failed(db, await fileset(db, "a"), FailureKind.MALFORMED, "html", NOW + 9, True, NOW)
    await transferring(db, "a", some_files())
    await file_failed(db, "a", 1, FailureKind.INTEGRITY, next_try=NOW + 9, detail="wrong", seen=(9, "e" * 32))
    await files.recovered(db, [(((await fileset(db, "a")).id << 24) + 1, 2)], NOW + 5)
    shown = [(one.number, one.kind, one.file, one.detail) for one in (await of_fileset(db, "a")).attempts]
    assert shown == [
        (2, None, "f1", "fetched and verified"),
        (1, "integrity", "f1", "wrong"),
        (1, "index_malformed", None, "html"),
    ]
    newest = (await of_fileset(db, "a")).attempts[1]
    assert (newest.at, newest.size, newest.digest) == (NOW + 1, 9, "e" * 32)


async def test_of_many_attempts_the_last_fifty_are_shown(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5)])
    await transferring(db, "a", some_files())
    for number in range(1, 61):
        await file_failed(db, "a", 0, next_try=NOW + 9, number=number)
    shown = (await of_fileset(db, "a")).attempts
    assert [one.number for one in shown] == list(range(60, 10, -1))


async def test_what_is_not_there_has_no_details(db: Database, raw: int) -> None:
    assert await fileset_details(db, 99) is None
    assert await product_details(db, 99, NOW) is None


# Files.


async def test_files_are_read_by_windows_in_their_order(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5), ("b", 5)])
    await read_index(db, "a", some_files(5))
    await read_index(db, "b", some_files(5))
    number = (await fileset(db, "a")).id
    first = await file_lines(db, number, 0, 3)
    rest = await file_lines(db, number, first[-1].id, 3)
    assert [one.name for one in [*first, *rest]] == ["f0", "f1", "f2", "f3", "f4"]
    assert (first[1].size, first[1].digest, first[1].type, first[1].state) == (10, f"{1:032x}", "text", "pending")


async def test_a_file_tells_how_much_of_it_is_here(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5)])
    row = await transferring(db, "a", some_files(4, size=100))
    await fetching(db, "a", 10, 20)
    await files.staged(db, [(row.id << 24, None, None)])
    await files.interrupted(db, [((row.id << 24) + 2, 7, '"etag"')])
    shown = await file_lines(db, row.id, 0, 10)
    assert [(one.state, one.received) for one in shown] == [
        ("staged", 100),
        ("active", 20),
        ("partial", 7),
        ("pending", 0),
    ]


async def test_a_file_tells_its_failure_its_evidence_and_who_accepted_it(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5)])
    row = await transferring(db, "a", some_files(1))
    await file_failed(db, "a", 0, FailureKind.INTEGRITY, next_try=NOW + 9, detail="wrong", seen=(9, "e" * 32))
    await db.run("UPDATE files SET accepted = 'ann'")
    [shown] = await file_lines(db, row.id, 0, 10)
    assert (shown.failure_kind, shown.failure, shown.attempts, shown.next_try) == ("integrity", "wrong", 1, NOW + 9)
    assert (shown.seen_size, shown.seen_digest, shown.accepted) == (9, "e" * 32, "ann")


# Products.


async def test_a_product_tells_its_latency_and_what_was_published_last(db: Database, raw: int) -> None:
    ages = [10, 20, 30, 40, 1000]
    await poll(db, raw, [(f"a{age}", int(NOW) - age) for age in ages] + [("waits", int(NOW) - 9999)])
    for age in ages:
        await publish(db, f"a{age}")
    await db.run("UPDATE filesets SET published_at = ? WHERE name = 'a30'", (NOW + 1,))
    shown = await of_product(db, raw)
    assert shown.latency == (31, 1000)
    assert (shown.last_published, shown.last_published_at) == ("a30", NOW + 1)


async def test_a_product_of_which_nothing_is_published_has_no_latency(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5)])
    shown = await of_product(db, raw)
    assert (shown.latency, shown.last_published, shown.last_published_at) == (None, None, None)


async def test_a_product_shows_its_newest_filesets_and_refused_rows(db: Database, raw: int) -> None:
    await poll(
        db, raw, [*((f"s{at:02}", 5) for at in range(30)), *(Rejection(at, f"x{at}", "bad") for at in range(30))]
    )
    shown = await of_product(db, raw)
    assert [line.name for line in shown.newest] == [f"s{at:02}" for at in range(29, 9, -1)]
    assert [line.fileset for line in shown.rejections] == [f"x{at}" for at in range(20)]
    assert shown.line.name == "raw"


async def test_an_overview_that_was_read_already_spares_another(db: Database, raw: int) -> None:
    async with await Watcher.open_reader(db.path) as watcher:
        known = await overview(watcher, NOW)
        watcher.asked.clear()
        shown = await product_details(watcher, raw, NOW, known)
        assert shown is not None
        assert shown.line is known.products[0]
        assert len(watcher.asked) < 9


async def test_no_table_is_read_as_a_whole(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5)])
    row = await read_index(db, "a", some_files())
    async with await Watcher.open_reader(db.path) as watcher:
        await fileset_details(watcher, row.id)
        await file_lines(watcher, row.id, 0, 10)
        await product_details(watcher, raw, NOW)
        assert await watcher.whole_tables() == []
