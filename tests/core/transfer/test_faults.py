"""What a broken or hostile server does to a transfer, and what is told of it."""

from __future__ import annotations

import socket
import time
from email.utils import formatdate

import pytest

from core.errors import FailureKind
from core.transfer.base import Access
from tests.core.transfer.courier import QUICK, Courier, content, md5, one_answer
from tests.servers.datastore import DataStore, Fault

SMALL, LARGE = 10_000, 5_000_000
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])


def offer(store: DataStore, size: int, *faults: Fault) -> bytes:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    for fault in faults:
        store.fault("p/f/a.dat", fault)
    return data


# The network breaks.


async def test_connection_refused(courier: Courier) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        outcome = await courier.fetch(courier.job(f"http://127.0.0.1:{closed.getsockname()[1]}/a.dat", b"x"))
    assert (outcome.kind, outcome.detail) == (FailureKind.TRANSIENT, "connection refused")


async def test_a_host_name_that_does_not_exist(courier: Courier) -> None:
    outcome = await courier.fetch(courier.job("http://no-such-host.invalid/a.dat", b"x"))
    assert (outcome.kind, outcome.detail) == (FailureKind.TRANSIENT, "host name not found")


async def test_a_url_that_is_none(courier: Courier) -> None:
    for url in ("http://[::1/a.dat", "ftp://127.0.0.1/a.dat", "file:///etc/passwd", "http://127.0.0.1:99999/a"):
        outcome = await courier.fetch(courier.job(url, b"x"))
        assert outcome.kind is FailureKind.UNSAFE, url
        assert courier.on_disk() is None


async def test_reset_before_an_answer(store: DataStore, courier: Courier) -> None:
    data = offer(store, SMALL, Fault.refuse())
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert (outcome.kind, outcome.detail) == (FailureKind.TRANSIENT, "the connection broke before an answer came")


@SIZES
@pytest.mark.parametrize("fault", [Fault.reset, Fault.truncate])
async def test_reset_in_the_middle(store: DataStore, courier: Courier, size: int, fault: type[Fault]) -> None:
    data = offer(store, size, fault(after=size // 2))  # type: ignore[call-arg]
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is FailureKind.TRANSIENT
    assert outcome.kept == outcome.fetched == size // 2
    assert courier.on_disk() == data[: size // 2]


@pytest.mark.parametrize("fault", [Fault.half_headers(), Fault.garbage()], ids=lambda fault: fault.name)
async def test_an_answer_that_is_none(store: DataStore, courier: Courier, fault: Fault) -> None:
    data = offer(store, SMALL, fault)
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is FailureKind.TRANSIENT
    assert outcome.detail.isprintable()
    assert courier.on_disk() is None


async def test_a_connection_that_is_never_accepted_is_given_up(courier: Courier) -> None:
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        access = Access(connect_seconds=0.2)
        job = courier.job(f"http://127.0.0.1:{deaf.getsockname()[1]}/a.dat", b"x", access=access)
        outcome = await courier.fetch(job)
    assert (outcome.kind, outcome.detail) == (FailureKind.TRANSIENT, "no connection could be made in time")


# The server is slow.


@SIZES
async def test_a_stalled_transfer_is_given_up_and_its_bytes_are_kept(
    store: DataStore, courier: Courier, size: int
) -> None:
    data = offer(store, size, Fault.stall(after=size // 2))
    impatient = Access(stall_seconds=1.0, min_rate=10**9)
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, access=impatient))
    assert outcome.kind is FailureKind.TRANSIENT
    assert outcome.detail.startswith("stalled: less than 1000000000 B/s for 1 s after ")
    assert outcome.kept == size // 2
    assert courier.on_disk() == data[: size // 2]


async def test_headers_that_never_end(store: DataStore, courier: Courier) -> None:
    data = offer(store, SMALL, Fault.slow_headers())
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert (outcome.kind, outcome.detail) == (FailureKind.TRANSIENT, "no answer in time")


async def test_a_drip_below_the_lowest_rate(store: DataStore, courier: Courier) -> None:
    data = offer(store, SMALL, Fault.drip(100))
    access = Access(stall_seconds=1.0, min_rate=1000)
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, access=access))
    assert outcome.kind is FailureKind.TRANSIENT
    assert "less than 1000 B/s" in outcome.detail


async def test_the_status_counts_though_its_page_never_ends(courier: Courier) -> None:
    head = b"HTTP/1.1 503 Oh\r\nRetry-After: 7\r\n\r\n"
    with one_answer(head, endless=b"never ends " * 1000) as url:
        outcome = await courier.fetch(courier.job(url, b"x"))
    assert (outcome.kind, outcome.retry_after) == (FailureKind.TRANSIENT, 7.0)


# The server refuses.


@pytest.mark.parametrize(
    ("status", "kind"),
    [(status, FailureKind.TRANSIENT) for status in (408, 425, 429, 500, 502, 503, 504, 599)]
    + [(status, FailureKind.MISSING) for status in (404, 410)]
    + [(status, FailureKind.DENIED) for status in (401, 403, 407)]
    + [(status, FailureKind.TRANSIENT) for status in (202, 204, 304, 400, 418)],
)
async def test_statuses(store: DataStore, courier: Courier, status: int, kind: FailureKind) -> None:
    data = offer(store, SMALL, Fault.status(status, b"<html>no</html>" if status not in (204, 304) else b""))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is kind
    assert str(status) in outcome.detail
    assert courier.on_disk() is None


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [("120", 120.0), ("0", 0.0), ("999999999", 7 * 86400.0), ("soon", None), ("-5", None), ("Wed, 99 Foo", None)],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after(store: DataStore, courier: Courier, status: int, wish: str, seconds: float | None) -> None:
    data = offer(store, SMALL, Fault.status(status, retry_after=wish))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.retry_after == seconds


async def test_retry_after_as_a_date(store: DataStore, courier: Courier) -> None:
    data = offer(store, SMALL, Fault.status(503, retry_after=formatdate(time.time() + 100, usegmt=True)))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.retry_after == pytest.approx(100, abs=20)


async def test_the_connection_survives_an_error_page(store: DataStore, courier: Courier) -> None:
    data = offer(store, SMALL, Fault.status(404, b"x" * 500))
    await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert store.connections == 1


# The bytes are wrong.


@SIZES
@pytest.mark.parametrize("sync", [False, True])
async def test_one_flipped_bit(store: DataStore, courier: Courier, size: int, sync: bool) -> None:
    data = offer(store, size, Fault.flip(size // 2))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, sync=sync))
    wrong = bytearray(data)
    wrong[size // 2] ^= 1
    assert outcome.kind is FailureKind.INTEGRITY
    assert outcome.detail == f"MD5 is {md5(bytes(wrong))}, the index says {md5(data)}"
    assert (outcome.size, outcome.digest, outcome.kept) == (size, md5(bytes(wrong)), 0)
    assert courier.on_disk() is None


@SIZES
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_shorter_body_is_fetched_as_evidence(
    store: DataStore, courier: Courier, size: int, chunked: bool
) -> None:
    short = Fault.short_length(size - 10)
    data = offer(store, size, short & Fault.chunked() if chunked else short)
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is FailureKind.INTEGRITY
    assert outcome.detail == f"{size - 10} bytes, the index says {size}"
    assert (outcome.size, outcome.digest, outcome.kept) == (size - 10, md5(data[:-10]), 0)
    assert courier.on_disk() is None


@SIZES
async def test_an_announced_longer_body_is_not_fetched(store: DataStore, courier: Courier, size: int) -> None:
    data = offer(store, size, Fault.longer(content(4_000_000, seed=2)))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is FailureKind.INTEGRITY
    assert outcome.detail == f"longer than the {size} bytes listed"
    assert outcome.size == size + 4_000_000
    assert outcome.digest is None
    assert outcome.fetched == 0
    assert courier.on_disk() is None


@SIZES
async def test_an_endless_body_is_cut(store: DataStore, courier: Courier, size: int) -> None:
    data = offer(store, size, Fault.endless(b"0123456789"))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is FailureKind.INTEGRITY
    assert outcome.detail == f"longer than the {size} bytes listed"
    assert outcome.fetched < size + 100_000
    assert courier.on_disk() is None


async def test_bytes_beyond_the_announced_length_do_no_harm(store: DataStore, courier: Courier) -> None:
    data = offer(store, SMALL, Fault.longer(b"HTTP/1.1 200 OK\r\n\r\n", declared=False))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is None
    assert courier.on_disk() == data


@pytest.mark.parametrize("length", [SMALL - 1, SMALL + 1])
async def test_a_content_length_that_lies(store: DataStore, courier: Courier, length: int) -> None:
    data = offer(store, SMALL, Fault.lie_length(length))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is FailureKind.INTEGRITY
    assert outcome.size == length
    assert courier.on_disk() is None


@SIZES
async def test_a_compressed_body_is_not_unpacked(store: DataStore, courier: Courier, size: int) -> None:
    data = offer(store, size, Fault.gzip() & Fault.chunked())
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is FailureKind.INTEGRITY
    assert "Content-Encoding gzip" in outcome.detail
    assert courier.on_disk() is None


async def test_a_file_that_is_a_gzip_is_taken_as_it_is(store: DataStore, courier: Courier) -> None:
    data = offer(store, SMALL, Fault.status(200, content(SMALL), {"Content-Encoding": "gzip"}))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is None
    assert courier.on_disk() == data


async def test_a_page_instead_of_the_file(store: DataStore, courier: Courier) -> None:
    page = b"<html>Database down</html>"
    data = offer(store, SMALL, Fault.status(200, page, {"Content-Type": "text/html"}))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert (outcome.kind, outcome.size) == (FailureKind.INTEGRITY, len(page))


async def test_a_body_that_ends_with_the_connection(courier: Courier) -> None:
    data = content(SMALL)
    head = b'HTTP/1.0 200 OK\r\nETag: "1"\r\n\r\n'
    with one_answer(head + data) as url:
        assert (await courier.fetch(courier.job(url, data))).kind is None
    with one_answer(head + data[:-1]) as url:
        outcome = await courier.fetch(courier.job(url, data))
    assert outcome.kind is FailureKind.TRANSIENT
    assert outcome.kept == SMALL - 1


async def test_foreign_text_in_a_message_is_harmless(store: DataStore, courier: Courier) -> None:
    data = offer(store, SMALL, Fault.redirect("\x1b]52;c;x\x07evil://h/[/x]"))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is not None
    assert outcome.detail.isprintable()


async def test_one_bad_file_does_not_hurt_its_siblings(store: DataStore, courier: Courier) -> None:
    files = {f"{n}.dat": content(1000, n) for n in range(20)}
    store.add_fileset("p", "f", files)
    store.fault("p/f/7.dat", Fault.status(404), times=None)
    store.fault("p/f/8.dat", Fault.stall(), times=None)
    jobs = [courier.job(f"{store.url}/p/f/{name}", data, name=name, access=QUICK) for name, data in files.items()]
    courier.transport.submit(jobs)
    outcomes = [await courier.outcome(job) for job in jobs]
    assert [n for n, outcome in enumerate(outcomes) if outcome.kind is not None] == [7, 8]
