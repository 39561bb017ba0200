"""How often an engine asks for what does not come."""

from __future__ import annotations

import time

import pytest

from core import report
from core.config import Config
from core.engine.denials import ENOUGH
from core.engine.engine import Engine
from core.errors import BACKOFF, HOUR, POLICIES, ExitCode, FailureKind, Policy
from core.store.database import Database
from core.transfer import hosts
from tests.servers.datastore import DataStore, Fault


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the waits that are drawn by lot pass a thousand times faster; the later ones, and their number, stay."""
    real = POLICIES[FailureKind.TRANSIENT]
    delays = tuple(delay / 1000 for delay in BACKOFF) + real.delays[len(BACKOFF) :]
    monkeypatch.setitem(POLICIES, FailureKind.TRANSIENT, Policy(delays, jittered=real.jittered))
    monkeypatch.setattr(hosts, "LONGEST_SUSPICION", 0.2)


@pytest.mark.usefixtures("hasty")
async def test_a_server_that_fails_in_turns_of_two_kinds_is_left_to_a_later_run(
    datastore: DataStore, config: Config
) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"hello"})
    for _ in range(100):
        datastore.fault("p/f/a.dat", Fault.status(503))
        datastore.fault("p/f/a.dat", Fault.longer(b"x" * 500))
    result = await Engine(config, once=True).run()
    assert result.files == 0
    assert len(datastore.requested("p/f/a.dat")) <= 2 * len(BACKOFF)
    async with await Database.open_reader(config.engine.state) as db:
        found = await report.gather(db, time.time())
    assert report.exit_code(found) is ExitCode.FAILURES
    (failure,) = found.failures
    assert failure.next_try is not None
    assert failure.next_try > time.time() + HOUR / 10


@pytest.mark.usefixtures("hasty")
async def test_a_source_whose_lists_all_fail_is_not_asked_for_each_of_them(
    datastore: DataStore, config: Config
) -> None:
    for number in range(30):
        datastore.add_product(f"p{number}")
        datastore.add_fileset(f"p{number}", "f", {"a.dat": b"a"})
    assert (await Engine(config, once=True).run()).filesets == 30
    datastore.forget()
    datastore.fault("*", Fault.status(503), times=None)
    await Engine(config, once=True).run()
    assert len(datastore.requested("p*/index.txt")) <= 10
    async with await Database.open_reader(config.engine.state) as db:
        errors = [row[0] for row in await db.rows("SELECT error FROM products")]
    assert all(errors)
    assert len([error for error in errors if error.startswith("not asked: ")]) >= 25
    datastore.heal()
    await Engine(config, once=True).run()
    async with await Database.open_reader(config.engine.state) as db:
        assert await db.value("SELECT count(*) FROM products WHERE error IS NOT NULL") == 0


@pytest.mark.usefixtures("hasty")
async def test_good_filesets_come_though_many_before_them_fail_for_ever(datastore: DataStore, config: Config) -> None:
    datastore.add_product("p")
    for number in range(60):
        datastore.add_fileset("p", f"f{number:02}", {"a.dat": b"a"})
        if 5 <= number < 35:
            datastore.fault(f"p/f{number:02}/a.dat", Fault.status(503), times=None)
    published = 0
    for _ in range(5):
        published += (await Engine(config, once=True).run()).filesets
        if published >= 20:
            return
        async with await Database.open_reader(config.engine.state) as db:
            await db.run("DELETE FROM hosts")
    pytest.fail(f"{published} filesets of 30")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("files", "refusals"), [(ENOUGH, [Fault.status(403)]), (1, [Fault.status(500)] * 2), (1, [Fault.refuse()] * 2)],
    ids=["denied", "an error", "reset"],
)  # fmt: skip
async def test_files_that_broke_off_come_though_each_range_is_refused(
    datastore: DataStore, config: Config, monkeypatch: pytest.MonkeyPatch, files: int, refusals: list[Fault]
) -> None:
    monkeypatch.setattr(hosts, "FAILURES_TO_REST", 100)
    datastore.add_product("p")
    for number in range(files):
        datastore.add_fileset("p", f"f{number}", {"a.dat": b"a" * 100_000})
        for fault in (Fault.truncate(after=50_000), *refusals):
            datastore.fault(f"p/f{number}/a.dat", fault)
    assert (await Engine(config, once=True).run()).filesets == files
    asked = ["range" in request.headers for request in datastore.requested("p/f0/a.dat")]
    assert asked == [False, *[True] * len(refusals), False]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("files", "brings", "published"), [(2, 10_000, 2), (1, 900, 0)], ids=["enough", "too little"])
async def test_a_file_that_is_cut_again_and_again_comes_if_each_try_brings_enough_of_it(
    datastore: DataStore, config: Config, files: int, brings: int, published: int
) -> None:
    datastore.add_product("p")
    for number in range(files):
        datastore.add_fileset("p", f"f{number}", {"a.dat": bytes(100_000)})
    datastore.fault("p/f?/a.dat", Fault.truncate(after=brings), times=None)
    assert (await Engine(config, once=True).run()).filesets == published
    requests = len(datastore.requested("p/f?/a.dat"))
    assert requests == files * 10 if published else requests <= len(BACKOFF) + 1
    async with await Database.open_reader(config.engine.state) as db:
        attempts = [row[0] for row in await db.rows("SELECT attempts FROM files")]
    assert attempts == ([1] * files if published else [requests])
