"""The fetching of indexes: limits, time-outs, redirects, credentials, and failures in plain words."""

from __future__ import annotations

import hashlib
import socket
import threading
import traceback
from pathlib import Path

import pytest

from core.errors import FailureKind, SourceError
from core.sources.base import SourceOptions
from core.sources.catalogue import CatalogueClient
from core.sources.ipp_parse import FILESETS, Shape
from core.sources.spool import DEFAULT_LIMITS, Limits
from tests.servers.certificates import Authority
from tests.servers.datastore import DataStore, Fault
from tests.servers.script import Close, Raw

INDEX = "gpc1/index.txt"
HEADER = b"# filesetID|time registered|type|\n"
ROW = b"f%07d|2026-11-21T05:33:21Z|IPP-DIST|\n"
SECRET = "hunter2"


def options(store: DataStore, **more: object) -> SourceOptions:
    return SourceOptions(store.url, **more)  # type: ignore[arg-type]


async def fetch(settings: SourceOptions, limits: Limits = DEFAULT_LIMITS, url: str = "") -> bytes:
    """Return the index of gpc1 as it was spooled."""
    client = CatalogueClient(settings, limits)
    try:
        spool = await client.fetch(url or f"{settings.url}/{INDEX}", Shape(FILESETS))
        body = b"".join(spool.lines())
        assert (spool.size, spool.sha256) == (len(body), hashlib.sha256(body).hexdigest())
        spool.close()
        return body
    finally:
        await client.close()


async def failure(settings: SourceOptions, limits: Limits = DEFAULT_LIMITS, url: str = "") -> SourceError:
    with pytest.raises(SourceError) as caught:
        await fetch(settings, limits, url)
    assert caught.value.detail.isprintable()
    assert "index.txt: " in caught.value.detail
    return caught.value


@pytest.fixture(autouse=True)
def _gpc1(datastore: DataStore) -> None:
    datastore.add_product("gpc1")
    datastore.add_fileset("gpc1", "f1", {"a.fits": b"1"})


async def test_an_index_comes_as_the_server_sent_it_and_as_it_is(datastore: DataStore) -> None:
    assert await fetch(options(datastore)) == datastore.index(INDEX)
    (request,) = datastore.requests
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("mirrortui/")
    assert "authorization" not in request.headers


# Limits.


async def test_a_long_index_goes_through_a_file(datastore: DataStore) -> None:
    body = HEADER + b"".join(ROW % number for number in range(10_000))
    datastore.raw_index(INDEX, body)
    assert await fetch(options(datastore), Limits(memory_bytes=1000)) == body


async def test_a_full_or_missing_place_for_long_indexes_is_a_matter_of_the_disk(
    datastore: DataStore, tmp_path: Path
) -> None:
    datastore.raw_index(INDEX, HEADER + ROW % 1)
    error = await failure(options(datastore, spool_folder=tmp_path / "gone"), Limits(memory_bytes=1))
    assert error.kind is FailureKind.DISK
    assert f"can't be spooled in {tmp_path / 'gone'}: No such file or directory" in error.detail
    limits = Limits(memory_bytes=1, spare_bytes=2**60)
    error = await failure(options(datastore, spool_folder=tmp_path), limits)
    assert error.kind is FailureKind.DISK
    assert f"can't be spooled in {tmp_path}: less than" in error.detail


async def test_all_long_indexes_of_a_source_share_one_bound(datastore: DataStore, tmp_path: Path) -> None:
    datastore.raw_index(INDEX, HEADER + ROW % 1)
    url = f"{datastore.url}/{INDEX}"
    client = CatalogueClient(options(datastore, spool_folder=tmp_path), Limits(memory_bytes=1, shelf_bytes=100))
    first = await client.fetch(url, Shape(FILESETS))
    with pytest.raises(SourceError, match="longer, with others that are being read, than 100 bytes"):
        await client.fetch(url, Shape(FILESETS))
    first.close()
    (await client.fetch(url, Shape(FILESETS))).close()
    await client.close()


async def test_an_index_without_end_stops_at_the_limit(datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.endless(ROW % 1, HEADER))
    error = await failure(options(datastore), Limits(total_bytes=2_000_000))
    assert error.kind is FailureKind.MALFORMED
    assert "longer than 2,000,000 bytes" in error.detail


@pytest.mark.parametrize("start", [b"", b"#", HEADER, HEADER + b"f1|"])
async def test_a_line_without_end_stops_early(start: bytes, datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.endless(b"x", start))
    error = await failure(options(datastore))
    assert error.kind is FailureKind.MALFORMED
    assert "a line is longer than 65,536 bytes" in error.detail


async def test_text_that_is_no_index_stops_at_its_first_line(datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.endless(b"<p>hello</p>\n", b"<html>\n"))
    assert "not an index: '<html>'" in (await failure(options(datastore))).detail


async def test_an_index_at_the_limits_is_taken(datastore: DataStore) -> None:
    body = HEADER + ROW % 1
    datastore.raw_index(INDEX, body)
    assert await fetch(options(datastore), Limits(total_bytes=len(body), line_bytes=len(ROW % 1) - 1)) == body
    error = await failure(options(datastore), Limits(total_bytes=len(body) - 1))
    assert error.kind is FailureKind.MALFORMED


# Time.


async def test_a_server_that_falls_silent_is_given_up(datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.stall(10))
    error = await failure(options(datastore, index_seconds=0.1))
    assert error.kind is FailureKind.TRANSIENT
    assert error.detail.endswith("no answer within 0.1 s")


async def test_headers_that_never_end_are_given_up(datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.slow_headers(0.01))
    error = await failure(options(datastore, connect_seconds=0.1, index_seconds=0.1))
    assert error.kind is FailureKind.TRANSIENT


async def test_an_index_that_drips_is_given_up_in_the_end(datastore: DataStore) -> None:
    datastore.raw_index(INDEX, HEADER + ROW % 1 * 1000)
    datastore.fault(INDEX, Fault.drip(1000))
    error = await failure(options(datastore), Limits(total_seconds=0.2))
    assert error.kind is FailureKind.TRANSIENT
    assert error.detail.endswith("not complete within 0.2 s")


async def test_an_index_in_crumbs_is_given_up_and_one_line_by_line_is_taken(datastore: DataStore) -> None:
    body = HEADER + b"".join(ROW % number for number in range(1500))
    datastore.raw_index(INDEX, body)
    datastore.fault(INDEX, Fault.crumbs(1))
    error = await failure(options(datastore))
    assert error.kind is FailureKind.TRANSIENT
    assert "comes in pieces of 1 byte:" in error.detail
    datastore.fault(INDEX, Fault.crumbs(len(ROW % 1)))
    assert await fetch(options(datastore)) == body


# Failures.


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (404, FailureKind.MISSING),
        (410, FailureKind.MISSING),
        (401, FailureKind.DENIED),
        (403, FailureKind.DENIED),
        (407, FailureKind.DENIED),
        *(
            (code, FailureKind.TRANSIENT)
            for code in (204, 206, 304, 400, 408, 418, 425, 429, 451, 500, 502, 503, 504, 599)
        ),
    ],
)
async def test_a_status_tells_what_to_do(code: int, kind: FailureKind, datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.status(code))
    error = await failure(options(datastore))
    assert (error.kind, error.status, error.retry_after) == (kind, code, None)
    assert f"the server answered {code}" in error.detail


@pytest.mark.parametrize(
    ("wish", "seconds"), [("120", 120.0), ("3.5", 3.5), ("3, 3", 3.0), ("3\r\nRetry-After: 1", 3.0)]
)
async def test_a_servers_wish_to_wait_is_heard(datastore: DataStore, wish: str, seconds: float) -> None:
    datastore.fault(INDEX, Fault.status(429, retry_after=wish))
    assert (await failure(options(datastore))).retry_after == seconds


BROKEN = [
    Fault.refuse(),
    Fault.reset(10),
    Fault.truncate(10),
    Fault.half_headers(),
    Fault.garbage(),
    Fault.garbage(b"<html>not HTTP at all</html>"),
]


@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.name)
async def test_a_connection_that_breaks_is_transient(fault: Fault, datastore: DataStore) -> None:
    datastore.fault(INDEX, fault)
    assert (await failure(options(datastore))).kind is FailureKind.TRANSIENT


async def test_a_body_shorter_than_its_length_is_transient(datastore: DataStore) -> None:
    datastore.static = True
    datastore.fault(INDEX, Fault.lie_length(100_000))
    assert (await failure(options(datastore))).kind is FailureKind.TRANSIENT


def unframed(body: bytes) -> Fault:
    return Fault.played(Raw(b"HTTP/1.1 200 OK\r\n\r\n" + body), Close(), name="unframed")


LISTED = HEADER + ROW % 1 + ROW % 2


async def test_an_index_whose_length_nobody_tells_counts_if_it_comes_twice_alike(datastore: DataStore) -> None:
    datastore.fault(INDEX, unframed(LISTED), times=None)
    assert await fetch(options(datastore)) == LISTED
    assert len(datastore.requests) == 2
    datastore.heal()
    datastore.forget()
    for _ in range(2):
        assert await fetch(options(datastore)) == datastore.index(INDEX)
        datastore.fault(INDEX, Fault.chunked())
    assert len(datastore.requests) == 2, "a length that is told costs nothing"


@pytest.mark.parametrize("bodies", [(HEADER + ROW % 1, LISTED), (LISTED, HEADER + ROW % 1)], ids=["first", "second"])
async def test_an_index_that_is_cut_off_where_a_line_ends_is_not_taken_for_whole(
    datastore: DataStore, bodies: tuple[bytes, bytes]
) -> None:
    for body in bodies:
        datastore.fault(INDEX, unframed(body))
    error = await failure(options(datastore))
    assert error.kind is FailureKind.TRANSIENT
    assert "its length is not told, and it came in two lengths or versions" in error.detail


async def test_an_index_whose_length_nobody_tells_may_be_gone_the_second_time(datastore: DataStore) -> None:
    datastore.fault(INDEX, unframed(LISTED))
    datastore.fault(INDEX, Fault.status(503, retry_after=9))
    error = await failure(options(datastore))
    assert (error.kind, error.status, error.retry_after) == (FailureKind.TRANSIENT, 503, 9.0)


async def test_a_refused_connection_says_so() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        error = await failure(SourceOptions(f"http://127.0.0.1:{listener.getsockname()[1]}/ds"))
    assert error.kind is FailureKind.TRANSIENT
    assert error.detail.endswith(": connection refused")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70])
async def test_a_host_without_address_is_an_error_in_words(host: str) -> None:
    error = await failure(SourceOptions(f"http://{host}/ds"))
    assert error.kind in {FailureKind.TRANSIENT, FailureKind.UNSAFE}
    assert host in error.detail


async def test_compression_that_nobody_asked_for_is_not_unpacked(datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.gzip())
    error = await failure(options(datastore))
    assert error.kind is FailureKind.MALFORMED
    assert "not an index: '\\x1f\\udc8b" in error.detail


# Redirects, and who is told the secrets.


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_on_the_same_host_is_followed_with_the_credentials(code: int) -> None:
    with DataStore(username="me", password=SECRET) as store:
        store.raw_index("moved/index.txt", HEADER)
        store.fault(INDEX, Fault.redirect("../moved/index.txt", code))
        settings = options(store, username="me", password=SECRET, headers=(("X-Token", SECRET),))
        assert await fetch(settings) == HEADER
        assert [request.headers["x-token"] for request in store.requests] == [SECRET, SECRET]


async def test_another_host_is_told_no_secrets_even_on_the_way_back(datastore: DataStore) -> None:
    with DataStore() as other:
        datastore.fault(INDEX, Fault.redirect(f"http://you:{SECRET}@127.0.0.1:{other.port}/ds/hop/index.txt"))
        other.fault("hop/index.txt", Fault.redirect(f"{datastore.url}/home/index.txt"))
        datastore.raw_index("home/index.txt", HEADER)
        settings = options(datastore, username="me", password=SECRET, headers=(("X-Token", SECRET), ("Cookie", SECRET)))
        assert await fetch(settings) == HEADER
        (abroad,) = other.requests
        assert SECRET not in str(abroad.headers)
        assert "authorization" not in abroad.headers
        assert {"authorization", "x-token"} <= datastore.requests[-1].headers.keys()


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "http://",
        "http://[",
        "http://[::1",
        "http://h:99999/",
        INDEX,
    ],
)
async def test_a_forbidden_redirect_is_refused(location: str, datastore: DataStore) -> None:
    datastore.fault("*", Fault.redirect(location if location != INDEX else f"{datastore.url}/{INDEX}"), times=None)
    error = await failure(options(datastore))
    assert error.kind is FailureKind.UNSAFE
    assert "redirect" in error.detail
    assert len(datastore.requests) <= 6


async def test_a_redirect_to_nowhere_is_an_answer_that_is_not_200(datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.status(302))
    error = await failure(options(datastore))
    assert (error.kind, error.status) == (FailureKind.TRANSIENT, 302)


@pytest.mark.parametrize(
    "location", [f"http://{'a' * 70}/", "http://a..b/", "http://\x7f/", "http://xn--a/", "//\xe9\xff/"]
)
async def test_a_redirect_to_an_impossible_host_is_an_error_in_words(location: str, datastore: DataStore) -> None:
    datastore.fault(INDEX, Fault.redirect(location))
    await failure(options(datastore))


async def test_credentials_of_other_programs_are_not_taken(
    datastore: DataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    await fetch(options(datastore))
    assert "authorization" not in datastore.requests[0].headers


@pytest.mark.parametrize(
    "fault",
    [
        *BROKEN,
        Fault.status(401),
        Fault.status(500),
        Fault.redirect(f"ftp://u:{SECRET}@h/"),
        Fault.replace(b"x"),
        Fault.stall(),
    ],
    ids=lambda fault: fault.name,
)
async def test_no_error_holds_a_secret(fault: Fault, datastore: DataStore) -> None:
    datastore.fault(INDEX, fault, times=None)
    settings = options(
        datastore, username="me", password=SECRET, headers=(("Authorization", f"Bearer {SECRET}"),), index_seconds=0.2
    )
    url = f"http://me:{SECRET}@127.0.0.1:{datastore.port}/ds/{INDEX}?{SECRET}"
    assert SECRET not in whole(await failure(settings, url=url))


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX-Evil: 1", f"{SECRET}\0", f"{SECRET} \u00e9\u20ac\n"])
async def test_a_header_that_cannot_be_sent_is_not_shown(value: str, datastore: DataStore) -> None:
    error = await failure(options(datastore, headers=(("X-Token", value),)))
    assert "check the configured headers" in error.detail
    assert SECRET not in whole(error)


def whole(error: SourceError) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


# TLS.


@pytest.fixture(name="authority", scope="module")
def private_authority() -> Authority:
    return Authority()


async def test_a_private_authority_can_be_configured(authority: Authority, tmp_path: Path) -> None:
    ca_file = authority.write(tmp_path / "ca.pem")
    with DataStore(tls=authority.server()) as store:
        store.add_product("gpc1")
        assert await fetch(options(store, ca_file=str(ca_file))) == store.index(INDEX)


async def test_the_default_authorities_can_be_named_by_the_environment(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(tmp_path / "ca.pem")))
    with DataStore(tls=authority.server()) as store:
        store.raw_index(INDEX, HEADER)
        assert await fetch(options(store)) == HEADER


@pytest.mark.parametrize(
    ("host", "expired", "trusted", "words"),
    [
        ("127.0.0.1", False, False, "unable to get local issuer certificate"),
        ("127.0.0.1", True, True, "certificate has expired"),
        ("example.org", False, True, "not valid for '127.0.0.1'"),
    ],
)
async def test_a_certificate_that_does_not_prove_the_host_is_refused(
    host: str, expired: bool, trusted: bool, words: str, authority: Authority, tmp_path: Path
) -> None:
    ca_file = (authority if trusted else Authority()).write(tmp_path / "ca.pem")
    with DataStore(tls=authority.server(host, expired)) as store:
        error = await failure(options(store, ca_file=str(ca_file)))
        assert store.requests == []
    assert error.kind is FailureKind.TLS
    assert words in error.detail


@pytest.mark.parametrize(
    ("reply", "kind"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", FailureKind.TLS), (b"", FailureKind.TRANSIENT)]
)
async def test_a_server_that_does_not_speak_tls_is_told_nothing(reply: bytes, kind: FailureKind) -> None:
    heard = b""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            nonlocal heard
            connection, _ = listener.accept()
            with connection:
                heard = connection.recv(100_000)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/ds"
        error = await failure(SourceOptions(url, (("X-Token", SECRET),), "me", SECRET))
        thread.join()
    assert error.kind is kind
    assert heard
    assert b"X-Token" not in heard


async def test_a_step_down_from_https_is_refused(authority: Authority, tmp_path: Path, datastore: DataStore) -> None:
    ca_file = authority.write(tmp_path / "ca.pem")
    with DataStore(tls=authority.server()) as store:
        store.fault(INDEX, Fault.redirect(f"{datastore.url}/{INDEX}"))
        error = await failure(options(store, ca_file=str(ca_file)))
    assert error.kind is FailureKind.UNSAFE
    assert datastore.requests == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_authorities_that_cannot_be_read_fail_closed(
    content: bytes | None, datastore: DataStore, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    client = CatalogueClient(options(datastore, ca_file=str(ca_file)))
    with pytest.raises(SourceError, match=r"certificate authorities in .*ca\.pem") as caught:
        await client.fetch(f"{datastore.url}/{INDEX}", Shape(FILESETS))
    assert caught.value.kind is FailureKind.TLS
    assert datastore.requests == []
    await client.close()
