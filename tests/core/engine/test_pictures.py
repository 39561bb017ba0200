"""What screens show of an engine at work: progress that a hold keeps, and hosts at rest."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from core.config import Config
from core.engine import gauges
from core.engine.engine import Engine
from core.engine.scheduler import Totals
from core.model import CommandKind
from core.store import events, screens
from core.store.database import Database
from core.store.screens import QueueLine
from tests.core.engine.operator import PATIENCE, Operator, operating
from tests.servers.datastore import DataStore, Fault

MB = 1_000_000


async def line(db: Database, name: str) -> QueueLine:
    number = await db.value("SELECT id FROM filesets WHERE name = ?", (name,))
    return (await screens.queue_lines(db, [number]))[number]


async def why(operator: Operator) -> str:
    return "".join(product.why for product in (await screens.overview(operator.db, time.time())).products)


async def test_a_hold_keeps_what_was_fetched_and_shows_it(datastore: DataStore, config: Config) -> None:
    files = {"a.dat": b"a" * MB, "b.dat": b"b" * 4 * MB, "c.dat": b"c" * MB}
    never = threading.Event()
    datastore.add_product("p")
    datastore.add_fileset("p", "f", files)
    datastore.fault("p/f/b.dat", Fault.gate(never, after=2 * MB))
    datastore.fault("p/f/c.dat", Fault.truncate(after=MB // 2))
    datastore.fault("p/f/c.dat", Fault.gate(never))
    come = MB + 2 * MB + MB // 2
    async with operating(config) as operator:

        async def has_come() -> bool:
            return (await line(operator.db, "f")).done_bytes >= come

        await operator.until_state("transferring", "f")
        await operator.until(has_come)
        await operator.done(CommandKind.HOLD, "ps1/p/f")
        held = await line(operator.db, "f")
        assert (held.state, held.done_files, held.done_bytes, held.active) == ("held", 1, come, 0)
        never.set()
        datastore.heal()
        datastore.forget()
        await operator.done(CommandKind.RELEASE, "ps1/p/f")
        await operator.done(CommandKind.NOW, "ps1/p/f")
        await operator.until_state("published", "f")
    assert not datastore.requested("p/f/a.dat")
    for name in ("b.dat", "c.dat"):
        assert [request.status for request in datastore.requested(f"p/f/{name}")] == [206]
    published = Path(config.mirrors[0].destination) / "p/f"
    assert {name: (published / name).read_bytes() for name in files} == files


@pytest.mark.parametrize("path", ["p/f1/index.txt", "p/f1/a.dat"])
async def test_a_host_that_asks_for_rest_is_told_as_the_reason(datastore: DataStore, config: Config, path: str) -> None:
    datastore.fault(path, Fault.status(503, retry_after=900))
    datastore.add_product("p")
    for at in range(3):
        datastore.add_fileset("p", f"f{at}", {"a.dat": b"hello"})
    async with operating(config) as operator:

        async def told() -> bool:
            return "rests until" in await why(operator)

        await operator.until(told)
        words = await why(operator)
        ((host, until),) = await operator.seen("SELECT host, until FROM hosts")
        assert words.startswith(f"host {host} rests until ")
        assert words.endswith("Z: the server asked to be left alone")
        assert 800 < until - time.time() < 901
    async with operating(config) as operator:
        assert await why(operator) == words, "a new engine goes on with it"
        await operator.until_seen("SELECT count(*) FROM hosts", (1,))


async def test_indexes_that_fail_one_after_the_other_are_the_reason_too(datastore: DataStore, config: Config) -> None:
    datastore.fault("p/*/index.txt", Fault.status(500), times=None)
    datastore.add_product("p")
    for at in range(8):
        datastore.add_fileset("p", f"f{at}", {"a.dat": b"hello"})
    async with operating(config) as operator:

        async def told() -> bool:
            return (await why(operator)).endswith("one index after the other failed")

        await operator.until(told)


async def test_a_service_does_not_keep_events_for_ever(
    datastore: DataStore, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEPT", 3)
    monkeypatch.setattr(gauges, "SAMPLE_SECONDS", 0.05)
    datastore.add_product("p")
    async with operating(config) as operator:
        for _ in range(6):
            await operator.done(CommandKind.POLL)

        async def pruned() -> bool:
            numbers = [row[0] for row in await operator.seen("SELECT id FROM events")]
            return max(numbers) >= 6 and len(numbers) == 3

        await operator.until(pruned)


async def test_what_is_under_way_counts_as_moved_before_its_file_is_whole(datastore: DataStore, config: Config) -> None:
    never = threading.Event()
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"a" * 5 * MB, "b.dat": b"b" * 4 * MB})
    datastore.fault("p/f/b.dat", Fault.gate(never, after=2 * MB))
    engine = Engine(config, once=True)
    task = asyncio.create_task(engine.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while engine.totals() != Totals(1, 7 * MB, 1, 2 * MB):
                await asyncio.sleep(0.02)
    finally:
        never.set()
        await task
    assert engine.totals() == Totals(2, 9 * MB, 0, 0)
