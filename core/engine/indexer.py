"""Reading the index of each discovered fileset: its files, and which of its rows are refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from core.destinations.below import INDEX
from core.destinations.spelling import folded
from core.engine.context import Context, MirrorRun
from core.errors import Answer, FailureKind, SourceError
from core.model import ListedFile, Rejection
from core.sources.base import Listing
from core.store import filesets
from core.store.database import Database
from core.store.identity import hurts_all
from core.store.ids import MAX_FILES
from core.store.records import FilesetRow
from core.text import display
from core.transfer.hosts import FAILURES_TO_REST, FIRST_REST, Hosts, Trust
from core.transfer.retry import next_step

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Indexes of one mirror that are read at the same time."""
GROUP = 64
"""Filesets of one product that are looked up at a time."""
WINDOW = 1000
"""File rows that are stored together."""
MAX_REJECTIONS = 1000
"""Refused rows of one index that are kept in the state."""
MAX_BYTES = 2**50
"""Largest size of a fileset that is believed (1 PiB)."""


class Indexer:
    """Brings filesets of one mirror from discovered to queued; `queued` is told of each product that got one."""

    def __init__(self, context: Context, mirror: MirrorRun, hosts: Hosts, queued: Callable[[int], None]):
        self._context = context
        self._mirror = mirror
        self._hosts = hosts
        self._queued = queued
        self._next: deque[FilesetRow] = deque()
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._looking = self._cut_short = False
        self._failures = 0
        self.wake = asyncio.Event()

    @property
    def busy(self) -> bool:
        """True while indexes are being read, or may have to be."""
        return self._looking or bool(self._reading) or self.wake.is_set()

    @property
    def rested(self) -> bool:
        """True if reading was cut short because the host had to be left alone, and can go on now."""
        return self._cut_short and not self.busy and self._may_read()

    def goes_on_within(self, seconds: float) -> bool:
        """Tell whether reading that was cut short can go on within this time."""
        now = time.monotonic()
        until = self._hosts.state(self._mirror.host, now).until or now
        return self._cut_short and self._mirror.working and until - now <= seconds

    async def run(self) -> None:
        """Read indexes for ever: look for more each time `wake` is set, and when a slot has become free."""
        try:
            while True:
                await self.wake.wait()
                self.wake.clear()
                self._looking = True
                self._reap()
                await self._fill()
                self._looking = False
        finally:
            for task in self._reading.values():
                task.cancel()
            await asyncio.gather(*self._reading.values(), return_exceptions=True)

    def _reap(self) -> None:
        """Free the slots of what has been read; an error in it ends the engine."""
        for fileset in [one for one, task in self._reading.items() if task.done()]:
            self._reading.pop(fileset).result()

    async def _fill(self) -> None:
        """Take up the free slots; an index that is slow keeps its own, and holds up no other."""
        self._cut_short = not (self._may_read() or self._context.draining.is_set())
        if not self._may_read():
            self._next.clear()
            return
        if not self._next:
            self._next.extend(await self._due())
        while self._next and len(self._reading) < AT_ONCE:
            row = self._next.popleft()
            task = self._reading[row.id] = asyncio.create_task(self._read(row), name="index")
            task.add_done_callback(lambda _: self.wake.set())

    async def _due(self) -> list[FilesetRow]:
        """Return filesets whose index is to be read now, but for those under way."""
        found: list[FilesetRow] = []
        for product in list(self._mirror.products):
            found += await filesets.to_index(self._context.db, product, self._context.now(), GROUP)
        return [row for row in found if row.id not in self._reading]

    def _may_read(self) -> bool:
        """Tell whether the source may be asked now; a host that asked to be left alone is, for indexes too."""
        rests = self._hosts.state(self._mirror.host, time.monotonic()).trust is Trust.RESTING
        return self._mirror.working and not rests and not self._context.draining.is_set()

    async def _read(self, row: FilesetRow) -> None:
        product = self._mirror.products.get(row.product_id)
        if product is None or not self._may_read():
            return
        try:
            with await self._mirror.source.files(product, row.name) as listing:
                await self._take(row, listing)
        except SourceError as error:
            await self._failed(product, row, error)
            return
        except Exception as error:  # whatever an index may hold that nobody thought of, the other filesets go on
            if hurts_all(error):
                raise
            log.exception("%s/%s: its index cannot be taken", display(product), display(row.name))
            reason = f"it cannot be taken: {type(error).__name__}: {error}"
            await self._failed(product, row, SourceError(FailureKind.MALFORMED, reason))
            return
        self._failures = 0
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
        reading = _Reading(row.id, self._mirror.destination.folds)
        for batch in listing.batches():
            reading.take(batch)
            if len(reading.files) >= WINDOW:
                await journal.write(reading.store)
                reading.stored()
        if reading.rejected and not (reading.count or reading.files):
            reason = reading.rejected[0].reason
            raise SourceError(FailureKind.REJECTED, f"every row of its index was refused; {reason}")

        async def complete(db: Database) -> None:
            await reading.store(db)
            refused = [one for one in reading.rejected if one.name not in listing.conflicts]
            await filesets.index_read(db, row, listing.sha256, refused, listing.conflicts, now)

        await journal.write(complete)

    async def _failed(self, product: str, row: FilesetRow, error: SourceError) -> None:
        now = self._context.now()
        tries = (row.tries if row.failure_kind is error.kind else 0) + 1
        step = next_step(error.kind, tries, now=now, retry_after=error.retry_after)
        if step.answer in (Answer.PAUSE_MIRROR, Answer.PAUSE_DESTINATION):
            reason = f"{product}/{row.name}: its index: {error.detail}"
            await self._context.stop_mirror(self._mirror, error.kind, reason)
            return
        self._spare_the_host(error)
        next_try = None if step.answer is Answer.QUARANTINE else step.at or now
        await self._context.journal.write(
            lambda db: filesets.failed(db, row, error.kind, error.detail, next_try, True, now)
        )
        name = self._mirror.config.name
        await self._context.tell(
            "warning", f"its index: {error.detail}", mirror=name, product=product, fileset=row.name
        )

    def _spare_the_host(self, error: SourceError) -> None:
        """Leave a host alone that asks for it, or that fails again and again."""
        self._failures = self._failures + 1 if error.kind is FailureKind.TRANSIENT else 0
        now, asked = time.monotonic(), error.retry_after or 0.0
        if asked:
            self._hosts.rest(self._mirror.host, now + asked)
        if self._failures >= FAILURES_TO_REST:
            self._hosts.spare(self._mirror.host, now + FIRST_REST)


class _Reading:
    """The rows of one index on their way into the state, in windows."""

    def __init__(self, fileset: int, folds: bool):
        self.files: list[ListedFile] = []
        self.rejected: list[Rejection] = []
        self.count = self._bytes = 0
        self._fileset = fileset
        self._apart = _Apart() if folds else None

    def take(self, batch: Sequence[ListedFile | Rejection]) -> None:
        """Add a batch. Raises SourceError for more files or bytes than a fileset, or names than its disk, can have."""
        rejected = [one for one in batch if isinstance(one, Rejection)]
        files = [one for one in batch if isinstance(one, ListedFile)]
        if self._apart is not None:
            self._apart.take(one.name for one in files)
        self.files += files
        self._bytes += sum(one.size for one in files)
        self.rejected += rejected[: MAX_REJECTIONS - len(self.rejected)]
        if self.count + len(self.files) > MAX_FILES:
            raise SourceError(FailureKind.MALFORMED, f"the index lists more than {MAX_FILES} files")
        if self._bytes > MAX_BYTES:
            raise SourceError(FailureKind.REJECTED, "the sizes in its index add up to more than 2^50 bytes")

    async def store(self, db: Database) -> None:
        """Store the rows in hand."""
        if not self.count:
            await filesets.begin_index(db, self._fileset)
        await filesets.add_files(db, self._fileset, self.count, self.files)

    def stored(self) -> None:
        """Let the rows in hand go, which are in the state."""
        self.count += len(self.files)
        self.files = []


class _Apart:
    """The names of a fileset that goes to a file system where names are one that differ only in case or spelling."""

    def __init__(self) -> None:
        self._names = {folded(INDEX): INDEX}

    def take(self, names: Iterable[str]) -> None:
        """Add names. Raises SourceError for two that would be one file."""
        for name in names:
            if (first := self._names.setdefault(folded(name), name)) != name:
                reason = f"{display(first)} and {display(name)} would be one file where the mirror is"
                raise SourceError(FailureKind.UNSAFE, reason)
