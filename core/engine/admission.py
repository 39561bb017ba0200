"""Bringing filesets from the state into the schedule: fair between products, and only as the disk allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import TypeVar

from core.destinations.base import Expected, Found, Place
from core.engine.context import Context, MirrorRun
from core.engine.room import Room, find_room, put_off_large
from core.engine.runs import Run
from core.engine.scheduler import Scheduler
from core.engine.shares import Shares
from core.errors import DiskError, FailureKind
from core.model import FilesetState, FileState
from core.store import files, filesets, registry
from core.store.database import Database
from core.store.ids import fileset_of
from core.store.records import FileRow, FilesetRow

T = TypeVar("T")

WINDOW = 512
"""File rows loaded at a time."""
BATCH = 16
"""Filesets admitted at a time from one product."""


async def _at_once(_: int) -> None:
    """Nobody has to let go of a fileset."""


class Admission:
    """Keeps the scheduler fed.

    `let_go` returns when nobody is about to publish a fileset: only then may its staging go.
    """

    def __init__(self, context: Context, scheduler: Scheduler):
        self.let_go: Callable[[int], Awaitable[None]] = _at_once
        self._context = context
        self._scheduler = scheduler
        self._exhausted: set[int] = set()
        self._urgent: set[int] = set()
        self._turns: dict[int, int] = {}
        """When, as a number that grows, filesets of a product were admitted last."""
        self._resumable: deque[int] = deque()
        self._coming: set[int] = set()
        """Filesets that are on their way into the schedule ..."""
        self._revoked: set[int] = set()
        """... and those of them that were taken away meanwhile."""
        self.working = False

    def queued(self, product: int) -> None:
        """Note that filesets of a product may have been queued."""
        self._exhausted.discard(product)
        self._scheduler.hungry.set()

    def hurry(self, products: Iterable[int]) -> None:
        """Admit the best filesets of products next, however much is loaded already."""
        self._urgent.update(products)
        self._scheduler.hungry.set()

    async def reconsider(self) -> None:
        """Look again at filesets that were begun, and at what is queued, after a start or a command."""
        self._exhausted.clear()
        if not self._context.repairs_only:
            self.resume(await filesets.begun(self._context.db, self._context.now()))
        self._scheduler.hungry.set()

    def resume(self, found: Iterable[int]) -> None:
        """Bring back filesets that were begun, unless they are under way."""
        waiting = set(self._resumable)
        self._resumable.extend(one for one in found if one not in self._scheduler.runs and one not in waiting)
        if self._resumable:
            self._scheduler.hungry.set()

    async def due(self) -> None:
        """Bring back what has become due to be tried again."""
        now = self._context.now()
        found = await filesets.due(self._context.db, self._context.at_work, now)
        if any(fileset in self._scheduler.runs for fileset in found):
            await self._scheduler.recorder.flush()
        for fileset in found:
            rows = await files.due_in(self._context.db, fileset, now)
            run = self._scheduler.runs.get(fileset)
            if run is not None and not run.dropped:
                self._scheduler.offer(run, rows)
        for product in await filesets.products_due(self._context.db, self._context.at_work, now):
            self.queued(product)
        self.resume(found)
        if found:
            self._scheduler.fill()
        there = {run.row.product_id for run in self._scheduler.runs.values()}
        if not there.union(self._exhausted).issuperset(self._context.at_work):
            self._scheduler.hungry.set()

    async def drop(self, found: Iterable[int]) -> None:
        """Take filesets out of everything that is under way; return when that is recorded."""
        gone = set(found)
        self._revoked |= gone & self._coming
        self._resumable = deque(one for one in self._resumable if one not in gone)
        await self._scheduler.drop(gone)

    async def apart(self, found: Collection[int], change: Callable[[], Awaitable[T]]) -> T:
        """Change the state of filesets of which nothing is under way; return what `change` does.

        What was on its way into the schedule before the change, and came there during it, is taken out after it.
        """
        await self.drop(found)
        done = await change()
        await self.drop(found)
        return done

    async def give_back(self) -> None:
        """Return filesets to the queue of which nothing has come yet: the engine is ending, and begins nothing new."""
        untouched = self._scheduler.untouched()
        await self._scheduler.drop(untouched)
        await self._context.journal.write(lambda db: filesets.give_back(db, untouched))

    async def drop_unwanted(self) -> None:
        """Take out what belongs to mirrors that are paused, and to products that are paused or not mirrored."""
        await self.drop(
            [
                run.row.id
                for run in self._scheduler.runs.values()
                if run.mirror.paused or run.row.product_id not in run.mirror.products
            ]
        )

    async def drop_staging(self, found: Collection[int]) -> None:
        """Remove what was fetched of filesets; what can't be removed now is removed at the next start."""
        for fileset, number in (await registry.mirrors_of(self._context.db, found)).items():
            mirror = self._context.mirrors.get(number)
            if mirror is None:
                continue
            await self.let_go(fileset)
            try:
                await self._context.in_thread(mirror.destination.drop, fileset)
            except DiskError as error:
                await self._context.tell("warning", str(error), mirror=mirror.config.name)

    @property
    def idle(self) -> bool:
        """True if nothing more can be admitted now."""
        return not (self.working or self._scheduler.hungry.is_set())

    async def run(self) -> None:
        """Feed the scheduler for ever."""
        while True:
            await self._scheduler.hungry.wait()
            self._scheduler.hungry.clear()
            self.working = True
            try:
                await self._feed()
            finally:
                self.working = False

    async def _feed(self) -> None:
        for run in list(self._scheduler.runs.values()):
            if not run.exhausted and len(run.pending) < WINDOW // 2:
                await self._load(run)
        for _ in range(len(self._resumable)):
            if self._resumable:  # while one is brought back, others may be taken away
                await self._readmit(self._resumable.popleft())
        if self._context.draining.is_set() or self._context.repairs_only:
            return
        admitted = 0
        for mirror in self._context.mirrors.values():
            if mirror.working:
                admitted += await self._feed_from(mirror)
        if admitted:
            self._scheduler.hungry.set()

    async def _feed_from(self, mirror: MirrorRun) -> int:
        """Admit filesets of a mirror, first of the product whose last turn is the longest ago; return how many."""
        shares = self._shares(mirror)
        waiting = [product for product in mirror.products if product not in self._exhausted]
        waiting.sort(key=lambda one: self._turns.get(one, 0))
        admitted = 0
        for product in waiting:
            urgent = product in self._urgent
            if urgent or shares.room(product).filesets:
                self._urgent.discard(product)
                admitted += await self._admit(product, mirror, None if urgent else shares)
        return admitted

    def _shares(self, mirror: MirrorRun, *, resumed: bool = False) -> Shares:
        """Return the shares of filesets that are `resumed` after a failure, or of the others."""
        runs = (run for run in self._scheduler.runs.values() if run.mirror is mirror and run.resumed is resumed)
        return Shares(runs, set(mirror.products) - self._exhausted)

    async def _admit(self, product: int, mirror: MirrorRun, shares: Shares | None) -> int:
        """Admit the best filesets of a product, as far as disk and `shares` allow (None: it need not share)."""
        rows = await filesets.next_queued(self._context.db, product, BATCH, self._context.now())
        if len(rows) < BATCH:
            self._exhausted.add(product)
        if not rows:
            return 0
        if shares is not None and len(fair := shares.fitting(product, rows)) < len(rows):
            self._exhausted.discard(product)
            rows = fair
        try:
            room = await find_room(self._context, mirror, self._scheduler.runs.values())
        except DiskError as error:
            await self._context.stop_mirror(mirror, FailureKind.DISK, str(error))
            return 0
        fitting = await self._fitting(product, mirror, rows, room)
        admitted = [row.id for row in fitting]
        with self._on_their_way(admitted):
            if admitted:
                await self._context.journal.write(lambda db: filesets.admit(db, admitted, self._context.lease))
            for row in fitting:
                await self._begin(row, mirror)
                if shares is not None:
                    shares.add(product, 1, min(row.files, WINDOW))
        self._turns[product] = max(self._turns.values(), default=0) + 1
        return len(fitting)

    async def _fitting(self, product: int, mirror: MirrorRun, rows: list[FilesetRow], room: Room) -> list[FilesetRow]:
        """Return those of the next filesets for which there is room; one that has to wait for it is not overtaken."""
        if room.most > 0 and any(row.bytes > room.most for row in rows):
            await put_off_large(self._context, mirror, product, room)
            rows = [row for row in rows if row.bytes <= room.most]
            self.queued(product)
        sums = accumulate(row.bytes for row in rows)
        fitting = [row for row, needed in zip(rows, sums, strict=True) if needed <= room.left]
        if len(fitting) < len(rows):
            self._exhausted.discard(product)
        return fitting

    async def _readmit(self, fileset: int) -> None:
        with self._on_their_way([fileset]):
            await self._bring_back(fileset)

    async def _bring_back(self, fileset: int) -> None:
        row = await filesets.get(self._context.db, fileset)
        mirror = self._context.mirror_of(row.product_id) if row else None
        if row is None or row.state is not FilesetState.TRANSFERRING or mirror is None or not mirror.working:
            return
        if row.next_try is not None and row.next_try > self._context.now():
            return
        failed = bool(row.trouble)
        if not self._shares(mirror, resumed=failed).room(row.product_id).filesets:
            if fileset not in self._revoked:
                self._resumable.append(fileset)
            return
        await self._scheduler.recorder.flush()
        await self._begin(row, mirror, resumed=failed)

    @contextmanager
    def _on_their_way(self, found: Collection[int]) -> Iterator[None]:
        """Have `drop` revoke filesets that are not in the schedule yet."""
        self._coming.update(found)
        try:
            yield
        finally:
            self._coming.difference_update(found)
            self._revoked.difference_update(found)

    async def _begin(self, row: FilesetRow, mirror: MirrorRun, *, resumed: bool = False) -> None:
        """Bring one fileset into the schedule, unless it is taken away meanwhile."""
        name = mirror.products.get(row.product_id)
        if name is None or row.id in self._scheduler.runs or self._context.publishing(row.id):
            return
        try:
            run = await self._prepare(Run(row, mirror, Place(row.id, name, row.name), resumed=resumed))
        except DiskError as error:
            if not await self._taken_away(row, mirror):
                await self._context.disk_refused(mirror, row, error)
            return
        if await self._taken_away(row, mirror):
            return
        if self._context.draining.is_set() and not run.begun:
            await self._context.journal.write(lambda db: filesets.give_back(db, [row.id]))
            return
        self._scheduler.add(run)

    async def _taken_away(self, row: FilesetRow, mirror: MirrorRun) -> bool:
        """Tell whether a fileset was taken away on its way into the schedule; staging that is of no use then goes."""
        now = await filesets.get(self._context.db, row.id)
        open_still = now is not None and now.state is FilesetState.TRANSFERRING and row.product_id in mirror.products
        if open_still and row.id not in self._revoked:
            return False
        if not await filesets.still_staged(self._context.db, [row.id], mirror.id):
            await self.drop_staging([row.id])
        return True

    async def _prepare(self, run: Run) -> Run:
        fresh = await self._context.in_thread(run.mirror.destination.stage, run.place)
        run.missing = await files.unstaged(self._context.db, run.row.id)
        if not fresh or run.missing < run.row.files:
            run.in_place = await self._inspect(run)
            run.missing = await files.unstaged(self._context.db, run.row.id)
        await self._load(run)
        run.begun = run.missing < run.row.files or any(file.kept or file.attempts for file in run.pending)
        return run

    async def _inspect(self, run: Run) -> bool:
        """Take over what is there of a fileset already; tell whether all of it stands at its final place."""
        expected: list[Expected] = []
        after = 0
        while window := await files.all_of(self._context.db, run.row.id, after, WINDOW):
            after = window[-1].id
            expected += map(_expected, window)
        found = await self._context.in_thread(run.mirror.destination.inspect, run.place, expected)
        await self._context.journal.write(lambda db: _take_over(db, run.row.id, found))
        return found.in_place

    async def _load(self, run: Run) -> None:
        rows = await files.to_fetch(self._context.db, run.row.id, run.after, self._context.now(), WINDOW)
        if len(rows) < WINDOW:
            run.exhausted = True
        if rows:
            run.after = rows[-1].id
        self._scheduler.offer(run, rows)


async def _take_over(db: Database, fileset: int, found: Found) -> None:
    row = await filesets.get(db, fileset)
    if row is None or row.state is not FilesetState.TRANSFERRING:
        return
    await files.reset_lost(db, found.lost)
    await files.staged(db, [(one, *adopted) for one, adopted in found.adopted.items()])
    await files.keep(db, found.kept)
    await filesets.judge(db, {fileset_of(one) for one in found.adopted})


def _expected(row: FileRow) -> Expected:
    kept = row.kept if row.validator and row.digest else 0
    staged = row.state is FileState.STAGED
    there = staged or row.state is FileState.PUBLISHED
    return Expected(row.id, row.name, row.size, row.digest, there, kept, row.ctime if staged else None, row.blake3)
