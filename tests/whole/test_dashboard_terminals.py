"""The dashboard on terminals of every kind: lost, poor in colours, wide, with other keys, before a very long queue."""

from __future__ import annotations

import asyncio
import re
import threading
from base64 import b64encode
from pathlib import Path

import pytest

from core.store.database import Database
from tests.screens import night
from tests.servers.datastore import DataStore, Fault
from tests.terminal import Terminal
from tests.whole.screen import (
    DETAILS,
    ESCAPE,
    FAILED,
    PRODUCTS,
    QUEUE,
    assert_left_clean,
    dashboard,
    go,
    leave,
    pane,
    wait_for_row,
    wait_on,
    wait_until_ended,
)
from tests.whole.service import states
from tests.whole.site import Site, fill

QUEUED = 100_000
CLIPBOARD = b"\x1b]52;c;" + b64encode(b"ps1/prod0")
"""What puts the name of a product where the terminal's user can paste it."""
RICH = re.compile(rb"\x1b\[[0-9;]*[34]8[;:][25][;:][0-9;:]*m")
"""Colours beyond the sixteen of every terminal."""


def test_drained_when_the_terminal_is_lost(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=300, files=1)
    opened = threading.Event()
    datastore.fault("*.fits", Fault.gate(opened, after=100), times=None)
    site.configure(datastore.url, more='[dashboard]\non_hangup = "drain"', engine="transfers = 4")
    with dashboard(site) as terminal:
        wait_for_row(terminal, QUEUE, "> fetching")
        datastore.wait_for("*.fits", 4, 30)
        terminal.close()
        terminal.process.wait(30)
        opened.set()
    wait_until_ended(site)
    found = list(states(site).values())
    assert 0 < found.count("published") < len(expected), "what was begun is finished, and nothing else is begun"
    assert found.count("published") == len(site.published())
    assert set(found) <= {"published", "queued", "discovered"}


def test_an_operators_own_keys_are_the_keys_that_are_shown(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    site.configure(
        datastore.url, more='[dashboard.keys]\npause = ["f5", "O"]\npoll = ["p"]\nquit = ["Q"]\ncopy = ["Y"]'
    )
    with dashboard(site, env={"TERM": "xterm-kitty"}) as terminal:
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        terminal.wait_for("F5 Pause")
        terminal.send("Y")
        terminal.wait_for("copied: 1 line; Y again shows what")
        assert CLIPBOARD in terminal.written
        terminal.send("Y")
        terminal.wait_for("Copied if your terminal allows it")
        terminal.send(ESCAPE)
        terminal.wait_until_gone("Copied if")
        terminal.send("O")
        wait_for_row(terminal, PRODUCTS, "prod0", "= paused")
        terminal.send("\x1b[15~")
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        terminal.send("p")
        terminal.wait_for("poll: 1 product looked at now")
        terminal.send("q")
        terminal.wait_for("q is no command here")
        terminal.send("?")
        terminal.wait_for("type to search")
        terminal.send("pause")
        terminal.wait_for("F5")
        terminal.send(ESCAPE)
        wait_on(terminal, lambda: "m Mirror  / Filter" in terminal.screen()[-1], "the products to have the keyboard")
        terminal.send("Q")
        assert_left_clean(terminal)


@pytest.fixture(name="failed_site")
def site_with_failures(site: Site, datastore: DataStore) -> Site:
    fill(datastore)
    datastore.fault("*chip.1.1.fits", Fault.flip(3), times=None)
    assert site.once()["exit_code"] == 3
    return site


@pytest.mark.parametrize(
    ("env", "columns", "lines"),
    [
        ({"TERM": "linux"}, 80, 25),
        ({"TERM": "dumb"}, 80, 24),
        ({"TERM": "xterm-16color", "COLORTERM": ""}, 120, 40),
        ({"TERM": "screen"}, 300, 80),
        ({"TERM": "xterm"}, 80, 24),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, 120, 40),
    ],
)
def test_states_are_told_by_word_and_glyph_on_poor_terminals(
    failed_site: Site, env: dict[str, str], columns: int, lines: int
) -> None:
    with dashboard(failed_site, columns=columns, lines=lines, env=env) as terminal:
        wait_for_row(terminal, PRODUCTS, "prod0", "x blocked")
        go_anywhere(terminal, FAILED)
        wait_for_row(terminal, FAILED, ">  integrity", "quarantine")
        go_anywhere(terminal, DETAILS)
        wait_for_row(terminal, DETAILS, "blocked")
        if "TMUX" in env:
            terminal.send("1y")
            terminal.wait_for("Copied if your terminal allows it")
            terminal.wait_for("ps1/prod0")
            terminal.send(ESCAPE)
            terminal.wait_until_gone("Copied if")
        leave(terminal)
        if env["TERM"] in {"linux", "xterm-16color"}:
            found = RICH.search(terminal.written)
            assert found is None, terminal.written[max(0, found.start() - 300) : found.start() + 200]


def go_anywhere(terminal: Terminal, title: str) -> None:
    terminal.send(title[0])
    wait_for_row(terminal, title, title)


@pytest.fixture(name="long_site")
def site_with_a_long_queue(tmp_path: Path) -> Site:
    """Return a site whose engine is this process, and does nothing."""
    site = Site(tmp_path / "site", "http://127.0.0.1:9/ds")
    asyncio.run(_fill(site.folder / "mirror.db", site.folder / "data"))
    return site


async def _fill(state: Path, destination: Path) -> None:
    async with await Database.open_writer(state) as db, db.transaction():
        await db.run(
            "INSERT INTO mirrors (id, name, protocol, url, destination, polled_at) "
            "VALUES (1, 'ps1', 'ipp', 'http://127.0.0.1:9/ds', ?, 1)",
            (str(destination),),
        )
        await db.run("INSERT INTO products (id, mirror_id, name, selected, polled_at) VALUES (1, 1, 'raw', 1, 1)")
        await db.run(
            """WITH n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?)
               INSERT INTO filesets (product_id, seq, place, name, registered, type, state, files, bytes, discovered_at)
               SELECT 1, x, x, printf('o.%06d', x), 1, 'IPP', 'queued', 1, 1, 1 FROM n""",
            (QUEUED,),
        )


def cursor(terminal: Terminal) -> str:
    return next((row for row in pane(terminal, QUEUE) if row.startswith(">")), "")


def on(terminal: Terminal, name: str) -> None:
    wait_on(terminal, lambda: name in cursor(terminal), f"the cursor on {name}")
    wait_on(terminal, lambda: not any("…" in row for row in pane(terminal, QUEUE)), "all rows in sight to be read")


def test_a_very_long_queue_is_scrolled_while_it_changes(long_site: Site) -> None:
    lease = night.lease(long_site.folder)
    lease.take()
    stop = threading.Event()

    def work() -> None:
        """Publish from the front, and let new ones come at the end."""
        asyncio.run(_change(long_site.folder / "mirror.db", stop))

    engine = threading.Thread(target=work)
    try:
        with dashboard(long_site) as terminal:
            wait_for_row(terminal, QUEUE, f"2 Queue {QUEUED:,}")
            go(terminal, QUEUE)
            engine.start()
            terminal.send("\x1b[F")
            wait_on(terminal, lambda: cursor(terminal)[3:8] in {"o.100", "new.0"}, "the cursor at the end")
            stay = cursor(terminal).split()[1]
            for _ in range(3):
                terminal.send("\x1b[5~")
            wait_on(terminal, lambda: cursor(terminal).split()[1] < stay, "the cursor further up")
            stay = cursor(terminal).split()[1]
            first = pane(terminal, QUEUE)[0]
            wait_on(terminal, lambda: pane(terminal, QUEUE)[0] != first, "the queue to change")
            on(terminal, stay)
            terminal.send("\x1b[6~")
            wait_on(terminal, lambda: cursor(terminal).split()[1] > stay, "the cursor further down")
            terminal.send("\x1b[H")
            wait_on(terminal, lambda: cursor(terminal)[3:8] == "o.000", "the cursor at the beginning")
            leave(terminal)
    finally:
        stop.set()
        if engine.ident is not None:
            engine.join()
        lease.release()


async def _change(state: Path, stop: threading.Event) -> None:
    async with await Database.open_writer(state) as db:
        for at in range(1, QUEUED):
            if stop.is_set():
                break
            async with db.transaction():
                await db.run("UPDATE filesets SET state = 'cancelled' WHERE id BETWEEN ? AND ?", (at * 7, at * 7 + 6))
                await db.run(
                    """INSERT INTO filesets (product_id, seq, place, name, registered, type, state, files, bytes,
                                             discovered_at)
                       VALUES (1, ?1, ?1, printf('new.%06d', ?1), 1, 'IPP', 'queued', 1, 1, 1)""",
                    (QUEUED + at,),
                )
            await asyncio.sleep(0.2)
