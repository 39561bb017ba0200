"""Destinations that refuse, and names that are traps."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import FailureKind
from tests.core.transfer.courier import Courier, content
from tests.servers.datastore import DataStore

SMALL, LARGE = 100_000, 5_000_000
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])


@pytest.fixture
def low_file_size_limit() -> Iterator[int]:
    """Let this process write no file beyond 50,000 bytes: the kernel answers EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    yield 50_000
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@SIZES
@pytest.mark.parametrize("sync", [False, True])
async def test_a_file_that_this_process_may_not_write_is_no_fault_of_the_file(
    store: DataStore, courier: Courier, low_file_size_limit: int, size: int, sync: bool
) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, sync=sync))
    assert outcome.kind is FailureKind.DISK
    assert f"the file has {size} bytes, and this process may write {low_file_size_limit} to one" in outcome.detail


async def test_a_directory_that_takes_no_files(store: DataStore, courier: Courier) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    directory = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, directory=directory))
    os.close(directory)
    assert outcome.kind is FailureKind.DISK


@SIZES
@pytest.mark.parametrize("resumed", [False, True])
async def test_a_planted_link_is_not_followed(
    store: DataStore, courier: Courier, tmp_path: Path, size: int, resumed: bool
) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    precious = tmp_path / "precious"
    precious.write_bytes(data[:1000])
    (courier.target / "a.dat").symlink_to(precious)
    more = {"offset": 1000, "validator": '"x"'} if resumed else {}
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, **more))
    assert outcome.kind is None
    assert precious.read_bytes() == data[:1000]
    assert not (courier.target / "a.dat").is_symlink()
    assert courier.on_disk() == data


@SIZES
@pytest.mark.parametrize("resumed", [False, True])
async def test_a_file_with_another_name_is_not_written_through(
    store: DataStore, courier: Courier, tmp_path: Path, size: int, resumed: bool
) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    published = tmp_path / "published"
    published.write_bytes(data[:1000])
    os.link(published, courier.target / "a.dat")
    more = {"offset": 1000, "validator": '"x"'} if resumed else {}
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, **more))
    assert outcome.kind is None
    assert published.read_bytes() == data[:1000]


@pytest.mark.parametrize("resumed", [False, True])
async def test_a_pipe_in_the_way_does_not_hang(store: DataStore, courier: Courier, resumed: bool) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    os.mkfifo(courier.target / "a.dat")
    more = {"offset": 1000, "validator": '"x"'} if resumed else {}
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, **more))
    assert outcome.kind is None
    assert courier.on_disk() == data


@SIZES
async def test_a_directory_in_the_way_concerns_this_file_only(store: DataStore, courier: Courier, size: int) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    (courier.target / "a.dat").mkdir()
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.kind is FailureKind.UNSAFE
    assert (courier.target / "a.dat").is_dir()


async def test_a_name_that_is_too_long_for_the_disk(store: DataStore, courier: Courier) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, name="x" * 300))
    assert outcome.kind is FailureKind.UNSAFE
