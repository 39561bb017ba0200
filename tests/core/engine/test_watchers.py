"""An engine knows whether anybody watches, and one that a dashboard started ends when nobody does and all is done."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.config import load_config
from core.engine import watchers
from core.engine.engine import Engine
from core.engine.watchers import Watching, watched
from core.errors import ExitCode, StateError
from tests.servers.datastore import DataStore, Fault
from tests.whole.site import Site, fill

WATCH = """
import sys
from pathlib import Path
from core.engine.watchers import Watching
with Watching(Path(sys.argv[1])):
    print("watching", flush=True)
    sys.stdin.read()
"""


def test_any_number_of_dashboards_may_watch(tmp_path: Path) -> None:
    state = tmp_path / "mirror.db"
    assert not watched(state)
    with Watching(state):
        assert watched(state)
        with Watching(state):
            assert watched(state)
        assert watched(state)
    assert not watched(state)
    assert (tmp_path / "mirror.db.watchers").stat().st_mode & 0o777 == 0o600


def test_a_dashboard_that_was_killed_does_not_watch(tmp_path: Path) -> None:
    state = tmp_path / "mirror.db"
    with subprocess.Popen(
        [sys.executable, "-c", WATCH, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        assert watched(state)
        process.kill()
    assert not watched(state)


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mirror.db.watchers").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match=r"mirror\.db\.watchers"), Watching(tmp_path / "mirror.db"):
        pass
    assert not watched(tmp_path / "mirror.db")
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture(name="impatient")
def impatient_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let engines look often who watches, and leave soon."""
    monkeypatch.setattr(watchers, "LINGER_SECONDS", 0.1)
    monkeypatch.setattr(watchers, "LOOK_SECONDS", 0.01)


def engine_for(site: Site) -> Engine:
    return Engine(load_config(site.config), once=False, starter=os.getpid())


@pytest.mark.usefixtures("impatient")
async def test_an_engine_that_nobody_watches_does_all_its_work_and_ends(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    opened = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(opened), times=None)
    site = Site(tmp_path, datastore.url)
    running = asyncio.create_task(engine_for(site).run())
    await asyncio.to_thread(datastore.wait_for, "*.0.fits")
    done, _ = await asyncio.wait([running], timeout=0.4)
    assert not done, "there is work"
    opened.set()
    result = await running
    assert result.stopped_by is None
    assert site.published() == expected


@pytest.mark.usefixtures("impatient")
async def test_an_engine_stays_for_tries_that_are_due_soon(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=1)
    datastore.fault("*.0.fits", Fault.status(503, retry_after=1))
    site = Site(tmp_path, datastore.url)
    await engine_for(site).run()
    assert site.published() == expected


@pytest.mark.usefixtures("impatient")
async def test_an_engine_with_nothing_to_do_stays_as_long_as_somebody_watches(
    tmp_path: Path, datastore: DataStore
) -> None:
    datastore.add_product("p")
    site = Site(tmp_path, datastore.url)
    engine = engine_for(site)
    with Watching(site.folder / "mirror.db"):
        running = asyncio.create_task(engine.run())
        await engine.ready.wait()
        done, _ = await asyncio.wait([running], timeout=0.4)
        assert not done
    assert (await running).stopped_by is None


@pytest.mark.usefixtures("impatient")
async def test_a_full_disk_keeps_an_engine_that_has_work_left(tmp_path: Path, datastore: DataStore) -> None:
    fill(datastore, products=1)
    site = Site(tmp_path, datastore.url)
    site.config.write_text(site.config.read_text().replace('min_free = "0"', 'min_free = "99 %"'))
    engine = engine_for(site)
    running = asyncio.create_task(engine.run())
    await asyncio.to_thread(datastore.wait_for, "prod0/*/index.txt", 5)
    done, _ = await asyncio.wait([running], timeout=0.4)
    assert not done
    engine.stop(ExitCode.TERMINATED)
    assert (await running).filesets == 0
