"""The Data Store on loopback speaks the protocol as the real server does."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.servers.certificates import Authority
from tests.servers.datastore import DataStore, Fault, ServedFile

CONTENT = bytes(range(256)) * 400
FILE = "gpc1/o1.chip/a.fits"


@pytest.fixture
def store(datastore: DataStore) -> DataStore:
    datastore.add_product("gpc1", description="Gigapixel Camera 1")
    datastore.add_fileset("gpc1", "o1.chip", {"a.fits": CONTENT}, columns={"stage": "chip"})
    datastore.add_fileset("gpc1", "o2.camera", {"b.tgz": b"two"}, columns={"stage": None})
    return datastore


@pytest.fixture
def client(store: DataStore) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{store.url}/") as client:
        yield client


def listed(answer: httpx.Response) -> list[list[str]]:
    """Return the stripped cells of the data lines."""
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return [[cell.strip() for cell in line.split("|")[:-1]] for line in lines]


def names(answer: httpx.Response) -> list[str]:
    return [cells[0] for cells in listed(answer)]


def test_root_lists_products_with_none_for_an_empty_one(store: DataStore, client: httpx.Client) -> None:
    store.add_product("empty")
    store.add_product("secret", hidden=True)
    answer = client.get("index.txt")
    assert answer.text.startswith("# productID|Most recent|Time registered     |type    |Description")
    assert listed(answer) == [
        ["gpc1", "o2.camera", "2026-11-01T00:00:00Z", "ipp-dist", "Gigapixel Camera 1"],
        ["empty", "none", "2026-11-01T00:00:00Z", "ipp-dist", "empty for tests"],
    ]
    assert client.get("secret/index.txt").text.startswith("# filesetID|")


def test_indexes_come_as_from_the_real_server(client: httpx.Client) -> None:
    answer = client.get("gpc1/index.txt")
    assert answer.text == (
        "# filesetID|time registered     |type    |stage|\n"
        "o1.chip    |2026-11-01T00:00:00Z|IPP-DIST|chip |\n"
        "o2.camera  |2026-11-01T00:00:00Z|IPP-DIST|null |\n"
        "\n"
    )
    assert answer.headers["transfer-encoding"] == "chunked"
    assert not {"etag", "last-modified", "content-length"} & set(answer.headers)


def test_incremental_listing_goes_by_registration(store: DataStore, client: httpx.Client) -> None:
    store.add_fileset("gpc1", "o0.chip", {}, registered="2020-01-01T00:00:00Z")
    assert names(client.get("gpc1/index.txt?o1.chip")) == ["o2.camera", "o0.chip"]
    assert client.get("gpc1/index.txt?o0.chip").text == "# filesetID|time registered|type|stage|\n\n"


@pytest.mark.parametrize(
    ("behaviour", "status", "text"), [("blank", 200, "\n"), ("404", 404, ""), ("500", 500, ""), ("whole", 200, None)]
)
def test_unknown_cursor(store: DataStore, client: httpx.Client, behaviour: str, status: int, text: str | None) -> None:
    store.unknown_cursor = behaviour  # type: ignore[assignment]
    answer = client.get("gpc1/index.txt?o9")
    assert (answer.status_code, answer.text) == (status, client.get("gpc1/index.txt").text if text is None else text)


def test_static_store_ignores_the_query(store: DataStore, client: httpx.Client) -> None:
    store.static = True
    answer = client.get("gpc1/index.txt?o1.chip")
    assert names(answer) == ["o1.chip", "o2.camera"]
    assert {"etag", "last-modified", "content-length"} <= set(answer.headers)
    assert client.get("gpc1/index.txt", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_file_index_has_headers_in_the_middle(store: DataStore, client: httpx.Client) -> None:
    files = {
        "a.fits": ServedFile(b"1", columns={"chipname": "XY01"}),
        "b.tgz": ServedFile(b"22", columns={"component": None}),
        "c.tgz": ServedFile(b"333", size=9, md5="", columns={"component": "XY02"}),
    }
    store.add_fileset("gpc1", "mixed", files)
    answer = client.get("gpc1/mixed/index.txt")
    headers = [line.split("|")[-2].strip() for line in answer.text.splitlines() if line.startswith("#")]
    assert headers == ["chipname", "component"]
    assert listed(answer) == [
        ["a.fits", "1", hashlib.md5(b"1").hexdigest(), "fits", "XY01"],
        ["b.tgz", "2", hashlib.md5(b"22").hexdigest(), "tgz", "null"],
        ["c.tgz", "9", "", "tgz", "XY02"],
    ]


def test_listed_without_being_served_and_the_reverse(store: DataStore, client: httpx.Client) -> None:
    store.add_fileset(
        "gpc1", "odd", {"ghost.fits": ServedFile(b"1", served=False), "extra.fits": ServedFile(b"2", listed=False)}
    )
    assert names(client.get("gpc1/odd/index.txt")) == ["ghost.fits"]
    assert client.get("gpc1/odd/ghost.fits").status_code == 404
    assert client.get("gpc1/odd/extra.fits").content == b"2"


def test_hidden_withdrawn_and_registered_again(store: DataStore, client: httpx.Client) -> None:
    store.hide("gpc1", "o1.chip")
    assert names(client.get("gpc1/index.txt")) == ["o2.camera"]
    assert client.get(FILE).content == CONTENT
    store.show("gpc1", "o1.chip")
    store.register_again("gpc1", "o1.chip", {"a.fits": b"new"}, registered="2026-11-02T00:00:00Z")
    assert names(client.get("gpc1/index.txt")) == ["o2.camera", "o1.chip"]
    assert client.get(FILE).content == b"new"
    store.withdraw("gpc1", "o1.chip")
    assert names(client.get("gpc1/index.txt")) == ["o2.camera"]
    assert client.get("gpc1/o1.chip/index.txt").status_code == client.get(FILE).status_code == 404


def test_raw_index_for_all_queries_or_one(store: DataStore, client: httpx.Client) -> None:
    store.raw_index("gpc1/index.txt", b"<html>", query="o1.chip")
    assert client.get("gpc1/index.txt?o1.chip").content == b"<html>"
    assert names(client.get("gpc1/index.txt?o2.camera")) == []
    store.raw_index("gpc1/index.txt", store.index("gpc1/index.txt").replace(b"o1", b"o7"))
    assert names(client.get("gpc1/index.txt?o2.camera")) == ["o7.chip", "o2.camera"]


def test_names_of_any_bytes_are_served(store: DataStore, client: httpx.Client) -> None:
    store.add_fileset("gpc1", "a/../b", {"\udcff.fits": b"odd"})
    assert client.get("gpc1/a%2F..%2Fb/%FF.fits").content == b"odd"
    assert b"\xff.fits" in client.get("gpc1/a%2F..%2Fb/index.txt").content


def test_ranges(client: httpx.Client) -> None:
    whole = client.get(FILE)
    assert whole.headers["content-length"] == str(len(CONTENT))
    tag, date = whole.headers["etag"], whole.headers["last-modified"]
    for condition in ({}, {"If-Range": tag}, {"If-Range": date}):
        part = client.get(FILE, headers={"Range": "bytes=1000-", **condition})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
        assert part.content == CONTENT[1000:]
    assert client.get(FILE, headers={"Range": "bytes=5-9"}).content == CONTENT[5:10]
    assert client.get(FILE, headers={"Range": "bytes=-3"}).content == CONTENT[-3:]
    beyond = client.get(FILE, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


def test_replaced_file_is_sent_from_zero(store: DataStore, client: httpx.Client) -> None:
    before, index = client.get(FILE), client.get("gpc1/o1.chip/index.txt").text
    store.replace_file("gpc1", "o1.chip", "a.fits", b"other")
    for validator in ("etag", "last-modified"):
        answer = client.get(FILE, headers={"Range": "bytes=2-", "If-Range": before.headers[validator]})
        assert (answer.status_code, answer.content) == (200, b"other")
    assert client.get("gpc1/o1.chip/index.txt").text == index
    store.replace_file("gpc1", "o1.chip", "a.fits", b"third", update_index=True)
    assert hashlib.md5(b"third").hexdigest() in client.get("gpc1/o1.chip/index.txt").text


def test_text_files_have_no_length_and_directories_are_pages_for_people(store: DataStore, client: httpx.Client) -> None:
    store.add_fileset("gpc1", "texts", {"readme.txt": b"hello"})
    answer = client.get("gpc1/texts/readme.txt")
    assert answer.content == b"hello"
    assert not {"content-length", "etag"} & set(answer.headers)
    for path in ("", "gpc1/", "gpc1/texts/"):
        assert client.get(path).headers["content-type"] == "text/html"


def test_head_has_no_body(client: httpx.Client) -> None:
    answer = client.head(FILE)
    assert (answer.content, answer.headers["content-length"]) == (b"", str(len(CONTENT)))
    assert client.get("gpc1/index.txt").status_code == 200


def test_requests_are_remembered(store: DataStore, client: httpx.Client) -> None:
    client.get(FILE, headers={"X-Word": "yes"})
    client.get("gpc1/index.txt?o1.chip")
    [request] = store.requested("*/a.fits")
    assert (request.method, request.status, request.sent_bytes) == ("GET", 200, len(CONTENT))
    assert request.headers["x-word"] == "yes"
    assert store.requested("gpc1/index.txt?o1.chip")[0].query == "o1.chip"
    assert store.connections == 1
    store.forget()
    assert store.requests == []


def test_credentials_are_demanded() -> None:
    with DataStore(username="observer", password="secret") as store, httpx.Client() as client:
        store.add_product("gpc1")
        assert client.get(f"{store.url}/index.txt").status_code == 401
        assert client.get(f"{store.url}/index.txt", auth=("observer", "secret")).status_code == 200
    with DataStore(bearer="token") as store, httpx.Client(headers={"Authorization": "Bearer token"}) as client:
        assert client.get(f"{store.url}/index.txt").status_code == 200
        assert client.get(f"{store.url}/index.txt", headers={"Authorization": "Bearer no"}).status_code == 401


@pytest.mark.parametrize(
    ("host", "expired", "trusted", "accepted"),
    [
        ("127.0.0.1", False, True, True),
        ("127.0.0.1", True, True, False),
        ("elsewhere.example", False, True, False),
        ("127.0.0.1", False, False, False),
    ],
)
def test_tls(authority: Authority, tmp_path: Path, host: str, expired: bool, trusted: bool, accepted: bool) -> None:
    trust = (authority if trusted else Authority()).write(tmp_path / "authority.pem")
    with (
        DataStore(tls=authority.server(host, expired)) as store,
        httpx.Client(verify=ssl.create_default_context(cafile=str(trust)), trust_env=False) as client,
    ):
        if accepted:
            assert client.get(f"{store.url}/index.txt").status_code == 200
        else:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                client.get(f"{store.url}/index.txt")


def test_closed_store_refuses_and_comes_back_at_the_same_url(store: DataStore) -> None:
    store.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{store.url}/index.txt")
    with store:
        assert httpx.get(f"{store.url}/index.txt").status_code == 200


def test_requests_at_once_are_counted(store: DataStore) -> None:
    opened = threading.Event()
    store.fault(FILE, Fault.gate(opened), times=None)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(httpx.get, f"{store.url}/{FILE}") for _ in range(3)]
        store.wait_for(FILE, count=3)
        opened.set()
        assert [answer.result().content for answer in answers] == [CONTENT] * 3
    assert store.busiest == 3
