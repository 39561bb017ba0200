"""How often an engine asks for what does not come."""

from __future__ import annotations

import time

import pytest

from core import report
from core.config import Config
from core.engine.engine import Engine
from core.errors import BACKOFF, HOUR, POLICIES, ExitCode, FailureKind, Policy
from core.store.database import Database
from tests.servers.datastore import DataStore, Fault


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the waits that are drawn by lot pass a thousand times faster; the later ones, and their number, stay."""
    real = POLICIES[FailureKind.TRANSIENT]
    delays = tuple(delay / 1000 for delay in BACKOFF) + real.delays[len(BACKOFF) :]
    monkeypatch.setitem(POLICIES, FailureKind.TRANSIENT, Policy(delays, jittered=real.jittered))


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
