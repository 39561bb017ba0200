"""What screens and reports are told."""

from __future__ import annotations

import pytest

from core.errors import FailureKind
from core.model import FileState, Rejection
from core.store import events, files, filesets, operate, queries, registry
from core.store.database import Database
from core.store.files import Failed
from core.store.queries import MirrorStatus, ProductStatus
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

TIMES = [("a", int(NOW) - 500), ("b", int(NOW) - 400), ("c", int(NOW) - 300), ("d", int(NOW) - 200)]


@pytest.fixture
async def product(db: Database) -> int:
    return await add_product(db)


async def status(db: Database, now: float = NOW) -> ProductStatus:
    [mirror] = await queries.overview(db, now)
    [product] = mirror.products
    return product


async def _quarantine(db: Database, name: str) -> None:
    await filesets.failed(db, await fileset(db, name), FailureKind.MISSING, "404", None, True, NOW)


async def test_counts_and_backlog(db: Database, product: int) -> None:
    await poll(db, product, [*TIMES, ("e", 1), ("f", 1), ("x", 1)], wanted=lambda name: name != "x")
    await publish(db, "a", some_files(2, size=100))
    await read_index(db, "b", some_files(3, size=10))
    await _quarantine(db, "c")
    await operate.hold(db, [(await fileset(db, "e")).id])
    await operate.cancel(db, [(await fileset(db, "f")).id])
    shown = await status(db)
    assert shown.counts == {
        "published": 1, "queued": 2, "failed": 0, "quarantined": 1,
        "excluded": 1, "held": 1, "cancelled": 1, "withdrawn": 0,
    }  # fmt: skip
    assert (shown.backlog_filesets, shown.backlog_files, shown.backlog_bytes) == (3, 3, 30)
    assert shown.published_bytes == 200
    assert await queries.left(db) == (3, 30)


async def test_lag_is_the_age_of_the_oldest_wanted_fileset(db: Database, product: int) -> None:
    await poll(db, product, TIMES, now=NOW - 600)
    assert (await status(db)).lag == 500
    await publish(db, "a")
    assert (await status(db)).lag == 400
    await _quarantine(db, "b")
    assert (await status(db)).lag == 300
    await operate.hold(db, [(await fileset(db, "c")).id])
    assert (await status(db)).lag == 200
    await publish(db, "d")
    assert (await status(db)).lag == 0


async def test_a_poll_that_fails_hides_no_lag(db: Database, product: int) -> None:
    assert (await status(db)).lag is None
    await poll(db, product, TIMES, now=NOW - 600)
    await registry.product_failed(db, product, NOW - 9, FailureKind.TRANSIENT, "timeout")
    shown = await status(db)
    assert (shown.lag, shown.error, shown.error_kind, shown.polled_at) == (500, "timeout", "transient", NOW - 600)
    await poll(db, product, [], cursor="d", now=NOW)
    shown = await status(db)
    assert (shown.lag, shown.error, shown.polled_at) == (500, None, NOW)


async def test_lag_is_unknown_when_nothing_is_left_and_the_last_poll_failed(db: Database, product: int) -> None:
    await poll(db, product, [])
    assert (await status(db)).lag == 0
    await registry.product_failed(db, product, NOW + 9, FailureKind.TRANSIENT, "timeout")
    assert (await status(db)).lag is None


async def test_what_was_there_before_its_product_was_listed_lags_from_then_on(db: Database, product: int) -> None:
    await poll(db, product, TIMES, now=NOW - 50)
    assert (await status(db)).lag == 50
    assert (await status(db, now=NOW + 9000)).lag == 9050, "what is really late is late all the same"
    for name in "abcd":
        await publish(db, name)
    await poll(db, product, [("e", int(NOW) - 30)], cursor="d")
    assert (await status(db)).lag == 30


async def test_a_clock_that_jumped_back_makes_no_negative_lag(db: Database, product: int) -> None:
    await poll(db, product, TIMES)
    assert (await status(db, now=NOW - 10**6)).lag == 0


async def test_mirrors_tell_what_stops_them(db: Database, product: int) -> None:
    await registry.mirror_polled(db, 1, NOW, None, None)
    await registry.mirror_polled(db, 1, NOW + 5, FailureKind.TLS, "expired")
    await registry.stop_mirror(db, 1, FailureKind.TLS, "expired")
    [mirror] = await queries.overview(db, NOW)
    assert isinstance(mirror, MirrorStatus)
    assert (mirror.stopped, mirror.stopped_kind, mirror.error, mirror.polled_at) == ("expired", "tls", "expired", NOW)
    await registry.let_mirror_go(db, 1)
    assert (await queries.overview(db, NOW))[0].stopped is None


async def test_mirrors_that_are_configured_no_more_are_not_shown(db: Database, product: int) -> None:
    await add_mirror(db, "sea", ["raw"])
    await registry.configure_mirrors(db, [("sea", "ipp", "http://sea/ds", "/data/sea")])
    assert [one.name for one in await queries.overview(db, NOW)] == ["sea"]


async def test_failures_are_told_worst_first_with_their_reason(db: Database, product: int) -> None:
    await poll(db, product, [*TIMES, Rejection(7, "..", "the name '..' is reserved")])
    row = await transferring(db, "a", some_files(2))
    ids = [one.id for one in await files.all_of(db, row.id, 0, 10)]
    waiting = Failed(ids[0], FileState.RETRY_WAIT, 2, 2, FailureKind.TRANSIENT, "reset", NOW + 5, 0, None, None, None)
    await files.failed(db, [waiting], NOW)
    await _quarantine(db, "b")
    await filesets.failed(db, await fileset(db, "c"), FailureKind.MALFORMED, "html", NOW + 9, True, NOW)
    found = await queries.failures(db)
    assert [one.quarantined for one in found] == [True, True, False, False]
    told = {(one.fileset, one.file, one.kind, one.detail, one.attempts, one.next_try) for one in found}
    assert told == {
        ("a", "f0", "transient", "reset", 2, NOW + 5),
        ("b", None, "missing", "404", 1, None),
        ("c", None, "index_malformed", "html", 1, NOW + 9),
        ("..", None, "rejected", "line 7: the name '..' is reserved", 1, None),
    }
    assert len(await queries.failures(db, limit=2)) == 2


async def test_what_was_given_up_is_no_failure_any_more(db: Database, product: int) -> None:
    await poll(db, product, TIMES)
    row = await read_index(db, "a", some_files(), [Rejection(2, "x", "bad size")])
    assert len(await queries.failures(db)) == 1
    await operate.cancel(db, [row.id])
    assert await queries.failures(db) == []


async def test_only_the_latest_events_are_kept(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 3)
    await events.add_many(db, NOW, "info", [(f"m{at}", "sky", "raw", "a") for at in range(9)])
    await events.add(db, NOW, "error", "last", "sky", None, None)
    await events.prune(db)
    assert [row["message"] for row in await db.rows("SELECT message FROM events ORDER BY id")] == ["m7", "m8", "last"]


async def test_a_mirror_that_is_stopped_hides_no_lag(db: Database, product: int) -> None:
    await poll(db, product, TIMES, now=NOW - 600)
    await registry.stop_mirror(db, 1, FailureKind.DISK, "full")
    assert (await status(db)).lag == 500
    for name in "abcd":
        await publish(db, name)
    assert (await status(db)).lag is None
    await registry.let_mirror_go(db, 1)
    assert (await status(db)).lag == 0
