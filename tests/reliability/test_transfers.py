"""Transfers that break, lie or stall, as the real program takes them."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.servers.script import Body, Close, Head
from tests.whole.service import seen, serving, wait_until
from tests.whole.site import Site, counts, fill

FILE = "prod0/o470.chip.0/o470.chip.0.0.fits"
OTHER = b"other bytes, of the same length as the file itself " * 1000


def only_failure(found: Any) -> Any:
    (failure,) = found["failures"]
    return failure


def test_a_server_that_refuses_connections_for_a_while_is_waited_for(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    datastore.fault(FILE, Fault.stall(after=100))
    process = site.start("--once", "--quiet")
    datastore.wait_for(FILE)
    datastore.close()
    wait_until(lambda: seen(site, "SELECT 1 FROM attempts WHERE kind = 'transient'"), "the failure to be noted")
    datastore.start()
    process.communicate(timeout=90)
    assert process.returncode == 0
    assert site.published() == expected


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_status_of_the_500s_for_a_while_ends_published(site: Site, datastore: DataStore, status: int) -> None:
    expected = fill(datastore, products=1, filesets=2)
    datastore.fault("*.fits", Fault.status(status), times=3)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


@pytest.mark.parametrize("by_date", [False, True], ids=["seconds", "a date"])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_leaves_the_whole_host_alone(site: Site, datastore: DataStore, status: int, by_date: bool) -> None:
    fill(datastore, products=2, filesets=50)
    wish = formatdate(time.time() + 3600, usegmt=True) if by_date else 3600
    heard = threading.Event()
    datastore.fault("*.fits", Fault.late(heard) & Fault.status(status, retry_after=wish), times=None)
    site.configure(datastore.url, engine="transfers = 4")
    process = site.start("--once", "--quiet")
    wait_until(lambda: seen(site, "SELECT count(*) FROM files") == [(400,)], "all files to be listed")
    datastore.wait_for("*.fits", 4)
    heard.set()
    process.communicate(timeout=90)
    assert process.returncode == 3
    assert len(datastore.requested("*.fits")) == 4, "those that were under way when the first one was answered"
    files = "SELECT sum(state = 'retry_wait' AND attempts = 1), sum(state = 'pending' AND attempts = 0) FROM files"
    assert seen(site, files) == [(4, 396)], "what was not asked for lost no try"


@pytest.mark.parametrize("size", [3000, 20_000])
def test_a_host_that_was_redirected_to_asks_for_rest_in_its_own_name(
    site: Site, datastore: DataStore, size: int
) -> None:
    expected = fill(datastore, products=1, filesets=8, files=1, size=size)
    first, *others = sorted(expected)
    with DataStore() as other:
        other.fault("*", Fault.status(503, retry_after=3600), times=None)
        datastore.fault(first, Fault.redirect(f"http://localhost:{other.port}/ds/{first}"), times=None)
        site.configure(datastore.url, engine="transfers = 1")
        assert site.once()["exit_code"] == 3
    assert site.published() == {path: expected[path] for path in others}
    ((next_try,),) = seen(site, "SELECT next_try FROM files WHERE state = 'retry_wait'")
    assert next_try == pytest.approx(time.time() + 3600, abs=100), "that file waits as long as was asked for"
    assert not seen(site, "SELECT * FROM hosts")
    datastore.heal()
    assert site.once()["exit_code"] == 3, "nor is the catalogue's host left alone"


def test_a_new_engine_heeds_the_wish_that_an_earlier_one_heard(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=5)
    datastore.fault("*.fits", Fault.status(429, retry_after=3600))
    site.configure(datastore.url, engine="transfers = 1")
    site.once()
    datastore.forget()
    for arguments in ([], ["--product", "prod1"]):
        found = site.once(*arguments)
        assert found["exit_code"] == 4
        assert "not asked: " in found["mirrors"][0]["error"]
    assert not datastore.requests, "neither for files nor for indexes"
    assert site.log().count(": the server asked to be left alone\n") == 2, "each run says why it does nothing"

    with closing(sqlite3.connect(site.folder / "mirror.db")) as db, db:
        db.execute("UPDATE hosts SET until = until - 3600")
        db.execute("UPDATE files SET next_try = next_try - 3600")
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_wish_for_more_rest_than_a_week_gets_a_week_and_is_told(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1, files=1, size=20_000)
    datastore.fault("*.fits", Fault.status(503, retry_after=30 * 86_400))
    found = site.once()
    assert found["exit_code"] == 3
    assert only_failure(found)["detail"].endswith("asked for a rest of 30d00h, of which it gets 7d00h")
    ((next_try, until),) = seen(site, "SELECT next_try, until FROM files, hosts")
    assert next_try == pytest.approx(time.time() + 7 * 86_400, abs=100)
    assert until == pytest.approx(next_try, abs=100)
    found = site.once()
    assert (found["exit_code"], seen(site, "SELECT next_try FROM files")) == (4, [(next_try,)]), "nor is that forgotten"
    assert len(datastore.requests) == 4, "the indexes, and the file, once"


def test_a_rest_that_only_a_clock_gone_wrong_can_mean_is_not_kept(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    datastore.fault("*.fits", Fault.status(429, retry_after=3600))
    site.once()
    with closing(sqlite3.connect(site.folder / "mirror.db")) as db, db:
        db.execute("UPDATE hosts SET until = until + 3e7")
        db.execute("UPDATE files SET next_try = next_try + 3e7")
    assert site.once()["exit_code"] == 0


def test_a_short_wish_in_the_middle_of_many_files_loses_none_of_them(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=50)
    datastore.fault("*.2.fits", Fault.status(429, retry_after=1))
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert len(datastore.requested("*.fits")) == 401, "each file once, but for the one that was refused"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.flip(7), "MD5 is"),
        (Fault.replace(OTHER[:3000]), "MD5 is"),
        (Fault.short_length(2900), "2900 bytes, the index says 3000"),
        (Fault.longer(b"more"), "longer than the 3000 bytes listed"),
        (Fault.chunked() & Fault.longer(b"more"), "longer than the 3000 bytes listed"),
        (Fault.lie_length(2000), "2000 bytes, the index says 3000"),
        (Fault.gzip(), "Content-Encoding gzip"),
    ],
    ids=["one bit", "other bytes", "shorter", "longer", "longer in chunks", "a length that lies", "gzip"],
)
def test_bytes_that_are_wrong_for_ever_are_never_published_and_their_evidence_is_kept(
    site: Site, datastore: DataStore, fault: Fault, words: str
) -> None:
    expected = fill(datastore, products=1, filesets=2)
    datastore.fault(FILE, fault, times=None)
    with serving(site):
        wait_until(lambda: len(site.published()) == 4, "the sibling to be published")
        wait_until(lambda: seen(site, "SELECT count(*) FROM attempts WHERE kind = 'integrity'") == [(2,)], "two tries")
        failures = site.run("failures", "--json").json["failures"]
        assert [(one["file"], one["kind"]) for one in failures] == [("o470.chip.0.0.fits", "integrity")]
        assert words in failures[0]["detail"]
    assert site.published() == {path: body for path, body in expected.items() if "/o470.chip.0/" not in path}
    evidence = seen(site, "SELECT size, digest FROM attempts WHERE kind = 'integrity'")
    assert len(set(evidence)) == 1
    (size, digest) = evidence[0]
    assert (digest is None) == words.startswith("longer"), "what is too long is not fetched to its end"
    assert (size is None) == (fault.name == "chunked and longer"), "nor is it known how long it is, if that is not told"


def test_two_equal_wrong_digests_are_quarantined_with_what_was_seen(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": ServedFile(b"seen", md5="0" * 32)})
    found = site.once()
    assert found["exit_code"] == 3
    assert counts(found, "p")["quarantined"] == 1
    assert only_failure(found)["attempts"] == 2
    assert len(datastore.requested("p/f/a.dat")) == 2
    ((size, digest),) = seen(site, "SELECT seen_size, seen_digest FROM files")
    assert (size, digest) == (4, ServedFile(b"seen").digest)
    assert not list(site.data.rglob("a.dat")), "nor is it left in the staging area"


def test_identity_is_asked_for_and_a_tgz_arrives_as_it_is(site: Site, datastore: DataStore) -> None:
    packed = b"\x1f\x8b\x08" + OTHER
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.tgz": packed, "b.tgz": packed})
    datastore.fault("p/f/a.tgz", Fault.status(200, packed, {"Content-Encoding": "gzip"}), times=None)
    datastore.fault("p/f/b.tgz", Fault.chunked())
    assert site.once()["exit_code"] == 0
    assert site.published() == {"p/f/a.tgz": packed, "p/f/b.tgz": packed}
    assert {request.headers["accept-encoding"] for request in datastore.requests} == {"identity"}


@pytest.mark.parametrize("honest", [True, False], ids=["If-Range heeded", "If-Range ignored"])
def test_a_file_replaced_between_two_halves_is_started_anew_and_never_spliced(
    site: Site, datastore: DataStore, honest: bool
) -> None:
    right = OTHER[::-1]
    datastore.add_product("p")
    datastore.add_fileset("p", "f", {"a.dat": ServedFile(OTHER, md5=ServedFile(right).digest)})
    datastore.fault("p/f/a.dat", Fault.played(Head(), Body(stop=20_000), Close()))
    datastore.fault("p/f/a.dat", Fault.status(503))
    if not honest:
        datastore.fault("p/f/a.dat", Fault.ignore_if_range())
    process = site.start("--once", "--quiet")
    datastore.wait_for("p/f/a.dat", 2)
    datastore.replace_file("p", "f", "a.dat", right, update_index=True)
    process.communicate(timeout=90)
    assert process.returncode == 0
    assert site.published() == {"p/f/a.dat": right}
    third = datastore.requested("p/f/a.dat")[2]
    assert third.headers["range"] == "bytes=20000-"
    assert third.headers["if-range"] == f'"{ServedFile(OTHER).digest[:16]}-0"'


@pytest.mark.parametrize(
    "fault", [Fault.drip(5, after=1000), Fault.slow_headers(), Fault.stall(), Fault.stall(after=1000)],
    ids=["a drip", "headers that never end", "silence", "silence in the middle"],
)  # fmt: skip
def test_a_slow_loris_gives_its_slot_back(tmp_path: Path, datastore: DataStore, fault: Fault) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.fault("*.0.fits", fault, times=3)
    site = Site(tmp_path, datastore.url, engine="transfers = 1", mirror='stall_timeout = "1s"\nmin_rate = "1kB/s"')
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


@pytest.mark.parametrize("fault", [Fault.drip(5), Fault.slow_headers()], ids=["a drip", "headers that never end"])
def test_an_index_that_is_a_slow_loris_is_given_up(tmp_path: Path, datastore: DataStore, fault: Fault) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.fault("prod0/o470.chip.0/index.txt", fault, times=1)
    slow = 'stall_timeout = "1s"\nmin_rate = "1kB/s"\nindex_timeout = "1s"\nconnect_timeout = "1s"'
    site = Site(tmp_path, datastore.url, mirror=slow)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_one_missing_file_blocks_its_fileset_alone(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.fault(FILE, Fault.status(404), times=None)
    found = site.once()
    assert found["exit_code"] == 3
    failure = only_failure(found)
    assert (failure["kind"], failure["file"]) == ("missing", FILE.rpartition("/")[2])
    assert "404" in failure["detail"]
    assert site.published() == {path: body for path, body in expected.items() if "/o470.chip.0/" not in path}
