"""A program that was upgraded, and the engine of the version before, which is still at work."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from core.engine.lease import held
from core.store.schema import APPLICATION_ID, MIGRATIONS
from tests.servers.datastore import DataStore
from tests.whole.screen import PRODUCTS, QUEUE, dashboard, leave, wait_for_row
from tests.whole.service import wait_until
from tests.whole.site import HERE, Site, fill

ENGINE = """
import signal, sys
from pathlib import Path
from core.engine.lease import Lease
lease = Lease(Path(sys.argv[1]))
lease.take()
signal.pause()
"""


@contextmanager
def engine_of(site: Site, version: int) -> Iterator[subprocess.Popen[str]]:
    """Hold the lease, as an engine does whose state has the schema of `version`."""
    state = site.folder / "mirror.db"
    with closing(sqlite3.connect(state)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for statement in (one for migration in MIGRATIONS[:version] for one in migration):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.commit()
    process = subprocess.Popen([sys.executable, "-c", ENGINE, str(state)], cwd=HERE, text=True)
    try:
        wait_until(lambda: held(state), "the engine")
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("arguments", [["stop"], ["stop", "--now"]])
@pytest.mark.parametrize("version", [len(MIGRATIONS) - 1, len(MIGRATIONS) + 1])
def test_an_engine_of_another_version_is_stopped_all_the_same(site: Site, version: int, arguments: list[str]) -> None:
    with engine_of(site, version) as engine:
        stopped = site.run(*arguments)
        assert (stopped.code, stopped.out) == (
            0, "stop: the engine is of another version, and was told by a signal\n",
        )  # fmt: skip
        assert engine.wait(30) != 0
    assert "no engine is running" in site.run("stop").err


def test_a_state_that_an_older_engine_keeps_from_being_read_names_it_and_the_remedy(site: Site) -> None:
    with engine_of(site, len(MIGRATIONS) - 1) as engine:
        told = site.run("status").err
        assert f"the engine at work (pid {engine.pid} on " in told
        assert "is of an older version: `mirrortui stop` ends it" in told
    assert "start the engine first" in site.run("status").err


def test_a_process_that_does_not_hold_the_lease_is_left_alone(site: Site) -> None:
    with engine_of(site, len(MIGRATIONS) - 1) as engine, subprocess.Popen(["sleep", "60"]) as other:
        try:
            lock = site.folder / "mirror.db.lock"
            lock.write_text(json.dumps({**json.loads(lock.read_text()), "pid": other.pid}))
            refused = site.run("stop")
            assert refused.code == 2
            assert "end it where it was started" in refused.err
            assert (engine.poll(), other.poll()) == (None, None)
        finally:
            other.kill()


def test_a_dashboard_tells_of_an_older_engine_and_puts_one_in_its_place(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    with engine_of(site, len(MIGRATIONS) - 1) as engine, dashboard(site) as terminal:
        wait_for_row(terminal, PRODUCTS, "is of an older version")
        wait_for_row(terminal, QUEUE, "not known")
        wait_for_row(terminal, PRODUCTS, "E ends it, and starts one")
        terminal.send("E")
        terminal.wait_for("End the engine of an older version")
        terminal.send("y")
        assert engine.wait(30) != 0
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        leave(terminal)
