"""Names and catalogues that are broken, stale or hostile, as the real program takes them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.model import CommandKind
from core.store.commands import Target
from tests.servers.datastore import DataStore, Fault
from tests.servers.script import Close, End, Head, More, Raw, Step
from tests.whole.service import seen, serving, states, wait_until, write_wishes
from tests.whole.site import Site, counts, fill, register

FILES = b"# fileID|bytes|md5sum|type|\n"
FILESETS = b"# filesetID|time registered|type|\n"
FAILED = "SELECT name, failure_kind FROM filesets WHERE failure_kind IS NOT NULL"
EMPTY = b"d41d8cd98f00b204e9800998ecf8427e"


def reasons(found: Any) -> list[str]:
    assert {one["kind"] for one in found["failures"]} <= {"rejected"}
    return [one["detail"] for one in found["failures"]]


def serve(store: DataStore, index: bytes, **files: bytes) -> None:
    """Offer the fileset p/f with these files, listed by exactly this index."""
    store.add_product("p")
    store.add_fileset("p", "f", {name.replace("_", "."): body for name, body in files.items()})
    store.raw_index("p/f/index.txt", index)


def test_an_empty_id_and_one_with_a_line_end_are_refused_and_their_siblings_go_on(
    site: Site, datastore: DataStore
) -> None:
    rows = b"|0|%b|t|\na\nb.dat|0|%b|t|\ngood.dat|0|%b|t|\n" % (EMPTY, EMPTY, EMPTY)
    serve(datastore, FILES + rows, good_dat=b"", b_dat=b"")
    found = site.once()
    assert found["exit_code"] == 3
    assert [("the name is empty" in one, "1 fields" in one) for one in reasons(found)] == [(True, False), (False, True)]
    assert site.published() == {"p/f/good.dat": b"", "p/f/b.dat": b""}


def test_sizes_and_digests_that_are_none_are_refused_row_by_row(site: Site, datastore: DataStore) -> None:
    sizes = [b"-1", b"", b"12x", b"1" + b"0" * 30, b"0x10", b"1e3", "\u0663".encode()]
    digests = [EMPTY[:-1], EMPTY + b"0", b"g" * 32, b"null", b"%b!" % EMPTY[:-1]]
    rows = b"".join(b"s%d.dat|%b|%b|t|\n" % (n, size, EMPTY) for n, size in enumerate(sizes))
    rows += b"".join(b"d%d.dat|0|%b|t|\n" % (n, digest) for n, digest in enumerate(digests))
    serve(datastore, FILES + rows + b"good.dat|4|%b|t|\n" % b"", good_dat=b"good")
    found = site.once()
    assert found["exit_code"] == 3
    told = reasons(found)
    assert sum("the size is not a number of bytes" in one for one in told) == len(sizes)
    assert sum("the md5sum is not 32 hex digits" in one for one in told) == len(digests)
    assert site.published() == {"p/f/good.dat": b"good"}


def test_of_refused_rows_by_the_thousand_the_first_are_told_one_by_one_and_all_are_counted(
    site: Site, datastore: DataStore
) -> None:
    bad = b"".join(b"bad%d|-1||t|\n" % number for number in range(5000))
    serve(datastore, FILES + bad + b"good.dat|4||t|\n", good_dat=b"good")
    listed = datastore.index("p/index.txt") + b"".join(b"bad%d|never|t|\n" % number for number in range(3000))
    datastore.raw_index("p/index.txt", listed)
    found = site.once()
    assert found["exit_code"] == 3
    assert site.published() == {"p/f/good.dat": b"good"}
    for fileset, told in (("f", "4,000 in all"), ("...", "2,000 in all")):
        last = [
            one["detail"]
            for one in found["failures"]
            if (one["fileset"], one["file"]) in ((fileset, "..."), (fileset, None))
        ]
        assert len(last) == 1
        assert told in last[0]
    assert len(found["failures"]) == 2 * 1001


def test_a_file_without_a_digest_is_checked_by_its_size_and_known_to_be_unverified(
    site: Site, datastore: DataStore
) -> None:
    serve(datastore, FILES + b"right.dat|4||t|\nwrong.dat|5||t|\n", right_dat=b"good", wrong_dat=b"four")
    found = site.once()
    assert found["exit_code"] == 3
    assert [(one["file"], one["kind"]) for one in found["failures"]] == [("wrong.dat", "integrity")]
    assert "4 bytes, the index says 5" in found["failures"][0]["detail"]
    assert not site.published(), "a fileset is published whole or not at all"
    assert seen(site, "SELECT name, digest FROM files") == [("right.dat", None), ("wrong.dat", None)]


def test_headers_in_the_middle_comments_blanks_and_a_missing_last_bar_are_read(
    site: Site, datastore: DataStore
) -> None:
    index = (
        b"\n  # made by hand\n#fileID | bytes|md5sum |type|chipname|\n\n  a.fits | 0 |%b| chip |XY01|\n"
        b"# fileID|bytes|md5sum|type|component\n\t b.tgz|0|%b|tgz|sky.1\n   \n# the end\n" % (EMPTY, EMPTY)
    )
    serve(datastore, index, a_fits=b"", b_tgz=b"")
    assert site.once()["exit_code"] == 0
    assert site.published() == {"p/f/a.fits": b"", "p/f/b.tgz": b""}
    assert seen(site, "SELECT name, type, columns FROM files") == [
        ("a.fits", "chip", '{"chipname":"XY01"}'),
        ("b.tgz", "tgz", '{"component":"sky.1"}'),
    ]


def test_text_that_is_not_utf8_comes_out_as_it_went_in(site: Site, datastore: DataStore) -> None:
    odd = b"caf\xe9 \xff\xfe"
    serve(datastore, b"# fileID|bytes|md5sum|type|note|\na.dat|0|%b|%b|%b|\n" % (EMPTY, odd, odd), a_dat=b"")
    assert site.once()["exit_code"] == 0
    assert (site.data / "p/f/index.txt").read_bytes().count(odd) == 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html><body>It works!</body></html>\n", id="an HTML page"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="a line end"),
        pytest.param(b"ERROR: the database is down\n", id="an error text"),
        pytest.param(FILES + b"a.dat|0|" + EMPTY[:7], id="a cut last line"),
        pytest.param(FILESETS, id="another level"),
    ],
)
def test_a_malformed_file_index_holds_back_its_fileset_alone_until_it_is_mended(
    site: Site, datastore: DataStore, body: bytes
) -> None:
    expected = fill(datastore, products=1, filesets=3)
    honest = datastore.index("prod0/o470.chip.1/index.txt")
    datastore.raw_index("prod0/o470.chip.1/index.txt", body)
    others = {path: data for path, data in expected.items() if "/o470.chip.1/" not in path}
    with serving(site):
        wait_until(lambda: seen(site, FAILED) == [("o470.chip.1", "index_malformed")], "the failure to be noted")
        wait_until(lambda: site.published() == others, "the others to be published")
        datastore.raw_index("prod0/o470.chip.1/index.txt", honest)
        assert site.run("retry", "--all").code == 0
        wait_until(lambda: site.published() == expected, "the index to be read again")


@pytest.mark.parametrize("end", [Close(), End()], ids=["by the network", "by the server"])
def test_an_index_whose_last_line_is_cut_off_is_not_taken_for_whole(
    site: Site, datastore: DataStore, end: Step
) -> None:
    expected = fill(datastore, products=1, filesets=2)
    index = datastore.index("prod0/index.txt")
    cut = index[: index.rindex(b"o470.chip.1") + 4]
    datastore.fault("prod0/index.txt", Fault.chunked() & Fault.played(Head(), More(cut), end))
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert len(datastore.requested("prod0/index.txt")) == 2


def test_an_index_that_is_cut_off_where_a_line_ends_is_read_again(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=1, files=3)
    lines = datastore.index("prod0/o470.chip.0/index.txt").splitlines(keepends=True)
    cut = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"".join(lines[:-1])
    datastore.fault("prod0/o470.chip.0/index.txt", Fault.played(Raw(cut), Close()))
    with serving(site):
        wait_until(lambda: site.published() == expected, "the whole fileset to be published")


def test_a_catalogue_that_changes_between_two_reads_loses_nothing(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    whole = datastore.index("prod0/index.txt")
    lines = whole.splitlines(keepends=True)
    for number in (2, 4, 1, 3):
        datastore.fault("prod0/index.txt", Fault.replace(b"".join(lines[:number])))
    for _ in range(4):
        assert site.once("--product", "prod0")["exit_code"] in (0, 4)
        assert set(states(site).values()) <= {"published", "withdrawn"}
    site.configure(datastore.url, mirror='reconcile_interval = "0.1s"')
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    paths = [request.path for request in datastore.requested("*.fits")]
    assert len(paths) == len(set(paths)), "nothing was fetched twice"


def test_filesets_registered_in_the_same_second_are_all_seen(site: Site, datastore: DataStore) -> None:
    datastore.add_product("p")
    expected: dict[str, bytes] = {}
    for number in range(6):
        expected |= register(datastore, "p", f"f{number}", files=1)
        assert site.once()["exit_code"] == 0
        expected |= register(datastore, "p", f"g{number}", files=1)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


def test_a_list_that_forgets_filesets_for_once_undoes_no_hold_and_hides_no_change(
    site: Site, datastore: DataStore
) -> None:
    fill(datastore, products=1, filesets=3, files=1)
    site.configure(datastore.url, mirror='reconcile_interval = "0.1s"')
    datastore.fault("prod0/o470.chip.0/*.fits", Fault.status(404), times=None)
    assert site.once()["exit_code"] == 3
    datastore.heal()
    whole = datastore.index("prod0/index.txt")
    rows = whole.splitlines(keepends=True)
    datastore.raw_index("prod0/index.txt", b"".join(row for row in rows if b"chip.2" in row or row.startswith(b"#")))
    asyncio.run(write_wishes(site, (CommandKind.HOLD, Target(filesets=("o470.chip.0",)))))
    assert site.once()["exit_code"] == 0
    assert states(site) == {"o470.chip.0": "withdrawn", "o470.chip.1": "withdrawn", "o470.chip.2": "published"}
    datastore.add_fileset("prod0", "o470.chip.1", {"other.fits": b"other"}, registered="2026-11-01T00:00:00Z")
    datastore.forget_raw("prod0/index.txt")
    assert site.once()["exit_code"] == 0
    assert seen(site, "SELECT name, state FROM filesets WHERE revision = 2") == [("o470.chip.1", "published")]
    assert states(site)["o470.chip.0"] == "held"
    assert {path for path in site.published() if "chip.2" not in path} == {"prod0/o470.chip.1/other.fits"}


def test_a_fileset_whose_row_was_refused_comes_with_the_next_run_once_it_is_mended(
    site: Site, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=4, files=1)
    whole = datastore.index("prod0/index.txt")
    rows = whole.splitlines(keepends=True)
    bad = [row.replace(b"2026-11", b"2026-13") if b"chip.1" in row or b"chip.3" in row else row for row in rows]
    datastore.raw_index("prod0/index.txt", b"".join(bad))
    assert site.once()["exit_code"] == 3
    datastore.forget_raw("prod0/index.txt")
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert site.published() == expected
    assert site.once()["exit_code"] == 0
    assert [request.query for request in datastore.requested("prod0/index.txt")] == ["", "o470.chip.3"]


def test_a_withdrawn_fileset_is_told_as_such_and_its_bytes_stay(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=3)
    site.configure(datastore.url, mirror='reconcile_interval = "0.1s"')
    site.once()
    datastore.withdraw("prod0", "o470.chip.1")
    assert site.once()["exit_code"] == 0
    assert states(site)["o470.chip.1"] == "withdrawn"
    assert site.published() == expected


def test_a_root_that_is_suddenly_empty_raises_an_alarm_and_deletes_nothing(site: Site, datastore: DataStore) -> None:
    header = datastore.index("index.txt")
    expected = fill(datastore, products=2, filesets=2)
    site.once()
    expected |= register(datastore, "prod0", "late")
    datastore.raw_index("index.txt", header)
    found = site.once()
    assert found["exit_code"] == 4
    assert "lists no product any more; nothing was deleted" in found["mirrors"][0]["error"]
    assert site.published() == expected, "what is known goes on being mirrored"
    datastore.forget_raw("index.txt")
    assert site.once()["exit_code"] == 0


def test_a_source_that_never_listed_a_product_is_told_and_no_error(site: Site) -> None:
    assert site.once()["exit_code"] == 0
    assert "the source lists no product" in site.log()


def test_a_root_without_the_products_that_are_named_is_no_alarm(tmp_path: Path, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=1)
    datastore.raw_index("index.txt", datastore.index("index.txt").splitlines(keepends=True)[0])
    site = Site(tmp_path / "named", datastore.url, mirror='products = ["prod0"]')
    for _ in range(2):
        assert site.once()["exit_code"] == 0
    assert "lists no product" not in site.log()
    assert site.published() == expected


def test_a_server_that_refuses_queries_is_asked_for_the_whole_list(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    site.once()
    datastore.fault("prod0/index.txt[?]o*", Fault.status(403), None)
    expected |= register(datastore, "prod0", "late")
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert [request.query for request in datastore.requested("prod0/index.txt")] == ["o470.chip.1", ""]
    assert site.published() == expected


def test_a_product_that_is_denied_altogether_stops_the_mirror(site: Site, datastore: DataStore) -> None:
    fill(datastore, products=1, filesets=2)
    site.once()
    datastore.fault("prod0/index.txt*", Fault.status(403), None)
    datastore.forget()
    found = site.once()
    assert (found["exit_code"], found["mirrors"][0]["stopped"]) == (4, "denied")
    assert [request.query for request in datastore.requested("prod0/index.txt")] == ["o470.chip.1", ""]
    datastore.heal()
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert [request.query for request in datastore.requested("prod0/index.txt")] == ["o470.chip.1"]


def test_a_malformed_index_does_not_move_the_cursor(site: Site, datastore: DataStore) -> None:
    expected = fill(datastore, products=1, filesets=2)
    site.once()
    expected |= register(datastore, "prod0", "late")
    datastore.fault("prod0/index.txt*", Fault.played(Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse")), None)
    assert site.once()["exit_code"] == 4
    datastore.heal()
    datastore.forget()
    assert site.once()["exit_code"] == 0
    assert [request.query for request in datastore.requested("prod0/index.txt")] == ["o470.chip.1"]
    assert site.published() == expected


def test_ids_of_every_hostile_kind_leave_the_state_sound(site: Site, datastore: DataStore) -> None:
    names = [
        b"..",
        b".",
        b"",
        b"a/b",
        b"a\\b",
        b"a\0b",
        b"-rf",
        b".mirrortui",
        b"index.txt",
        b"/etc",
        b"\xff",
        b"x" * 256,
    ]
    datastore.add_product("p")
    expected = register(datastore, "p", "good")
    rows = b"".join(b"%b|2026-11-01T00:00:00Z|t|\n" % name for name in names)
    datastore.raw_index("p/index.txt", FILESETS + rows + b"good|2026-11-01T00:00:00Z|t|\n")
    found = site.once()
    assert found["exit_code"] == 3
    assert counts(found, "p")["published"] == 1
    assert len(reasons(found)) == len(names)
    assert site.published() == expected
    with closing(sqlite3.connect(site.folder / "mirror.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_root_whose_newest_fileset_has_no_name_in_utf8_is_listed_all_the_same(
    site: Site, datastore: DataStore
) -> None:
    expected = fill(datastore, products=1, filesets=1)
    head = b"# productID|Most recent|Time registered|type|Description|\n"
    datastore.raw_index("index.txt", head + b"prod0|o470.\xff|2026-01-01T00:00:00Z|t|d|\n")
    for _ in range(2):
        assert site.once()["exit_code"] == 0
    assert site.published() == expected
