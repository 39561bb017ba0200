"""An operator's night at the dashboard: what failed is found, understood and mended; the queue obeys."""

from __future__ import annotations

import threading

from tests.servers.datastore import DataStore, Fault, ServedFile
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
    leave,
    pane,
    put_cursor,
    wait_for_no_row,
    wait_for_row,
    wait_on,
)
from tests.whole.service import states, wait_until
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
        kinds = [row.split()[0].strip(">") for row in pane(terminal, FAILED)[2:] if row.strip()]
        assert [kind for kind in kinds if kind] == ["integrity"] * (len(kinds) - 1) or "missing" in kinds

        put_cursor(terminal, FAILED, "o470.chip.2")
        wait_for_row(terminal, DETAILS, "o470.chip.2", "x blocked")
        terminal.send(f"{ENTER}e")
        wait_for_row(terminal, DETAILS, "try 2 integrity", "o470.chip.2.1.fits")
        wait_for_row(terminal, DETAILS, "try 1 integrity")
        wait_for_row(terminal, DETAILS, "MD5 is ")
        wait_for_row(terminal, DETAILS, "seen: 3001 bytes")
        terminal.send("f")
        wait_for_row(terminal, DETAILS, "o470.chip.2.1.fits", "quarantined")
        wait_for_row(terminal, DETAILS, "o470.chip.2.0.fits", "staged")

        put_cursor(terminal, FAILED, MISSING[:20])
        terminal.send(f"{ENTER}e")
        wait_for_row(terminal, DETAILS, "404 Not Found")

        datastore.heal()
        terminal.send("3")
        terminal.send("R")
        wait_for_row(terminal, FAILED, "nothing has failed")
        for product in ("prod0", "prod1"):
            wait_for_row(terminal, PRODUCTS, product, "+ current")
        wait_for_row(terminal, LOG, "retry by ")
        assert site.published() == expected
        leave(terminal)


def names_in(rows: list[str], *names: str) -> list[str]:
    """Return those of `names` that rows begin with, in the order of the rows."""
    return [name for row in rows for name in names if row.strip("> ◆").startswith(name)]


def test_the_queue_obeys(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1)
    opened = threading.Event()
    datastore.fault("*.fits", Fault.gate(opened), times=None)
    one, two, three, four = (f"o470.chip.{number}" for number in (1, 2, 3, 4))
    with dashboard(site) as terminal:
        wait_for_row(terminal, QUEUE, four)
        put_cursor(terminal, QUEUE, two)
        terminal.send("h")
        wait_for_row(terminal, QUEUE, two, "= held")
        assert states(site)[two] == "held"
        terminal.send("h")
        wait_for_no_row(terminal, QUEUE, two, "= held")

        put_cursor(terminal, QUEUE, four)
        terminal.send("+")
        wait_on(terminal, lambda: names_in(pane(terminal, QUEUE), four, one) == [four, one], "the raised one first")
        terminal.send(f"4{ENTER}")
        wait_for_row(terminal, DETAILS, "priority", "+1")
        put_cursor(terminal, QUEUE, four)
        terminal.send("-")
        wait_on(terminal, lambda: names_in(pane(terminal, QUEUE), four, one) == [one, four], "it to be the last again")

        put_cursor(terminal, QUEUE, three)
        terminal.send("K")
        if "fetching" in wait_for_row(terminal, QUEUE, two):
            wait_on(terminal, lambda: names_in(pane(terminal, QUEUE), two, three) == [three, two], "it to move up")
        terminal.send("x")
        terminal.wait_for(f"ps1/prod0/{three}")
        terminal.send("y")
        wait_for_no_row(terminal, QUEUE, three)
        assert states(site)[three] == "cancelled"

        opened.set()
        wait_for_row(terminal, PRODUCTS, "prod0", "+ current")
        leave(terminal)
    assert site.published() == {path: body for path, body in expected.items() if three not in path}


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

        terminal.send("L")
        terminal.wait_for("as configured")
        terminal.send(f"{TAB}50 MB/s{ENTER}")
        terminal.wait_for("limit 50.0 MB/s")
        terminal.send("L")
        terminal.wait_for("50 MB/s")
        terminal.send(f"{TAB}{CLEAR_FIELD}{ENTER}")
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
        wait_for_row(terminal, FAILED, "prod0/odd/a.fits", "quarantine")
        put_cursor(terminal, FAILED, "prod0/odd")
        terminal.send("A")
        wait_for_row(terminal, FAILED, "nothing has failed")
        wait_for_row(terminal, LOG, "prod0/odd", "published")
        leave(terminal)
    assert site.published() == {"prod0/odd/a.fits": b"what came"}


def test_hundreds_that_fail_are_told_once_and_retried_by_one_key(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=100, files=1, size=100)
    datastore.fault("*.fits", Fault.status(404), times=None)
    with dashboard(site) as terminal:
        wait_for_row(terminal, FAILED, "3 Failed 200: 200 missing")
        terminal.wait_for("x200 failed")
        terminal.send("5")
        told = [row for row in pane(terminal, LOG) if "missing" in row]
        assert len(told) <= 4, "the first, and how many more, of each product"
        datastore.heal()
        terminal.send("3R")
        terminal.wait_for("Retry all?")
        terminal.send("y")
        wait_for_row(terminal, FAILED, "nothing has failed")
        wait_until(lambda: site.published() == expected, "all of them")
        leave(terminal)
