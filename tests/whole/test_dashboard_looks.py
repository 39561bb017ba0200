"""The dashboard on screens of all kinds, with names that mean harm, and as it was left the last time."""

from __future__ import annotations

import re
from base64 import b64decode

import pytest
from rich.cells import cell_len

from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.terminal import Terminal
from tests.whole.screen import (
    DETAILS,
    ENTER,
    ESCAPE,
    FAILED,
    LOG,
    PANES,
    PRODUCTS,
    QUESTION,
    QUEUE,
    TAB,
    dashboard,
    go,
    leave,
    pane,
    put_cursor,
    wait_for_keyboard,
    wait_for_no_row,
    wait_for_row,
    wait_on,
)
from tests.whole.service import serving, wait_until
from tests.whole.site import Site, fill

CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"
OVERRIDE = "\u202e"
BENIGN = ("[x", "[@click=app.quit]x", "観測 データ", "e\u0301a\u0308", "$text-error", "=cmd()")
HOSTILE = ("\x1b[2J", CLIPBOARD, OVERRIDE + "gnp.exe", "\x9b31m", "a\x07b")
LONE = "lone\udcff"
FORBIDDEN = (CLIPBOARD.encode(), OVERRIDE.encode(), "\x9b".encode(), b"\x1b]52", b"a\x07", b"\xff")
COPIED = re.compile(rb"\x1b\]52;c;([^\x07]*)\x07")


def wait_until_aligned(terminal: Terminal, columns: int) -> None:
    """Wait until each border on the right is in the last column."""

    def aligned() -> bool:
        framed = [line for line in terminal.screen() if line.startswith(("│", "╭", "╰"))]
        return bool(framed) and all(cell_len(line) == columns and line[-1] in "│╮╯" for line in framed)

    wait_on(terminal, aligned, f"borders in column {columns}")


def dismiss(terminal: Terminal, words: str) -> None:
    """Leave what lies over the dashboard and says `words`."""
    terminal.send(ESCAPE)
    wait_on(terminal, lambda: not any(words in line for line in terminal.screen()), f"no {words}")


def look_at_what_failed_on_a_small_screen(terminal: Terminal) -> None:
    """Copy it, accept it, read its details; and ask for help, and to leave, over it."""
    terminal.resize(80, 24)
    wait_until_aligned(terminal, 80)
    terminal.send("3*")
    wait_for_row(terminal, FAILED, "14 marked")
    for keys, words in (("y", "Copied if"), ("*gA", "What came counts"), ("?", "type to search"), ("q", QUESTION)):
        terminal.send(keys)
        terminal.wait_for(words)
        dismiss(terminal, words)
    for tab, words in (("o", "odd  x blocked"), ("f", "tries"), ("e", "try 1")):
        terminal.send("3" + tab)
        wait_for_row(terminal, DETAILS, words)
        wait_until_aligned(terminal, 80)


def test_names_that_mean_harm_are_shown_and_do_nothing(site: Site, datastore: DataStore) -> None:
    for name in BENIGN:
        datastore.add_product(name, description=f"{name}{HOSTILE[0]}{HOSTILE[1]}{HOSTILE[2]}")
        datastore.add_fileset(name, name, {f"{name}.fits": b"1"}, columns={name: f"{name}{HOSTILE[1]}"})
    datastore.fault("*.fits", Fault.status(404), times=None)
    for name in HOSTILE:
        datastore.add_fileset(BENIGN[0], name, {"a.fits": b"1"})
    datastore.add_fileset(BENIGN[1], LONE, {"a.fits": b"1"})
    datastore.add_fileset(BENIGN[1], "odd", {f"{BENIGN[1]}.cat": ServedFile(b"1", md5="0" * 32)})
    with dashboard(site) as terminal:
        wait_for_row(terminal, FAILED, "[@clic…uit]x", "404 ")
        wait_for_row(terminal, PRODUCTS, "[@click=app.quit]x")
        wait_for_row(terminal, PRODUCTS, "観測 データ")
        wait_for_row(
            terminal, FAILED, f"3 Failed {len(BENIGN) + len(HOSTILE) + 2}", f"{len(HOSTILE) + 2} in quarantine"
        )
        wait_until_aligned(terminal, 120)
        for title in (PRODUCTS, QUEUE, FAILED):
            go(terminal, title)
            for _ in range(len(BENIGN + HOSTILE)):
                terminal.send("j")
            for tab in "foe":
                go(terminal, DETAILS)
                terminal.send(tab)
            go(terminal, title)
            wait_until_aligned(terminal, 120)
        go(terminal, FAILED)
        terminal.send("G")
        put_cursor(terminal, FAILED, f"+ {len(HOSTILE)} ")
        terminal.send(ENTER)
        for shown in ("\\x1b[2J", "\\u202egnp.exe"):
            wait_for_row(terminal, FAILED, "rejected", shown)
        wait_until_aligned(terminal, 120)
        go(terminal, QUEUE)
        for keys, words in (("*x", "Cancel 7 filesets?"), (":", "Find a command"), ("p", "Pause 6 products?")):
            terminal.send(keys)
            terminal.wait_for(words)
            dismiss(terminal, words)
        go(terminal, PRODUCTS)
        terminal.send("g*p")
        wait_for_row(terminal, PRODUCTS, "= paused")
        go(terminal, LOG)
        wait_for_row(terminal, LOG, "pause by")
        wait_until_aligned(terminal, 120)
        look_at_what_failed_on_a_small_screen(terminal)
        leave(terminal)
        [copied] = COPIED.findall(terminal.written)
        for written in (b64decode(copied), COPIED.sub(b"", terminal.written)):
            assert [found for found in FORBIDDEN if found in written] == []


@pytest.fixture(name="full_site")
def site_with_failures(site: Site, datastore: DataStore) -> Site:
    """Return a site at which every pane has something to show."""
    fill(datastore)
    datastore.fault("*chip.1.1.fits", Fault.flip(3), times=None)
    datastore.fault("*chip.2.0.fits", Fault.status(404), times=None)
    assert site.once()["exit_code"] == 3
    return site


WORD_OF = {PRODUCTS: "prod", QUEUE: "o470.chip.", FAILED: "integrity", DETAILS: "prod", LOG: "Z "}


def test_every_pane_is_reached_on_every_screen(full_site: Site) -> None:
    screens: tuple[tuple[int, int, dict[str, str]], ...] = (
        (80, 24, {}),
        (40, 10, {}),
        (300, 80, {}),
        (120, 40, {"TERM": "linux"}),
        (80, 24, {"NO_COLOR": "1"}),
    )
    with serving(full_site) as service:
        wait_until(lambda: full_site.run("status").out, "the service")
        for columns, lines, env in screens:
            with dashboard(full_site, columns=columns, lines=lines, env=env) as terminal:
                terminal.wait_for(f"attached {service.pid}" if columns < 80 else f"attached pid {service.pid}")
                for title in PANES:
                    terminal.send(title[0])
                    wait_for_row(terminal, title, WORD_OF[title])
                    wait_until_aligned(terminal, columns)
                for title in PANES if columns >= 120 else ():
                    terminal.send(TAB)
                    wait_for_keyboard(terminal, title)
                terminal.resize(110, 36)
                wait_for_row(terminal, PRODUCTS, "prod")
                wait_until_aligned(terminal, 110)
                leave(terminal)
                if env.get("NO_COLOR"):
                    assert b"\x1b[38;" not in terminal.written


def names(rows: list[str]) -> list[str]:
    """Return what stands first in each row below title and heading."""
    return [row.strip("> ").split()[0] for row in rows[2:] if row.strip()]


def test_what_was_set_on_the_screen_is_there_the_next_time(full_site: Site) -> None:
    with dashboard(full_site) as terminal:
        wait_for_row(terminal, PRODUCTS, "prod0", "blocked")
        terminal.send("s")
        wait_for_row(terminal, PRODUCTS, "1 Products", "sort:lag")
        go(terminal, QUEUE)
        terminal.send("s")
        wait_for_row(terminal, QUEUE, "2 Queue", "sort:name")
        terminal.send("S")
        terminal.send("z")
        wait_for_row(terminal, QUEUE, "2 Queue", "FROZEN")
        go(terminal, FAILED)
        terminal.send("/")
        terminal.wait_for("text to look for")
        terminal.send("o471")
        wait_for_row(terminal, FAILED, "3 Failed 2", "/o471")
        terminal.send(ENTER)
        wait_for_keyboard(terminal, FAILED)
        wait_for_no_row(terminal, FAILED, "o470")
        go(terminal, QUEUE)
        terminal.send("!")
        wait_for_row(terminal, QUEUE, "2 Queue", "problems only")
        shown = names(pane(terminal, QUEUE))
        leave(terminal)
    with dashboard(full_site) as terminal:
        wait_for_row(terminal, PRODUCTS, "1 Products", "sort:lag", "problems only")
        wait_for_row(terminal, QUEUE, "2 Queue 4", "sort:name", "problems only")
        assert "FROZEN" not in pane(terminal, QUEUE)[0], "an order is frozen for a moment"
        assert names(pane(terminal, QUEUE)) == shown
        wait_for_row(terminal, FAILED, "3 Failed 2", "/o471")
        assert "J/K Move" in terminal.screen()[-1], "the pane that was used last"
        leave(terminal)
