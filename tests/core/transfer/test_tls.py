"""Certificates that cannot be trusted."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import FailureKind
from tests.core.transfer.courier import QUICK, Courier, content, one_answer
from tests.servers.certificates import Authority
from tests.servers.datastore import DataStore

DATA = content(5000)


def serve(context: ssl.SSLContext) -> DataStore:
    store = DataStore(tls=context)
    store.add_product("p")
    store.add_fileset("p", "f", {"a.dat": DATA})
    return store


async def test_a_private_authority_can_be_trusted(courier: Courier, tmp_path: Path) -> None:
    authority = Authority()
    access = replace(QUICK, ca_file=str(authority.write(tmp_path / "ca.pem")))
    with serve(authority.server()) as store:
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA, access=access))
    assert outcome.kind is None
    assert courier.on_disk() == DATA


async def test_an_unknown_authority_is_refused(courier: Courier) -> None:
    with serve(Authority().server()) as store:
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA))
        assert store.requests == []
    assert outcome.kind is FailureKind.TLS
    assert "certificate" in outcome.detail


@pytest.mark.parametrize(("host", "expired"), [("elsewhere.example", False), ("127.0.0.1", True)])
async def test_a_bad_certificate_is_refused(courier: Courier, tmp_path: Path, host: str, expired: bool) -> None:
    authority = Authority()
    access = replace(QUICK, ca_file=str(authority.write(tmp_path / "ca.pem")))
    with serve(authority.server(host, expired)) as store:
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA, access=access))
        assert store.requests == []
    assert outcome.kind is FailureKind.TLS


async def test_a_ca_file_that_is_not_there_fails_closed(courier: Courier, tmp_path: Path) -> None:
    with serve(Authority().server()) as store:
        access = replace(QUICK, ca_file=str(tmp_path / "none.pem"))
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA, access=access))
    assert outcome.kind is FailureKind.TLS


async def test_trust_in_one_mirrors_authority_does_not_spread(courier: Courier, tmp_path: Path) -> None:
    authority = Authority()
    access = replace(QUICK, ca_file=str(authority.write(tmp_path / "ca.pem")))
    with serve(authority.server()) as store:
        first = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA, access=access))
        second = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA))
    assert first.kind is None
    assert second.kind is FailureKind.TLS


async def test_plain_http_where_tls_was_expected(courier: Courier) -> None:
    with one_answer(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as url:
        outcome = await courier.fetch(courier.job(url.replace("http://", "https://"), DATA))
    assert outcome.kind is FailureKind.TLS


async def test_a_handshake_that_is_cut_off_is_the_networks_fault(courier: Courier) -> None:
    with one_answer(b"") as url:
        outcome = await courier.fetch(courier.job(url.replace("http://", "https://"), DATA))
    assert outcome.kind is FailureKind.TRANSIENT
