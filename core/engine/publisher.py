"""From staged to published, in groups: one flush, one rename each, two transactions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

from core.destinations.base import Destination, Place, Sealed
from core.destinations.indexes import Index, product_lines
from core.engine import listing
from core.engine.context import Context, MirrorRun
from core.engine.runs import Run
from core.errors import DiskError
from core.model import ListedFile
from core.store import events, filesets, indexes, registry
from core.store.database import Database
from core.text import display

log = logging.getLogger(__name__)

GROUP = 64
GATHER_SECONDS = 0.25
GATHER_STEPS = 10
INDEX_SECONDS = 5.0
"""The published index of a product may be so much older than what is published."""


class Publisher:
    """Takes filesets whose files are all in place, and makes them visible.

    `recorded` returns when all that is known about files is in the state: only then may a fileset count as complete.
    `more` tells whether others may be complete soon; `again` takes filesets back that may still be under way.
    """

    def __init__(self, context: Context, recorded: Callable[[], Awaitable[None]], more: Callable[[], bool]):
        self._context = context
        self._recorded = recorded
        self._more = more
        self.again: Callable[[list[int]], None] = lambda _: None
        self._waiting: list[Run] = []
        self._held: set[int] = set()
        self._stand: set[int] = set()
        self._wake = asyncio.Event()
        self._concluded = asyncio.Event()
        """Set at the end of the group that is being published; each has one of its own."""
        self._working = False
        self._indexed = 0.0
        self.published = 0

    @property
    def busy(self) -> bool:
        """True while a fileset waits to be published."""
        return self._working or bool(self._waiting)

    def add(self, run: Run) -> None:
        """Take a complete fileset."""
        self._waiting.append(run)
        self._held.add(run.row.id)
        self._wake.set()

    def holds(self, fileset: int) -> bool:
        """Tell whether a fileset is on its way through here."""
        return fileset in self._held

    async def let_go(self, fileset: int) -> None:
        """Return when a fileset is not, or no longer, on its way through here."""
        while fileset in self._held:
            await self._concluded.wait()

    async def run(self) -> None:
        """Publish for ever; look after the published indexes from time to time."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INDEX_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._gather()
                group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
                await self._publish_group(group)
            if asyncio.get_running_loop().time() - self._indexed > INDEX_SECONDS:
                await self.write_indexes()

    async def _publish_group(self, group: Sequence[Run]) -> None:
        self._working = True
        try:
            for mirror, runs in groupby(sorted(group, key=lambda one: one.mirror.id), lambda one: one.mirror):
                await self._publish(mirror, list(runs))
        finally:
            self._working = False
            self._held.difference_update(run.row.id for run in group)
            self._concluded.set()
            self._concluded = asyncio.Event()
        self.again([run.row.id for run in group if run.row.id not in self._stand])
        self._stand.clear()

    async def _gather(self) -> None:
        """Wait a moment for company: each group costs a flush of the disk, which holds up everybody's writing."""
        for _ in range(GATHER_STEPS):
            if len(self._waiting) >= GROUP or not self._more():
                return
            await asyncio.sleep(GATHER_SECONDS / GATHER_STEPS)

    async def _publish(self, mirror: MirrorRun, runs: Sequence[Run]) -> None:
        await self._recorded()
        by_id = {run.row.id: run for run in runs}
        items, unlisted = await self._indexes(runs)
        sealed, refused = await self._context.in_thread(_seal, mirror.destination, items)
        wanted = [(one.place.fileset_id, one.inode) for one in sealed]
        meant = set(await self._context.journal.write(lambda db: filesets.intend(db, wanted)))
        visible, unpublished, left = await self._context.in_thread(
            _appear, mirror.destination, [one for one in sealed if one.place.fileset_id in meant]
        )
        await self._conclude(mirror, [by_id[one.fileset_id] for one in visible])
        for place, error in left:
            names = {"mirror": mirror.config.name, "product": place.product, "fileset": place.fileset}
            await self._context.tell("warning", str(error), **names)
        for place, error in [*unlisted, *refused, *unpublished]:
            await self._context.journal.write(lambda db: filesets.take_back(db, place.fileset_id))  # noqa: B023
            await self._context.disk_refused(mirror, by_id[place.fileset_id].row, error)

    async def _indexes(
        self, runs: Sequence[Run]
    ) -> tuple[list[tuple[Run, Index[ListedFile]]], list[tuple[Place, DiskError]]]:
        """Return the index of each fileset, and those for which there was no room."""
        found: list[tuple[Run, Index[ListedFile]]] = []
        refused: list[tuple[Place, DiskError]] = []
        for run in runs:
            try:
                found.append((run, await listing.of_fileset(self._context.db, run.row.id)))
            except DiskError as error:
                refused.append((run.place, error))
        return found, refused

    async def _conclude(self, mirror: MirrorRun, visible: Sequence[Run]) -> None:
        now, name = self._context.now(), mirror.config.name
        told = [("published", name, run.place.product, run.place.fileset) for run in visible]

        async def write(db: Database) -> None:
            await filesets.published(db, [run.row.id for run in visible], now)
            await events.add_many(db, now, "info", told)

        await self._context.journal.write(write)
        self.published += len(visible)
        self._stand |= {run.row.id for run in visible}
        for run in visible:
            log.info("%s/%s/%s: published", name, display(run.place.product), display(run.place.fileset))

    async def write_indexes(self) -> None:
        """Bring the published indexes up to date, of all products that have changed."""
        self._working = True
        try:
            await self._write_indexes()
        finally:
            self._working = False

    async def _write_indexes(self) -> None:
        self._indexed = asyncio.get_running_loop().time()
        for mirror in self._context.mirrors.values():
            due = await indexes.due(self._context.db, mirror.id)
            if due and mirror.stop is None:
                await self._write_indexes_of(mirror, due)

    async def _write_indexes_of(self, mirror: MirrorRun, due: Sequence[tuple[int, str, int]]) -> None:
        """Write the indexes of products, and then that of the root: what it lists has to be there."""
        stamps: dict[int | None, str] = {}
        for one in due:
            if stamp := await self._write_product_index(mirror, one):
                stamps[one[0]] = stamp
        written = [one for one in due if one[0] in stamps]
        try:
            listed = await registry.published_products(self._context.db, mirror.id)
            stamps[None] = await self._context.in_thread(mirror.destination.write_index, None, product_lines(listed))
        except DiskError as error:
            for product, name, _ in written:
                await self._index_refused(mirror, product, name, error)
            return

        async def write(db: Database) -> None:
            await indexes.written(db, written)
            await indexes.keep_stamps(db, mirror.id, stamps)

        await self._context.journal.write(write)

    async def _write_product_index(self, mirror: MirrorRun, due: tuple[int, str, int]) -> str | None:
        """Write one index and return its stamp; None if it was refused."""
        product, name, _ = due
        try:
            with contextlib.closing(await listing.of_product(self._context.db, product)) as index:
                return await self._context.in_thread(mirror.destination.write_index, name, index.blocks())
        except DiskError as error:
            await self._index_refused(mirror, product, name, error)
            return None

    async def _index_refused(self, mirror: MirrorRun, product: int, name: str, error: DiskError) -> None:
        """Record, and tell once, that what is published can't be found by those who mirror us."""
        if await self._context.journal.write(lambda db: indexes.refused(db, product, str(error))):
            await self._context.tell("error", str(error), mirror=mirror.config.name, product=name)


def _seal(
    destination: Destination, items: Sequence[tuple[Run, Index[ListedFile]]]
) -> tuple[list[Sealed], list[tuple[Place, DiskError]]]:
    """Complete staged filesets and flush them; return those that are ready, and those that were refused."""
    sealed: list[Sealed] = []
    refused: list[tuple[Place, DiskError]] = []
    for run, index in items:
        try:
            with contextlib.closing(index):
                sealed.append(destination.seal(run.place, index.blocks(), index.rows, run.in_place))
        except DiskError as error:
            refused.append((run.place, error))
    try:
        destination.flush(sealed)
    except DiskError as error:
        return [], [(run.place, error) for run, _ in items]
    return sealed, refused


def _appear(
    destination: Destination, sealed: Sequence[Sealed]
) -> tuple[list[Place], list[tuple[Place, DiskError]], list[tuple[Place, DiskError]]]:
    """Rename sealed filesets into place.

    Returns those that stand, those that were refused, and those that stand though what they replaced is in the way.
    """
    visible: list[Place] = []
    refused: list[tuple[Place, DiskError]] = []
    left: list[tuple[Place, DiskError]] = []
    try:
        destination.demand_in_place()
    except DiskError as error:
        return [], [(one.place, error) for one in sealed], left
    for one in sealed:
        try:
            destination.publish(one)
        except DiskError as error:
            refused.append((one.place, error))
            continue
        visible.append(one.place)
        try:
            destination.clear(one.place)
        except DiskError as error:
            left.append((one.place, error))
    try:
        destination.settle({place.product for place in visible})
    except DiskError as error:
        return [], [(one.place, error) for one in sealed], left
    return visible, refused, left
