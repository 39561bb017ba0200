"""Where mirrors and products stand, as the header and the products' table show it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import FailureKind
from core.model import Rejection
from core.store import files, filesets, meters, operate, queries, registry
from core.store.commands import Target
from core.store.database import Database
from core.store.screens import (
    MirrorLine,
    ProductLine,
    failure_groups,
    failure_lines,
    fileset_details,
    overview,
    queue_lines,
)
from tests.core.store.seed import (
    NOW,
    add_mirror,
    add_product,
    fileset,
    poll,
    publish,
    read_index,
    some_files,
    transferring,
)
from tests.core.store.watching import Watcher, fetching, file_failed

TIMES = [("a", int(NOW) - 500), ("b", int(NOW) - 400), ("c", int(NOW) - 300), ("d", int(NOW) - 200)]
BEFORE = NOW - 600
GB = 10**9


@pytest.fixture
async def raw(db: Database) -> int:
    return await add_product(db)


@pytest.fixture
async def watcher(db: Database) -> AsyncIterator[Watcher]:
    async with await Watcher.open_reader(db.path) as database:
        database.asked.clear()
        yield database


async def line(db: Database, name: str = "raw", now: float = NOW) -> ProductLine:
    [found] = [one for one in (await overview(db, now)).products if one.name == name]
    return found


async def mirror(db: Database, now: float = NOW) -> MirrorLine:
    [found] = (await overview(db, now)).mirrors
    return found


async def test_a_product_tells_what_is_published_and_what_is_left(db: Database, raw: int) -> None:
    await poll(db, raw, [*TIMES, ("e", 1), ("x", 1)], wanted=lambda name: name != "x", now=BEFORE)
    await publish(db, "a", some_files(2, size=100))
    await transferring(db, "b", some_files(3, size=10))
    await operate.hold(db, [(await fileset(db, "e")).id])
    shown = await line(db)
    assert shown.counts == {
        "published": 1, "queued": 3, "failed": 0, "quarantined": 0,
        "excluded": 1, "held": 1, "cancelled": 0, "withdrawn": 0,
    }  # fmt: skip
    assert (shown.published_filesets, shown.filesets, shown.published_bytes) == (1, 5, 200)
    assert (shown.backlog_filesets, shown.backlog_files, shown.backlog_bytes, shown.unread) == (3, 3, 30, 2)
    assert (shown.lag, shown.selected, shown.polled_at) == (400, True, BEFORE)


async def test_sums_beyond_64_bits_are_no_error(db: Database) -> None:
    for product in (await add_mirror(db, products=["raw", "warp"])).values():
        await poll(db, product, [(f"f{number}", 5) for number in range(5000)])
    await db.run("UPDATE filesets SET bytes = 1 << 50")
    shown = await overview(db, NOW)
    assert [one.backlog_bytes for one in shown.products] == [5000 << 50] * 2
    assert shown.left_bytes == 2**63 - 1, "as much as can be told"
    await db.run("UPDATE filesets SET bytes = 1 << 51")
    assert [one.backlog_bytes for one in (await overview(db, NOW)).products] == [2**63 - 1] * 2


async def test_the_header_tells_how_much_is_left_of_all_that_is_mirrored(db: Database) -> None:
    products = await add_mirror(db, products=["raw", "warp", "old"])
    for name, product in products.items():
        await poll(db, product, [(f"{name}1", 5), (f"{name}2", 5)])
        await read_index(db, f"{name}1", some_files(4))
    await transferring(db, "raw2", some_files(2))
    await files.staged(db, [((await fileset(db, "raw2")).id << 24, None, None)])
    await operate.wish(db, products["old"], mirrored=False, configured=True)
    shown = await overview(db, NOW)
    assert (shown.queued_filesets, shown.left_files, shown.left_bytes, shown.unread) == (4, 9, 90, 1)
    assert [(one.backlog_files, one.backlog_bytes) for one in shown.products] == [(5, 50), (4, 40), (4, 40)]
    assert [(one.name, one.selected, one.wish) for one in shown.products] == [
        ("raw", True, None),
        ("warp", True, None),
        ("old", False, "ignore"),
    ]


@pytest.mark.parametrize("way", ["held", "withdrawn"])
async def test_what_is_staged_of_filesets_taken_away_is_not_taken_off_what_is_left(
    db: Database, raw: int, way: str
) -> None:
    await poll(db, raw, [("a", 1), ("b", 2)])
    begun = await transferring(db, "a", some_files(4))
    await read_index(db, "b", some_files(3))
    await files.staged(db, [(begun.id << 24 | at, None, None) for at in range(3)])
    assert (await line(db)).backlog_files == 4
    if way == "held":
        await operate.hold(db, [begun.id])
    else:
        await poll(db, raw, [("b", 2)])
    assert (await line(db)).backlog_files == 3
    if way == "held":
        await operate.release(db, [begun.id])
    else:
        await poll(db, raw, [("a", 1), ("b", 2)])
    assert (await line(db)).backlog_files == 4


async def test_meters_count_what_is_complete_and_what_is_under_way(db: Database, raw: int) -> None:
    await poll(db, raw, TIMES)
    row = await transferring(db, "a", some_files(3, size=100))
    await meters.fetched(db, {raw: (7, 5000)})
    await fetching(db, "a", 40, 60)
    shown = await line(db)
    assert (shown.metered_files, shown.metered_bytes, shown.active) == (7, 5100, 2)
    # the first file is complete, and the picture of transfers is older than that
    await files.staged(db, [(row.id << 24, None, None)])
    await meters.fetched(db, {raw: (1, 100)})
    shown = await line(db)
    assert (shown.metered_files, shown.metered_bytes, shown.active) == (8, 5160, 1)


async def test_lag_is_that_of_the_oldest_that_is_neither_published_nor_in_quarantine(db: Database, raw: int) -> None:
    await poll(db, raw, TIMES, now=BEFORE)
    await transferring(db, "a", some_files())
    await file_failed(db, "a", 0, next_try=NOW + 60)
    assert (await line(db)).lag == 500
    await file_failed(db, "a", 1)
    assert (await line(db)).lag == 400
    assert (await line(db, now=0.0)).lag == 0


async def test_lag_is_unknown_where_the_source_was_never_listed_and_not_less_where_it_is_not(
    db: Database, raw: int
) -> None:
    assert (await line(db)).lag is None
    await poll(db, raw, TIMES, now=BEFORE)
    await registry.product_failed(db, raw, NOW - 5, FailureKind.TRANSIENT, "timeout")
    shown = await line(db)
    assert (shown.lag, shown.error, shown.error_kind, shown.tried_at) == (500, "timeout", "transient", NOW - 5)


async def test_the_next_try_is_the_earliest_to_come_of_files_and_filesets(db: Database, raw: int) -> None:
    await poll(db, raw, TIMES)
    await transferring(db, "a", some_files())
    assert (await line(db)).next_try is None
    await file_failed(db, "a", 0, next_try=NOW + 60)
    assert (await line(db)).next_try == NOW + 60
    await file_failed(db, "a", 1, next_try=NOW - 5)
    assert (await line(db)).next_try == NOW + 60
    await filesets.failed(db, await fileset(db, "b"), FailureKind.MALFORMED, "html", NOW + 20, True, NOW)
    assert (await line(db)).next_try == NOW + 20


async def test_why_follows_what_happens_to_a_product(db: Database, raw: int) -> None:
    assert (await line(db)).why == "not listed yet"
    await poll(db, raw, TIMES[:2])
    assert (await line(db)).why == "reading indexes of 2 filesets"
    await read_index(db, "a", some_files())
    assert (await line(db)).why == "waiting in the queue"
    await transferring(db, "b", some_files())
    await fetching(db, "b", 1, 2)
    assert (await line(db)).why == "transferring 2 files"
    await registry.set_setting(db, "limit_transfers", "2")
    assert (await line(db)).why == "limit of 2 transfers reached"
    await file_failed(db, "b", 1, next_try=NOW + 5)
    assert (await line(db)).why == "1 fileset failing, next try 08:00:05Z"
    await file_failed(db, "b", 2)
    assert (await line(db)).why == "blocked by 1 in quarantine"
    await operate.pause(db, Target(product="raw"), "by ann")
    assert (await line(db)).why == "paused by ann"
    await registry.stop_mirror(db, 1, FailureKind.DISK, "/data: disk full")
    assert (await line(db)).why == "mirror stopped: /data: disk full"


async def test_without_an_engine_nothing_is_under_way_whatever_one_that_died_has_left(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 1)])
    await transferring(db, "a", some_files(3, size=100))
    await fetching(db, "a", 40, 60)
    assert ((await line(db)).active, (await line(db)).why) == (2, "transferring 2 files")
    [left] = (await overview(db, NOW, running=False)).products
    assert (left.active, left.why, left.backlog_files) == (0, "waiting in the queue", 3)
    number = (await fileset(db, "a")).id
    for running, active in ((True, 2), (False, 0)):
        assert (await queue_lines(db, [number], running=running))[number].active == active
        details = await fileset_details(db, number, running=running)
        assert details is not None
        assert (details.line.active, details.line.done_bytes) == (active, 100)
        [mirror] = await queries.overview(db, NOW, running=running)
        assert [one.active for one in mirror.products] == [active]


async def test_a_host_at_rest_is_why_its_products_wait(db: Database) -> None:
    for name in ("sky", "sea"):
        product = (await add_mirror(db, name, [f"{name}.raw"]))[f"{name}.raw"]
        await poll(db, product, [("a", 5)])
    await meters.rest(db, {"sky.example:80": (NOW + 65, "5 failures in a row")})
    assert (await line(db, "sky.raw")).why == "host sky.example:80 rests until 08:01:05Z: 5 failures in a row"
    assert (await line(db, "sea.raw")).why == "reading indexes of 1 fileset"
    assert [one.rest and one.rest.until for one in (await overview(db, NOW)).mirrors] == [None, NOW + 65]
    assert (await line(db, "sky.raw", now=NOW + 66)).why == "reading indexes of 1 fileset"
    await meters.rest(db, {})
    assert (await line(db, "sky.raw")).why == "reading indexes of 1 fileset"


async def test_no_next_try_comes_before_the_host_may_be_asked_again(db: Database, raw: int) -> None:
    await poll(db, raw, TIMES)
    await transferring(db, "a", some_files())
    await file_failed(db, "a", 0, next_try=NOW + 5)
    await file_failed(db, "a", 1, next_try=NOW + 900)
    await meters.rest(db, {"sky.example:80": (NOW + 65, "the server asked to be left alone")})
    assert (await line(db)).next_try == NOW + 65
    assert [one.next_try for one in await failure_lines(db)] == [NOW + 65, NOW + 900]
    assert [one.next_try for one in await failure_groups(db)] == [NOW + 65]
    number = (await fileset(db, "a")).id
    waiting = (await queue_lines(db, [number]))[number]
    assert (waiting.next_try, waiting.rests_until) == (NOW + 65, NOW + 65)


async def test_rows_that_were_refused_are_counted_by_product(db: Database) -> None:
    products = await add_mirror(db, products=["raw", "warp"])
    await poll(db, products["raw"], [("a", 5), Rejection(7, "..", "reserved")])
    await poll(db, products["warp"], [("b", 5)])
    await publish(db, "a")
    assert [(one.name, one.refused) for one in (await overview(db, NOW)).products] == [("raw", 1), ("warp", 0)]
    assert (await line(db, "raw")).why == "1 row refused, the rest is here"


async def test_a_product_that_waits_tells_for_which(db: Database) -> None:
    products = await add_mirror(db, products=["raw", "warp", "chip"])
    for name, product in products.items():
        await poll(db, product, [(name, 5)])
        await transferring(db, name, some_files())
    await fetching(db, "warp", 1, 1)
    assert (await line(db, "raw")).why == "waiting in the queue behind warp"
    assert (await line(db, "warp")).why == "transferring 2 files"


async def test_what_is_current_or_only_offered_needs_no_reason(db: Database, raw: int) -> None:
    await poll(db, raw, TIMES[:1])
    await publish(db, "a")
    assert (await line(db)).why == ""
    await operate.wish(db, raw, mirrored=False, configured=False)
    assert (await line(db)).why == "available"


async def test_failures_are_counted_by_kind_the_worst_first(db: Database, raw: int) -> None:
    await poll(db, raw, [*TIMES, Rejection(7, "..", "reserved")])
    await transferring(db, "a", some_files())
    await file_failed(db, "a", 0, next_try=NOW + 60)
    await file_failed(db, "a", 1, FailureKind.INTEGRITY)
    await file_failed(db, "a", 2, FailureKind.INTEGRITY, next_try=NOW + 60)
    await filesets.failed(db, await fileset(db, "b"), FailureKind.MISSING, "404", None, True, NOW)
    assert list((await overview(db, NOW)).failures_by_kind.items()) == [
        ("integrity", 2),
        ("missing", 1),
        ("rejected", 1),
        ("transient", 1),
    ]


async def test_operators_limits_and_the_phase(db: Database, raw: int) -> None:
    shown = await overview(db, NOW)
    assert (shown.phase, shown.limit_transfers, shown.limit_bandwidth) == ("", None, None)
    for key, value in {"phase": "draining", "limit_transfers": "8", "limit_bandwidth": "0"}.items():
        await registry.set_setting(db, key, value)
    shown = await overview(db, NOW)
    assert (shown.at, shown.phase, shown.limit_transfers, shown.limit_bandwidth) == (NOW, "draining", 8, 0)


async def _sampled(db: Database, *samples: tuple[float, float]) -> float | None:
    for age, free in samples:
        await meters.sample_disks(db, {1: (int(free * GB), 500 * GB)}, NOW - age)
    return (await mirror(db)).full_in


async def test_a_disk_that_was_not_looked_at_is_unknown(db: Database, raw: int) -> None:
    shown = await mirror(db)
    assert (shown.free, shown.total, shown.full_in) == (None, None, None)


async def test_a_disk_that_fills_tells_when_it_is_full(db: Database, raw: int) -> None:
    # 10 GB in 1000 s, 80 GB left
    assert await _sampled(db, (1000, 90), (0, 80)) == pytest.approx(8000)
    shown = await mirror(db)
    assert (shown.free, shown.total) == (80 * GB, 500 * GB)


async def test_the_trend_of_a_disk_is_that_of_many_samples(db: Database, raw: int) -> None:
    steady = [(age * 60, 100 + age * 0.6) for age in range(600)]
    assert await _sampled(db, *steady) == pytest.approx(10_000, rel=0.01)


@pytest.mark.parametrize(
    "samples",
    [
        [(0, 80)],
        [(599, 90), (0, 80)],  # too short a time
        [(1000, 80), (0, 80)],  # doesn't change
        [(1000, 70), (0, 80)],  # empties
        [(86_401, 400), (0, 80)],  # longer ago than a day
    ],
)
async def test_no_forecast_without_a_trend(db: Database, raw: int, samples: list[tuple[float, float]]) -> None:
    assert await _sampled(db, *samples) is None


async def test_mirrors_tell_what_stops_them(db: Database, raw: int) -> None:
    await registry.mirror_polled(db, 1, NOW, None, None)
    await registry.mirror_polled(db, 1, NOW + 5, FailureKind.TLS, "expired")
    await registry.stop_mirror(db, 1, FailureKind.TLS, "expired")
    await operate.pause(db, Target(mirror="sky"), "by ann")
    shown = await mirror(db)
    assert (shown.name, shown.url, shown.destination) == ("sky", "http://sky.example/ds", "/data/sky")
    assert (shown.stopped, shown.stopped_kind, shown.error, shown.error_kind) == ("expired", "tls", "expired", "tls")
    assert (shown.paused, shown.polled_at) == ("by ann", NOW)


async def test_what_is_configured_no_more_is_not_shown(db: Database, raw: int) -> None:
    await add_mirror(db, "sea", ["tide"])
    await registry.configure_mirrors(db, [("sea", "ipp", "http://sea/ds", "/data/sea")])
    shown = await overview(db, NOW)
    assert [one.name for one in shown.mirrors] == ["sea"]
    assert [one.name for one in shown.products] == ["tide"]


async def test_an_empty_state_is_a_picture_too(db: Database) -> None:
    shown = await overview(db, NOW)
    assert (shown.mirrors, shown.products, shown.failures_by_kind, shown.left_files) == ((), (), {}, 0)


async def test_the_number_of_statements_does_not_grow(db: Database, raw: int, watcher: Watcher) -> None:
    await overview(watcher, NOW)
    few = len(watcher.asked)
    await add_mirror(db, "sea", [f"p{at}" for at in range(30)])
    watcher.asked.clear()
    assert len((await overview(watcher, NOW)).products) == 31
    assert len(watcher.asked) == few


async def test_no_table_is_read_as_a_whole(db: Database, raw: int, watcher: Watcher) -> None:
    await overview(watcher, NOW)
    assert await watcher.whole_tables() == []


async def test_a_state_file_is_read_while_an_engine_writes(db: Database, raw: int, state: Path) -> None:
    async with await Database.open_reader(state) as reader, db.transaction():
        await db.run("UPDATE products SET paused = 'by ann'")
        assert (await line(reader)).paused is None


async def test_bytes_kept_from_an_earlier_transfer_did_not_come_now(db: Database, raw: int) -> None:
    await poll(db, raw, [("a", 5)])
    await transferring(db, "a", some_files(1, size=GB))
    first = (await fileset(db, "a")).id << 24
    await files.live(db, [files.Live(first, "host", NOW, 700, 1.0, '"v"', base=600)], 1)
    assert (await line(db)).metered_bytes == 100
