"""The recorded tree and responses are served as they were recorded."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from tests.servers.recorded import RECORDED, RESPONSES, TREE, serve_recorded

FILESET = "dist-200904/o4741g0231o.chip.14519.31.1"


def test_the_tree_is_served_byte_by_byte() -> None:
    files = [path for path in TREE.rglob("*") if path.is_file()]
    with serve_recorded() as store, httpx.Client() as client:
        for path in files:
            assert client.get(f"{store.url}/{path.relative_to(TREE)}").content == path.read_bytes()
        assert client.get(f"{store.url}/{FILESET}/none.tgz").status_code == 404


def test_recorded_indexes_tell_the_truth() -> None:
    with serve_recorded() as store, httpx.Client() as client:
        rows = [
            line.split("|") for line in client.get(f"{store.url}/{FILESET}/index.txt").text.splitlines()[1:] if line
        ]
        for name, size, digest, *_ in rows:
            content = client.get(f"{store.url}/{FILESET}/{name.strip()}").content
            assert (str(len(content)), hashlib.md5(content).hexdigest()) == (size.strip(), digest.strip())
    assert len(rows) == 4


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_are_replayed(name: str) -> None:
    head, _, body = (RECORDED / "responses" / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    with serve_recorded({"dist-200904/index.txt?lost": name}) as store, httpx.Client() as client:
        for _ in range(2):
            answer = client.get(f"{store.url}/dist-200904/index.txt?lost")
            assert answer.status_code == int(head.split()[1])
            assert answer.content == body
        assert client.get(f"{store.url}/dist-200904/index.txt").text.startswith("# filesetID")
        assert store.connections == 1
