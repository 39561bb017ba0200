"""From what stands at a destination to rows of a new state file, in the order of the indexes there."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TypeVar

from core.config import Mirror
from core.destinations.published import PublishedTree
from core.engine.standing import Omission, Omissions, Reading, StandingFileset, StandingProduct, TreeReader, refused
from core.errors import DiskError
from core.model import ListedFileset, ListedProduct, Rejection
from core.store import events, rebuilding, registry
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

    def take(self, fileset: StandingFileset) -> None:
        """Count a fileset that was entered."""
        self.filesets += 1
        self.files += fileset.files
        self.bytes += fileset.bytes


@dataclass(frozen=True, slots=True)
class _Work:
    """A mirror that is entered: its row, its tree, and what came of it so far."""

    mirror: Mirror
    number: int
    reader: TreeReader
    found: MirrorRebuilt


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
        if tree.marker is not None:
            async with self._db.transaction():
                await registry.set_marker(self._db, number, tree.marker)
        work = _Work(mirror, number, TreeReader(tree, self._reading, by_size=self._by_size), found)
        try:
            await self._products(work)
        except DiskError as error:
            found.omissions.add(Omission(None, None, None, str(error)))
        await self._tell(found)
        return found

    async def _products(self, work: _Work) -> None:
        named = {*work.mirror.choice.named, *work.mirror.hidden_products}
        products, omitted = await self._in_thread(work.reader.products, named)
        work.found.omissions.add(*omitted)
        for product in products:
            opened = await self._in_thread(work.reader.product, product.name)
            if isinstance(opened, Omission):
                work.found.omissions.add(opened)
                continue
            with opened.listing:
                await self._product(work, product, opened)

    async def _product(self, work: _Work, product: ListedProduct, opened: StandingProduct) -> None:
        mirror, found = work.mirror, work.found
        self._reading.enter(f"{mirror.name}/{product.name}", len(opened.entries))
        selected, hidden = mirror.choice.selects(product.name), product.name in mirror.hidden_products
        async with self._db.transaction():
            row = await rebuilding.add_product(self._db, work.number, product, selected=selected, hidden=hidden)
        found.products += 1
        listed = _present(product.name, opened, found.omissions)
        jobs = (partial(work.reader.fileset, product.name, one) for one in listed)
        seq = 0
        async with aclosing(self._in_order(jobs)) as results:
            async for read in results:
                if isinstance(read, StandingFileset):
                    seq += 1
                    await self._fileset(row, seq, read)
                    found.take(read)
                else:
                    found.omissions.add(*read)
        async with self._db.transaction():
            await rebuilding.see_last(self._db, row)
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

    async def _in_order(self, jobs: Iterator[Callable[[], T]]) -> AsyncGenerator[T, None]:
        """Run `jobs` in the pool, a few ahead of their turn, and yield their results in order."""
        waiting: deque[asyncio.Future[T]] = deque()
        try:
            for job in jobs:
                waiting.append(self._in_thread(job))
                if len(waiting) >= AHEAD:
                    yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        finally:
            for one in waiting:  # nobody will ask how they ended
                one.cancel() or one.exception()

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
