"""The demo's Data Store over real sockets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from core.demo.server import DemoStore

PRODUCT = "gpc1-dist-200904"
FILESET = f"{PRODUCT}/o4741g0231o.chip.14520.32.1"
FILE = f"{FILESET}/o4741g0231o.XY01.tgz"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with DemoStore(filesets=3) as store, httpx.Client(base_url=f"{store.url}/") as client:
        yield client


def files(client: httpx.Client, fileset: str) -> dict[str, str]:
    """Return the digests of a fileset's files by their names."""
    lines = client.get(f"{fileset}/index.txt").text.splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines if line and not line.startswith("#")]
    return {row[0]: row[2] for row in cells}


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_indexes_are_chunked_and_without_validators(client: httpx.Client) -> None:
    for path in ("index.txt", f"{PRODUCT}/index.txt", f"{DemoStore.hidden_product}/index.txt", f"{FILESET}/index.txt"):
        answer = client.get(path)
        assert answer.text.startswith("# ")
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "etag" not in answer.headers


def test_incremental_listing(client: httpx.Client) -> None:
    assert len(client.get(f"{PRODUCT}/index.txt").text.splitlines()) == 5
    newer = client.get(f"{PRODUCT}/index.txt?o4741g0231o.chip.14520.32.1").text.splitlines()
    assert [line.partition("|")[0].strip() for line in newer[1:-1]] == ["o4741g0231o.camera.14521.33.1"]
    assert client.get(f"{PRODUCT}/index.txt?lost").content == b"\n"


def test_files_come_as_listed(client: httpx.Client) -> None:
    for name, digest in files(client, FILESET).items():
        assert md5(client.get(f"{FILESET}/{name}").content) == digest


def test_ranges(client: httpx.Client) -> None:
    whole = client.get(FILE)
    size = len(whole.content)
    part = client.get(FILE, headers={"Range": "bytes=1000-", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, whole.content[1000:])
    assert part.headers["content-range"] == f"bytes 1000-{size - 1}/{size}"
    changed = client.get(FILE, headers={"Range": "bytes=1000-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    beyond = client.get(FILE, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert client.get(FILE, headers={"Range": f"bytes=0-{size - 1}"}).status_code == 206


def test_head_and_missing_keep_the_connection(client: httpx.Client) -> None:
    assert client.head(FILE).content == b""
    for path in ("none/index.txt", f"{PRODUCT}/none/index.txt", f"{FILESET}/none", "a/b/c/d", "/elsewhere"):
        assert client.get(path).status_code == 404
    assert client.get("index.txt").status_code == 200


def test_the_store_grows() -> None:
    with DemoStore(filesets=1, growth=0.01) as store, httpx.Client(base_url=f"{store.url}/") as client:
        before = client.get("index.txt").text
        while client.get("index.txt").text == before:
            pass


def test_a_flaky_store_is_healed_by_trying_again() -> None:
    broken = 0
    with DemoStore(filesets=5, flaky=True) as store, httpx.Client(base_url=f"{store.url}/") as client:
        lines = client.get(f"{PRODUCT}/index.txt").text.splitlines()[1:-1]
        for fileset in (f"{PRODUCT}/{line.partition('|')[0].strip()}" for line in lines):
            for name, digest in files(client, fileset).items():
                try:
                    content = client.get(f"{fileset}/{name}").raise_for_status().content
                except httpx.HTTPError:
                    broken += 1
                    content = client.get(f"{fileset}/{name}").raise_for_status().content
                assert md5(content) == digest
    assert broken > 0


def test_a_closed_store_is_gone_and_was_silent(capfd: pytest.CaptureFixture[str]) -> None:
    fileset = f"{PRODUCT}/o4741g0231o.raw.14519.31.1"
    with DemoStore(filesets=1, pace=1000) as store, httpx.Client(base_url=f"{store.url}/") as client:
        archive = list(files(client, fileset))[-1]
        with client.stream("GET", f"{fileset}/{archive}") as answer:
            store.close()
            with pytest.raises(httpx.TransportError):
                answer.read()
        with pytest.raises(httpx.ConnectError):
            client.get("index.txt")
    assert capfd.readouterr() == ("", "")
