"""A dashboard finds the engine, or starts one that owes it nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from core.engine.lease import Lease
from core.engine.watchers import Watching, watched
from core.errors import ConfigError, ExitCode
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, serving, wait_until
from tests.whole.site import HERE, Site, fill
from tui import attach
from tui.attach import AttachError, Engine

DASHBOARD = """
import sys
from pathlib import Path
from core.engine.watchers import Watching
from tui import attach
with Watching(Path(sys.argv[2])):
    print(attach.start(Path(sys.argv[1])).pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(name="site")
def site_with_an_engine(tmp_path: Path, datastore: DataStore) -> Iterator[Site]:
    """Yield a site; engines that were started for it are gone afterwards."""
    site = Site(tmp_path / "site", datastore.url)
    yield site
    while (engine := attach.find(state_of(site))) and engine.pid and engine.pid != os.getpid():
        with suppress(ProcessLookupError):
            os.kill(engine.pid, signal.SIGKILL)


def state_of(site: Site) -> Path:
    return site.folder / "mirror.db"


def started(site: Site) -> Engine:
    """Start an engine from this process, and check that it is known as such."""
    engine = attach.start(site.config)
    assert attach.find(state_of(site)) == engine
    assert engine.own
    assert not engine.service
    return engine


def wait_until_gone(site: Site) -> None:
    wait_until(lambda: attach.find(state_of(site)) is None, "the engine to be gone")


def is_there(pid: int | None) -> bool:
    """Tell whether there is such a process, if only a dead one that nobody has reaped."""
    return Path(f"/proc/{pid}").exists()


def test_a_service_that_runs_is_attached_to(site: Site) -> None:
    assert attach.find(state_of(site)) is None
    with serving(site) as service:
        wait_until(lambda: attach.find(state_of(site)), "the service")
        engine = attach.find(state_of(site))
        assert engine is not None
        assert (engine.pid, engine.host) == (service.pid, socket.gethostname())
        assert engine.service
        assert not engine.own
        assert attach.start(site.config) == engine, "there is one already"
    assert attach.find(state_of(site)) is None


def test_an_engine_is_started_in_a_session_of_its_own_and_keeps_nothing(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    with Watching(state_of(site)):
        engine = started(site)
        assert engine.pid is not None
        assert os.getsid(engine.pid) == engine.pid
        assert os.readlink(f"/proc/{engine.pid}/cwd") == "/"
        streams = [os.readlink(f"/proc/{engine.pid}/fd/{number}") for number in range(3)]
        assert streams == ["/dev/null", *[str(site.folder / "mirrortui.log")] * 2]
        assert watched(state_of(site))
        wait_until(lambda: site.published() == expected, "the filesets")
    assert not watched(state_of(site)), "the engine does not hold what its dashboard does"


def test_an_engine_that_dies_is_missed_and_reaped_and_another_goes_on(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    opened = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(opened), times=None)
    engine = started(site)
    assert engine.pid is not None
    datastore.wait_for("*.0.fits")
    os.kill(engine.pid, signal.SIGKILL)
    wait_until_gone(site)
    wait_until(lambda: not is_there(engine.pid), "the process to be reaped")
    opened.set()
    assert started(site).pid != engine.pid
    wait_until(lambda: site.published() == expected, "the filesets")


def test_of_two_dashboards_that_start_an_engine_at_once_both_have_the_same(site: Site) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(attach.start, [site.config] * 2)
    assert first == second == attach.find(state_of(site))


def test_an_engine_outlives_its_dashboard_and_ends_when_its_work_is_done(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    opened = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(opened), times=None)
    with subprocess.Popen(
        [sys.executable, "-c", DASHBOARD, site.config, state_of(site)],
        env={**site.environment, "PYTHONPATH": str(HERE)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as dashboard:  # fmt: skip
        assert dashboard.stdout is not None
        pid = int(dashboard.stdout.readline())
        datastore.wait_for("*.0.fits")
        os.killpg(dashboard.pid, signal.SIGHUP)
        assert dashboard.wait() == -signal.SIGHUP
    assert not watched(state_of(site))
    engine = attach.find(state_of(site))
    assert engine is not None
    assert (engine.pid, engine.own, engine.service) == (pid, False, False)
    opened.set()
    wait_until_gone(site)
    assert site.published() == expected
    assert "nobody watches" in site.log()


def test_an_engine_that_nobody_watches_ends_well(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    ended = site.run("run", "--while-watched")
    assert ended.code == 0
    assert site.published() == expected


def test_what_keeps_an_engine_from_starting_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.configure("http://127.0.0.1:1/ds", mirror='bearer_env = "TOKEN_FOR_TESTS"')
    monkeypatch.delenv("TOKEN_FOR_TESTS", raising=False)
    with pytest.raises(AttachError, match=r"^[^\n]*mirrortui\.toml: .*TOKEN_FOR_TESTS") as caught:
        attach.start(site.config)
    assert caught.value.exit_code is ExitCode.USAGE
    assert attach.find(state_of(site)) is None


def test_a_configuration_that_cannot_be_read_is_told(site: Site) -> None:
    site.config.write_text("[engine")
    with pytest.raises(ConfigError, match=r"mirrortui\.toml: expected TOML"):
        attach.start(site.config)


def test_a_state_of_a_newer_version_is_told_and_left_alone(site: Site) -> None:
    assert site.run("--once", "--quiet").code == 0
    with closing(sqlite3.connect(state_of(site))) as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(AttachError, match=r"written by a newer mirrortui .* Upgrade mirrortui"):
        attach.start(site.config)


def test_a_destination_that_another_engine_fills_is_told(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(site.config.read_text().replace('"mirror.db"', '"other.db"').replace('"data"', f'"{site.data}"'))
    started(site)
    with pytest.raises(AttachError, match="another engine"):
        attach.start(other)


def test_a_relative_path_and_a_folder_full_of_traps_do_no_harm(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.folder / "json.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(site.folder)
    assert attach.start(Path("mirrortui.toml")).own


def test_the_log_need_not_be_writable(site: Site) -> None:
    (site.folder / "mirrortui.log").mkdir()
    engine = started(site)
    assert os.readlink(f"/proc/{engine.pid}/fd/2") == "/dev/null"


@pytest.mark.parametrize("how", ["drain", "now"])
def test_an_engine_is_asked_to_end(site: Site, datastore: DataStore, how: attach.How) -> None:
    expected = fill(datastore, products=1, filesets=1)
    opened = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(opened), times=None)
    with Watching(state_of(site)):
        started(site)
        datastore.wait_for("*.0.fits")
        assert asyncio.run(attach.end(state_of(site), how))
        if how == "drain":
            assert attach.find(state_of(site)) is not None, "a transfer is under way"
            opened.set()
        wait_until_gone(site)
        opened.set()
    assert seen(site, "SELECT kind, state FROM commands") == [("stop", "done")]
    assert site.published() == (expected if how == "drain" else {})


def test_there_is_nothing_to_end_where_nothing_runs(site: Site) -> None:
    assert asyncio.run(attach.end(state_of(site), "now"))
    assert not state_of(site).exists()


def test_an_engine_that_does_not_listen_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.run("--once", "--quiet").code == 0
    monkeypatch.setattr(attach, "NOTICE_SECONDS", 0.1)
    lease = Lease(state_of(site))
    lease.take()
    assert not asyncio.run(attach.end(state_of(site), "drain"))
    lease.release()
