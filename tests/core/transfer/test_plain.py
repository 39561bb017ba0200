"""Plain jobs: the same verdicts on small files, though nobody looked at the headers."""

from __future__ import annotations

import pytest

from core.errors import FailureKind
from core.transfer.base import PLAIN_SIZE
from tests.core.transfer.courier import Courier, content, one_answer
from tests.servers.datastore import DataStore, Fault

DATA = content(10_000)
URL = "p/f/a.dat"


@pytest.fixture
def url(store: DataStore) -> str:
    store.add_fileset("p", "f", {"a.dat": DATA})
    return f"{store.url}/{URL}"


async def test_a_plain_file_arrives(url: str, courier: Courier) -> None:
    outcome = await courier.fetch(courier.job(url, DATA, plain=True))
    assert (outcome.kind, outcome.fetched) == (None, len(DATA))
    assert courier.on_disk() == DATA


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault.status(404), FailureKind.MISSING, "404 Not Found"),
        (Fault.status(403), FailureKind.DENIED, "403 Forbidden"),
        (Fault.status(500), FailureKind.TRANSIENT, "500 Internal Server Error"),
        (Fault.refuse(), FailureKind.TRANSIENT, "broke before an answer"),
        (Fault.flip(17), FailureKind.INTEGRITY, "MD5 is"),
        (Fault.longer(bytes(100)), FailureKind.INTEGRITY, "longer than the 10000 bytes listed"),
        (Fault.longer(bytes(4_000_000)), FailureKind.INTEGRITY, "longer than the 10000 bytes listed"),
        (Fault.replace(DATA[:-10]), FailureKind.INTEGRITY, "9990 bytes, the index says 10000"),
        (Fault.replace(DATA[:-10]) & Fault.chunked(), FailureKind.INTEGRITY, "9990 bytes, the index says 10000"),
        (Fault.gzip(), FailureKind.INTEGRITY, "sent with Content-Encoding gzip, though identity was asked for"),
        (Fault.redirect("file:///etc/passwd"), FailureKind.UNSAFE, "redirect"),
    ],
)
async def test_verdicts(
    store: DataStore, url: str, courier: Courier, fault: Fault, kind: FailureKind, words: str
) -> None:
    store.fault(URL, fault)
    outcome = await courier.fetch(courier.job(url, DATA, plain=True))
    assert outcome.kind is kind
    assert words in outcome.detail
    assert outcome.kept == 0
    assert courier.on_disk() is None


@pytest.mark.parametrize("fault", [Fault.reset(after=5000), Fault.truncate(after=5000)])
async def test_what_breaks_off_is_continued(store: DataStore, url: str, courier: Courier, fault: Fault) -> None:
    store.fault(URL, fault)
    first = courier.job(url, DATA, plain=True)
    outcome = await courier.fetch(first)
    assert (outcome.kind, outcome.kept) == (FailureKind.TRANSIENT, 5000)
    again = await courier.fetch(courier.job(url, DATA, offset=outcome.kept, validator=outcome.validator))
    assert (again.kind, again.resumed) == (None, True)
    assert courier.on_disk() == DATA


async def test_a_date_that_no_calendar_has_is_no_validator(courier: Courier) -> None:
    head = b"HTTP/1.1 200 OK\r\nLast-Modified: Fri, 01 Jan 99999 00:00:00 GMT\r\nContent-Length: 10000\r\n\r\n"
    with one_answer(head + DATA) as url:
        outcome = await courier.fetch(courier.job(url, DATA, plain=True))
    assert (outcome.kind, outcome.validator, courier.on_disk()) == (None, None, DATA)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("120", 120.0),
        ("86400", 86_400.0),
        ("3.5", 3.5),
        ("3, 3", 3.0),
        ("3\r\nRetry-After: 1", 3.0),
        ("1\r\nRetry-After: 3", 3.0),
    ],
)
async def test_a_server_that_asks_for_patience_is_heard_and_not_asked_again(
    store: DataStore, url: str, courier: Courier, plain: bool, wish: str, seconds: float
) -> None:
    store.fault(URL, Fault.status(503, retry_after=wish))
    outcome = await courier.fetch(courier.job(url, DATA, plain=plain))
    assert (outcome.kind, outcome.retry_after) == (FailureKind.TRANSIENT, seconds)
    assert len(store.requests) == 1


async def test_a_redirect_is_followed(store: DataStore, url: str, courier: Courier) -> None:
    store.add_fileset("p", "elsewhere", {"a.dat": DATA})
    store.fault(URL, Fault.redirect("../elsewhere/a.dat"))
    assert (await courier.fetch(courier.job(url, DATA, plain=True))).kind is None
    assert courier.on_disk() == DATA


async def test_a_body_without_end_is_cut_off(courier: Courier) -> None:
    with one_answer(b"HTTP/1.0 200 OK\r\n\r\n" + bytes(40 * PLAIN_SIZE)) as url:
        outcome = await courier.fetch(courier.job(url, DATA, plain=True))
    assert outcome.kind is FailureKind.INTEGRITY
    assert courier.on_disk() is None


async def test_under_a_bound_a_plain_file_asks_for_leave_too(url: str, courier: Courier) -> None:
    courier.transport.limit(1_000_000)
    outcome = await courier.fetch(courier.job(url, DATA, plain=True))
    assert outcome.kind is None
    assert (outcome.validator or "").startswith('"')
