"""Bytes that are on disk already are continued only if they are beyond doubt."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import FailureKind
from core.transfer.base import Job, Outcome
from tests.core.transfer.courier import Courier, content, md5
from tests.servers.datastore import DataStore, Fault, ServedFile

SMALL, LARGE = 100_000, 40_000_000
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE // 10, LARGE])


async def interrupted(store: DataStore, courier: Courier, data: bytes, at: int, **more: Any) -> Outcome:
    """Fetch `at` bytes of a new file, then lose the connection."""
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.reset(after=at))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, **more))
    store.forget()
    return outcome


def continued(store: DataStore, courier: Courier, data: bytes, before: Outcome, **more: Any) -> Job:
    more = {"offset": before.kept, "validator": before.validator} | more
    return courier.job(f"{store.url}/p/f/a.dat", data, **more)


@SIZES
async def test_a_broken_transfer_is_continued(store: DataStore, courier: Courier, size: int) -> None:
    data = content(size)
    before = await interrupted(store, courier, data, size // 3)
    assert before.kind is FailureKind.TRANSIENT
    assert before.kept == size // 3
    assert courier.on_disk() == data[: size // 3]
    after = await courier.fetch(continued(store, courier, data, before))
    assert after.kind is None
    assert after.resumed
    assert after.fetched == size - size // 3
    assert after.digest == md5(data)
    assert courier.on_disk() == data
    (request,) = store.requests
    assert request.headers["range"] == f"bytes={size // 3}-"
    assert request.headers["if-range"] == before.validator


@SIZES
async def test_without_a_digest_to_prove_the_whole_nothing_is_continued(
    store: DataStore, courier: Courier, size: int
) -> None:
    data = content(size)
    before = await interrupted(store, courier, data, size // 3, digest=None)
    assert (before.kind, before.kept, before.validator) == (FailureKind.TRANSIENT, 0, None)
    assert courier.on_disk() is None
    (courier.target / "a.dat").write_bytes(content(size // 3, seed=1))
    validator = '"a tag from elsewhere"'
    after = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, digest=None, offset=9, validator=validator))
    assert (after.kind, after.resumed, after.fetched) == (None, False, size)
    assert courier.on_disk() == data


async def test_a_break_tells_how_far_it_came(store: DataStore, courier: Courier) -> None:
    before = await interrupted(store, courier, content(4_000_000), 1_200_000)
    assert before.detail == "the connection broke after 1.2 MB of 4.0 MB"


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_file_that_changed_between_the_halves_is_never_spliced(
    store: DataStore, courier: Courier, size: int
) -> None:
    old, new = content(size), content(size, seed=1)
    before = await interrupted(store, courier, old, size // 2)
    store.replace_file("p", "f", "a.dat", new, update_index=True)
    after = await courier.fetch(continued(store, courier, new, before))
    assert after.kind is None
    assert not after.resumed
    assert after.fetched == size
    assert after.validator != before.validator
    assert courier.on_disk() == new
    assert len(store.requests) == 1


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_server_that_ignores_if_range_gets_one_clean_fetch(
    store: DataStore, courier: Courier, size: int
) -> None:
    old, new = content(size), content(size, seed=1)
    before = await interrupted(store, courier, old, size // 2)
    store.replace_file("p", "f", "a.dat", new, update_index=True)
    store.fault("p/f/a.dat", Fault.ignore_if_range())
    after = await courier.fetch(continued(store, courier, new, before))
    assert after.kind is None
    assert not after.resumed
    assert courier.on_disk() == new
    assert [("range" in request.headers) for request in store.requests] == [True, False]


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_bytes_that_went_bad_on_disk_get_one_clean_fetch(store: DataStore, courier: Courier, size: int) -> None:
    data = content(size)
    before = await interrupted(store, courier, data, size // 2)
    (courier.target / "a.dat").write_bytes(content(size // 2, seed=9))
    after = await courier.fetch(continued(store, courier, data, before))
    assert after.kind is None
    assert courier.on_disk() == data
    assert len(store.requests) == 2


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_clean_fetch_that_is_wrong_too_counts(store: DataStore, courier: Courier, size: int) -> None:
    data = content(size)
    before = await interrupted(store, courier, data, size // 2)
    wrong = content(size, seed=5)
    store.fault("p/f/a.dat", Fault.replace(wrong), times=None)
    after = await courier.fetch(continued(store, courier, data, before))
    assert after.kind is FailureKind.INTEGRITY
    assert after.digest == md5(wrong)
    assert after.kept == 0
    assert courier.on_disk() is None
    assert len(store.requests) == 2


@pytest.mark.parametrize("fault", [Fault.wrong_range(start=1), Fault.range_not_satisfiable()], ids=lambda f: f.name)
@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_range_that_cannot_be_trusted_is_fetched_from_zero(
    store: DataStore, courier: Courier, size: int, fault: Fault
) -> None:
    data = content(size)
    before = await interrupted(store, courier, data, size // 2)
    store.fault("p/f/a.dat", fault)
    after = await courier.fetch(continued(store, courier, data, before))
    assert after.kind is None
    assert not after.resumed
    assert courier.on_disk() == data
    assert [("range" in request.headers) for request in store.requests] == [True, False]


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_server_without_ranges_sends_everything(store: DataStore, courier: Courier, size: int) -> None:
    data = content(size)
    before = await interrupted(store, courier, data, size // 2)
    store.fault("p/f/a.dat", Fault.no_range())
    after = await courier.fetch(continued(store, courier, data, before))
    assert after.kind is None
    assert not after.resumed
    assert courier.on_disk() == data


async def test_416_for_a_file_that_is_whole_already(store: DataStore, courier: Courier) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    (courier.target / "a.dat").write_bytes(data)
    validator = (await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, name="b.dat"))).validator
    store.forget()
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, offset=len(data), validator=validator))
    assert outcome.kind is None
    assert outcome.fetched == 0
    assert [request.status for request in store.requests] == [416]
    assert courier.on_disk() == data


async def test_416_for_a_file_whose_bytes_are_wrong(store: DataStore, courier: Courier) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    validator = (await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, name="b.dat"))).validator
    (courier.target / "a.dat").write_bytes(content(SMALL, seed=3))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, offset=SMALL, validator=validator))
    assert outcome.kind is None
    assert courier.on_disk() == data


@pytest.mark.parametrize("fault", [Fault.no_validators()], ids=lambda f: f.name)
@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_without_a_validator_nothing_is_kept(store: DataStore, courier: Courier, size: int, fault: Fault) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", fault & Fault.reset(after=size // 2))
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert (outcome.kept, outcome.validator) == (0, None)
    assert courier.on_disk() is None


async def test_a_weak_etag_is_no_validator_but_the_date_beside_it_is(store: DataStore, courier: Courier) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault("p/f/a.dat", Fault.weak_etag())
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data))
    assert outcome.validator is None or "GMT" in outcome.validator


@pytest.mark.parametrize("left", [0, 1000])
async def test_fewer_bytes_on_disk_than_were_promised(store: DataStore, courier: Courier, left: int) -> None:
    data = content(LARGE)
    before = await interrupted(store, courier, data, LARGE // 2)
    with (courier.target / "a.dat").open("r+b") as file:
        file.truncate(left)
    after = await courier.fetch(continued(store, courier, data, before))
    assert after.kind is None
    assert courier.on_disk() == data
    assert after.fetched == LARGE - left


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_more_bytes_on_disk_than_were_promised(store: DataStore, courier: Courier, size: int) -> None:
    data = content(size)
    before = await interrupted(store, courier, data, size // 2)
    with (courier.target / "a.dat").open("ab") as file:
        file.write(b"x" * size)
    after = await courier.fetch(continued(store, courier, data, before))
    assert after.kind is None
    assert after.resumed
    assert courier.on_disk() == data


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_what_was_kept_stays_when_the_server_cannot_be_reached(
    store: DataStore, courier: Courier, size: int
) -> None:
    data = content(size)
    before = await interrupted(store, courier, data, size // 2)
    store.fault("p/f/a.dat", Fault.status(503))
    after = await courier.fetch(continued(store, courier, data, before))
    assert after.kind is FailureKind.TRANSIENT
    assert (after.kept, after.validator) == (before.kept, before.validator)
    store.close()
    again = await courier.fetch(continued(store, courier, data, after))
    assert (again.kept, again.validator) == (before.kept, before.validator)
    assert courier.on_disk() == data[: size // 2]


@pytest.mark.parametrize(
    ("fault", "stuck"),
    [*((Fault.status(code), False) for code in (400, 401, 403, 404)),
     *((fault, True) for fault in (Fault.status(500), Fault.status(501), Fault.status(503), Fault.refuse()))],
    ids=lambda one: one.name if isinstance(one, Fault) else "",
)  # fmt: skip
async def test_a_file_whose_rest_is_refused_is_asked_for_as_a_whole(
    store: DataStore, courier: Courier, fault: Fault, stuck: bool
) -> None:
    data = content(LARGE // 10)
    before = await interrupted(store, courier, data, len(data) // 2)
    store.fault("p/f/a.dat", fault)
    after = await courier.fetch(continued(store, courier, data, before, stuck=stuck))
    assert (after.kind, after.resumed) == (None, False)
    assert courier.on_disk() == data
    assert [("range" in request.headers) for request in store.requests] == [True, False]


@pytest.mark.parametrize(
    ("fault", "stuck", "kind", "requests"),
    [(Fault.status(403), False, FailureKind.DENIED, 2), (Fault.status(500), True, FailureKind.TRANSIENT, 2),
     (Fault.status(500), False, FailureKind.TRANSIENT, 1), (Fault.status(429), True, FailureKind.TRANSIENT, 1),
     (Fault.status(503, retry_after=1), True, FailureKind.TRANSIENT, 1),
     (Fault.refuse(), False, FailureKind.TRANSIENT, 1)],
)  # fmt: skip
async def test_what_was_kept_stays_as_long_as_the_whole_file_does_not_come(
    store: DataStore, courier: Courier, fault: Fault, stuck: bool, kind: FailureKind, requests: int
) -> None:
    data = content(LARGE // 10)
    before = await interrupted(store, courier, data, len(data) // 2)
    store.fault("p/f/a.dat", fault, times=None)
    after = await courier.fetch(continued(store, courier, data, before, stuck=stuck))
    assert (after.kind, after.kept, after.validator) == (kind, before.kept, before.validator)
    assert courier.on_disk() == data[: before.kept]
    assert len(store.requests) == requests


async def test_a_transfer_may_break_many_times(store: DataStore, courier: Courier) -> None:
    data = content(LARGE)
    before = await interrupted(store, courier, data, 5_000_000)
    for _ in range(6):
        store.fault("p/f/a.dat", Fault.reset(after=5_000_000))
        before = await courier.fetch(continued(store, courier, data, before))
        assert before.resumed
    after = await courier.fetch(continued(store, courier, data, before))
    assert before.kept == 35_000_000
    assert after.kind is None
    assert courier.on_disk() == data


async def test_an_offset_without_a_validator_is_not_used(store: DataStore, courier: Courier) -> None:
    data = content(SMALL)
    store.add_fileset("p", "f", {"a.dat": ServedFile(data)})
    (courier.target / "a.dat").write_bytes(data[:500])
    outcome = await courier.fetch(courier.job(f"{store.url}/p/f/a.dat", data, offset=500))
    assert outcome.kind is None
    assert outcome.fetched == SMALL
