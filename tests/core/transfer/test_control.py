"""Stopping, ending, and the bandwidth bound."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import FailureKind
from core.transfer.base import Access
from core.transfer.curl import CurlTransport
from tests.core.transfer.courier import Courier, content
from tests.servers.datastore import DataStore, Fault

SMALL, LARGE = 100_000, 5_000_000
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])
PATIENT = Access()


@SIZES
async def test_a_stopped_transfer_keeps_its_bytes_and_goes_on_later(
    store: DataStore, courier: Courier, size: int
) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.stall(after=size // 2))
    job = courier.job(f"{store.url}/p/f/a.dat", data, access=PATIENT)
    courier.transport.submit([job])
    await courier.received(job, size // 2)
    courier.transport.cancel([job.id])
    outcome = await courier.outcome(job)
    assert outcome.stopped
    assert outcome.kind is None
    assert outcome.kept == size // 2
    assert courier.on_disk() == data[: size // 2]
    again = courier.job(f"{store.url}/p/f/a.dat", data, offset=outcome.kept, validator=outcome.validator)
    after = await courier.fetch(again)
    assert after.kind is None
    assert after.resumed


async def test_stopping_before_the_beginning(store: DataStore, courier: Courier) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.delay(60), times=None)  # should the job have begun before it is stopped
    job = courier.job(f"{store.url}/p/f/a.dat", data, offset=500, validator='"x"')
    (courier.target / "a.dat").write_bytes(data[:500])
    courier.transport.submit([job])
    courier.transport.cancel([job.id])
    outcome = await courier.outcome(job)
    assert outcome.stopped
    assert (outcome.kept, outcome.validator) == (500, '"x"')


async def test_stopping_in_the_queue(store: DataStore, tmp_path: Path) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.stall(), times=None)
    courier = Courier(tmp_path, CurlTransport(most_requests=1))
    jobs = [courier.job(f"{store.url}/p/f/a.dat", data, access=PATIENT) for _ in range(3)]
    courier.transport.submit(jobs)
    await asyncio.to_thread(store.wait_for, "p/f/a.dat")
    courier.transport.cancel([jobs[1].id, jobs[2].id])
    assert (await courier.outcome(jobs[2])).stopped
    assert jobs[0].id not in courier.outcomes
    assert len(store.requests) == 1
    courier.close()


async def test_what_waits_for_a_host_that_asks_to_be_left_alone_comes_back_unasked(
    store: DataStore, tmp_path: Path
) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.status(503, retry_after=60))
    with DataStore() as other:
        other.add_product("p")
        other.add_fileset("p", "f", {"a.dat": data})
        courier = Courier(tmp_path, CurlTransport(most_requests=1))
        jobs = [courier.job(f"{one.url}/p/f/a.dat", data) for one in (store, store, other, store)]
        courier.transport.submit(jobs)
        assert (await courier.outcome(jobs[0])).retry_after == 60
        assert (await courier.outcome(jobs[2])).kind is None, "another host is none of its business"
        late = courier.job(f"{store.url}/p/f/a.dat", data, offset=500, validator='"x"')
        for job in (jobs[1], jobs[3]):
            assert (await courier.outcome(job)).stopped
        given_back = await courier.fetch(late)
        assert (given_back.stopped, given_back.kept, given_back.validator) == (True, 500, '"x"')
        courier.close()
    assert [list(courier.outcomes)[at] for at in (1, 2)] == [jobs[3].id, jobs[1].id], "the last one first"
    assert len(store.requests) == 1


async def test_stopping_what_has_ended_or_never_was(store: DataStore, courier: Courier) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    job = courier.job(f"{store.url}/p/f/a.dat", data)
    await courier.fetch(job)
    courier.transport.cancel([job.id, 12345])
    other = courier.job(f"{store.url}/p/f/a.dat", data)
    assert (await courier.fetch(other)).kind is None


@SIZES
async def test_closing_keeps_the_bytes_and_tells_nothing_more(store: DataStore, tmp_path: Path, size: int) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.stall(after=size // 2))
    before = threading.active_count()
    courier = Courier(tmp_path)
    job = courier.job(f"{store.url}/p/f/a.dat", data, access=PATIENT)
    courier.transport.submit([job])
    await courier.received(job, size // 2)
    courier.close()
    await asyncio.sleep(0)
    assert courier.outcomes == {}
    assert courier.on_disk() == data[: size // 2]
    assert threading.active_count() == before


async def test_closing_twice_and_using_it_afterwards_does_no_harm(courier: Courier) -> None:
    courier.transport.close()
    courier.transport.close()
    courier.transport.submit([courier.job("http://127.0.0.1:1/", b"x")])
    courier.transport.cancel([1])
    courier.transport.limit(5)
    assert courier.transport.progress() == []


def test_closing_what_was_never_started() -> None:
    CurlTransport().close()


def test_no_descriptor_is_left_open(store: DataStore, tmp_path: Path) -> None:
    data = content(LARGE)
    store.add_fileset("p", "f", {"a.dat": data})

    async def once() -> None:
        courier = Courier(tmp_path)
        await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
        store.fault("p/f/a.dat", Fault.flip(7))
        await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
        courier.close()

    asyncio.run(once())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        asyncio.run(once())
    assert len(os.listdir("/proc/self/fd")) <= before + 2


@pytest.mark.parametrize(("count", "size"), [(100, 10_000), (2, 500_000), (1, 2_000_000)])
async def test_the_sum_of_all_rates_is_bounded(store: DataStore, courier: Courier, count: int, size: int) -> None:
    files = {f"{n}.dat": content(size, n) for n in range(count)}
    store.add_fileset("p", "f", files)
    rate = count * size
    courier.transport.limit(rate)
    jobs = [courier.job(f"{store.url}/p/f/{name}", data, name=name) for name, data in files.items()]
    started = time.monotonic()
    courier.transport.submit(jobs)
    outcomes = [await courier.outcome(job) for job in jobs]
    assert all(outcome.kind is None for outcome in outcomes)
    assert time.monotonic() - started >= 0.8


async def test_the_bound_can_be_lifted_while_bytes_move(store: DataStore, courier: Courier) -> None:
    data = content(LARGE)
    store.add_fileset("p", "f", {"a.dat": data})
    courier.transport.limit(1000)
    job = courier.job(f"{store.url}/p/f/a.dat", data)
    courier.transport.submit([job])
    await courier.received(job, 1)
    courier.transport.limit(0)
    outcome = await asyncio.wait_for(courier.outcome(job), 60)
    assert outcome.kind is None
    assert courier.on_disk() == data


async def test_a_stopped_transfer_that_waits_for_its_turn(store: DataStore, courier: Courier) -> None:
    data = content(LARGE)
    store.add_fileset("p", "f", {"a.dat": data})
    courier.transport.limit(1000)
    job = courier.job(f"{store.url}/p/f/a.dat", data)
    courier.transport.submit([job])
    await courier.received(job, 1)
    courier.transport.cancel([job.id])
    outcome = await courier.outcome(job)
    assert outcome.stopped
    assert courier.on_disk() == data[: outcome.kept]
    assert outcome.kept > 0


@pytest.mark.parametrize("more", [{}, {"sync": True}, {"offset": 5, "validator": '"x"'}], ids=str)
async def test_a_job_that_our_own_code_cannot_handle_ends_and_hurts_no_other(
    store: DataStore, courier: Courier, caplog: pytest.LogCaptureFixture, more: dict[str, Any]
) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    broken = courier.job(f"{store.url}/p/f/a.dat", data, name="nul\0byte", **more)
    sound = courier.job(f"{store.url}/p/f/a.dat", data)
    courier.transport.submit([broken, sound])
    outcome = await courier.outcome(broken)
    assert outcome.kind is FailureKind.TRANSIENT
    assert outcome.detail.startswith("internal error: ")
    assert (await courier.outcome(sound)).kind is None
    assert caplog.records


async def test_when_the_disk_is_behind_the_network_waits_and_memory_stays_bounded(
    store: DataStore, courier: Courier
) -> None:
    data = content(40_000_000)
    store.add_fileset("p", "f", {"a.dat": data})
    disk_is_back = threading.Event()

    def wait_for_the_disk() -> None:
        disk_is_back.wait(60)

    for _ in range(2):
        courier.transport._network._writers.lane(lambda: None).put(wait_for_the_disk)
    job = courier.job(f"{store.url}/p/f/a.dat", data)
    courier.transport.submit([job])
    await courier.received(job, 8 << 20)
    small = courier.job(f"{store.url}/p/f/a.dat", b"", name="b.dat")
    await courier.fetch(small)
    assert courier.transport.progress()[0].received <= 12 << 20
    disk_is_back.set()
    outcome = await courier.outcome(job)
    assert outcome.kind is None
    assert courier.on_disk() == data
