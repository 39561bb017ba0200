"""What a source offers, before anything is mirrored: its products, and how much is in them, as cheaply as can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.errors import SourceError
from core.model import ListedFile, ListedFileset, ListedProduct, Rejection
from core.sources.base import Source

MOST_PRODUCTS = 10_000
"""How many products are kept of a root index; a choice among more than these is made in the configuration."""
MOST_REFUSED = 100
MOST_SAMPLES = 4
"""How many filesets of a product have their index read, so that its size can be told."""
AT_ONCE = 3
"""How many products are looked into at the same time: the source has other things to do."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The products of a root index, each name once; `more` were left out, and `refused` rows were no products."""

    products: tuple[ListedProduct, ...]
    refused: tuple[Rejection, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a product holds: files and bytes are exact, or estimated from a few filesets that were read."""

    filesets: int
    files: int
    bytes: int
    exact: bool


Told = Extent | SourceError
"""What became of looking into a product."""


async def offer(source: Source) -> Offer:
    """Read the root index. Raises SourceError."""
    products: dict[str, ListedProduct] = {}
    refused: list[Rejection] = []
    more = 0
    with await source.products() as listing:
        for batch in listing.batches():
            for row in batch:
                if isinstance(row, Rejection):
                    refused += [row] if len(refused) < MOST_REFUSED else []
                elif len(products) < MOST_PRODUCTS or row.name in products:
                    products[row.name] = row
                else:
                    more += 1
            await asyncio.sleep(0)
    return Offer(tuple(products.values()), tuple(refused), more)


async def measure(source: Source, products: Iterable[str], tell: Callable[[str, Told], None]) -> None:
    """Look into products, a few at a time, and tell of each as soon as it is known."""
    waiting = iter(products)

    async def work() -> None:
        for product in waiting:
            try:
                told: Told = await extent(source, product)
            except SourceError as error:
                told = error
            tell(product, told)

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(work())


async def extent(source: Source, product: str) -> Extent:
    """Count the filesets of a product, and read the indexes of at most MOST_SAMPLES of them. Raises SourceError."""
    count, samples = await _sample(source, product)
    files = size = 0
    for fileset in samples:
        with await source.files(product, fileset) as listing:
            for batch in listing.batches():
                listed = [row for row in batch if isinstance(row, ListedFile)]
                files += len(listed)
                size += sum(row.size for row in listed)
                await asyncio.sleep(0)
    if len(samples) == count:
        return Extent(count, files, size, exact=True)
    return Extent(count, files * count // len(samples), size * count // len(samples), exact=False)


async def _sample(source: Source, product: str) -> tuple[int, list[str]]:
    """Return the number of a product's filesets, and the names of some, evenly spread over the list."""
    count, step = 0, 1
    samples: list[str] = []
    with await source.filesets(product, ()) as listing:
        for batch in listing.batches():
            for row in batch:
                if isinstance(row, ListedFileset):
                    samples += [row.name] if count % step == 0 else []
                    count += 1
                    if len(samples) > MOST_SAMPLES:
                        samples, step = samples[::2], step * 2
            await asyncio.sleep(0)
    return count, samples
