"""What a catalogue claims about sizes, and disks that do not have the room for it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.whole.service import seen, serving, states, wait_until
from tests.whole.site import Site, counts, fill, register

LARGEST = 2**63 - 1
PETABYTE = 10**15


def failures(found: Any) -> list[tuple[str, str, str]]:
    """Return kind, fileset and detail of what failed, each once."""
    return sorted({(one["kind"], one["fileset"], one["detail"]) for one in found["failures"]})


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([LARGEST], "every row of its index was refused; the size is not a number of bytes"),
        ([LARGEST, LARGEST], "every row of its index was refused; the size is not a number of bytes"),
        ([2**49] * 3, "add up to more than 2^50 bytes"),
    ],
)
def test_a_fileset_of_impossible_size_is_refused_alone(
    site: Site, datastore: DataStore, sizes: list[int], words: str
) -> None:
    expected = fill(datastore, products=2, filesets=2)
    files = {f"{number}.dat": ServedFile(b"x", size=size) for number, size in enumerate(sizes)}
    datastore.add_fileset("prod0", "liar", files)
    expected |= register(datastore, "prod0", "later")
    found = site.once()
    assert (found["exit_code"], site.published()) == (3, expected)
    [(kind, fileset, detail)] = failures(found)
    assert (kind, fileset) == ("rejected", "liar")
    assert words in detail
    assert site.once()["exit_code"] == 3
    assert site.run("status").code == 0


def test_one_row_of_impossible_size_is_refused_alone(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": b"good", "b.dat": ServedFile(b"x", size=LARGEST)})
    found = site.once()
    assert (found["exit_code"], site.published()) == (3, {"p/f/a.dat": b"good"})
    assert [(one["kind"], one["file"]) for one in found["failures"]] == [("rejected", "b.dat")]


def test_an_index_that_the_state_will_not_take_fails_alone(site: Site, datastore: DataStore) -> None:
    site.once()
    with closing(sqlite3.connect(site.folder / "mirror.db")) as db:
        db.execute(
            "CREATE TRIGGER trap BEFORE INSERT ON files WHEN NEW.name = 'odd.dat' "
            "BEGIN SELECT RAISE(ABORT, 'nobody thought of that'); END"
        )
    expected = fill(datastore, products=1, filesets=3)
    datastore.add_fileset("prod0", "odd", {"odd.dat": b"x"})
    found = site.once("--mirror", "ps1")
    assert (found["exit_code"], site.published()) == (3, expected)
    [(kind, fileset, detail)] = failures(found)
    assert (kind, fileset) == ("index_malformed", "odd")
    assert "nobody thought of that" in detail


def test_a_fileset_for_which_there_is_no_room_fails_alone(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=3)
    datastore.add_fileset("prod0", "huge", {"a.dat": ServedFile(b"huge", size=PETABYTE)})
    expected |= register(datastore, "prod0", "later")
    found = site.once()
    assert (found["exit_code"], site.published()) == (5, expected)
    [(kind, fileset, detail)] = failures(found)
    assert (kind, fileset) == ("disk", "huge")
    assert str(site.data) in detail
    assert counts(found, "prod0")["failed"] == 1
    assert found["failures"][0]["next_try"] is not None
    assert site.once()["exit_code"] == 5
    assert site.log().count("no room for huge") == 1, "it is told once"

    datastore.replace_file("prod0", "huge", "a.dat", b"huge", update_index=True)
    assert site.run("retry", "--product", "prod0").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == expected | {"prod0/huge/a.dat": b"huge"}


def test_a_service_goes_on_beside_a_fileset_for_which_there_is_no_room(tmp_path: Path, datastore: DataStore) -> None:
    site = Site(tmp_path, datastore.url, mirror='poll_interval = "0.2s"')
    datastore.add_product("p")
    datastore.add_fileset("p", "huge", {"a.dat": ServedFile(b"huge", size=PETABYTE)})
    with serving(site):
        wait_until(lambda: "no room for huge" in site.log(), "the fileset to be put off")
        for number in range(3):
            expected = register(datastore, "p", f"later{number}")
            wait_until(lambda: expected.items() <= site.published().items(), "what came later")  # noqa: B023
        assert states(site)["huge"] == "queued"


def test_a_disk_below_min_free_stops_the_mirror_until_there_is_room(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    free = site.config.read_text()
    site.config.write_text(free.replace('min_free = "0"', f'min_free = "{shutil.disk_usage(site.folder).total} B"'))
    found = site.once()
    assert (found["exit_code"], found["mirrors"][0]["stopped"], site.published()) == (5, "disk", {})
    error = found["mirrors"][0]["error"]
    assert error.startswith("disk full: "), "what is free comes first: a border may have no room for the path"
    assert error.endswith(f": {site.data}")
    site.config.write_text(free)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_mirrors_on_one_disk_do_not_promise_the_same_room_twice(tmp_path: Path, datastore: DataStore) -> None:
    most = shutil.disk_usage(tmp_path).free * 6 // 10
    with DataStore() as other:
        more = f'[[mirror]]\nname = "two"\nprotocol = "ipp"\nurl = "{other.url}"\ndestination = "two"\n'
        site = Site(tmp_path, datastore.url, mirror='poll_interval = "0.2s"', more=f'{more}poll_interval = "0.2s"')
        held = threading.Event()
        for store in (datastore, other):
            store.add_product("p")
        datastore.add_fileset("p", "first", {"first.dat": ServedFile(b"first", size=most)})
        datastore.fault("p/first/first.dat", Fault.gate(held))
        with serving(site):
            datastore.wait_for("p/first/first.dat", 1)
            other.add_fileset("p", "second", {"second.dat": ServedFile(b"second", size=most)})
            wait_until(lambda: states(site).get("second") == "queued", "the second fileset to be known")
            other.add_product("q")
            for number in range(2):
                register(other, "q", f"small{number}")
                wait_until(lambda: states(site).get(f"small{number}") == "published", "a small one")  # noqa: B023
            assert not other.requested("p/second/second.dat"), "its room is promised to the first"
            held.set()
            other.wait_for("p/second/second.dat", 1)


def test_a_file_larger_than_a_process_may_write_costs_no_try_and_comes_when_it_may(
    site: Site, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1)
    content = os.urandom(9_000_000)
    datastore.add_fileset("prod0", "huge", {"large.dat": content})

    def low_file_size_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000_000, 6_000_000))

    process = site.start("--once", "--json", preexec_fn=low_file_size_limit)
    out, _ = process.communicate()
    assert process.returncode == 5
    told = "prod0/huge/large.dat: the file has 9000000 bytes, and this process may write 6000000 to one"
    assert told in json.loads(out)["mirrors"][0]["error"]
    assert site.once()["exit_code"] == 0
    assert site.published() == expected | {"prod0/huge/large.dat": content}
    assert seen(site, "SELECT sum(attempts) FROM files") == [(0,)]
