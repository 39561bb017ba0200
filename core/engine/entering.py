"""From what stands at a destination to rows of a new state file, in the order of the indexes there."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TypeVar

from core.config import Mirror
from core.destinations.published import PublishedTree
from core.engine.standing import Omission, Omissions, Reading, StandingFileset, StandingProduct, TreeReader, refused
from core.errors import DiskError
from core.model import ListedFileset, ListedProduct, Rejection
from core.store import events, rebuilding
from core.store.database import Database
from core.units import counted

AHEAD = 8
"""Filesets that are read, or have been, before their turn to be entered has come."""

NOT_THERE = "there is no such folder: nothing was published yet, or its disk is not mounted"
UNLISTED = "the index of its product does not list it"
ABSENT = "its folder is not there, or was listed before"

T = TypeVar("T")


@dataclass(slots=True)
class MirrorRebuilt:
    """What was entered of one mirror, and what was not."""

    name: str
    products: int = 0
    filesets: int = 0
    files: int = 0
    bytes: int = 0
    omissions: Omissions = field(default_factory=Omissions)


class Entry:
    """Enters mirrors into a new state file; reads their filesets in `pool`."""

    def __init__(self, db: Database, pool: Executor, reading: Reading, *, by_size: bool):
        self._db = db
        self._pool = pool
        self._reading = reading
        self._by_size = by_size
        self._now = time.time()

    async def enter(self, mirror: Mirror, number: int, tree: PublishedTree | None) -> MirrorRebuilt:
        """Enter a mirror, whose row has this number; without a tree there is nothing to enter. Raises Stopped."""
        found = MirrorRebuilt(mirror.name)
        if tree is None:
            found.omissions.add(Omission(None, None, None, NOT_THERE))
            return found
        reader = TreeReader(tree, self._reading, by_size=self._by_size)
        named = {*mirror.choice.named, *mirror.hidden_products}
        try:
            products, omitted = await self._in_thread(reader.products, named)
        except DiskError as error:
            found.omissions.add(Omission(None, None, None, str(error)))
            return found
        found.omissions.add(*omitted)
        for product in products:
            opened = await self._in_thread(reader.product, product.name)
            if isinstance(opened, Omission):
                found.omissions.add(opened)
                continue
            with opened.listing:
                await self._product(mirror, number, product, opened, reader, found)
        await self._tell(found)
        return found

    async def _product(
        self,
        mirror: Mirror,
        number: int,
        product: ListedProduct,
        opened: StandingProduct,
        reader: TreeReader,
        found: MirrorRebuilt,
    ) -> None:
        self._reading.enter(f"{mirror.name}/{product.name}", len(opened.entries))
        async with self._db.transaction():
            row = await rebuilding.add_product(
                self._db,
                number,
                product,
                selected=mirror.choice.selects(product.name),
                hidden=product.name in mirror.hidden_products,
            )
        found.products += 1
        seq = 0
        listed = _present(product.name, opened, found.omissions)
        jobs = (partial(reader.fileset, product.name, one) for one in listed)
        async for read in self._in_order(jobs):
            if isinstance(read, StandingFileset):
                seq += 1
                await self._fileset(row, seq, read)
                found.filesets += 1
                found.files += read.files
                found.bytes += read.bytes
            else:
                found.omissions.add(*read)
        found.omissions.add(*(Omission(product.name, name, None, UNLISTED) for name in sorted(opened.entries)))

    async def _fileset(self, product: int, seq: int, read: StandingFileset) -> None:
        async with self._db.transaction():
            fileset = await rebuilding.add_fileset(
                self._db,
                product,
                seq,
                read.listed,
                files=read.files,
                size=read.bytes,
                published_at=min(read.published_at, self._now),
                verified_at=None if self._by_size else self._now,
            )
            start = 0
            for window in read.packed:
                start += await rebuilding.add_files(self._db, fileset, start, window)

    async def _tell(self, found: MirrorRebuilt) -> None:
        """Leave a line in the log that screens show."""
        proof = "by size alone" if self._by_size else "by size and digest"
        told = f"state made anew from the published tree: {counted(found.filesets, 'fileset')}, proven {proof}"
        if found.omissions.count:
            told += f"; {found.omissions.count:,} things left out"
        async with self._db.transaction():
            await events.add(self._db, self._now, "info", told, found.name, None, None)

    async def _in_order(self, jobs: Iterator[Callable[[], T]]) -> AsyncIterator[T]:
        """Run `jobs` in the pool, a few ahead of their turn, and yield their results in order."""
        waiting: deque[asyncio.Future[T]] = deque()
        for job in jobs:
            waiting.append(self._in_thread(job))
            if len(waiting) >= AHEAD:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()

    def _in_thread(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *arguments))


def _present(product: str, opened: StandingProduct, omissions: Omissions) -> Iterator[ListedFileset]:
    """Yield what a product's index lists and its folder has; of the entries those are left that are not listed."""
    for row in chain.from_iterable(opened.listing.batches()):
        if isinstance(row, Rejection):
            omissions.add(refused(product, row))
        elif row.name in opened.entries:
            opened.entries.remove(row.name)
            yield row
        else:
            omissions.add(Omission(product, row.name, None, ABSENT))
