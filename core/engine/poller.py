"""Discovery: listing sources and products, and what that changes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from core.engine.context import Context, MirrorRun
from core.engine.scheduler import SOON_SECONDS
from core.errors import Answer, CursorRefused, FailureKind, SourceError
from core.model import ListedFileset, ListedProduct, Rejection
from core.sources.base import Listing
from core.store import listings, mending, registry
from core.store.listings import Merged
from core.store.records import ProductRow
from core.transfer.hosts import FAILURES_TO_REST, Hosts
from core.transfer.retry import next_step
from core.units import format_time

AT_ONCE = 4
"""Products of one mirror that are listed at the same time."""
CURSORS = 3
MENDED_SECONDS = 3600.0
"""A service looks this often whether upstream has mended what was refused, or is in trouble by what an index says."""
TRIES = {FailureKind.TRANSIENT: 4, FailureKind.MALFORMED: 2}
"""Tries to read a catalogue before it counts as unreadable; a service tries again at its next poll, too."""
EMPTIED = (
    "the source lists no product any more; nothing was deleted here. Ask the source, or take the mirror out of the "
    "configuration"
)

T = TypeVar("T")


class LeftAlone(SourceError):
    """A catalogue was not read: its host asked to be left alone, or failed for all others."""


class Poller:
    """Lists the products of one mirror.

    `discovered` is told after each product that changed, with void filesets, and `polled` when all have been listed.
    """

    def __init__(
        self,
        context: Context,
        mirror: MirrorRun,
        hosts: Hosts,
        discovered: Callable[[Sequence[int]], Awaitable[None]],
        polled: Callable[[MirrorRun], Awaitable[None]],
    ):
        self._context = context
        self.mirror = mirror
        self._hosts = hosts
        self._discovered = discovered
        self._polled = polled
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._wake = asyncio.Event()
        self._whole = True
        self._asked: set[int] = set()
        self._newest: dict[str, str | None] = {}
        """The most recent fileset of each product, as the root has it."""
        self._sought: dict[str, str] = {}
        """The one for whose sake the whole list was taken: if it is not there, it is not asked for again."""
        self._partial: set[int] = set()
        """Products whose answers to a cursor lack filesets that the whole list has: they are not doubted again."""
        self._due = 0.0
        self._mends_sought = 0.0
        self._failed_lists = 0
        """Lists that failed in a row, with the root's."""
        self.busy = True
        self.cut_off = False
        """True if products were left unlisted, for the engine is ending."""
        self.failures = 0

    @property
    def ended(self) -> bool:
        """True if nothing will be listed any more."""
        return self._context.once and not self.busy

    def look(self, products: Collection[int] | None = None) -> None:
        """Poll at once: the whole source, or only these products of it."""
        self._whole = self._whole or products is None
        self._asked.update(products or ())
        self._wake.set()

    async def run(self) -> None:
        """Poll for ever, by interval or when asked to `look`; with ``--once``, poll once and end."""
        while not self._context.draining.is_set():
            self.busy = True
            self._wake.clear()
            whole, self._whole = self._whole, False
            asked, self._asked = self._asked, set()
            try:
                if self.mirror.working:
                    await (self.poll() if whole else self._list_products(asked))
                    await self._polled(self.mirror)
            finally:
                self.busy = False
            if self._context.once:
                return
            if whole:
                self._due = asyncio.get_running_loop().time() + self._interval()
            await self._pause()

    def _interval(self) -> float:
        """Return the seconds to the next poll: fewer after a failure, never in step with other mirrors."""
        interval = self.mirror.config.poll_interval
        if self.failures:
            interval = min(interval, 30.0 * 2 ** min(self.failures, 6))
        return interval * random.uniform(0.95, 1.05)  # noqa: S311 - spreads polls; guards nothing

    async def _pause(self) -> None:
        """Wait for the next poll, which comes no sooner than the host wishes."""
        while not self._wake.is_set():
            now = asyncio.get_running_loop().time()
            wait = max(self._due - now, self._asked_for())
            if wait <= 0:
                self._whole = True
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _asked_for(self) -> float:
        """Return for how many more seconds the host asked to be left alone."""
        return self._hosts.asked_for(self.mirror.host, time.monotonic())

    async def poll(self) -> None:
        """List the source, then each product that is mirrored; then look what upstream has mended."""
        self._failed_lists = 0
        self.failures = 0 if await self._root() else self.failures + 1
        await self._context.refresh()
        if self.mirror.working:
            await self._list_products(None)
            await self._look_for_mends()

    async def _look_for_mends(self) -> None:
        """Have indexes read again that upstream may have mended; a service does so once in MENDED_SECONDS."""
        now, mirror = self._context.now(), self.mirror
        if now - self._mends_sought >= MENDED_SECONDS:
            self._mends_sought = now
            if await self._context.journal.write(lambda db: mending.look_again(db, mirror.id, now)):
                await self._discovered(())

    async def _list_products(self, asked: Collection[int] | None) -> None:
        """List these products, or all that are mirrored."""
        products = await registry.selected_products(self._context.db, self.mirror.id)
        chosen = [one for one in products if self._context.chosen(one.name) and (asked is None or one.id in asked)]
        await asyncio.gather(*(self._product(one) for one in chosen))

    async def _root(self) -> bool:
        """Read the root index; products that are named in the configuration can be mirrored without it."""
        mirror, config = self.mirror, self.mirror.config
        chosen = config.choice

        now = self._context.now()
        kind: FailureKind | None = None
        detail: str | None = None
        rests = False
        try:
            with await self._products() as listing:
                self._newest.clear()
                await self._context.journal.write(lambda db: registry.forget_root_rejections(db, mirror.id))
                for batch in listing.batches():
                    await self._list(batch, chosen.selects, now)
        except SourceError as error:
            kind, detail, rests = error.kind, error.detail, self._only_rests(error)
            self._failed_lists = FAILURES_TO_REST - 1 if kind is FailureKind.TRANSIENT else 0
            await self._refused(error, None)
        filesets = f"{config.filesets} but not {config.exclude_filesets}"
        await self._context.journal.write(
            lambda db: registry.choose_products(
                db, mirror.id, chosen.named, config.hidden_products, chosen.selects, filesets
            )
        )
        if not rests:
            await self._context.journal.write(lambda db: registry.mirror_polled(db, mirror.id, now, kind, detail))
        if kind is None and not await registry.product_names(self._context.db, mirror.id):
            await self._context.tell(
                "warning", "the source lists no product: there is nothing to mirror", mirror=config.name
            )
        return kind is None

    async def _products(self) -> Listing[ListedProduct]:
        """Read the root index. Raises SourceError, also if it has lost all that it had: an alarm, not an answer."""
        listing = await self._tried(self.mirror.source.products)
        if not listing.rows and await registry.listed_products(self._context.db, self.mirror.id):
            listing.close()
            raise SourceError(FailureKind.MISSING, EMPTIED)
        return listing

    async def _list(
        self, batch: Sequence[ListedProduct | Rejection], selected: Callable[[str], bool], now: float
    ) -> None:
        self._newest.update((row.name, row.most_recent) for row in batch if isinstance(row, ListedProduct))
        await self._context.journal.write(lambda db: registry.list_products(db, self.mirror.id, batch, selected, now))

    async def _product(self, product: ProductRow) -> None:
        async with self._slots:
            if self._context.draining.is_set():
                self.cut_off = True
            if self.cut_off or not self.mirror.working:
                return
            now = self._context.now()
            whole = self._due_whole(product, now)
            cursors = [] if whole else await registry.known_cursors(self._context.db, product, CURSORS)
            try:
                self._spare_the_host()
                merged = await self._listed(product, cursors)
                if merged.doubtful:
                    await self._settle(product)
                if cursors:
                    await self._seek_newest(product)
                self._failed_lists = 0
            except SourceError as error:
                if not isinstance(error, LeftAlone):
                    self._failed_lists = self._failed_lists + 1 if error.kind is FailureKind.TRANSIENT else 0
                await self._refused(error, product)

    def _spare_the_host(self) -> None:
        """Raise LeftAlone if one list after the other has failed in this poll: the others are left to the next one."""
        if self._failed_lists >= FAILURES_TO_REST:
            raise LeftAlone(FailureKind.TRANSIENT, f"not asked: {self._failed_lists} lists in a row failed")

    async def _listed(self, product: ProductRow, cursors: Sequence[str]) -> Merged:
        """List a product, and what follows from that."""
        with await self._filesets(product.name, cursors) as listing:
            merged = await self._merge(product, listing)
        await self._report(product, merged)
        await self._discovered(merged.stopped)
        return merged

    async def _settle(self, product: ProductRow) -> None:
        """Take the whole list after an answer to a cursor that may be it, and lacks filesets: only it proves that."""
        if product.id not in self._partial and not (await self._listed(product, ())).withdrawn:
            self._partial.add(product.id)

    async def _seek_newest(self, product: ProductRow) -> None:
        """Take the whole list if the root names a fileset that no list has told: the query may have been misread."""
        newest = self._newest.get(product.name)
        if newest is None or newest == self._sought.get(product.name):
            return
        if not await registry.lists(self._context.db, product.id, newest):
            await self._listed(product, ())
            self._sought[product.name] = newest

    def _due_whole(self, product: ProductRow, now: float) -> bool:
        """Tell whether the whole list of a product is due: what follows a cursor tells of no row that was mended."""
        elapsed = now - (product.reconciled_at or 0)
        mended = (product.refused or product.alarmed) and (self._context.once or elapsed >= MENDED_SECONDS)
        return product.full_list_due or mended or elapsed >= self.mirror.config.reconcile_interval

    async def _filesets(self, product: str, cursors: Sequence[str]) -> Listing[ListedFileset]:
        """List what is new in a product; if that is refused again and again, ask for its whole list, once."""
        try:
            return await self._tried(lambda: self.mirror.source.filesets(product, cursors))
        except CursorRefused:
            if self._context.draining.is_set():
                raise
            return await self._tried(lambda: self.mirror.source.filesets(product, ()), tries=1)

    async def _merge(self, product: ProductRow, listing: Listing[ListedFileset]) -> Merged:
        journal, mirror = self._context.journal, self.mirror
        await journal.write(lambda db: listings.begin(db, product.id))
        position = 0
        for batch in listing.batches():
            start = position
            await journal.write(lambda db: listings.add(db, product.id, start, batch, mirror.wants))  # noqa: B023
            position += len(batch)
        now = self._context.now()
        return await journal.write(lambda db: listings.merge(db, product.id, mirror.id, listing.cursor, now))

    async def _report(self, product: ProductRow, merged: Merged) -> None:
        told = [f"{merged.discovered} new"] if merged.discovered else []
        told += [f"{merged.superseded} registered again"] if merged.superseded else []
        told += [f"{merged.withdrawn} withdrawn upstream, local bytes stay"] if merged.withdrawn else []
        if merged.empty:
            text = "upstream lists nothing any more; nothing was deleted here. Ask the source, or pause the product"
            await self._context.tell("error", text, mirror=self.mirror.config.name, product=product.name)
        elif told:
            await self._context.tell(
                "info", "filesets: " + ", ".join(told), mirror=self.mirror.config.name, product=product.name
            )

    async def _refused(self, error: SourceError, product: ProductRow | None) -> None:
        """Record that a catalogue could not be read."""
        if self._only_rests(error):
            return
        if product is not None:
            now, number = self._context.now(), product.id
            await self._context.journal.write(
                lambda db: registry.product_failed(db, number, now, error.kind, error.detail)
            )
        if isinstance(error, LeftAlone):  # why was told when the host asked for it
            return
        name = product.name if product else None
        await self._context.tell("error", f"not listed: {error.detail}", mirror=self.mirror.config.name, product=name)
        if error.kind in (FailureKind.DENIED, FailureKind.TLS):
            await self._context.stop_mirror(self.mirror, error.kind, error.detail)

    def _only_rests(self, error: SourceError) -> bool:
        """Tell whether it is the rest of its host alone that keeps a catalogue from being read, which the host tells.

        A run that ends has not listed it, and says so.
        """
        return isinstance(error, LeftAlone) and not self._context.once

    async def _tried(self, read: Callable[[], Awaitable[T]], tries: int | None = None) -> T:
        """Read a catalogue, with the first few tries of the retry policy, unless its host is to be left alone.

        `tries` is how many at most; None: as many as its kind of failure has, or one if nearly all lists have failed.
        """
        tries = tries or (1 if self._failed_lists >= FAILURES_TO_REST - 1 else None)
        for number in itertools.count(1):
            await self._leave_alone()
            try:
                return await read()
            except SourceError as error:
                step = next_step(error.kind, number, now=0.0, retry_after=error.retry_after)
                soon = step.answer is Answer.WAIT and step.at is not None and step.at <= SOON_SECONDS
                if error.host_wish:
                    self._hosts.rest(self.mirror.host, time.monotonic() + error.host_wish)
                if (
                    not soon
                    or error.costly
                    or number >= (tries or TRIES.get(error.kind, 1))
                    or self._context.draining.is_set()
                ):
                    raise self._with_wish(error) from None
                await asyncio.sleep(step.at or 0.0)
        raise AssertionError("unreachable")

    async def _leave_alone(self) -> None:
        """Wait for a short time that the host asked for. Raises LeftAlone if it is long."""
        while (wait := self._asked_for()) > 0:
            if wait > SOON_SECONDS or self._context.draining.is_set():
                raise LeftAlone(FailureKind.TRANSIENT, f"not asked: {self.mirror.host} {self._left_alone(wait)}")
            await asyncio.sleep(wait)

    def _with_wish(self, error: SourceError) -> SourceError:
        """Return `error`, in whose words the host's wish to be left alone is, if it has one."""
        if not error.host_wish:
            return error
        detail = f"{error.detail}, and {self._left_alone(error.host_wish)}"
        return SourceError(error.kind, detail, error.retry_after, error.status)

    def _left_alone(self, seconds: float) -> str:
        return f"is left alone until {format_time(self._context.now() + seconds)}, as it wishes"
