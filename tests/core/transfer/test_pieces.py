"""Bodies that come in ever so small pieces: refused before they cost others anything, and honest ones taken."""

from __future__ import annotations

import tracemalloc

import pytest

from core.errors import FailureKind
from core.pieces import WINDOW
from core.transfer.base import PLAIN_SIZE
from core.transfer.fetch import FREE_PIECES, LEAST_PIECE
from core.transfer.sink import Sink
from core.transfer.writers import Writers
from tests.core.transfer.courier import Courier, content
from tests.servers.datastore import DataStore, Fault

SMALL, LARGE = PLAIN_SIZE, 1_000_000
URL = "p/f/a.dat"


@pytest.mark.parametrize(("chunk", "words"), [(1, "1 byte:"), (2, "2 bytes:"), (10, "10 bytes:")])
async def test_a_body_in_crumbs_is_given_up_and_leaves_nothing(
    store: DataStore, courier: Courier, chunk: int, words: str
) -> None:
    data = content(LARGE)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault(URL, Fault.crumbs(chunk))
    outcome = await courier.fetch(courier.job(f"{store.url}/{URL}", data))
    assert (outcome.kind, outcome.kept, courier.on_disk()) == (FailureKind.TRANSIENT, 0, None)
    assert f"comes in pieces of {words}" in outcome.detail
    assert outcome.fetched <= (FREE_PIECES + WINDOW) * chunk
    again = await courier.fetch(courier.job(f"{store.url}/{URL}", data))
    assert (again.kind, courier.on_disk()) == (None, data)


@pytest.mark.parametrize(("size", "chunk"), [(SMALL, 1), (FREE_PIECES, 1), (LARGE, 30), (9 * LARGE, 2 * LEAST_PIECE)])
async def test_a_body_in_pieces_that_some_servers_do_send_is_taken(
    store: DataStore, courier: Courier, size: int, chunk: int
) -> None:
    data = content(size)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault(URL, Fault.crumbs(chunk))
    outcome = await courier.fetch(courier.job(f"{store.url}/{URL}", data, plain=size <= PLAIN_SIZE))
    assert (outcome.kind, courier.on_disk()) == (None, data)


async def test_crumbs_are_no_progress_and_cost_nothing_of_what_was_kept(store: DataStore, courier: Courier) -> None:
    data = content(LARGE)
    store.add_fileset("p", "f", {"a.dat": data})
    store.fault(URL, Fault.reset(after=LARGE // 2))
    before = await courier.fetch(courier.job(f"{store.url}/{URL}", data))
    rest = courier.job(f"{store.url}/{URL}", data, offset=before.kept, validator=before.validator)
    store.fault(URL, Fault.crumbs(5))
    outcome = await courier.fetch(rest)
    assert (outcome.kind, outcome.kept, outcome.validator) == (FailureKind.TRANSIENT, before.kept, before.validator)
    after = await courier.fetch(rest._replace(id=rest.id + 1))
    assert (after.kind, after.resumed, courier.on_disk()) == (None, True, data)


@pytest.mark.parametrize("sync", [False, True])
async def test_small_pieces_that_wait_to_be_written_take_little_more_than_their_bytes(
    courier: Courier, sync: bool
) -> None:
    data = content(LARGE)
    pieces = [data[start : start + 2] for start in range(0, LARGE, 2)]
    writers = Writers()
    sink = Sink(courier.job("", data, sync=sync), writers, lambda: None)
    tracemalloc.start()
    while pieces:
        sink.take(pieces.pop())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    sink.discard()
    writers.close()
    assert peak < 5 * LARGE
