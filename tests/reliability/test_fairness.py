"""One dead host among three: it is asked little, and the others get on as if it were not there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.model import CommandKind
from core.store.commands import Target
from tests.servers.datastore import DataStore, Fault
from tests.servers.script import Again, Head, Raw, Silence
from tests.whole.service import seen, wait_until, write_wishes
from tests.whole.site import Site, fill, register

TRANSFERS = 6
FILESETS = 30
CRUMBS = b"".join(b"1\r\n%c\r\n" % byte for byte in (b"# " + b"x" * 60 + b"\n") * 1000)


@pytest.fixture
def stores() -> Iterator[list[DataStore]]:
    """Yield three stores with as much to offer each."""
    with ExitStack() as running:
        yield [running.enter_context(DataStore()) for _ in range(3)]


def three_mirrors(tmp_path: Path, stores: list[DataStore], mirror: str) -> Site:
    others = "\n".join(
        f'[[mirror]]\nname = "m{n}"\nprotocol = "ipp"\nurl = "{store.url}"\ndestination = "d{n}"'
        for n, store in enumerate(stores[1:], 1)
    )
    return Site(tmp_path, stores[0].url, engine=f"transfers = {TRANSFERS}", mirror=mirror, more=others)


def published(site: Site) -> int:
    """Return how many filesets of all mirrors are published."""
    return sum(count for (count,) in seen(site, "SELECT count(*) FROM filesets WHERE state = 'published'"))


DEAD = {
    "refusing": Fault.refuse(),
    "accepting and never answering": Fault.played(Silence()),
    "silent after its headers": Fault.stall(),
}


@pytest.mark.parametrize("dead", DEAD)
def test_one_dead_host_among_three_holds_at_most_one_slot_while_the_others_complete(
    tmp_path: Path, stores: list[DataStore], dead: str
) -> None:
    for store in stores:
        fill(store, products=1, filesets=FILESETS, files=4, size=60_000)
    stores[0].fault("*.fits", DEAD[dead], times=None)
    site = three_mirrors(tmp_path, stores, 'stall_timeout = "1h"\nindex_timeout = "1h"')
    process = site.start("run")
    try:
        wait_until(lambda: published(site) == 2 * FILESETS, "the other two to be done")
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()
    asked = stores[0].requested("*.fits")
    assert 1 <= len(asked) <= (1 if dead != "refusing" else 8)
    for number in (1, 2):
        assert len(list((site.folder / f"d{number}").rglob("*.fits"))) == FILESETS * 4


def test_a_host_that_sends_its_files_in_single_bytes_is_asked_little_and_told(
    tmp_path: Path, stores: list[DataStore]
) -> None:
    for store in stores:
        fill(store, products=1, filesets=FILESETS, files=4, size=60_000)
    stores[0].fault("*.fits", Fault.crumbs(1), times=None)
    site = three_mirrors(tmp_path, stores, "")
    process = site.start("run")
    try:
        wait_until(lambda: published(site) == 2 * FILESETS, "the other two to be done")
    finally:
        process.kill()
        process.communicate()
    assert 1 <= len(stores[0].requested("*.fits")) <= TRANSFERS + 8
    ((kind, detail),) = seen(site, "SELECT DISTINCT kind, detail FROM attempts")
    assert kind == "transient"
    assert "comes in pieces of 1 byte:" in detail


def test_a_host_that_sends_its_indexes_in_single_bytes_is_asked_little_and_told(
    tmp_path: Path, stores: list[DataStore]
) -> None:
    for store in stores:
        fill(store, products=1, filesets=5)
    stores[0].fault("prod0/*/index.txt", Fault.chunked() & Fault.played(Head(), Again((Raw(CRUMBS),))), times=None)
    site = three_mirrors(tmp_path, stores, "")
    process = site.start("run")
    try:
        wait_until(lambda: published(site) == 10, "the other two to be done")
        told = "SELECT DISTINCT kind FROM attempts WHERE detail LIKE '%index.txt: comes in pieces of 1 byte:%'"
        wait_until(lambda: seen(site, told) == [("transient",)], "what became of the indexes")
    finally:
        process.kill()
        process.communicate()
    assert not stores[0].requested("*.fits")


def test_a_host_whose_catalogue_never_answers_keeps_no_slot_at_all(tmp_path: Path, stores: list[DataStore]) -> None:
    for store in stores:
        fill(store, products=1, filesets=5)
    stores[0].fault("*", Fault.played(Silence()), times=None)
    site = three_mirrors(tmp_path, stores, 'index_timeout = "1h"')
    process = site.start("run")
    try:
        wait_until(lambda: published(site) == 10, "the other two to be done")
    finally:
        process.kill()
        process.communicate()
    assert not stores[0].requested("*.fits")


def test_a_host_that_trickles_in_all_slots_keeps_no_other_out(tmp_path: Path, stores: list[DataStore]) -> None:
    fill(stores[0], products=1, filesets=4, size=20_000)
    for store in stores[1:]:
        store.add_product("prod0")
    going_on = threading.Event()
    stores[0].fault("*.fits", Fault.gate(going_on, after=10_000), times=None)
    site = three_mirrors(tmp_path, stores, 'stall_timeout = "1h"')
    process = site.start("run")
    try:
        stores[0].wait_for("*.fits", TRANSFERS)
        register(stores[1], "prod0", "late", size=20_000)
        asyncio.run(write_wishes(site, (CommandKind.POLL, Target(mirror="m1"))))
        wait_until(lambda: published(site) == 1, "what came late")
        assert not stores[0].requested("*.fits")[TRANSFERS:]
    finally:
        process.kill()
        process.communicate()
        going_on.set()
