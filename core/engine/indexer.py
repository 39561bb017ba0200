"""Reading the index of each discovered fileset: its files, and which of its rows are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from core.engine.context import Context, MirrorRun
from core.errors import Answer, FailureKind, SourceError
from core.model import ListedFile, Rejection
from core.sources.base import Listing
from core.store import filesets
from core.store.database import Database
from core.store.ids import MAX_FILES
from core.store.records import FilesetRow
from core.transfer.retry import next_step

AT_ONCE = 8
"""Indexes of one mirror that are read at the same time."""
GROUP = 64
WINDOW = 1000
"""File rows that are stored together."""
MAX_REJECTIONS = 1000
"""Refused rows of one index that are kept in the state."""


class Indexer:
    """Brings filesets from discovered to queued; `queued` is told of each product that got one."""

    def __init__(self, context: Context, queued: Callable[[int], None]):
        self._context = context
        self._queued = queued
        self._busy: set[int] = set()
        self.wake = asyncio.Event()

    @property
    def busy(self) -> bool:
        """True while indexes are being read, or may have to be."""
        return bool(self._busy) or self.wake.is_set()

    async def run(self) -> None:
        """Read indexes for ever, each time `wake` is set."""
        while True:
            await self.wake.wait()
            self._busy.add(0)
            self.wake.clear()
            try:
                await asyncio.gather(*(self._mirror(mirror) for mirror in list(self._context.mirrors.values())))
            finally:
                self._busy.discard(0)

    async def _mirror(self, mirror: MirrorRun) -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def read(row: FilesetRow) -> None:
            async with slots:
                await self._read(mirror, row)

        while mirror.working and not self._context.draining.is_set():
            rows: list[FilesetRow] = []
            for product in list(mirror.products):
                rows += await filesets.to_index(self._context.db, product, self._context.now(), GROUP)
            if not rows:
                return
            await asyncio.gather(*(read(row) for row in rows))

    async def _read(self, mirror: MirrorRun, row: FilesetRow) -> None:
        product = mirror.products.get(row.product_id)
        if product is None or not mirror.working or self._context.draining.is_set():
            return
        try:
            with await mirror.source.files(product, row.name) as listing:
                await self._take(row, listing)
        except SourceError as error:
            await self._failed(mirror, product, row, error)
            return
        self._queued(row.product_id)

    async def _take(self, row: FilesetRow, listing: Listing[ListedFile]) -> None:
        journal, now = self._context.journal, self._context.now()
        if row.index_sha256 == listing.sha256:
            await journal.write(lambda db: filesets.index_confirmed(db, row.id, now))
            return
        if row.published:
            await journal.write(lambda db: filesets.index_replaced(db, row.id, now))
            self.wake.set()
            return
        reading = _Reading(row.id)
        for batch in listing.batches():
            reading.take(batch)
            if len(reading.files) >= WINDOW:
                await journal.write(reading.store)
        if reading.rejected and not (reading.count or reading.files):
            reason = reading.rejected[0].reason
            raise SourceError(FailureKind.REJECTED, f"every row of its index was refused; {reason}")

        async def complete(db: Database) -> None:
            await reading.store(db)
            refused = [one for one in reading.rejected if one.name not in listing.conflicts]
            await filesets.index_read(db, row, listing.sha256, refused, listing.conflicts, now)

        await journal.write(complete)

    async def _failed(self, mirror: MirrorRun, product: str, row: FilesetRow, error: SourceError) -> None:
        now = self._context.now()
        tries = (row.tries if row.failure_kind is error.kind else 0) + 1
        step = next_step(error.kind, tries, now=now, retry_after=error.retry_after)
        if step.answer is Answer.PAUSE_MIRROR:
            await self._context.stop_mirror(mirror, error.kind, error.detail)
            return
        next_try = None if step.answer is Answer.QUARANTINE else step.at or now
        await self._context.journal.write(
            lambda db: filesets.failed(db, row, error.kind, error.detail, next_try, True, now)
        )
        await self._context.tell(
            "warning", f"its index: {error.detail}", mirror=mirror.config.name, product=product, fileset=row.name
        )


class _Reading:
    """The rows of one index on their way into the state, in windows."""

    def __init__(self, fileset: int):
        self.files: list[ListedFile] = []
        self.rejected: list[Rejection] = []
        self.count = 0
        self._fileset = fileset

    def take(self, batch: Sequence[ListedFile | Rejection]) -> None:
        """Add a batch. Raises SourceError for more files than a fileset can have."""
        rejected = [one for one in batch if isinstance(one, Rejection)]
        self.files += [one for one in batch if isinstance(one, ListedFile)]
        self.rejected += rejected[: MAX_REJECTIONS - len(self.rejected)]
        if self.count + len(self.files) > MAX_FILES:
            raise SourceError(FailureKind.MALFORMED, f"the index lists more than {MAX_FILES} files")

    async def store(self, db: Database) -> None:
        """Store the rows in hand."""
        if not self.count:
            await filesets.begin_index(db, self._fileset)
        start, self.count = self.count, self.count + len(self.files)
        files, self.files = self.files, []
        await filesets.add_files(db, self._fileset, start, files)
