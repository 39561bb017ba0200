"""What operators wish of an engine at work: products, sources, limits, evidence, the end."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.config import Config
from core.engine import control
from core.engine.effects import effect
from core.engine.engine import Engine
from core.errors import ExitCode
from core.model import CommandKind
from core.store import commands, queue, verification
from core.store.commands import Target
from core.store.database import Database
from tests.core.engine.operator import Operator, configured, operating
from tests.servers.datastore import DataStore, Fault

SELECTED = "SELECT name, wish FROM products WHERE selected ORDER BY name"


def add(datastore: DataStore, product: str, *filesets: str) -> None:
    for name in filesets:
        datastore.add_fileset(product, name, {"a.dat": f"{product}/{name}".encode()})


@pytest.fixture
def few(datastore: DataStore, config: Config) -> Config:
    """A source with products md-1, md-2 and new, of which the first two are mirrored, each with one fileset."""
    for product in ("md-1", "md-2", "new"):
        datastore.add_product(product)
        add(datastore, product, f"{product}.f")
    return configured(config, products=("md-*",))


async def test_a_product_that_nobody_selected_can_be_mirrored_and_stays_so(datastore: DataStore, few: Config) -> None:
    async with operating(few) as operator:
        await operator.until_state("published", "md-1.f", "md-2.f")
        assert await operator.done(CommandKind.MIRROR, mirror="ps1", product="new") == (
            'ps1/new is mirrored now; to make it permanent: products = ["md-*", "new"]'
        )
        await operator.until_state("published", "new.f")
        assert "as configured" in await operator.done(CommandKind.MIRROR, mirror="ps1", product="md-1")
        assert "hidden_products" in await operator.refused(CommandKind.MIRROR, mirror="ps1", product="nope")
    add(datastore, "new", "new.g")
    async with operating(few) as operator:
        await operator.until_state("published", "new.g")
        assert await operator.seen(SELECTED) == [("md-1", None), ("md-2", None), ("new", "mirror")]


async def test_what_is_under_way_of_an_ignored_product_stops_and_what_is_published_stays(
    datastore: DataStore, few: Config
) -> None:
    never = threading.Event()
    async with operating(few) as operator:
        await operator.until_state("published", "md-1.f", "md-2.f")
        datastore.fault("md-1/held/a.dat", Fault.gate(never))
        add(datastore, "md-1", "held")
        await operator.done(CommandKind.POLL)
        await operator.until_seen("SELECT count(*) FROM transfers", (1,))
        assert await operator.done(CommandKind.IGNORE, mirror="ps1", product="md-1") == (
            "ps1/md-1 is not mirrored any more; what is published stays; "
            'to make it permanent: exclude_products = ["md-1"]'
        )
        await operator.until_seen("SELECT count(*) FROM transfers", (0,))
        assert (await operator.states())["md-1.f"] == "published"
        add(datastore, "md-1", "later")
        add(datastore, "md-2", "later-2")
        await operator.done(CommandKind.POLL, mirror="ps1")
        await operator.until_state("published", "later-2")
        assert "later" not in await operator.states()
        never.set()
        assert "as configured" in await operator.done(CommandKind.MIRROR, mirror="ps1", product="md-1")
        await operator.until_state("published", "held", "later")
    assert (Path(few.mirrors[0].destination) / "md-1/md-1.f/a.dat").read_bytes() == b"md-1/md-1.f"


async def test_the_log_tells_what_a_command_hit(datastore: DataStore, few: Config) -> None:
    async with operating(few) as operator:
        await operator.until_state("published", "md-1.f", "md-2.f")
        assert await operator.done(CommandKind.PAUSE, mirror="ps1", product="md-1") == "1 product: ps1/md-1"
        assert await operator.done(CommandKind.PAUSE, product="md-*") == "2 products"
        await operator.done(CommandKind.RESUME)
        assert await operator.done(CommandKind.RESUME, mirror="ps1") == "1 mirror: ps1"
        await operator.refused(CommandKind.HOLD, "ps1/md-1/md-1.f")
        await operator.done(CommandKind.LIMIT, value="transfers=3")
        about = "SELECT mirror, product, message FROM events WHERE level = 'audit' ORDER BY id"
        who = commands.operator()
        await operator.until_seen(
            about,
            ("ps1", "md-1", f"pause by {who}: 1 product: ps1/md-1"),
            (None, None, f"pause by {who}: product md-*: 2 products"),
            (None, None, f"resume by {who}: everything: 1 mirror"),
            ("ps1", None, f"resume by {who}: 1 mirror: ps1"),
            (
                "ps1",
                "md-1",
                f"hold by {who}: ps1/md-1/md-1.f: fileset 'ps1/md-1/md-1.f' is published: nothing to hold",
            ),
            (None, None, f"limit by {who}: transfers=3: transfers: 3 at once, until it is set back"),
        )


async def test_several_filesets_are_named_by_the_first(datastore: DataStore, config: Config) -> None:
    datastore.fault("p/*/a.dat", Fault.status(404), times=None)
    datastore.add_product("p")
    add(datastore, "p", *"abc")
    async with operating(config) as operator:
        await operator.until_seen("SELECT count(*) FROM filesets WHERE trouble = 'failed'", (3,))
        assert await operator.done(CommandKind.HOLD, "ps1/p/a", "ps1/p/b") == "2 filesets: ps1/p/a and 1 more"
        assert await operator.done(CommandKind.HOLD, "ps1/p/a", "ps1/p/c") == (
            "1 fileset; not done: fileset 'ps1/p/a' is held: nothing to hold"
        )
        assert await operator.done(CommandKind.RELEASE, "ps1/p/a") == "1 fileset: ps1/p/a"


async def test_polling_looks_at_once_at_what_is_named(datastore: DataStore, few: Config) -> None:
    async with operating(few) as operator:
        await operator.until_state("published", "md-1.f", "md-2.f")
        add(datastore, "md-1", "g1")
        add(datastore, "md-2", "g2")
        datastore.forget()
        assert await operator.done(CommandKind.POLL, product="md-2") == "1 product looked at now"
        await operator.until_state("published", "g2")
        assert "g1" not in await operator.states()
        assert not datastore.requested("index.txt")
        assert await operator.done(CommandKind.POLL) == "1 source looked at now"
        await operator.until_state("published", "g1")
        assert "no product 'new' is mirrored" in await operator.refused(CommandKind.POLL, product="new")
        assert "no such mirror" in await operator.refused(CommandKind.POLL, mirror="moon")
        await operator.done(CommandKind.PAUSE)
        assert await operator.refused(CommandKind.POLL) == "mirror ps1 is paused: resume it first"


async def test_the_bandwidth_is_limited_at_once_and_over_restarts(datastore: DataStore, config: Config) -> None:
    async with operating(config) as operator:
        assert await operator.done(CommandKind.LIMIT, value="bandwidth=1 kB/s") == (
            "bandwidth: 1.0 kB/s, until it is set back"
        )
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"x" * 2_000_000})
    async with operating(config) as operator:
        await operator.until_seen("SELECT received > 0 FROM transfers", (1,))
        assert (await operator.states())["f"] == "transferring"
        assert await operator.seen("SELECT * FROM settings WHERE key LIKE 'limit_%'") == [("limit_bandwidth", "1000")]
        assert await operator.done(CommandKind.LIMIT, value="bandwidth=") == "bandwidth: unlimited, as configured"
        await operator.until_state("published", "f")
        assert await operator.seen("SELECT * FROM settings WHERE key LIKE 'limit_%'") == []
        assert await operator.done(CommandKind.LIMIT, value="bandwidth=0") == (
            "bandwidth: unlimited, until it is set back"
        )
        assert "5.0 MB/s" in await operator.done(CommandKind.LIMIT, value="bandwidth=5000000")


async def test_the_number_of_transfers_is_limited(datastore: DataStore, config: Config) -> None:
    held = threading.Event()
    datastore.fault("p/*/a.dat", Fault.gate(held), times=None)
    datastore.add_product("p")
    async with operating(config) as operator:
        assert await operator.done(CommandKind.LIMIT, value="transfers=2") == (
            "transfers: 2 at once, until it is set back"
        )
        add(datastore, "p", *"abcdefgh")
        await operator.done(CommandKind.POLL)
        await operator.until_state("transferring", *"abcdefgh")
        await operator.until_seen("SELECT count(*) FROM transfers", (2,))
        await operator.done(CommandKind.LIMIT, value="transfers=3")
        await operator.until_seen("SELECT count(*) FROM transfers", (3,))
        held.set()
        await operator.until_state("published", *"abcdefgh")
        assert "16 at once, as configured" in await operator.done(CommandKind.LIMIT, value="transfers=")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("transfers=17", "expected a whole number from 1 to 16, which is what [engine] has, got"),
        ("transfers=0", "expected a whole number from 1 to 16"),
        ("bandwidth=fast", 'expected a rate such as "50 MB/s", or "0", got "fast"'),
        ("speed=1", 'expected "transfers=8" or "bandwidth=50 MB/s", got "speed=1"'),
        (None, 'expected "transfers=8"'),
    ],
)
async def test_a_limit_that_makes_no_sense_is_refused(config: Config, value: str | None, reason: str) -> None:
    async with operating(config) as operator:
        assert reason in await operator.refused(CommandKind.LIMIT, value=value)


def assert_published(config: Config, body: bytes) -> None:
    """Demand that p/f/a.dat has this body, and is listed so."""
    published = Path(config.mirrors[0].destination) / "p/f"
    assert (published / "a.dat").read_bytes() == body
    assert hashlib.md5(body).hexdigest() in (published / "index.txt").read_text()


@asynccontextmanager
async def in_quarantine(datastore: DataStore, config: Config) -> AsyncIterator[Operator]:
    """Let p/f/a.dat come otherwise than it is listed, until it is in quarantine."""
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"as listed", "b.dat": b"good"})
    datastore.fault("p/f/a.dat", Fault.replace(b"otherwise"), times=None)
    async with operating(config) as operator:
        await operator.until_seen("SELECT trouble FROM filesets", ("quarantined",))
        yield operator


async def test_evidence_that_is_accepted_is_fetched_and_published(datastore: DataStore, config: Config) -> None:
    async with in_quarantine(datastore, config) as operator:
        assert await operator.done(CommandKind.ACCEPT, "ps1/p/f") == "1 file accepted as seen, fetched again"
        await operator.until_state("published", "f")
        assert "nothing of it is in quarantine" in await operator.refused(CommandKind.ACCEPT, "f")
    assert_published(config, b"otherwise")


async def test_what_is_listed_passes_though_something_else_was_accepted(datastore: DataStore, config: Config) -> None:
    async with in_quarantine(datastore, config) as operator:
        datastore.heal()
        await operator.done(CommandKind.ACCEPT, "f")
        await operator.until_state("published", "f")
    assert_published(config, b"as listed")


async def test_what_is_neither_listed_nor_accepted_is_refused_in_true_words(
    datastore: DataStore, config: Config
) -> None:
    listed, accepted, came = (hashlib.md5(body).hexdigest() for body in (b"as listed", b"otherwise", b"different"))
    async with in_quarantine(datastore, config) as operator:
        datastore.heal()
        datastore.fault("p/f/a.dat", Fault.replace(b"different"), times=None)
        await operator.done(CommandKind.ACCEPT, "f")
        refused = "SELECT failure FROM files WHERE state = 'quarantined'"
        await operator.until_seen(refused, (f"MD5 is {came}, accepted was {accepted}",))
        await operator.done(CommandKind.RETRY, "f")
        await operator.until_seen(refused, (f"MD5 is {came}, the index says {listed}",))


async def test_the_index_of_what_is_published_is_read_again_if_it_is_named(
    datastore: DataStore, config: Config
) -> None:
    datastore.add_product("p")
    add(datastore, "p", "f", "g")
    async with operating(config) as operator:
        await operator.until_state("published", "f", "g")
        assert await operator.done(CommandKind.RETRY) == "nothing has failed"
        datastore.replace_file("p", "f", "a.dat", b"other", update_index=True)
        assert await operator.done(CommandKind.RETRY, "f") == "index of 1 published fileset read again"
        await operator.until_seen("SELECT state FROM filesets WHERE name = 'f' AND revision = 2", ("published",))
    assert (Path(config.mirrors[0].destination) / "p/f/a.dat").read_bytes() == b"other"
    assert len(datastore.requested("p/g/index.txt")) == 1


async def test_without_evidence_there_is_nothing_to_accept(datastore: DataStore, config: Config) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"hello"})
    datastore.fault("p/f/a.dat", Fault.redirect("file:///etc/passwd"), times=None)
    async with operating(config) as operator:
        await operator.until_seen("SELECT trouble FROM filesets", ("quarantined",))
        assert "1 file in quarantine without evidence" in await operator.refused(CommandKind.ACCEPT, "f")
        assert await operator.refused(CommandKind.ACCEPT) == "say which filesets"


@pytest.fixture
def under_way(datastore: DataStore) -> threading.Event:
    """Hold back the only file there is."""
    held = threading.Event()
    datastore.fault("p/f/a.dat", Fault.gate(held))
    datastore.add_product("p")
    add(datastore, "p", "f")
    return held


async def phase(config: Config) -> str | None:
    async with await Database.open_reader(config.engine.state) as db:
        found: str | None = await db.value("SELECT value FROM settings WHERE key = 'phase'")
        return found


async def test_draining_finishes_what_is_under_way(config: Config, under_way: threading.Event) -> None:
    async with operating(config) as operator:
        await operator.until_seen("SELECT count(*) FROM transfers", (1,))
        assert await phase(config) == "running"
        await operator.done(CommandKind.STOP, value="drain")
        await operator.until_seen("SELECT value FROM settings WHERE key = 'phase'", ("draining",))
        assert '"now" ends at once' in await operator.refused(CommandKind.STOP, value="drain")
        assert "the engine is ending" in await operator.refused(CommandKind.POLL)
        under_way.set()
        result = await operator.engine
        assert await operator.states() == {"f": "published"}
    assert result.stopped_by is None
    assert await phase(config) is None


async def test_ending_at_once_is_what_two_signals_do(config: Config, under_way: threading.Event) -> None:
    async with operating(config) as operator:
        await operator.until_seen("SELECT count(*) FROM transfers", (1,))
        await operator.done(CommandKind.STOP, value="now")
        result = await operator.engine
        assert await operator.states() == {"f": "transferring"}
    under_way.set()
    assert result.stopped_by is ExitCode.TERMINATED
    assert await phase(config) is None


async def test_a_wish_to_stop_is_meant_for_the_engine_that_ran(datastore: DataStore, config: Config) -> None:
    datastore.add_product("p")
    await Engine(config, once=True).run()
    async with await Database.open_reader(config.engine.state) as db:
        number = await commands.append(db, CommandKind.STOP, Target(value="now"), time.time())
        add(datastore, "p", "f")
        result = await Engine(config, once=True).run()
        answer = await commands.get(db, number)
    assert answer is not None
    assert (answer.state, answer.result) == ("refused", "this engine was started after that")
    assert (result.stopped_by, result.filesets) == (None, 1)


async def test_a_verification_that_was_begun_and_not_answered_begins_anew(datastore: DataStore, config: Config) -> None:
    datastore.add_product("p")
    add(datastore, "p", "f")
    await Engine(config, once=True).run()
    async with await Database.open_reader(config.engine.state) as db:
        number = await commands.append(db, CommandKind.VERIFY, Target(), time.time())
        await verification.begin(db, number, [])  # by an engine that was killed before it came to the answer
        await Engine(config, once=True).run()
        answer = await commands.get(db, number)
        found = await verification.get(db, number)
    assert answer is not None
    assert answer.state == "done"
    assert found is not None
    assert (found.filesets, found.done_filesets, found.stopped) == (1, 1, None)


async def test_history_tells_what_comes_of_a_file_before_it_is_complete(datastore: DataStore, config: Config) -> None:
    size, before = 4_000_000, 3_000_000
    datastore.add_product("p")
    datastore.add_fileset("p", "p.f", {"a.dat": b"x" * size})
    opened = threading.Event()
    datastore.fault("p/p.f/a.dat", Fault.gate(opened, after=before))
    try:
        async with operating(config) as operator:
            await operator.until_seen(f"SELECT sum(bytes) BETWEEN 1 AND {before} FROM history", (1,))
            assert await operator.seen("SELECT * FROM meters") == []
            opened.set()
            await operator.until_state("published", "p.f")
            await operator.until_seen("SELECT sum(bytes) FROM history", (size,))
    finally:
        opened.set()


async def test_meters_history_and_disks_are_kept(datastore: DataStore, config: Config) -> None:
    for product in ("p", "q"):
        datastore.add_product(product)
        datastore.add_fileset(product, f"{product}.f", {"a.dat": b"x" * 1000, "b.dat": b"y" * 234})
    async with operating(config) as operator:
        await operator.until_state("published", "p.f", "q.f")
        assert await operator.seen("SELECT files, bytes FROM meters") == [(2, 1234)] * 2
        await operator.until_seen("SELECT sum(bytes) FROM history", (2468,))
        ((free, total),) = await operator.seen("SELECT free, total FROM disks")
        assert 0 < free <= total


async def test_a_retry_of_what_is_paused_says_that_it_waits(datastore: DataStore, config: Config) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"a"})
    datastore.fault("p/f/a.dat", Fault.status(404), times=None)
    async with operating(config) as operator:
        await operator.until_seen("SELECT trouble FROM filesets", ("failed",))
        await operator.done(CommandKind.PAUSE, product="p")
        assert await operator.done(CommandKind.RETRY, "f") == "1 fileset tried again; they are paused, and wait"


async def test_a_command_that_meets_what_nobody_thought_of_ends_no_engine(
    datastore: DataStore, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise TypeError("nobody thought of it")

    monkeypatch.setattr(queue, "put_first", fails)
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"good"})
    datastore.fault("p/f/a.dat", Fault.status(503), times=None)
    async with operating(config) as operator:
        await operator.until_state("transferring", "f")
        assert "TypeError: nobody thought of it" in await operator.refused(CommandKind.NOW, "f")
        assert await operator.done(CommandKind.HOLD, "f")


async def test_what_gets_under_way_while_it_is_cancelled_is_taken_out_all_the_same(
    datastore: DataStore, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, served, begun = threading.Event(), threading.Event(), effect

    async def late(*arguments: Any) -> str:
        listed.set()
        while not datastore.requested("p/f/a.dat"):
            await asyncio.sleep(0.01)
        return await begun(*arguments)

    monkeypatch.setattr(control, "effect", late)
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"x" * 5000, "b.dat": b"good"})
    datastore.fault("p/f/index.txt", Fault.gate(listed))
    datastore.fault("p/f/a.dat", Fault.gate(served))
    async with operating(config) as operator:
        await operator.until_state("discovered", "f")
        await operator.done(CommandKind.CANCEL, "f")
        await operator.until_seen("SELECT file_id FROM transfers")
        served.set()
        await operator.done(CommandKind.REQUEUE, "f")
        await operator.until_state("published", "f")
        assert await operator.seen("SELECT message FROM events WHERE level = 'error'") == []
