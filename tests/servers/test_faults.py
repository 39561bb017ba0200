"""Each fault does to a client what its name says."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import httpx
import pytest

from tests.servers.datastore import DataStore, Fault

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)
FILE = "gpc1/o1.chip/a.fits"


@pytest.fixture
def store(datastore: DataStore) -> DataStore:
    datastore.add_product("gpc1")
    datastore.add_fileset("gpc1", "o1.chip", {"a.fits": CONTENT})
    return datastore


def fetch(store: DataStore, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.get(f"{store.url}/{FILE}", headers=named, timeout=10)


def broken_fetch(store: DataStore) -> tuple[httpx.HTTPError, bytes]:
    """Return how a fetch broke off, and the bytes that had come by then."""
    received = b""
    with httpx.Client(timeout=10) as client:
        try:
            with client.stream("GET", f"{store.url}/{FILE}") as answer:
                for piece in answer.iter_raw():
                    received += piece
        except httpx.HTTPError as error:
            return error, received
    raise AssertionError("the fetch did not break off")


@contextmanager
def asked(store: DataStore) -> Iterator[socket.socket]:
    """Yield a bare connection on which the file has been asked for."""
    parts = urlsplit(store.url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection:
        connection.sendall(f"GET {parts.path}/{FILE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        yield connection


def everything(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(1 << 20), b""))


def nothing_more(connection: socket.socket) -> bool:
    """Tell whether the connection is open and silent."""
    connection.settimeout(0.05)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    return False


def test_faults_have_their_turns_in_order_and_can_be_healed(store: DataStore) -> None:
    store.fault("*.fits", Fault.status(503, retry_after=7), times=2)
    store.fault(FILE, Fault.status(404))
    store.fault("gpc1/*", Fault.status(500), times=None)
    answers = [fetch(store) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [503, 503, 404, 500, 500]
    assert answers[0].headers["retry-after"] == "7"
    store.heal("gpc1/*")
    assert fetch(store).content == CONTENT


@pytest.mark.parametrize("after", [0, 1, 70_000, SIZE - 1])
def test_reset_delivers_exactly_the_bytes_before_it(store: DataStore, after: int) -> None:
    store.fault(FILE, Fault.reset(after))
    error, received = broken_fetch(store)
    assert isinstance(error, httpx.ReadError)
    assert received == CONTENT[:after]


@pytest.mark.parametrize("after", [0, 1, 70_000, SIZE - 1])
def test_truncate_closes_early(store: DataStore, after: int) -> None:
    store.fault(FILE, Fault.truncate(after))
    error, received = broken_fetch(store)
    assert isinstance(error, httpx.RemoteProtocolError)
    assert received == CONTENT[:after]


def test_stall_keeps_the_connection_open(store: DataStore) -> None:
    store.fault(FILE, Fault.stall(after=1000))
    with asked(store) as connection:
        received = b""
        while not received.endswith(CONTENT[:1000]):
            received += connection.recv(4096)
        assert nothing_more(connection)


def test_delay_keeps_even_the_head_back(store: DataStore) -> None:
    store.fault(FILE, Fault.delay(60))
    with asked(store) as connection:
        store.wait_for(FILE)
        assert nothing_more(connection)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.refuse(), httpx.ReadError),
        (Fault.half_headers(), httpx.RemoteProtocolError),
        (Fault.garbage(), httpx.RemoteProtocolError),
        (Fault.lie_length(SIZE + 1), httpx.RemoteProtocolError),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_faults_that_a_client_cannot_overlook(store: DataStore, fault: Fault, error: type[Exception]) -> None:
    store.fault(FILE, fault)
    with pytest.raises(error):
        fetch(store)


@pytest.mark.parametrize(
    ("fault", "content"),
    [
        (Fault.short_length(10), CONTENT[:10]),
        (Fault.longer(b"more"), CONTENT + b"more"),
        (Fault.longer(b"more", declared=False), CONTENT),
        (Fault.lie_length(SIZE - 1), CONTENT[:-1]),
        (Fault.flip(1), b"\x00\x00" + CONTENT[2:]),
        (Fault.replace(b"other"), b"other"),
        (Fault.chunked(), CONTENT),
        (Fault.drip(200, after=SIZE - 5), CONTENT),
        (Fault.delay(0.01) & Fault.flip(0), b"\x01" + CONTENT[1:]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_faults_of_the_body(store: DataStore, fault: Fault, content: bytes) -> None:
    store.fault(FILE, fault)
    assert fetch(store).content == content


def test_undeclared_bytes_follow_the_body(store: DataStore) -> None:
    store.fault(FILE, Fault.longer(b"more", declared=False))
    with asked(store) as connection:
        assert everything(connection).endswith(CONTENT[-4:] + b"more")


def test_gzip_in_spite_of_identity(store: DataStore) -> None:
    store.fault(FILE, Fault.gzip())
    with httpx.stream("GET", f"{store.url}/{FILE}", headers={"Accept-Encoding": "identity"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())) == CONTENT


def test_redirects(store: DataStore) -> None:
    store.fault(FILE, Fault.redirect("file:///etc/passwd", 301))
    answer = fetch(store)
    assert (answer.status_code, answer.headers["location"]) == (301, "file:///etc/passwd")


def test_ranges_answered_wrongly(store: DataStore) -> None:
    store.fault(FILE, Fault.wrong_range(7))
    assert fetch(store, Range="bytes=100-").headers["content-range"] == f"bytes 7-{SIZE - 94}/{SIZE}"
    store.fault(FILE, Fault.no_range())
    assert fetch(store, Range="bytes=100-").status_code == 200
    store.fault(FILE, Fault.range_not_satisfiable())
    assert fetch(store, Range="bytes=100-").status_code == 416
    store.fault(FILE, Fault.ignore_if_range())
    assert fetch(store, Range="bytes=100-", If_Range='"another"').status_code == 206


def test_validators(store: DataStore) -> None:
    store.fault(FILE, Fault.no_validators())
    assert not {"etag", "last-modified"} & set(fetch(store).headers)
    store.fault(FILE, Fault.weak_etag(), times=2)
    weak = fetch(store).headers["etag"]
    assert weak.startswith('W/"')
    assert fetch(store, Range="bytes=5-", If_Range=weak).status_code == 200
    store.fault(FILE, Fault.changing_etag(), times=None)
    assert fetch(store).headers["etag"] != fetch(store).headers["etag"]


def test_headers_that_never_end(store: DataStore) -> None:
    store.fault(FILE, Fault.slow_headers(interval=0.001))
    with asked(store) as connection:
        received = b""
        while received.count(b"X-More: 1\r\n") < 5:
            received += connection.recv(1 << 16)
        assert b"\r\n\r\n" not in received


def test_endless_index(store: DataStore) -> None:
    store.fault("gpc1/index.txt", Fault.endless(b"x" * 1000, start=b"# filesetID|"))
    with httpx.stream("GET", f"{store.url}/gpc1/index.txt") as answer:
        received = 0
        for piece in answer.iter_raw():
            received += len(piece)
            if received > 4 << 20:
                break
    assert store.requested("gpc1/index.txt")[0].sent_bytes >= received


def test_gate_waits_for_the_test(store: DataStore) -> None:
    opened = threading.Event()
    store.fault(FILE, Fault.gate(opened, after=1000))
    with httpx.stream("GET", f"{store.url}/{FILE}") as answer:
        pieces = answer.iter_raw()
        assert len(next(pieces)) <= 1000
        opened.set()
        for _ in pieces:
            pass
        assert answer.num_bytes_downloaded == SIZE


def test_closing_ends_whatever_is_under_way(store: DataStore) -> None:
    store.fault(FILE, Fault.stall())
    with asked(store) as connection, suppress(ConnectionResetError):
        store.wait_for(FILE)
        store.close()
        everything(connection)
