"""The adapter for the IPP Data Store, against a recorded one and one that misbehaves."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import AsyncIterator

import pytest

from core.errors import ConfigError, CursorRefused, ExitCode, FailureKind, SourceError
from core.model import ListedFile, Rejection
from core.sources import open_source
from core.sources.base import Listing, Source, SourceOptions
from core.sources.ipp_parse import RowT
from tests.servers.datastore import DataStore, Fault, ServedFile
from tests.servers.recorded import TREE, serve_recorded

INDEX = "gpc1/index.txt"
HEADER = b"# filesetID|time registered|type|\n"


@pytest.fixture(name="source")
async def opened_source(datastore: DataStore) -> AsyncIterator[Source]:
    """Yield a source on a Data Store with the filesets f1 to f5 of gpc1."""
    datastore.add_product("gpc1")
    for number in range(1, 6):
        datastore.add_fileset("gpc1", f"f{number}", {"a.fits": b"x" * number})
    source = open_source("ipp", SourceOptions(datastore.url))
    yield source
    await source.close()


def rows(listing: Listing[RowT]) -> list[RowT | Rejection]:
    with listing:
        return [row for batch in listing.batches() for row in batch]


def names(listing: Listing[RowT]) -> list[str]:
    return [row.name for row in rows(listing)]


def queries(store: DataStore) -> list[str]:
    return [request.query for request in store.requests if request.path == INDEX]


async def failure(source: Source, cursors: tuple[str, ...] = ()) -> SourceError:
    with pytest.raises(SourceError) as caught:
        (await source.filesets("gpc1", cursors)).close()
    assert caught.value.detail.isprintable()
    assert caught.value.exit_code is ExitCode.SOURCE
    return caught.value


# The recorded store.


async def test_the_recorded_tree_is_listed_from_product_to_file() -> None:
    with serve_recorded() as store:
        source = open_source("ipp", SourceOptions(store.url))
        assert names(await source.products()) == ["md-all-rel-200907", "threepi-all-200908", "dist-200904"]
        assert rows(await source.filesets("threepi-all-200908", ())) == []
        assert names(await source.filesets("md-all-rel-200907", ())) == ["MD04.200901", "MD04.200903", "MD04.200904"]
        for file in rows(await source.files("md-all-rel-200907", "MD04.200903")):
            assert isinstance(file, ListedFile)
            content = (TREE / "md-all-rel-200907" / "MD04.200903" / file.name).read_bytes()
            assert (file.size, file.digest) == (len(content), hashlib.md5(content).hexdigest())
        await source.close()


@pytest.mark.parametrize(
    ("replay", "expected", "partial", "requests"),
    [
        ("incremental", ["o4741g0232o.chip.14520.32.1", "o4741g0233o.camera.14521.33.1"], True, 1),
        ("nothing-newer", [], True, 1),
        ("unknown-cursor", ["MD04.200901", "MD04.200903", "MD04.200904"], False, 2),
        ("no-product", ["MD04.200901", "MD04.200903", "MD04.200904"], False, 2),
    ],
)
async def test_recorded_answers_to_a_cursor(replay: str, expected: list[str], partial: bool, requests: int) -> None:
    with serve_recorded({"md-all-rel-200907/index.txt?seen": replay}) as store:
        source = open_source("ipp", SourceOptions(store.url))
        listing = await source.filesets("md-all-rel-200907", ["seen"])
        assert (listing.cursor is not None) is partial
        assert names(listing) == expected
        assert len(store.requests) == requests
        await source.close()


async def test_a_database_that_is_down_is_an_error_and_not_an_unknown_cursor() -> None:
    with serve_recorded({"gpc1/index.txt*": "database-down"}) as store:
        source = open_source("ipp", SourceOptions(store.url))
        error = await failure(source, ("seen", "older"))
        assert error.kind is FailureKind.MALFORMED
        assert "text that is not an index: 'DBI connect(" in error.detail
        assert len(store.requests) == 1
        await source.close()


async def test_what_the_recorded_store_does_not_have_is_missing() -> None:
    with serve_recorded({"none/index.txt": "no-product", "none/f/index.txt": "no-fileset"}) as store:
        source = open_source("ipp", SourceOptions(store.url))
        for listing in (source.filesets("none", ()), source.files("none", "f")):
            with pytest.raises(SourceError) as caught:
                await listing
            assert (caught.value.kind, caught.value.status) == (FailureKind.MISSING, 404)
        await source.close()


# Cursors.


async def test_only_what_is_newer_than_the_cursor_is_listed(source: Source, datastore: DataStore) -> None:
    listing = await source.filesets("gpc1", ["f3", "f2"])
    assert listing.cursor is not None
    assert names(listing) == ["f4", "f5"]
    assert queries(datastore) == ["f3"]


@pytest.mark.parametrize("unknown", ["blank", "404", "500"])
async def test_an_older_cursor_is_tried_when_the_newest_was_withdrawn(
    unknown: str, source: Source, datastore: DataStore
) -> None:
    datastore.unknown_cursor = unknown  # type: ignore[assignment]
    datastore.withdraw("gpc1", "f4")
    listing = await source.filesets("gpc1", ["f4", "f3"])
    assert listing.cursor is not None
    assert names(listing) == ["f5"]
    assert queries(datastore) == ["f4", "f3"]


@pytest.mark.parametrize("unknown", ["blank", "404", "500"])
async def test_the_whole_list_is_taken_when_three_cursors_are_unknown(
    unknown: str, source: Source, datastore: DataStore
) -> None:
    datastore.unknown_cursor = unknown  # type: ignore[assignment]
    listing = await source.filesets("gpc1", ["x1", "x2", "x3", "f5"])
    assert listing.cursor is None
    assert names(listing) == ["f1", "f2", "f3", "f4", "f5"]
    assert queries(datastore) == ["x1", "x2", "x3", ""]


async def test_a_store_that_ignores_the_cursor_sends_its_whole_list(source: Source, datastore: DataStore) -> None:
    datastore.unknown_cursor = "whole"
    assert names(await source.filesets("gpc1", ["x1"])) == ["f1", "f2", "f3", "f4", "f5"]
    datastore.static = True
    assert names(await source.filesets("gpc1", ["f4"])) == ["f1", "f2", "f3", "f4", "f5"]
    assert queries(datastore) == ["x1", "f4"]


async def test_a_server_that_is_down_altogether_is_transient(source: Source, datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.status(500), times=None)
    error = await failure(source, ("f5", "f4"))
    assert (error.kind, error.status) == (FailureKind.TRANSIENT, 500)
    assert queries(datastore) == ["f5", "f4", ""]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.status(401), FailureKind.DENIED),
        (Fault.status(403), FailureKind.DENIED),
        (Fault.status(429), FailureKind.TRANSIENT),
        (Fault.status(503, retry_after=7), FailureKind.TRANSIENT),
        (Fault.refuse(), FailureKind.TRANSIENT),
        (Fault.truncate(20), FailureKind.TRANSIENT),
        (Fault.redirect("file:///etc/passwd"), FailureKind.UNSAFE),
        (Fault.replace(b"<html>\n"), FailureKind.MALFORMED),
        (Fault.replace(HEADER + b"f5|2026"), FailureKind.MALFORMED),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_a_failure_that_tells_nothing_of_the_cursor_is_raised_at_once(
    fault: Fault, kind: FailureKind, source: Source, datastore: DataStore
) -> None:
    datastore.fault(INDEX, fault, times=None)
    assert (await failure(source, ("f5", "f4"))).kind is kind
    assert queries(datastore) == ["f5"]


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault.status(status) for status in (400, 403, 405, 414, 422, 451, 204)),
        Fault.replace(b"<html>\n"),
        Fault.redirect("../index.txt"),
    ],
    ids=lambda fault: fault.name,
)
async def test_what_may_be_refused_for_the_cursor_alone_is_told_as_such(
    fault: Fault, source: Source, datastore: DataStore
) -> None:
    datastore.fault(f"{INDEX}[?]f*", fault, times=None)
    assert isinstance(await failure(source, ("f5",)), CursorRefused)
    assert queries(datastore) == ["f5"]
    assert names(await source.filesets("gpc1", ())) == ["f1", "f2", "f3", "f4", "f5"]


@pytest.mark.parametrize(
    "fault",
    [*(Fault.status(status) for status in (401, 407, 408, 425, 429)), Fault.refuse(), Fault.redirect("file:///x")],
    ids=lambda fault: fault.name,
)
async def test_what_has_other_reasons_than_the_cursor_is_told_as_such(
    fault: Fault, source: Source, datastore: DataStore
) -> None:
    datastore.fault(f"{INDEX}[?]f*", fault, times=None)
    assert type(await failure(source, ("f5",))) is SourceError


async def test_an_overloaded_server_is_left_alone_as_long_as_it_wants(source: Source, datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.status(503, retry_after=7))
    assert (await failure(source, ("f5",))).retry_after == 7.0


# Indexes that are no indexes.

BROKEN = {
    "nothing": b"",
    "blank": b" \r\n \n",
    "HTML": b"<!DOCTYPE html>\n<html><body>Welcome</body></html>\n",
    "comment only": b"# hello\n",
    "another level": b"# fileID|bytes|md5sum|type|\na|1||t|\n",
    "cut row": HEADER + b"f1|2026-11-21T05:33:21Z|t|\nf2|2026-11-21T0",
    "cut header": b"# filesetID|time regis",
    "compressed": b"\x1f\x8b\x08\x00\x00\x00",
    "NULs": bytes(1000),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_an_index_that_is_none_is_malformed(body: bytes, source: Source, datastore: DataStore) -> None:
    datastore.raw_index("index.txt", body)
    datastore.raw_index(INDEX, body)
    error = await failure(source)
    assert error.kind is FailureKind.MALFORMED
    assert f"{datastore.url}/{INDEX}: " in error.detail
    with pytest.raises(SourceError, match=r"index\.txt: ") as of_products:
        await source.products()
    assert of_products.value.kind is FailureKind.MALFORMED


@pytest.mark.parametrize("body", [b"", b"\n", b"\n\n"])
async def test_a_blank_answer_without_a_cursor_is_malformed(body: bytes, source: Source, datastore: DataStore) -> None:
    datastore.raw_index(INDEX, body)
    datastore.raw_index("gpc1/f1/index.txt", body)
    error = await failure(source, ("f5",))
    assert error.kind is FailureKind.MALFORMED
    assert error.detail.endswith("the answer is empty")
    assert queries(datastore) == ["f5", ""]
    with pytest.raises(SourceError, match="the answer is empty"):
        await source.files("gpc1", "f1")


# What a listing holds.


async def test_a_listing_tells_the_digest_of_the_index_as_received(source: Source, datastore: DataStore) -> None:
    with await source.files("gpc1", "f1") as listing:
        assert listing.sha256 == hashlib.sha256(datastore.index("gpc1/f1/index.txt")).hexdigest()
        assert listing.cursor is None


async def test_a_listing_can_be_read_again(source: Source) -> None:
    with await source.filesets("gpc1", ()) as listing:
        assert list(listing.batches()) == list(listing.batches())


async def test_files_in_conflict_are_named_and_the_others_are_listed(source: Source, datastore: DataStore) -> None:
    datastore.raw_index("gpc1/f1/index.txt", b"# fileID|bytes|md5sum|type|\na|1||t|\nb|1||t|\na|2||t|\nc|1||t|\n")
    listing = await source.files("gpc1", "f1")
    assert names(listing) == ["a", "b", "a", "c"]
    assert listing.conflicts == {"a"}


async def test_a_hostile_row_leaves_its_siblings_alone(source: Source, datastore: DataStore) -> None:
    hostile: dict[str, bytes | ServedFile] = {
        "../../etc/passwd": b"",
        ".mirrortui": b"",
        "good.fits": b"xy",
        "-rf": b"",
        "odd": ServedFile(b"", size="-1"),
    }
    datastore.add_fileset("gpc1", "f6", hostile)
    found = rows(await source.files("gpc1", "f6"))
    assert [row.name for row in found if isinstance(row, ListedFile)] == ["good.fits"]
    assert [row.name for row in found if isinstance(row, Rejection)] == ["../../etc/passwd", ".mirrortui", "-rf", "odd"]


async def test_two_filesets_of_one_second_are_both_listed(source: Source, datastore: DataStore) -> None:
    for name in ("g1", "g2"):
        datastore.add_fileset("gpc1", name, {}, registered="2026-11-21T05:33:21Z")
    assert names(await source.filesets("gpc1", ["f5"])) == ["g1", "g2"]
    assert names(await source.filesets("gpc1", ["g1"])) == ["g2"]


@pytest.mark.parametrize("name", ["a b", "a+b:c", "100%41", "q?x=1&y#z", "é.chip", "~a,b@c=d!$'();*"])
async def test_names_of_all_kinds_reach_the_server_as_they_are(name: str, datastore: DataStore) -> None:
    datastore.add_product(name)
    datastore.add_fileset(name, name, {"a.fits": b"1"})
    datastore.add_fileset(name, "last", {"a.fits": b"1"})
    source = open_source("ipp", SourceOptions(datastore.url))
    assert names(await source.filesets(name, [name])) == ["last"]
    assert names(await source.files(name, name)) == ["a.fits"]
    assert source.file_url(name, name, name).count("/") == source.file_url("a", "a", "a").count("/")
    assert {request.status for request in datastore.requests} == {200}
    await source.close()


async def test_ten_thousand_filesets_arrive_in_order(source: Source, datastore: DataStore) -> None:
    body = HEADER + b"".join(b"f%05d.chip.%04d|2026-11-21T05:33:21Z|IPP-DIST|\n" % (n, n) for n in range(10_000))
    datastore.raw_index(INDEX, body)
    assert names(await source.filesets("gpc1", ())) == [f"f{n:05}.chip.{n:04}" for n in range(10_000)]


# How a source is opened.


@pytest.mark.parametrize("end", ["", "/", "//", "/index.txt", "/index.txt/", "/#top"])
def test_the_root_may_be_written_in_several_ways(end: str) -> None:
    source = open_source("ipp", SourceOptions(f"http://[::1]:8080/ipp049/ds{end}"))
    assert source.file_url("gpc1", "f 1", "a.fits") == "http://[::1]:8080/ipp049/ds/gpc1/f%201/a.fits"


def test_a_root_without_a_path_is_a_root() -> None:
    assert open_source("ipp", SourceOptions("https://host/")).file_url("p", "f", "a") == "https://host/p/f/a"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host/ds",
        "ftp://me:hunter2@host/ds",
        "http://",
        "http://me:hunter2@host:99999/",
        "http://[me:hunter2@",
        "http://h/ds?t=hunter2",
    ],
)
def test_a_url_that_is_none_is_a_configuration_error_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigError, match="not the URL of a Data Store") as caught:
        open_source("ipp", SourceOptions(url))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_an_unknown_protocol_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"unknown protocol 'gopher\\x1b'; known: ipp"):
        open_source("gopher\x1b", SourceOptions("http://host/"))


def test_options_do_not_show_their_secrets() -> None:
    options = SourceOptions("http://host/", (("X-Token", "hunter2"),), "me", "hunter2")
    assert "hunter2" not in repr(options)
