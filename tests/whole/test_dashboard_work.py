"""An operator's night at the dashboard: what failed is found, understood and mended; the queue obeys."""

from __future__ import annotations

import threading

from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.terminal import Terminal
from tests.whole.screen import (
    CLEAR_FIELD,
    DETAILS,
    ENTER,
    FAILED,
    LOG,
    PRODUCTS,
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
from tests.whole.service import states
from tests.whole.site import Site, fill, register

WRONG = [f"prod0/o470.chip.{number}/o470.chip.{number}.1.fits" for number in (1, 2, 3)]
MISSING = "prod1/o471.chip.2/o471.chip.2.0.fits"


def test_a_night_of_failures_is_understood_and_mended_by_one_key(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore)
    for path in WRONG:
        datastore.fault(path, Fault.flip(7), times=None)
    datastore.fault(MISSING, Fault.status(404), times=None)
    with dashboard(site) as terminal:
        wait_for_row(terminal, FAILED, "3 Failed 4", "3 integrity", "1 missing")
        terminal.wait_for("x4 failed")
        wait_for_row(terminal, PRODUCTS, "prod0", "x blocked")
        wait_for_row(terminal, PRODUCTS, "prod1", "x failing")
        assert kinds(pane(terminal, FAILED)) == ["integrity"] * 3 + ["missing"]

        put_cursor(terminal, FAILED, "…hip.2/")
        wait_for_row(terminal, DETAILS, "o470.chip.2", "x blocked")
        show_details(terminal, "e")
        wait_for_row(terminal, DETAILS, "try 2 integrity")
        wait_for_row(terminal, DETAILS, "o470.chip.2.1.fits")
        wait_for_row(terminal, DETAILS, "try 1 integrity")
        wait_for_row(terminal, DETAILS, "MD5 is ")
        wait_for_row(terminal, DETAILS, "seen: 3,001 bytes")
        terminal.send("f")
        wait_for_row(terminal, DETAILS, "o470.chip.2.1.fits", "quarantined")
        wait_for_row(terminal, DETAILS, "o470.chip.2.0.fits", "fetched")

        put_cursor(terminal, FAILED, "missing")
        show_details(terminal, "e")
        wait_for_row(terminal, DETAILS, "404 Not Found")

        datastore.heal()
        go(terminal, FAILED)
        terminal.send("R")
        wait_for_row(terminal, FAILED, "nothing has failed")
        for product in ("prod0", "prod1"):
            wait_for_row(terminal, PRODUCTS, product, "+ current")
        go(terminal, LOG)
        wait_for_row(terminal, LOG, "retry by ")
        assert site.published() == expected
        leave(terminal)


def kinds(rows: list[str]) -> list[str]:
    """Return the first word of each row below title and heading."""
    return [row.strip("> ").split()[0] for row in rows[2:] if row.strip()]


def show_details(terminal: Terminal, tab: str) -> None:
    terminal.send(ENTER)
    wait_for_keyboard(terminal, DETAILS)
    terminal.send(tab)


def set_bandwidth(terminal: Terminal, text: str) -> None:
    terminal.send("L")
    terminal.wait_for("> Transfers")
    terminal.send(TAB)
    terminal.wait_for("> Bandwidth")
    terminal.send(CLEAR_FIELD)
    terminal.wait_for("> Bandwidth   such as")
    terminal.send(text)
    terminal.wait_for(f"> Bandwidth   {text}")
    terminal.send(ENTER)


def wait_for_order(terminal: Terminal, *names: str) -> None:
    """Wait until rows of the queue begin with these names, in this order."""

    def there() -> bool:
        rows = pane(terminal, QUEUE)
        return [name for row in rows for name in names if row.strip("> ").startswith(name)] == list(names)

    wait_on(terminal, there, f"the order {names}")


def test_the_queue_obeys(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=300, files=1, size=10)
    opened = threading.Event()
    datastore.fault("*.fits", Fault.gate(opened), times=None)
    first, held, given_up, before, last = (f"o470.chip.{number} " for number in (0, 2, 3, 297, 299))
    with dashboard(site) as terminal:
        wait_for_row(terminal, QUEUE, first, "> fetching")
        go(terminal, QUEUE)
        terminal.send("G")
        wait_for_row(terminal, QUEUE, f">  {last}", "- queued")
        terminal.send("K")
        wait_for_order(terminal, before, last)
        terminal.send("+")
        wait_for_row(terminal, DETAILS, "priority", "+1")
        terminal.send("g")
        put_cursor(terminal, QUEUE, held)
        terminal.send("h")
        wait_for_row(terminal, QUEUE, held, "= held")
        assert states(site)[held.strip()] == "held"
        terminal.send("h")
        wait_for_no_row(terminal, QUEUE, held, "= held")

        terminal.send("g")
        put_cursor(terminal, QUEUE, given_up)
        terminal.send("x")
        terminal.wait_for("Cancel 1 fileset?")
        terminal.send("y")
        wait_for_no_row(terminal, QUEUE, given_up)
        assert states(site)[given_up.strip()] == "cancelled"

        opened.set()
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        leave(terminal)
    assert site.published() == {path: body for path, body in expected.items() if given_up.strip() + "/" not in path}


def test_products_and_limits_obey(site: Site, datastore: DataStore) -> None:
    site.configure(datastore.url, mirror='products = ["prod0"]\npoll_interval = "1h"')
    expected = fill(datastore, products=2, filesets=1)
    with dashboard(site) as terminal:
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        put_cursor(terminal, PRODUCTS, "prod0")
        terminal.send("p")
        wait_for_row(terminal, PRODUCTS, "prod0", "= paused")
        terminal.send("p")
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")

        set_bandwidth(terminal, "50 MB/s")
        terminal.wait_for("limit 50.0 MB/s")
        set_bandwidth(terminal, "")
        terminal.wait_until_gone("limit 50.0 MB/s")

        expected |= register(datastore, "prod0", "o470.chip.new")
        terminal.send("u")
        wait_for_row(terminal, LOG, "prod0/o470.chip.new", "published")

        wait_for_row(terminal, PRODUCTS, "prod1", ". available")
        put_cursor(terminal, PRODUCTS, "prod1")
        terminal.send("m")
        wait_for_row(terminal, PRODUCTS, "prod1", "+ current")
        wait_for_row(terminal, DETAILS, "mirrored by an operator")
        wait_for_row(terminal, DETAILS, 'products = ["prod0", "prod1"]')
        assert site.published() == expected
        terminal.send("m")
        terminal.wait_for("what is published stays")
        terminal.send("n")
        terminal.wait_until_gone("what is published stays")
        wait_for_row(terminal, PRODUCTS, "prod1", "+ current")
        terminal.send("m")
        terminal.wait_for("what is published stays")
        terminal.send("y")
        wait_for_row(terminal, PRODUCTS, "prod1", ". available")
        assert site.published() == expected
        leave(terminal)


def test_evidence_in_quarantine_is_accepted(site: Site, datastore: DataStore) -> None:
    datastore.add_product("prod0")
    datastore.add_fileset("prod0", "odd", {"a.fits": ServedFile(b"what came", md5="0" * 32)})
    with dashboard(site) as terminal:
        wait_for_row(terminal, FAILED, "integrity", "odd/a.fits")
        put_cursor(terminal, FAILED, "odd/a.fits")
        terminal.send("A")
        terminal.wait_for("What came counts from now on")
        terminal.send("y")
        wait_for_row(terminal, FAILED, "nothing has failed")
        wait_for_row(terminal, LOG, "prod0/odd", "published")
        leave(terminal)
    assert site.published() == {"prod0/odd/a.fits": b"what came"}


def test_damage_is_found_by_one_key_and_mended_by_another(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    with dashboard(site) as terminal:
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        (site.data / WRONG[0]).write_bytes(b"rot")
        put_cursor(terminal, PRODUCTS, "prod0")
        terminal.send("v")
        wait_for_row(terminal, FAILED, "damaged", "o470.chip.1")
        wait_for_row(terminal, LOG, "verified 3 filesets")
        put_cursor(terminal, FAILED, "damaged")
        terminal.send("r")
        wait_for_row(terminal, FAILED, "nothing has failed")
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        leave(terminal)
    assert site.published() == expected


def test_hundreds_that_fail_are_told_once_and_retried_by_one_key(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=100, files=1, size=100)
    datastore.fault("*.fits", Fault.status(404), times=None)
    with dashboard(site) as terminal:
        wait_for_row(terminal, FAILED, "3 Failed 200", "200 missing")
        terminal.wait_for("x200 failed")
        assert terminal.screen()[0].startswith(" mirrortui "), "also where most of it stays as it was"
        go(terminal, LOG)
        told = [row for row in pane(terminal, LOG) if "missing" in row]
        assert len(told) <= 20, "the first, and now and then how many more, of each product"
        datastore.heal()
        go(terminal, FAILED)
        terminal.send("R")
        terminal.wait_for("Retry 200 filesets?")
        terminal.send("y")
        for product in ("prod0", "prod1"):
            wait_for_row(terminal, PRODUCTS, product, "+ current")
        wait_for_row(terminal, FAILED, "nothing has failed")
        leave(terminal)
    assert site.published() == expected
