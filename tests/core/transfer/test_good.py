"""Files that arrive as they should, and what is asked of the server for it."""

from __future__ import annotations

import asyncio
import stat
from dataclasses import replace

import pytest

from core.transfer.base import Access
from tests.core.transfer.courier import QUICK, Courier, content, md5
from tests.servers.datastore import DataStore, Fault
from tests.servers.script import Body, Head, Raw

SIZES = [0, 1, 10_000, 1 << 20, (1 << 20) + 1, 5_000_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sync", [False, True])
async def test_a_file_arrives_whole(store: DataStore, courier: Courier, size: int, sync: bool) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, sync=sync))
    assert outcome.kind is None
    assert (outcome.size, outcome.digest, outcome.fetched) == (size, md5(data), size)
    assert (outcome.kept, outcome.resumed, outcome.stopped) == (0, False, False)
    assert courier.on_disk() == data


@pytest.mark.parametrize("size", [10_000, 5_000_000])
async def test_chunked_without_a_length(store: DataStore, courier: Courier, size: int) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.chunked())
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is None
    assert courier.on_disk() == data


@pytest.mark.parametrize("size", [0, 10_000])
@pytest.mark.parametrize("plain", [False, True])
async def test_trailers_say_nothing_of_the_body_before_them(
    store: DataStore, courier: Courier, size: int, plain: bool
) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    trailers = Raw(b"0\r\nContent-Length: 20000\r\nETag: W/1\r\n\r\n")
    store.fault("p/f/a.dat", Fault.chunked() & Fault.played(Head(), Body(), trailers))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, plain=plain))
    assert (outcome.kind, outcome.size) == (None, size)
    assert courier.on_disk() == data


async def test_many_files_at_once(store: DataStore, courier: Courier) -> None:
    files = {f"{n}.dat": content(20_000, n) for n in range(300)}
    store.add_fileset("p", "f", files)
    jobs = [courier.job(f"{store.url}/p/f/{name}", data, name=name) for name, data in files.items()]
    courier.transport.submit(jobs)
    outcomes = [await courier.outcome(job) for job in jobs]
    assert all(outcome.kind is None for outcome in outcomes)
    assert all(courier.on_disk(name) == data for name, data in files.items())


async def test_connections_are_used_again(store: DataStore, courier: Courier) -> None:
    data = content(100)
    store.add_fileset("p", "f", {"a.dat": data})
    for _ in range(10):
        await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert store.connections == 1


async def test_without_a_listed_digest_the_size_decides_and_the_digest_is_told(
    store: DataStore, courier: Courier
) -> None:
    data = content(5000)
    store.add_fileset("p", "f", {"a.dat": data})
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, digest=None))
    assert outcome.kind is None
    assert outcome.digest == md5(data)


async def test_the_request_asks_for_the_bytes_as_they_are_and_says_who_we_are(
    store: DataStore, courier: Courier
) -> None:
    data = content(100)
    store.add_fileset("p", "f", {"a.dat": data})
    await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    (request,) = store.requested("p/f/a.dat")
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("mirrortui/")
    assert "range" not in request.headers
    assert "authorization" not in request.headers


async def test_the_path_is_sent_as_it_is(store: DataStore, courier: Courier) -> None:
    data = content(100)
    store.add_fileset("p", "f", {"a:b c+@.dat": data})
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a:b%20c+@.dat", data))
    assert outcome.kind is None


async def test_a_file_of_an_earlier_try_is_replaced(store: DataStore, courier: Courier) -> None:
    data = content(100)
    store.add_fileset("p", "f", {"a.dat": data})
    (courier.target / "a.dat").write_bytes(content(4000, seed=1))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is None
    assert courier.on_disk() == data


async def test_the_file_is_an_ordinary_one(store: DataStore, courier: Courier) -> None:
    data = content(100)
    store.add_fileset("p", "f", {"a.dat": data})
    await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    mode = (courier.target / "a.dat").stat().st_mode
    assert stat.S_ISREG(mode)
    assert not mode & 0o133


async def test_basic_credentials_are_sent_at_once(courier: Courier) -> None:
    data = content(100)
    access = replace(QUICK, username="öbs", password="s3cret:ü")
    with DataStore(username="öbs", password="s3cret:ü") as store:
        store.add_product("p")
        store.add_fileset("p", "f", {"a.dat": data})
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, access=access))
        assert outcome.kind is None
        assert len(store.requests) == 1


async def test_a_token_in_a_header_is_sent(courier: Courier) -> None:
    data = content(100)
    with DataStore(bearer="t0ken") as store:
        store.add_product("p")
        store.add_fileset("p", "f", {"a.dat": data})
        access = replace(QUICK, headers=(("Authorization", "Bearer t0ken"),))
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, access=access))
        assert outcome.kind is None


async def test_one_jobs_secrets_do_not_go_with_the_next_job(store: DataStore, courier: Courier) -> None:
    data = content(100)
    store.add_fileset("p", "f", {"a.dat": data})
    secret = replace(QUICK, username="u", password="p", headers=(("X-Token", "t"),))
    await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, access=secret))
    await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, access=Access()))
    first, second = store.requests
    assert "authorization" in first.headers
    assert "authorization" not in second.headers
    assert "x-token" not in second.headers


async def test_a_server_that_closes_idle_connections_is_no_failure(store: DataStore, courier: Courier) -> None:
    data = content(100)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.truncate(after=100))
    for _ in range(3):
        outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
        assert outcome.kind is None


async def test_progress_tells_how_far_it_is_and_how_it_could_go_on(store: DataStore, courier: Courier) -> None:
    data = content(3_000_000)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.stall(after=2_000_000))
    job = courier.job(f"{store.url}/p/f/a.dat", data, access=Access())
    courier.transport.submit([job])
    await courier.received(job, 2_000_000)
    (progress,) = courier.transport.progress()
    assert (progress.id, progress.received) == (job.id, 2_000_000)
    assert progress.validator is not None
    courier.transport.cancel([job.id])
    await courier.outcome(job)
    assert courier.transport.progress() == []


async def test_outcomes_come_on_the_event_loop(store: DataStore, courier: Courier) -> None:
    data = content(100)
    store.add_fileset("p", "f", {"a.dat": data})
    job = courier.job(f"{store.url}/p/f/a.dat", data)
    await asyncio.wait_for(courier.fetch(job), 30)
    assert courier.loops == {asyncio.get_running_loop()}
