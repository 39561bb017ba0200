"""Answers that break the rules of HTTP, byte by byte: to a request for an index, and to one for a file."""

from __future__ import annotations

import gzip

import pytest

from core.errors import FailureKind, SourceError
from core.sources import open_source
from core.sources.base import SourceOptions
from core.sources.catalogue import CatalogueClient
from core.sources.ipp_parse import FILESETS, Shape
from core.transfer.base import PLAIN_SIZE
from tests.core.transfer.courier import Courier, content
from tests.servers.datastore import DataStore, Fault
from tests.servers.script import FAITHFULLY, Again, Body, Close, Head, Raw, Silence, Step
from tests.whole.site import Site, fill

OK = b"HTTP/1.1 200 OK\r\n"
FILES = b"# fileID|bytes|md5sum|type|\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SIZES = pytest.mark.parametrize("size", [1000, PLAIN_SIZE * 4])

BROKEN: dict[str, tuple[Step, ...]] = {
    "a chunk whose size is none": (Raw(CHUNKED + b"ZZ\r\nabc\r\n0\r\n\r\n"), Close()),
    "a chunk larger than any memory": (Raw(CHUNKED + b"7FFFFFFFFFFFFFFF\r\nabc"), Close()),
    "a chunk size without end": (Raw(CHUNKED), Again((Raw(b"1" * 4096),))),
    "a chunk that is cut off": (Raw(CHUNKED + b"ff\r\nabc"), Close()),
    "chunks without an end": (Raw(CHUNKED + b"3\r\nabc\r\n"), Close()),
    "NUL in a header": (Raw(OK + b"X-Name: a\0b\r\nContent-Length: 3\r\n\r\nabc"), Close()),
    "a length below zero": (Raw(OK + b"Content-Length: -3\r\n\r\nabc"), Close()),
    "two lengths": (Raw(OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc"), Close()),
    "a length beyond all numbers": (Raw(OK + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nabc"), Close()),
    "a header without end": (Raw(OK + b"X-Name: "), Again((Raw(b"x" * 65536),))),
    "a flood of headers": (Raw(OK), Again((Raw(b"X-Name: value\r\n" * 4096),))),
    "a flood of interim answers": (Again((Raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),)),),
    "no status": (Raw(b"HTTP/1.1 \r\n\r\n"), Close()),
    "half a status line, then silence": (Raw(b"HTTP/1."), Silence()),
    "not HTTP at all": (Raw(b"\x00\xff\x13SSH-2.0-nonsense\r\n\r\n\x7f"), Close()),
    "a switch to another protocol": (Raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), Silence()),
}
ANSWERS = pytest.mark.parametrize("steps", BROKEN.values(), ids=BROKEN.keys())


@SIZES
@ANSWERS
async def test_an_answer_that_breaks_the_rules_brings_no_file_and_the_next_one_does(
    store: DataStore, courier: Courier, size: int, steps: tuple[Step, ...]
) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.played(*steps))
    job = courier.job(f"{store.url}/p/f/a.dat", data, plain=size <= PLAIN_SIZE)
    outcome = await courier.fetch(job)
    assert outcome.kind in (FailureKind.TRANSIENT, FailureKind.INTEGRITY)
    assert outcome.detail.isprintable()
    assert courier.on_disk() in (None, b"abc"), "what was kept is continued only if the server confirms it"
    again = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert (again.kind, courier.on_disk()) == (None, data)


@ANSWERS
async def test_an_answer_that_breaks_the_rules_is_no_index_and_the_next_one_is(
    datastore: DataStore, steps: tuple[Step, ...]
) -> None:
    datastore.add_product("p")
    datastore.fault("p/index.txt", Fault.played(*steps))
    client = CatalogueClient(SourceOptions(datastore.url, connect_seconds=1.0, index_seconds=1.0))
    try:
        with pytest.raises(SourceError) as caught:
            await client.fetch(f"{datastore.url}/p/index.txt", Shape(FILESETS))
        assert caught.value.kind in (FailureKind.TRANSIENT, FailureKind.MALFORMED)
        assert caught.value.detail.isprintable()
        (await client.fetch(f"{datastore.url}/p/index.txt", Shape(FILESETS))).close()
    finally:
        await client.close()


EXTRA = pytest.mark.parametrize(
    "extra",
    [
        pytest.param(b"\r\n", id="a line end"),
        pytest.param(b"0\r\n\r\n", id="the end of chunks"),
        pytest.param(b"x" * 500, id="some of the next body"),
        pytest.param(OK + b"Content-Length: 4\r\n\r\nevil", id="another answer"),
    ],
)


@EXTRA
@SIZES
async def test_bytes_after_a_body_are_never_the_next_file(
    store: DataStore, courier: Courier, size: int, extra: bytes
) -> None:
    files = {f"{number}.dat": content(size, seed=number) for number in range(8)}
    store.add_fileset("p", "f", files)
    store.fault("p/f/*.dat", Fault.played(*FAITHFULLY, Raw(extra)), times=None)
    for name, data in files.items():
        job = courier.job(f"{store.url}/p/f/{name}", data, name=name, plain=size <= PLAIN_SIZE)
        outcome = await courier.fetch(job)
        if outcome.kind is not None:
            assert courier.on_disk(name) is None
            outcome = await courier.fetch(job._replace(id=job.id + 100, plain=False, fresh=True))
        assert (outcome.kind, courier.on_disk(name)) == (None, data)


@EXTRA
def test_a_server_that_adds_bytes_to_its_answers_is_mirrored_all_the_same(
    site: Site, datastore: DataStore, extra: bytes
) -> None:
    expected = fill(datastore, products=1, filesets=3)
    datastore.fault("*.fits", Fault.played(*FAITHFULLY, Raw(extra)), times=None)
    assert site.once()["exit_code"] == 0
    assert site.published() == expected


async def test_an_answer_too_many_is_never_the_next_index(datastore: DataStore) -> None:
    datastore.add_product("p")
    for number in range(4):
        datastore.add_fileset("p", f"f{number}", {f"{number}.dat": b"x"})
    evil = FILES + b"evil.dat|1||t|\n"
    extra = OK + b"Content-Length: %d\r\n\r\n" % len(evil) + evil
    first = datastore.index("p/f0/index.txt")
    answer = OK + b"Content-Length: %d\r\n\r\n" % len(first) + first
    datastore.fault("p/f0/index.txt", Fault.played(Raw(answer + extra)))
    source = open_source("ipp", SourceOptions(datastore.url))
    try:
        for number in range(4):
            with await source.files("p", f"f{number}") as listing:
                assert [row.name for batch in listing.batches() for row in batch] == [f"{number}.dat"]
    finally:
        await source.close()


async def test_connections_that_are_closed_between_requests_fail_nothing(store: DataStore, courier: Courier) -> None:
    files = {f"{number}.dat": content(1000, seed=number) for number in range(5)}
    store.add_fileset("p", "f", files)
    store.fault("p/f/*.dat", Fault.played(*FAITHFULLY, Close()), times=None)
    for name, data in files.items():
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/{name}", data, name=name))
        assert (outcome.kind, courier.on_disk(name)) == (None, data)


async def test_a_gzip_bomb_is_not_unpacked(store: DataStore, courier: Courier) -> None:
    bomb = gzip.compress(bytes(100_000_000), 9)
    store.add_fileset("p", "f", {"a.dat": content(50_000)})
    store.fault("p/f/a.dat", Fault.status(200, bomb, {"Content-Encoding": "gzip"}))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", content(50_000)))
    assert outcome.kind is FailureKind.INTEGRITY
    assert outcome.fetched <= len(bomb)
    assert courier.on_disk() is None


RANGED = b"HTTP/1.1 206 Partial Content\r\nETag: %b\r\n"
PARTS = b"--x\r\nContent-Range: bytes 500-999/1000\r\n\r\n" + b"z" * 500 + b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param(b"Content-Type: multipart/byteranges; boundary=x\r\n", PARTS, id="in parts"),
        pytest.param(b"", b"z" * 500, id="of no range"),
        pytest.param(b"Content-Range: bytes 499-999/1000\r\n", b"z" * 501, id="from before"),
        pytest.param(b"Content-Range: bytes 500-999/2000\r\n", b"z" * 500, id="of a longer file"),
        pytest.param(b"Content-Range: bytes 500-999/*\r\n", b"z" * 500, id="of an unknown length"),
        pytest.param(b"Content-Range: bytes 500-998/1000\r\n", b"z" * 499, id="cut short"),
        pytest.param(b"Content-Range: items 500-999/1000\r\n", b"z" * 500, id="in another unit"),
    ],
)
async def test_a_partial_answer_that_is_not_the_one_asked_for_is_never_spliced(
    store: DataStore, courier: Courier, head: bytes, body: bytes
) -> None:
    data = content(1000)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.played(Head(), Body(stop=500), Close()))
    before = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert before.kept == 500
    tag = (before.validator or "").encode()
    answer = RANGED % tag + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    store.fault("p/f/a.dat", Fault.played(Raw(answer)))
    job = courier.job(f"{store.url}/p/f/a.dat", data, offset=before.kept, validator=before.validator)
    outcome = await courier.fetch(job)
    assert (outcome.kind, outcome.resumed, courier.on_disk()) == (None, False, data)
    assert [("range" in request.headers) for request in store.requests] == [False, True, False]


TAG, DATE = b'ETag: "one"\r\n', b"Last-Modified: Fri, 01 Jan 2021 00:00:00 GMT\r\n"
WEAK, OTHER_TAG, OTHER_DATE = b'ETag: W/"one"\r\n', b'ETag: "two"\r\n', DATE.replace(b"2021", b"2026")


@pytest.mark.parametrize(
    ("first", "then", "fits"),
    [
        pytest.param(TAG + DATE, TAG, True, id="the same tag"),
        pytest.param(TAG + DATE, DATE, True, id="a date instead of the tag"),
        pytest.param(TAG, WEAK + DATE, False, id="a weak tag"),
        pytest.param(TAG + DATE, OTHER_TAG + DATE, False, id="another tag"),
        pytest.param(TAG, OTHER_TAG + TAG, False, id="two tags"),
        pytest.param(TAG, TAG + b"Content-Encoding: gzip\r\n", False, id="the same tag, compressed"),
        pytest.param(DATE, DATE + OTHER_TAG, True, id="the same date"),
        pytest.param(DATE, OTHER_DATE, False, id="another date"),
        pytest.param(DATE, b"", True, id="nothing"),
    ],
)
async def test_a_part_of_another_version_is_never_spliced(
    store: DataStore, courier: Courier, first: bytes, then: bytes, fits: bool
) -> None:
    old, new = content(1000), content(1000, seed=1)
    second = old if fits else new
    store.add_fileset("p", "f", {"a.dat": second})
    store.fault("p/f/a.dat", Fault.played(Raw(OK + first + b"Content-Length: 1000\r\n\r\n" + old[:500]), Close()))
    rest = b"Content-Range: bytes 500-999/1000\r\nContent-Length: 500\r\n\r\n" + second[500:]
    store.fault("p/f/a.dat", Fault.played(Raw(b"HTTP/1.1 206 Partial Content\r\n" + then + rest)))
    before = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", second))
    assert before.kept == 500
    more = {"offset": before.kept, "validator": before.validator}
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", second, **more))
    assert (outcome.kind, outcome.resumed, courier.on_disk()) == (None, fits, second)
    assert outcome.fetched == (500 if fits else 1000), "nothing of another version is taken, not even to be judged"
