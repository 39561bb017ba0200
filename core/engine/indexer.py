"""Reading the index of each discovered fileset: its files, and which of its rows are refused."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from core.destinations.below import INDEX
from core.destinations.spelling import folded
from core.engine.agreement import agreed, mended
from core.engine.context import Context, MirrorRun
from core.engine.denials import Denials
from core.engine.room import ROOM_AGAIN_SECONDS
from core.errors import Answer, FailureKind, SourceError
from core.model import FilesetState, ListedFile, Rejection, Trouble
from core.sources.base import Listing
from core.store import filesets, mending
from core.store.database import Database
from core.store.identity import hurts_all
from core.store.ids import MAX_FILES
from core.store.records import FilesetRow
from core.store.refusals import Refusals
from core.text import display
from core.transfer.hosts import FAILURES_TO_REST, FIRST_REST, Hosts
from core.transfer.retry import next_step

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Indexes of one mirror that are read at the same time."""
GROUP = 64
"""Filesets of one product that are looked up at a time."""
WINDOW = 4
"""Batches of file rows that are stored together: about 1000 rows, fewer of long ones."""
LARGE = 10_000
"""Rows of an index that is taken alone. It takes no longer so: there is one thread for it."""
MAX_BYTES = 2**50
"""Largest size of a fileset that is believed (1 PiB)."""

Apart = Callable[[Collection[int], Callable[[], Awaitable[None]]], Awaitable[None]]


class Indexer:
    """Brings filesets of one mirror from discovered to queued; `queued` is told of each product that got one.

    `apart` makes changes to filesets of which nothing is under way.
    """

    def __init__(
        self,
        context: Context,
        mirror: MirrorRun,
        hosts: Hosts,
        queued: Callable[[int], None],
        apart: Apart,
    ):
        self._context = context
        self._mirror = mirror
        self._hosts = hosts
        self._queued = queued
        self._apart = apart
        self._next: deque[FilesetRow] = deque()
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._no_room: set[int] = set()
        """Filesets for whose index there was no room."""
        self._looking = self._cut_short = False
        self._failures = self._vain_looks = 0
        self._denials = Denials()
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
        wait = self._hosts.index_opens_at(self._mirror.host) - time.monotonic()
        return self._cut_short and self._mirror.working and wait <= seconds

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
        now, products = self._context.now(), list(self._mirror.products)
        for product in products:
            found += await filesets.to_index(self._context.db, product, now, GROUP)
        if self._failures:  # what comes next to one that fails often fails like it
            random.shuffle(found)
        found += await filesets.to_index_again(self._context.db, products, now, GROUP)
        return [row for row in found if row.id not in self._reading]

    def _may_read(self) -> bool:
        """Tell whether the source may be asked now; a host that asked to be left alone is, for indexes too."""
        rests = self._hosts.index_opens_at(self._mirror.host) > time.monotonic()
        return self._mirror.working and not rests and not self._context.draining.is_set()

    async def _read(self, row: FilesetRow) -> None:
        product = self._mirror.products.get(row.product_id)
        if product is None or not self._may_read():
            return
        try:
            with await self._mirror.source.files(product, row.name) as listing:
                async with self._turn(listing):
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
        self._failures = self._vain_looks = 0
        self._denials.end(self._mirror.id)
        self._no_room.discard(row.id)
        self._queued(row.product_id)

    def _turn(self, listing: Listing[ListedFile]) -> AbstractAsyncContextManager[None]:
        return self._context.large_index if listing.rows > LARGE else nullcontext()

    async def _take(self, row: FilesetRow, listing: Listing[ListedFile]) -> None:
        try:
            await self._take_rows(row, listing)
        except _Alike as alike:
            reason = await self._context.in_thread(_one_file, str(alike), listing)
            raise SourceError(FailureKind.UNSAFE, reason) from None

    async def _take_rows(self, row: FilesetRow, listing: Listing[ListedFile]) -> None:
        journal, now = self._context.journal, self._context.now()
        if row.index_sha256 == listing.sha256:
            await journal.write(lambda db: filesets.index_confirmed(db, row, now))
            return
        if await agreed(self._context, row, listing):
            return
        if row.state is not FilesetState.DISCOVERED:
            # of what is published, nothing but an index that had to be read again is in quarantine
            due = not row.looked_at or (row.published and row.trouble is Trouble.QUARANTINED)
            if due or await mended(self._context, row, listing):
                await self._replace(row)
            else:
                await journal.write(lambda db: mending.nothing_seen(db, row.id))
            return
        reading = _Reading(row, self._mirror.destination.folds)
        for number, batch in enumerate(listing.batches(), 1):
            reading.take(batch, listing.conflicts)
            await asyncio.sleep(0)
            if number % WINDOW == 0:
                await journal.write(reading.store)
                reading.stored()
        if reading.refused.kept and not (reading.count or reading.files):
            reason = reading.refused.kept[0].reason
            raise SourceError(FailureKind.REJECTED, f"every row of its index was refused; {reason}")

        async def complete(db: Database) -> None:
            await reading.store(db)
            await filesets.index_read(db, row, listing.sha256, reading.refused.told(), listing.conflicts, now)

        await journal.write(complete)

    async def _replace(self, row: FilesetRow) -> None:
        """Have what was begun, or is published, by an index that upstream has changed since, begun anew."""
        journal, now = self._context.journal, self._context.now()
        if row.published:
            await journal.write(lambda db: filesets.index_replaced(db, row.id, now))
        else:
            await self._apart([row.id], lambda: journal.write(lambda db: mending.begin_anew(db, row.id)))
        self.wake.set()

    async def _looked_in_vain(self, row: FilesetRow, error: SourceError) -> None:
        """Leave a fileset as it is whose index can't be looked at; where that goes on, the others are, too."""
        if error.host_wish:
            self._hosts.rest(self._mirror.host, time.monotonic() + error.host_wish)
        self._vain_looks += error.kind is FailureKind.TRANSIENT
        journal, mirror = self._context.journal, self._mirror.id
        if self._vain_looks >= FAILURES_TO_REST:
            self._vain_looks = 0
            await journal.write(lambda db: mending.give_up(db, mirror))
        else:
            await journal.write(lambda db: mending.nothing_seen(db, row.id))

    async def _failed(self, product: str, row: FilesetRow, error: SourceError) -> None:
        if row.looked_at:
            await self._looked_in_vain(row, error)
            return
        if error.kind is FailureKind.DISK:
            await self._put_off(product, row, error)
            return
        now = self._context.now()
        tries = (row.tries if row.failure_kind is error.kind else 0) + 1
        # no breaker knows other hosts, nor what is costly: without a rest a run would be busy for all of their tries
        rests = error.elsewhere or error.costly
        wait = max(error.retry_after or 0.0, FIRST_REST) if rests else error.retry_after
        policy = self._denials.answered_as(error.kind, self._mirror, row.id)
        step = next_step(policy, tries, now=now, retry_after=wait)
        if step.answer is Answer.PAUSE_MIRROR:
            reason = f"{product}/{row.name}: its index: {error.detail}"
            await self._stop(error.kind, reason)
            return
        self._spare_the_host(row, error)
        next_try = None if step.answer is Answer.QUARANTINE else step.at or now
        await self._context.journal.write(
            lambda db: filesets.failed(db, row, error.kind, error.detail, next_try, True, now)
        )
        name = self._mirror.config.name
        await self._context.tell(
            "warning", f"its index: {error.detail}", mirror=name, product=product, fileset=row.name
        )

    async def _put_off(self, product: str, row: FilesetRow, error: SourceError) -> None:
        """Read an index later for which there was no room; however many there are, tell of it once."""
        now, news = self._context.now(), not self._no_room
        self._no_room.add(row.id)
        again = now + ROOM_AGAIN_SECONDS
        await self._context.journal.write(
            lambda db: filesets.failed(db, row, FailureKind.DISK, error.detail, again, False, now)
        )
        if news:
            told = f"its index: {error.detail}; tried again later, as are others"
            await self._context.tell("error", told, mirror=self._mirror.config.name, product=product, fileset=row.name)

    async def _stop(self, kind: FailureKind, reason: str) -> None:
        """Stop the mirror; that indexes of it were denied before counts for nothing, then."""
        await self._context.stop_mirror(self._mirror, kind, reason)
        if denied := self._denials.end(self._mirror.id):
            now = self._context.now()
            await self._context.journal.write(lambda db: filesets.try_at_once(db, denied, kind, now))

    def _spare_the_host(self, row: FilesetRow, error: SourceError) -> None:
        """Leave a host alone that asks for it, or where one index after the other fails.

        One that fails again tells of itself only.
        """
        if error.kind is not FailureKind.TRANSIENT:
            self._failures = 0
        elif not (row.attempts or error.elsewhere):
            self._failures += 1
            if self._failures % FAILURES_TO_REST == 0:
                self._hosts.spare(self._mirror.host, time.monotonic() + FIRST_REST)
        if error.host_wish:
            self._hosts.rest(self._mirror.host, time.monotonic() + error.host_wish)


class _Reading:
    """The rows of one index on their way into the state, in windows."""

    def __init__(self, row: FilesetRow, folds: bool):
        self.files: list[ListedFile] = []
        self.refused = Refusals()
        self.count = self._bytes = 0
        self._row = row
        self._apart = _Apart() if folds else None

    def take(self, batch: Sequence[ListedFile | Rejection], conflicts: Collection[str]) -> None:
        """Add a batch. Raises SourceError for more files or bytes than a fileset, or names than its disk, can have.

        Of files that were listed with unequal rows, `conflicts`, their own failure speaks.
        """
        files = [one for one in batch if isinstance(one, ListedFile)]
        self.refused.add(one for one in batch if isinstance(one, Rejection) and one.name not in conflicts)
        if self._apart is not None:
            self._apart.take(one.name for one in files)
        self.files += files
        self._bytes += sum(one.size for one in files)
        if self.count + len(self.files) > MAX_FILES:
            raise SourceError(FailureKind.MALFORMED, f"the index lists more than {MAX_FILES} files")
        if self._bytes > MAX_BYTES:
            raise SourceError(FailureKind.REJECTED, "the sizes in its index add up to more than 2^50 bytes")

    async def store(self, db: Database) -> None:
        """Store the rows in hand."""
        if not self.count:
            await filesets.begin_index(db, self._row)
        await filesets.add_files(db, self._row.id, self.count, self.files)

    def stored(self) -> None:
        """Let the rows in hand go, which are in the state."""
        self.count += len(self.files)
        self.files = []


class _Alike(Exception):
    """A name would be another one's file."""


class _Apart:
    """The names of a fileset that goes to a file system where names are one that differ only in case or spelling.

    Their hashes, that is: names can be long, and there may be many.
    """

    def __init__(self) -> None:
        self._seen = {hash(folded(INDEX))}

    def take(self, names: Iterable[str]) -> None:
        """Add names, which differ. Raises _Alike for one that would be another's file."""
        for name in names:
            if (key := hash(folded(name))) in self._seen:
                raise _Alike(name)
            self._seen.add(key)


def _one_file(name: str, listing: Listing[ListedFile]) -> str:
    """Say which name would be one with `name`: the index is read once more."""
    rows = (row for batch in listing.batches() for row in batch if isinstance(row, ListedFile))
    first = next((row.name for row in rows if row.name != name and folded(row.name) == folded(name)), INDEX)
    return f"{display(first)} and {display(name)} would be one file where the mirror is"
