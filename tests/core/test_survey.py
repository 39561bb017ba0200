import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from core import survey
from core.errors import FailureKind, SourceError
from core.sources import SourceOptions, open_source
from core.sources.base import Source
from core.survey import Extent, Told
from tests.servers.datastore import DataStore, Fault
from tests.whole.site import register

T = TypeVar("T")

HEADER = b"# productID|Most recent|Time registered|type|Description|\n"


def ask(store: DataStore, question: Callable[[Source], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        source = open_source("ipp", SourceOptions(store.url))
        try:
            return await question(source)
        finally:
            await source.close()

    return asyncio.run(run())


def fill(store: DataStore, product: str, filesets: int) -> int:
    """Register filesets; return their bytes."""
    store.add_product(product)
    return sum(len(body) for at in range(filesets) for body in register(store, product, f"o{at:03}").values())


def test_what_was_read_whole_is_exact(datastore: DataStore) -> None:
    size = fill(datastore, "few", survey.MOST_SAMPLES)
    assert ask(datastore, lambda source: survey.extent(source, "few")) == Extent(4, 16, size, exact=True)
    fill(datastore, "empty", 0)
    assert ask(datastore, lambda source: survey.extent(source, "empty")) == Extent(0, 0, 0, exact=True)


@pytest.mark.parametrize("filesets", [5, 30, 333])
def test_a_large_product_is_estimated_from_a_few_filesets(datastore: DataStore, filesets: int) -> None:
    size = fill(datastore, "many", filesets)
    found = ask(datastore, lambda source: survey.extent(source, "many"))
    assert (found.filesets, found.files, found.exact) == (filesets, filesets * 4, False)
    assert found.bytes == pytest.approx(size, rel=0.01)
    assert 2 <= len(datastore.requested("many/*/index.txt")) <= survey.MOST_SAMPLES


def test_of_several_products_each_is_told_of(datastore: DataStore) -> None:
    size = fill(datastore, "right", 2)
    fill(datastore, "denied", 2)
    fill(datastore, "broken", 2)
    datastore.fault("denied/index.txt", Fault.status(403))
    datastore.fault("broken/o001/index.txt", Fault.truncate(40))
    told: dict[str, Told] = {}
    ask(datastore, lambda source: survey.measure(source, ["right", "denied", "broken"], told.__setitem__))
    assert told["right"] == Extent(2, 8, size, exact=True)
    assert isinstance(told["denied"], SourceError)
    assert told["denied"].kind is FailureKind.DENIED
    assert isinstance(told["broken"], SourceError)


def test_a_root_index_is_bounded_and_its_names_are_distinct(
    datastore: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "MOST_PRODUCTS", 2)
    monkeypatch.setattr(survey, "MOST_REFUSED", 1)
    names = [b"one", b"../up", b"two", b"one", b"a/b", b"three", b"four"]
    datastore.raw_index("index.txt", HEADER + b"".join(name + b"|none|none|t|d|\n" for name in names))
    offer = ask(datastore, survey.offer)
    assert [product.name for product in offer.products] == ["one", "two"]
    assert offer.more == 2
    assert [(row.line, row.name) for row in offer.refused] == [(3, "../up")]
