"""What goes on at the same time in one engine, and must not get into each other's way."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.model import CommandKind
from core.store.commands import Target
from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.whole.service import seen, serving, states, wait_until, wish, write_wishes
from tests.whole.site import Ended, Site, counts, fill

LARGE = 400_000_000


@pytest.fixture
def other() -> Iterator[DataStore]:
    with DataStore() as store:
        yield store


def good_mirror(store: DataStore) -> str:
    """Return the configuration of a second mirror, whose source does as it should."""
    return f'[[mirror]]\nname = "good"\nprotocol = "ipp"\nurl = "{store.url}"\ndestination = "good"'


def of_mirror(ended: Ended, name: str, product: str = "prod0") -> dict[str, int]:
    (mirror,) = [one for one in ended.json["mirrors"] if one["name"] == name]
    return counts({"mirrors": [mirror]}, product)


def test_commands_of_other_processes_go_with_transfers_and_polls(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=60, files=3, size=200)
    datastore.fault("prod0/*.0.fits", Fault.delay(0.05), times=None)
    site = Site(tmp_path, datastore.url, mirror='poll_interval = "0.1s"')
    wishes = [CommandKind.PAUSE, CommandKind.RESUME] * 30
    with serving(site):
        wait_until(lambda: "published" in states(site).values(), "the first fileset")
        asyncio.run(write_wishes(site, *((kind, Target(product="prod*")) for kind in wishes), pause=0.03))
        wait_until(lambda: not seen(site, "SELECT 1 FROM commands WHERE state = 'new'"), "the commands")
        wait_until(lambda: set(states(site).values()) == {"published"}, "all to be published")
    assert seen(site, "SELECT kind, result FROM commands ORDER BY id") == [(kind, "2 products") for kind in wishes]
    assert site.published() == expected


def test_files_that_are_tried_again_beside_their_siblings_are_fetched_and_counted_once(
    tmp_path: Path, datastore: DataStore
) -> None:
    datastore.add_product("p")
    held = threading.Event()
    datastore.fault("p/*/slow.dat", Fault.gate(held, after=10), times=None)
    again = [f"x{n}.dat" for n in range(6)]
    for fileset in "abcdefghijkl":
        files = {name: f"{fileset}/{name}".encode() * 50 for name in again}
        datastore.add_fileset("p", fileset, {"slow.dat": b"s" * 400, **files})
        for name in again:
            datastore.fault(f"p/{fileset}/{name}", Fault.delay(1.0) & Fault.status(503))
            datastore.fault(f"p/{fileset}/{name}", Fault.delay(0.15), times=None)
    site = Site(tmp_path, datastore.url, engine="transfers = 128\ntransfers_per_host = 128", mirror='min_rate = "0"')
    process = site.start("--once", "--json")
    try:
        datastore.wait_for("p/*/x?.dat", 2 * 72, 40)
    finally:
        held.set()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out)["files"] == 7 * 12
    requests = Counter(request.path for request in datastore.requested("*.dat"))
    assert {path: count for path, count in requests.items() if count != (1 if "slow" in path else 2)} == {}
    assert set(states(site).values()) == {"published"}
    assert len(site.published()) == 7 * 12
    assert site.log().count(": published\n") == 12


@functools.cache
def digest_of_zeros(size: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for _ in range(size // 1_000_000):
        digest.update(bytes(1_000_000))
    return digest.hexdigest()


def half_a_large_fileset(site: Site, datastore: DataStore) -> None:
    """Let the destination hold a large file that no state knows of, which takes a while to be inspected."""
    datastore.add_product("p")
    large = ServedFile(b"", md5=digest_of_zeros(LARGE), size=LARGE)
    datastore.add_fileset("p", "f", {"large.dat": large, "small.dat": b"small"})
    index = datastore.index("p/f/index.txt")
    row = next(line for line in index.splitlines() if line.startswith(b"small.dat"))
    datastore.raw_index("p/f/index.txt", index + row.replace(b"small.dat", b"../bad") + b"\n")
    folder = site.data / "p/f"
    folder.mkdir(parents=True)
    (folder / "large.dat").touch()
    os.truncate(folder / "large.dat", LARGE)


@pytest.mark.parametrize(
    ("command", "meant", "undo"),
    [
        (CommandKind.HOLD, "held", CommandKind.RELEASE),
        (CommandKind.CANCEL, "cancelled", CommandKind.REQUEUE),
        (CommandKind.PAUSE, "transferring", CommandKind.RESUME),
        (CommandKind.RETRY, "published", None),
    ],
)
def test_a_command_for_a_fileset_that_is_being_inspected_takes_effect(
    site: Site, datastore: DataStore, command: CommandKind, meant: str, undo: CommandKind | None
) -> None:
    half_a_large_fileset(site, datastore)
    site.configure(datastore.url, mirror='poll_interval = "0.2s"')
    target = Target(product="p") if command is CommandKind.PAUSE else Target(filesets=("f",))
    with serving(site):
        wait_until(lambda: states(site) == {"f": "transferring"}, "the inspection to begin")
        wish(site, command, *target.filesets, product=target.product)
        datastore.add_product("q")
        datastore.add_fileset("q", "after", {"a.dat": b"a"})
        wait_until(lambda: states(site).get("after") == "published", "the inspection to be over")
        if undo is not None:
            assert states(site)["f"] == meant
            assert not datastore.requested("p/f/small.dat"), "nothing went on in spite of the command"
            wish(site, undo, *target.filesets, product=target.product)
        wait_until(lambda: states(site)["f"] == "published", "the fileset to be published")
    assert len(datastore.requested("p/f/small.dat")) == 1
    assert not datastore.requested("p/f/large.dat"), "what was right in its place was not fetched"
    assert (site.data / "p/f/large.dat").stat().st_size == LARGE
    assert (site.data / "p/f/small.dat").read_bytes() == b"small"


def test_a_host_that_asks_to_be_left_alone_is_and_the_other_mirror_completes(
    tmp_path: Path, datastore: DataStore, other: DataStore
) -> None:
    fill(datastore, products=1, filesets=300, files=1, size=10)
    fill(other, products=1, filesets=300, files=1, size=10)
    datastore.fault("*.fits", Fault.status(503, retry_after=3600), times=None)
    site = Site(tmp_path, datastore.url, engine="transfers = 8", more=good_mirror(other))
    ended = site.run("--once", "--json")
    assert ended.code == 3
    assert of_mirror(ended, "good")["published"] == 300
    assert of_mirror(ended, "ps1")["published"] == 0
    assert 1 <= len(datastore.requested("*.fits")) <= 8


def test_a_catalogue_that_asks_to_be_left_alone_is_and_the_other_mirror_completes(
    tmp_path: Path, datastore: DataStore, other: DataStore
) -> None:
    fill(datastore, products=1, filesets=100, files=1, size=10)
    fill(other, products=1, filesets=60, files=1, size=10)
    datastore.fault("prod0/*/index.txt", Fault.status(429, retry_after=3600), times=None)
    site = Site(tmp_path, datastore.url, more=good_mirror(other))
    ended = site.run("--once", "--json")
    assert ended.code == 3
    assert of_mirror(ended, "good")["published"] == 60
    assert 1 <= len(datastore.requested("prod0/*/index.txt")) <= 16


def test_a_slow_catalogue_does_not_keep_the_other_mirror_from_publishing(
    tmp_path: Path, datastore: DataStore, other: DataStore
) -> None:
    fill(datastore, products=1, filesets=20, files=1, size=10)
    expected = fill(other, products=1, filesets=20, files=1, size=10)
    opened, late = threading.Event(), threading.Event()
    datastore.fault("prod0/*/index.txt", Fault.gate(opened), times=None)
    other.fault("index.txt", Fault.gate(late))
    site = Site(tmp_path, datastore.url, more=good_mirror(other))
    process = site.start("--once")
    try:
        datastore.wait_for("prod0/*/index.txt")
        late.set()
        wait_until(lambda: len(list((site.folder / "good").glob("prod0/*/*.fits"))) == len(expected), "the good mirror")
        assert not site.published(), "the slow one still waits"
    finally:
        opened.set()
        late.set()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(site.published()) == 20


def test_once_for_one_mirror_does_not_wait_for_the_retries_of_another(
    tmp_path: Path, datastore: DataStore, other: DataStore
) -> None:
    fill(datastore, products=1, filesets=1, files=1)
    fill(other, products=1, filesets=1, files=1)
    datastore.fault("*.fits", Fault.status(503, retry_after=20), times=None)
    site = Site(tmp_path, datastore.url, engine='drain_timeout = "0s"', more=good_mirror(other))
    process = site.start("--once")
    wait_until(lambda: seen(site, "SELECT 1 FROM files WHERE state = 'retry_wait'"), "the failure to be noted")
    process.terminate()
    process.communicate(timeout=30)
    datastore.forget()
    ended = site.run("--once", "--json", "--mirror", "good")
    assert ended.code == 0
    assert of_mirror(ended, "good")["published"] == 1
    assert not datastore.requests
    ((due,),) = seen(site, "SELECT next_try FROM files WHERE state = 'retry_wait'")
    assert due > time.time(), "it ended before that try was due"


def test_a_hold_outlives_the_failing_index_that_is_being_read(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a": b"x"})
    opened = threading.Event()
    datastore.fault("p/f/index.txt", Fault.late(opened) & Fault.status(404))
    site.configure(datastore.url, mirror='poll_interval = "0.2s"')
    with serving(site):
        try:
            datastore.wait_for("p/f/index.txt")
            wish(site, CommandKind.HOLD, "f")
        finally:
            opened.set()
        datastore.add_fileset("p", "after", {"a": b"x"})
        wait_until(lambda: states(site) == {"f": "held", "after": "published"}, "the index to be answered")
    found = site.once()
    assert counts(found, "p")["held"] == 1
    assert found["failures"] == []
    assert found["exit_code"] == 0
