"""Where a server may send us, and what is told to whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pycurl
import pytest

from core.errors import FailureKind
from core.transfer.base import Access
from core.transfer.request import Handle, Target
from core.urls import Reach
from tests.core.transfer.courier import QUICK, Courier, content
from tests.servers.certificates import Authority
from tests.servers.datastore import DataStore, Fault

DATA = content(5000)
SECRETS = replace(QUICK, username="walter", password="hunter2", headers=(("X-Token", "t0psecret"),))


@pytest.fixture
def store(store: DataStore) -> DataStore:
    store.add_fileset("p", "f", {"a.dat": DATA, "b.dat": DATA})
    return store


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(store: DataStore, courier: Courier, code: int) -> None:
    store.fault("p/f/a.dat", Fault.redirect("b.dat", code))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA, access=SECRETS))
    assert outcome.kind is None
    assert courier.on_disk() == DATA
    assert all("authorization" in request.headers for request in store.requests)


async def test_secrets_are_not_sent_to_another_host(store: DataStore, courier: Courier) -> None:
    with DataStore() as other:
        other.add_product("p")
        other.add_fileset("p", "f", {"a.dat": DATA})
        store.fault("p/f/a.dat", Fault.redirect(f"{other.url}/p/f/a.dat"))
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA, access=SECRETS))
        (request,) = other.requests
    assert outcome.kind is None
    assert "authorization" not in request.headers
    assert "x-token" not in request.headers
    assert request.headers["accept-encoding"] == "identity"


async def test_secrets_are_sent_again_to_the_own_host_afterwards(store: DataStore, courier: Courier) -> None:
    with DataStore() as other:
        store.fault("p/f/a.dat", Fault.redirect(f"{other.url}/x"))
        other.fault("x", Fault.redirect(f"{store.url}/p/f/b.dat"))
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA, access=SECRETS))
    assert outcome.kind is None
    assert ["x-token" in request.headers for request in store.requests] == [True, True]


async def test_a_redirect_loop_ends_after_five_hops(store: DataStore, courier: Courier) -> None:
    store.fault("p/f/a.dat", Fault.redirect("a.dat"), times=None)
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA))
    assert (outcome.kind, outcome.detail) == (FailureKind.UNSAFE, "more than 5 redirects")
    assert len(store.requests) == 6


async def test_five_hops_are_allowed(store: DataStore, courier: Courier) -> None:
    store.fault("p/f/a.dat", Fault.redirect("a.dat"), times=5)
    assert (await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA))).kind is None


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "http://[::1"])
async def test_other_schemes_are_refused(store: DataStore, courier: Courier, target: str) -> None:
    store.fault("p/f/a.dat", Fault.redirect(target))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA))
    assert outcome.kind is FailureKind.UNSAFE
    assert outcome.detail
    assert courier.on_disk() is None


async def test_a_redirect_to_nowhere_is_no_file(store: DataStore, courier: Courier) -> None:
    store.fault("p/f/a.dat", Fault.status(302))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", DATA))
    assert (outcome.kind, outcome.fetched) == (FailureKind.TRANSIENT, 0)


async def test_https_down_to_http_is_refused(store: DataStore, courier: Courier, tmp_path: Path) -> None:
    authority = Authority()
    access = Access(ca_file=str(authority.write(tmp_path / "ca.pem")))
    with DataStore(tls=authority.server()) as secure:
        secure.fault("p/f/a.dat", Fault.redirect(f"{store.url}/p/f/a.dat"))
        outcome = await courier.fetch(courier.job(f"{secure.url}/p/f/a.dat", DATA, access=access))
    assert outcome.kind is FailureKind.UNSAFE
    assert "https down to http" in outcome.detail
    assert store.requests == []


async def test_a_continued_file_is_continued_behind_a_redirect(store: DataStore, courier: Courier) -> None:
    store.fault("p/f/a.dat", Fault.redirect("b.dat"), times=None)
    store.fault("p/f/b.dat", Fault.reset(after=2000))
    job = courier.job(f"{store.url}/p/f/a.dat", DATA)
    before = await courier.fetch(job)
    after = await courier.fetch(
        courier.job(f"{store.url}/p/f/a.dat", DATA, offset=before.kept, validator=before.validator)
    )
    assert before.kept == 2000
    assert after.kind is None
    assert after.resumed


async def test_credentials_in_a_url_are_never_told(store: DataStore, courier: Courier) -> None:
    address = store.url.removeprefix("http://")
    store.fault("p/f/a.dat", Fault.redirect(f"ftp://walter:hunter2@{address}/"))
    store.fault("p/f/a.dat", Fault.status(403))
    store.fault("p/f/a.dat", Fault.refuse(), times=None)
    for _ in range(3):
        job = courier.job(f"http://walter:hunter2@{address}/p/f/a.dat", DATA, access=SECRETS)
        outcome = await courier.fetch(job)
        assert outcome.kind is not None
        assert not any(secret in repr(outcome) for secret in ("hunter2", "walter", "t0psecret"))
    bad = await courier.fetch(courier.job("http://walter:hunter2@[::1/", DATA))
    assert "hunter2" not in repr(bad)


async def test_a_public_host_cannot_lead_to_a_private_address_by_name(store: DataStore) -> None:
    handle = Handle()
    handle.aim(Target(f"{store.url}/p/f/a.dat".replace("127.0.0.1", "localhost"), QUICK, least=Reach.PUBLIC))
    with pytest.raises(pycurl.error) as refusal:
        handle.easy.perform()
    handle.close()
    assert refusal.value.args[0] == pycurl.E_ABORTED_BY_CALLBACK
    assert store.requests == []
