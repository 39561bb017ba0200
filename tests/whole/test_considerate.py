"""A source that wants to be left alone is; one that stalls in places, or registers again, is followed all the same."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from core.model import CommandKind
from tests.servers.datastore import DataStore, Fault
from tests.whole.service import seen, serving, states, wait_until, wish
from tests.whole.site import Site, counts, fill, register

WISH = "is left alone until "


def test_a_root_that_asks_for_rest_is_asked_once_and_no_product_is(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=6, filesets=1)
    site.once()
    datastore.forget()
    datastore.fault("index.txt", Fault.status(503, retry_after=3600))
    found = site.once()
    assert found["exit_code"] == 4
    assert "503 Service Unavailable, and " + WISH in found["mirrors"][0]["error"]
    assert [request.path for request in datastore.requests] == ["index.txt"]
    assert [product["lag_seconds"] for product in found["mirrors"][0]["products"]] == [None] * 6
    assert site.published() == expected


def test_products_are_not_asked_when_one_of_them_has_asked_for_rest(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=12, filesets=1, files=1)
    datastore.fault("prod*/index.txt", Fault.status(429, retry_after=3600), times=None)
    found = site.once()
    assert found["exit_code"] == 4
    assert WISH in found["mirrors"][0]["error"]
    assert len(datastore.requested("prod*/index.txt")) <= 4, "those that were asked at the same time"
    errors = [error for (error,) in seen(site, "SELECT error FROM products")]
    assert len([error for error in errors if error.startswith("not asked: ") and WISH in error]) >= 8
    assert site.log().count(WISH) <= 4, "the wish is told by those who heard it"


def test_files_are_not_asked_for_when_an_index_has_asked_for_rest(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=50)
    held = threading.Event()
    datastore.fault("*.fits", Fault.late(held), times=None)
    datastore.fault("prod0/after/index.txt", Fault.status(429, retry_after=3600))
    site = Site(tmp_path, datastore.url, engine="transfers = 4", mirror='poll_interval = "0.2s"')
    with serving(site):
        try:
            wait_until(lambda: seen(site, "SELECT count(*) FROM files") == [(200,)], "all files to be listed")
            datastore.wait_for("*.fits", 4)
            register(datastore, "prod0", "after")
            wait_until(lambda: seen(site, "SELECT 1 FROM hosts"), "the wish to be heard")
        finally:
            held.set()
        wait_until(lambda: seen(site, "SELECT count(*) FROM files WHERE state = 'staged'") == [(4,)], "what was begun")
    assert len(datastore.requested("*.fits")) == 4
    assert expected.keys() >= {request.path for request in datastore.requested("*.fits")}


def test_a_host_that_failed_is_left_alone_by_the_next_engine_but_for_what_is_new(
    site: Site, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=2)
    failing = min(expected)
    datastore.fault(failing, Fault.status(503), times=None)
    assert site.once()["exit_code"] == 3
    expected |= register(datastore, "prod0", "late")
    host = f"{datastore.address}:{datastore.port}"
    with closing(sqlite3.connect(site.folder / "mirror.db")) as db, db:
        db.execute("INSERT INTO hosts VALUES (?, ?, '5 failures in a row')", (host, time.time() + 1000))
        db.execute("UPDATE files SET next_try = 0 WHERE state = 'retry_wait'")
    datastore.heal()
    datastore.forget()
    assert site.once()["exit_code"] == 0, "what is new shows that the host works, and ends the rest"
    assert f"{host} is left alone until " in site.log()
    paths = [request.path for request in datastore.requests]
    assert paths.index(failing) > min(paths.index(path) for path in expected if "/late/" in path)
    assert site.published() == expected


def test_a_host_that_fails_for_what_is_new_too_rests_until_an_operator_wishes_otherwise(
    site: Site, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=1)
    site.once()
    expected |= register(datastore, "prod0", "late")
    host = f"{datastore.address}:{datastore.port}"
    with closing(sqlite3.connect(site.folder / "mirror.db")) as db, db:
        db.execute("INSERT INTO hosts VALUES (?, ?, '5 failures in a row')", (host, time.time() + 1000))
    datastore.fault("*.fits", Fault.status(503), times=None)
    datastore.forget()
    ended = site.run("--once")
    assert ended.code == 3
    assert f"{host} is left alone until " in ended.out
    assert len(datastore.requested("*.fits")) <= 2, "it was probed, one by one"
    datastore.heal()
    assert site.run("retry", "--all").code == 0
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_short_wish_is_waited_for(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=2, filesets=1)
    datastore.fault("index.txt", Fault.status(503, retry_after=1))
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_service_polls_no_sooner_than_the_source_wishes(tmp_path: Path, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    site = Site(tmp_path, datastore.url, mirror='poll_interval = "0.1s"')
    site.once()
    datastore.forget()
    datastore.fault("*", Fault.status(503, retry_after=3600), times=None)
    with serving(site):
        wait_until(lambda: seen(site, "SELECT 1 FROM mirrors WHERE error LIKE '%503%'"), "the wish to be heard")
        wait_until(lambda: seen(site, "SELECT 1 FROM hosts"), "the rest to be told")
        for kind in (CommandKind.POLL, CommandKind.RETRY):
            wish(site, kind)
        [(polled,), (tried,)] = seen(site, "SELECT result FROM commands ORDER BY id")
    rests = f"{datastore.address}:{datastore.port} rests until "
    assert f"1 source looked at as soon as may be: {rests}" in polled
    assert rests not in tried, "there was nothing to try"
    assert len(datastore.requests) == 1
    assert not seen(site, "SELECT 1 FROM products WHERE error IS NOT NULL"), "that its host rests is no failure of it"
    assert seen(site, "SELECT error LIKE '%503%' FROM mirrors") == [(1,)], "nor does it hide the last one"


def test_who_wants_files_tried_again_is_told_until_when_their_host_rests(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=1)
    datastore.fault("*.fits", Fault.status(429, retry_after=3600), times=None)
    with serving(site):
        wait_until(lambda: seen(site, "SELECT 1 FROM hosts"), "the wish to be heard")
        wait_until(lambda: seen(site, "SELECT 1 FROM filesets WHERE trouble = 'failed'"), "the failure to be recorded")
        wish(site, CommandKind.RETRY)
        host = f"{datastore.address}:{datastore.port}"
        assert f"{host} is left alone until " in site.run("status").out
        assert [one["host"] for one in json.loads(site.run("status", "--json").out)["rests"]] == [host]
        assert " tried again; " in (told := seen(site, "SELECT result FROM commands")[0][0])
        assert f"{host} rests until " in told


def test_one_index_that_stalls_holds_up_no_other(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    expected: dict[str, bytes] = {}
    for number in range(80):
        expected |= register(datastore, "p", f"f{number:02}", files=1, size=10)
    held = threading.Event()
    datastore.fault("p/f00/index.txt", Fault.gate(held, after=20))
    with serving(site):
        wait_until(lambda: list(states(site).values()).count("published") == 79, "the others to be published")
        assert states(site)["f00"] == "discovered"
        held.set()
        wait_until(lambda: states(site)["f00"] == "published", "the slow one to follow")
    assert site.published() == expected


def test_the_newest_fileset_that_is_registered_again_is_seen_at_the_next_poll(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    site.once()
    again = {f"again.{n}.fits": b"other bytes %d" % n for n in range(2)}
    datastore.register_again("prod0", "o470.chip.1", again, registered="2026-11-05T00:00:00Z")
    datastore.forget()
    found = site.once()
    assert (found["exit_code"], counts(found, "prod0")["published"]) == (0, 2)
    assert [request.query for request in datastore.requested("prod0/index.txt*")] == [""], "the whole list"
    old = {path: body for path, body in expected.items() if "/o470.chip.0/" in path}
    assert site.published() == old | {f"prod0/o470.chip.1/{name}": body for name, body in again.items()}
    datastore.forget()
    site.once()
    assert [request.query for request in datastore.requested("prod0/index.txt*")] == ["o470.chip.1"]


def test_a_fileset_that_the_root_names_and_no_query_tells_is_seen_at_once(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2, files=1)
    site.once()
    blank = b"".join(datastore.index("prod0/index.txt").splitlines(keepends=True)[:1])
    datastore.fault("prod0/index.txt[?]o*", Fault.replace(blank), times=None)
    expected |= register(datastore, "prod0", "late1") | register(datastore, "prod0", "late2")
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert [request.query for request in datastore.requested("prod0/index.txt*")] == ["o470.chip.1", ""]
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert [request.query for request in datastore.requested("prod0/index.txt*")] == ["late2"]


def test_a_service_seeks_a_fileset_that_is_in_no_list_once(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=2, files=1)
    site.once()
    datastore.raw_index("index.txt", datastore.index("index.txt").replace(b"o470.chip.1", b"nowhere"))
    datastore.forget()
    site.configure(datastore.url, mirror='poll_interval = "0.1s"')
    with serving(site):
        datastore.wait_for("prod0/index.txt", 5)
    queries = [request.query for request in datastore.requested("prod0/index.txt")]
    assert queries[:2] == ["o470.chip.1", ""]
    assert set(queries[2:]) == {"o470.chip.1"}


def test_a_root_that_tells_another_kind_of_time_costs_no_whole_list(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=2)
    root = datastore.index("index.txt")
    for hour in range(4):
        datastore.raw_index("index.txt", root.replace(b"2026-11-01T00:", b"2026-11-06T%02d:" % hour))
        assert site.once()["exit_code"] == 0
    assert [request.query for request in datastore.requested("prod0/index.txt*")] == ["", *["o470.chip.1"] * 3]


def test_a_service_looks_once_an_hour_whether_refused_rows_are_mended(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=3, files=1)
    whole = datastore.index("prod0/index.txt")
    datastore.raw_index("prod0/index.txt", whole.replace(b"o470.chip.1|2026-11", b"o470.chip.1|2026-13"))
    assert site.once()["exit_code"] == 3
    datastore.forget_raw("prod0/index.txt")
    datastore.forget()
    site.configure(datastore.url, mirror='poll_interval = "0.1s"')
    with serving(site):
        datastore.wait_for("prod0/index.txt", 3)
        assert "o470.chip.1" not in states(site), "the whole list is not taken at each poll"
        with closing(sqlite3.connect(site.folder / "mirror.db")) as db, db:
            db.execute("UPDATE products SET reconciled_at = reconciled_at - 3600")
        wait_until(lambda: states(site).get("o470.chip.1") == "published", "the mended row to be seen")
        datastore.wait_for("prod0/index.txt", len(datastore.requested("prod0/index.txt")) + 3)
    queries = [request.query for request in datastore.requested("prod0/index.txt")]
    assert queries.count("") == 1
