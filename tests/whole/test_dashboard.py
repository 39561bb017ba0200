"""The dashboard comes and goes; its engine stays, dies, or is started, as the operator wants it."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.servers.datastore import DataStore, Fault
from tests.terminal import Terminal
from tests.whole.screen import (
    DETAILS,
    ESCAPE,
    LOG,
    PRODUCTS,
    QUESTION,
    QUEUE,
    assert_left_clean,
    dashboard,
    engine_of,
    leave,
    pid_of,
    put_cursor,
    state_of,
    wait_for_row,
    wait_until_ended,
)
from tests.whole.service import PATIENCE, seen, serving, wait_until
from tests.whole.site import Site, fill, register

LIVE, ATTACHED = "LIVE pid ", "attached pid "
"""Of an engine that this dashboard has started, and of another one."""


@pytest.fixture(name="gate")
def closed_gate(datastore: DataStore) -> Iterator[threading.Event]:
    """Yield what lets one file of each fileset come; until it is set, its transfer is under way."""
    opened = threading.Event()
    datastore.fault("*.0.fits", Fault.gate(opened), times=None)
    yield opened
    opened.set()


def test_without_an_engine_one_is_started_and_leaving_is_at_once(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    with dashboard(site) as terminal:
        terminal.wait_for(LIVE)
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        wait_for_row(terminal, QUEUE, "nothing waits")
        wait_for_row(terminal, LOG, "o470.chip.4", "published")
        assert site.published() == expected
        leave(terminal)
    assert engine_of(site) is not None, "it stays for a while"


def test_a_dashboard_attaches_to_the_service_that_runs(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    with serving(site) as service:
        wait_until(lambda: engine_of(site), "the service")
        with dashboard(site) as terminal:
            terminal.wait_for(f"{ATTACHED}{service.pid}@")
            wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
            leave(terminal)


def test_while_transfers_run_leaving_asks(site: Site, datastore: DataStore, gate: threading.Event) -> None:
    expected = fill(datastore, products=1, filesets=2)
    with dashboard(site) as terminal:
        wait_for_row(terminal, QUEUE, "o470.chip.1", "> fetching")
        terminal.wait_for(" 2 transfers ")
        pid = pid_of(site)
        for stay in ("s", ESCAPE):
            terminal.send("q")
            terminal.wait_for(QUESTION)
            terminal.wait_for("2 transfers under way.")
            terminal.send(stay)
            terminal.wait_until_gone(QUESTION)
        terminal.send("q")
        terminal.wait_for(QUESTION)
        terminal.send("d")
        assert_left_clean(terminal)
        terminal.wait_for(f"the engine goes on (pid {pid}); `mirrortui` shows it again")
    assert pid_of(site) == pid
    with dashboard(site) as terminal:
        terminal.wait_for(f"{ATTACHED}{pid}@")
        terminal.wait_for(" 2 transfers ")
        terminal.send("q")
        terminal.wait_for(QUESTION)
        terminal.send("f")
        assert_left_clean(terminal)
    assert seen(site, "SELECT value FROM settings WHERE key = 'phase'") == [("draining",)]
    with dashboard(site) as terminal:
        terminal.wait_for(f"{ATTACHED}{pid}@")
        terminal.wait_for(", draining")
        gate.set()
        terminal.wait_for("NO ENGINE")
        leave(terminal)
    assert site.published() == expected


def test_leaving_can_end_the_engine_at_once(site: Site, datastore: DataStore, gate: threading.Event) -> None:
    fill(datastore, products=1, filesets=1)
    with dashboard(site) as terminal:
        wait_for_row(terminal, QUEUE, "o470.chip.0", "> fetching")
        terminal.wait_for(" 1 transfer ")
        terminal.send("q")
        terminal.wait_for(QUESTION)
        terminal.send("e")
        assert_left_clean(terminal)
    wait_until_ended(site)
    assert site.published() == {}


def test_an_engine_that_dies_is_missed_and_one_key_starts_another(
    site: Site, datastore: DataStore, gate: threading.Event
) -> None:
    expected = fill(datastore, products=1)
    with dashboard(site) as terminal:
        terminal.wait_for(LIVE)
        wait_for_row(terminal, QUEUE, "> fetching")
        pid = pid_of(site)
        os.kill(pid, signal.SIGKILL)
        terminal.wait_for("NO ENGINE, E starts one")
        gate.set()
        terminal.send("E")
        terminal.wait_for(LIVE)
        assert pid_of(site) != pid
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        leave(terminal)
    assert site.published() == expected


def test_a_wish_without_an_engine_waits_for_the_next(site: Site, datastore: DataStore, gate: threading.Event) -> None:
    fill(datastore, products=1)
    with dashboard(site) as terminal:
        wait_for_row(terminal, QUEUE, "> fetching")
        os.kill(pid_of(site), signal.SIGKILL)
        terminal.wait_for("NO ENGINE")
        put_cursor(terminal, QUEUE, "o470.chip.3")
        terminal.send("h")
        terminal.wait_for("no engine runs, the next one will do it")
        terminal.send("E")
        wait_for_row(terminal, QUEUE, "o470.chip.3", "= held")


def test_the_screen_waits_neither_for_the_state_nor_for_an_engine_that_stands_still(
    site: Site, datastore: DataStore, gate: threading.Event
) -> None:
    fill(datastore, products=1)
    waits, noted = "hold: waiting for the engine", "SELECT count(*) FROM commands"
    with dashboard(site) as terminal:
        wait_for_row(terminal, QUEUE, "o470.chip.4", "> fetching")
        with closing(sqlite3.connect(site.folder / "mirror.db", timeout=PATIENCE, isolation_level=None)) as writer:
            put_cursor(terminal, QUEUE, "o470.chip.2")
            writer.execute("BEGIN IMMEDIATE")
            terminal.send("h")
            terminal.wait_for(waits)
            assert seen(site, noted) == [(0,)]
            go_to_products(terminal)
            writer.execute("ROLLBACK")
        wait_for_row(terminal, QUEUE, "o470.chip.2", "= held")
        terminal.wait_until_gone(waits)
        pid = pid_of(site)
        os.kill(pid, signal.SIGSTOP)
        try:
            terminal.send("2k")
            wait_for_row(terminal, QUEUE, ">  o470.chip.4")
            terminal.send("h")
            terminal.wait_for(waits)
            assert seen(site, noted) == [(2,)]
            go_to_products(terminal)
            terminal.send("2k")
            wait_for_row(terminal, DETAILS, "o470.chip.3")
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_for_row(terminal, QUEUE, "o470.chip.4", "= held")
        terminal.wait_until_gone(waits)
        leave(terminal)


def go_to_products(terminal: Terminal) -> None:
    """Go there while the last line tells something else than the keys of the pane."""
    terminal.send("1")
    wait_for_row(terminal, DETAILS, "ps1/prod0")


@pytest.mark.parametrize("on_hangup", ["detach", "stop"])
def test_when_the_terminal_is_lost_the_dashboard_ends(
    site: Site, datastore: DataStore, gate: threading.Event, on_hangup: str
) -> None:
    fill(datastore, products=1)
    site.configure(datastore.url, more=f'[dashboard]\non_hangup = "{on_hangup}"')
    with dashboard(site) as terminal:
        terminal.wait_for(LIVE)
        wait_for_row(terminal, QUEUE, "> fetching")
        pid = pid_of(site)
        terminal.close()
        terminal.process.wait(30)
    if on_hangup == "stop":
        wait_until_ended(site)
    else:
        assert pid_of(site) == pid


def test_what_keeps_an_engine_from_starting_is_told(site: Site, datastore: DataStore) -> None:
    site.configure(datastore.url, mirror='bearer_env = "NO_SUCH_TOKEN"')
    with dashboard(site) as terminal:
        terminal.wait_for("NO_SUCH_TOKEN")
        terminal.wait_for("NO ENGINE")
        leave(terminal)


def test_a_state_that_no_engine_can_use_is_told_once_and_none_is_offered(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1)
    state_of(site).write_bytes(b"garbage " * 1000)
    with dashboard(site, columns=80, lines=24) as terminal:
        terminal.wait_for("rebuild`")
        terminal.wait_for("NO ENGINE")
        terminal.send("E")
        screen = terminal.wait_for("no engine can use the state file as it is")
        assert sum("rebuild`" in line for line in screen) == 1
        terminal.send("j")
        screen = terminal.wait_for("? Help")
        assert not [line for line in screen if "E starts" in line or "E Start" in line]
        leave(terminal)


def test_of_two_dashboards_each_shows_what_the_other_does_until_a_signal_ends_it(
    site: Site, datastore: DataStore, gate: threading.Event
) -> None:
    fill(datastore, products=1)
    with dashboard(site) as first, dashboard(site, "--read-only") as second:
        first.wait_for("[RW] │ LIVE")
        second.wait_for("[RO] │ attached")
        for terminal in (first, second):
            wait_for_row(terminal, PRODUCTS, "prod0")
        first.send("1p")
        wait_for_row(second, PRODUCTS, "prod0", "= paused")
        wait_for_row(second, LOG, "pause")
        commands = "SELECT kind FROM commands"
        assert seen(site, commands) == [("pause",)]
        for key, title in (("p", "Pause or resume"), ("R", "Retry all"), ("L", "Limits"), ("E", "Start the engine")):
            second.send(key)
            second.wait_for(f"{title}: this dashboard is read-only")
        assert seen(site, commands) == [("pause",)]
        first.send("p")
        wait_for_row(first, PRODUCTS, "prod0", "fetching")
        for terminal, number in ((second, signal.SIGINT), (first, signal.SIGTERM)):
            terminal.process.send_signal(number)
            assert_left_clean(terminal)
    assert engine_of(site) is not None


def test_a_read_only_dashboard_starts_no_engine(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    assert site.once()["exit_code"] == 0
    register(datastore, "prod0", "new")
    with dashboard(site, "--read-only") as terminal:
        terminal.wait_for("[RO] │ NO ENGINE")
        wait_for_row(terminal, PRODUCTS, "prod0", "current")
        terminal.send("E")
        terminal.wait_for("this dashboard is read-only")
        leave(terminal)
    assert engine_of(site) is None
