"""Fair between products: what each of them may have in the schedule."""

from __future__ import annotations

import threading

from core.config import Config
from core.engine.shares import ENOUGH_FILES, ENOUGH_FILESETS, LEAST_FILES, MOST_FILESETS, Load, Shares
from tests.core.engine.operator import configured, operating
from tests.servers.datastore import DataStore, Fault


def shares(crowd: int, **loaded: tuple[int, int]) -> Shares:
    """Return the shares of `crowd` products, of which some (``p3=(filesets, files)``) have something there."""
    found = Shares([], range(crowd))
    for name, load in loaded.items():
        found.add(int(name.removeprefix("p")), *load)
    return found


def test_a_product_that_is_alone_has_all() -> None:
    assert shares(1).room(0) == Load(ENOUGH_FILESETS, ENOUGH_FILES)
    assert shares(1, p0=(5, ENOUGH_FILES)).room(0) == Load()
    assert shares(1, p0=(ENOUGH_FILESETS, 1)).room(0).filesets == 0


def test_a_product_that_comes_later_gets_its_share_at_once() -> None:
    full = shares(2, p0=(ENOUGH_FILESETS, ENOUGH_FILES))
    assert full.room(1) == Load(MOST_FILESETS - ENOUGH_FILESETS, ENOUGH_FILES // 2)
    assert full.room(0) == Load()


def test_many_products_have_one_fileset_each_and_memory_is_bounded() -> None:
    crowd = shares(1000)
    for product in range(1000):
        room = crowd.room(product)
        crowd.add(product, room.filesets, LEAST_FILES * bool(room.filesets))
    assert sum(crowd.room(product).filesets for product in range(1000)) == 0
    assert [crowd.room(product) for product in (0, 999)] == [Load(), Load()]
    loaded = [product for product in range(1000) if crowd._loads[product].filesets]
    assert len(loaded) == MOST_FILESETS


async def test_a_product_is_not_kept_out_by_another_that_has_very_much(datastore: DataStore, config: Config) -> None:
    held = threading.Event()
    datastore.fault("aaa/*.dat", Fault.gate(held), times=None)
    for product in ("aaa", "bbb"):
        datastore.add_product(product)
    for at in range(8):
        datastore.add_fileset("aaa", f"a{at}", {f"{n}.dat": b"x" for n in range(600)})
    async with operating(configured(config, poll_interval=0.2)) as operator:
        await operator.until_state("transferring", "a0")
        await operator.until_state("queued", "a7")
        datastore.add_fileset("bbb", "late", {"0.dat": b"y"})
        await operator.until_state("transferring", "late")
        assert (await operator.states())["a7"] == "queued"
        held.set()
        await operator.until_state("published", "late")
