"""What the parts of an engine share: configuration, state, mirrors, and the word to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from core.config import Config, Mirror, matches
from core.destinations.base import Destination, Place
from core.errors import DiskError, FailureKind
from core.model import Phase
from core.sources.base import Source
from core.store import events, filesets, registry
from core.store.database import Database
from core.store.events import AUDIT
from core.store.journal import Journal
from core.store.records import FilesetRow
from core.text import display
from core.transfer.base import Access

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DISK_RETRY_SECONDS = 900.0
THREADS = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of the configuration this run is about; empty: all of it."""

    mirror: str | None = None
    product: str | None = None


@dataclass(slots=True)
class Stop:
    """Why a mirror is stopped though nobody paused it, and since when."""

    kind: FailureKind
    reason: str
    since: float


@dataclass(slots=True)
class MirrorRun:
    """A configured mirror at work."""

    id: int
    config: Mirror
    source: Source
    destination: Destination
    access: Access
    host: str
    paused: bool = False
    stop: Stop | None = None
    told: str = ""
    """Why it was stopped last, unless something came since then: what lasts is told once."""
    products: dict[int, str] = field(default_factory=dict)
    """Names of the products that are mirrored and not paused, by id."""

    @property
    def working(self) -> bool:
        """True if new work may be begun."""
        return not self.paused and self.stop is None

    def wants(self, fileset: str) -> bool:
        """Tell whether the configuration asks for a fileset of this name."""
        return matches(fileset, self.config.filesets, self.config.exclude_filesets)


class Context:
    """Shared by the parts of one engine; each part changes only what it is there for."""

    def __init__(self, config: Config, journal: Journal, *, once: bool, choice: Choice, lease: int):
        self.config = config
        self.journal = journal
        self.once = once
        self.choice = choice
        self.lease = lease
        self.mirrors: dict[int, MirrorRun] = {}
        self.now: Callable[[], float] = time.time
        self.repairs_only = False
        """True if this run fetches nothing but what a verification found damaged."""
        self.any_place = False
        """True if destinations may be other places than those where was published before."""
        self.draining = asyncio.Event()
        self.aborting = asyncio.Event()
        self.large_index = asyncio.Lock()
        """Held by the large index that is taken: what one costs of memory is there once, however many come."""
        self.started = 0.0
        """When this engine took its lease: what was wished before was meant for another."""
        self.publishing: Callable[[int], bool] = lambda _: False
        """Tells whether a fileset is being published by this engine."""
        journal.on_short = lambda: self.spawn(self._stop_short())
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._threads = ThreadPoolExecutor(THREADS, "disk")
        self._spawned: set[asyncio.Task[None]] = set()

    @property
    def db(self) -> Database:
        """The state, for reading."""
        return self.journal.reader

    def chosen(self, product: str) -> bool:
        """Tell whether this run is about a product of this name."""
        return self.choice.product is None or matches(product, (self.choice.product,))

    def mirror_of(self, product: int) -> MirrorRun | None:
        """Return the mirror that a product belongs to, if that product is being mirrored."""
        return next((mirror for mirror in self.mirrors.values() if product in mirror.products), None)

    async def place_of(self, fileset: FilesetRow) -> Place:
        """Return where a fileset is staged and published."""
        return Place(fileset.id, await registry.product_name(self.db, fileset.product_id), fileset.name)

    @property
    def at_work(self) -> list[int]:
        """The products of which something may be begun now."""
        if self.repairs_only:
            return []
        return [product for mirror in self.mirrors.values() if mirror.working for product in mirror.products]

    async def in_thread(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run `work`, which blocks, beside the event loop; `close` waits for it even if nobody else does any more."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *arguments, **named))

    def close(self) -> None:
        """Wait for what still runs in threads."""
        self._threads.shutdown()

    @property
    def busy(self) -> bool:
        """True while something that was spawned is not done."""
        return bool(self._spawned)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do `work` soon, beside everything else; an error in it ends the engine."""
        task = asyncio.create_task(work)
        self._spawned.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._spawned.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End the engine with `error`."""
        if not self.failure.done():
            self.failure.set_exception(error)

    async def refresh(self) -> None:
        """Read again which mirrors and products are paused."""
        for mirror in self.mirrors.values():
            mirror.paused, _ = await registry.mirror_flags(self.db, mirror.id)
            products = await registry.selected_products(self.db, mirror.id)
            mirror.products = {row.id: row.name for row in products if self.chosen(row.name)}

    async def enter(self, phase: Phase | None) -> None:
        """Tell others what this engine is about; None: it is going."""
        await self.journal.write(lambda db: registry.set_setting(db, "phase", phase))

    async def stop_mirror(self, mirror: MirrorRun, kind: FailureKind, reason: str) -> None:
        """Stop a mirror for a reason that trying again can't cure, and say so."""
        if mirror.stop is not None:
            return
        mirror.stop = Stop(kind, reason, self.now())
        await self.journal.write(lambda db: registry.stop_mirror(db, mirror.id, kind, reason))
        if reason != mirror.told:
            mirror.told = reason
            await self.tell("error", f"stopped: {reason}", mirror=mirror.config.name)

    async def _stop_short(self) -> None:
        """Begin nothing more: the state can record what is under way, and then no more."""
        state = self.config.engine.state
        reason = f"{state}: the disk of the state file is full ({self.journal.short}); free some space there"
        for mirror in self.mirrors.values():
            await self.stop_mirror(mirror, FailureKind.DISK, reason)

    async def disk_refused(self, mirror: MirrorRun, fileset: FilesetRow, error: DiskError) -> None:
        """Answer an error of the disk: stop the mirror if nothing else would fare better, else put the fileset off."""
        if error.whole:
            await self.stop_mirror(mirror, FailureKind.DISK, str(error))
            return
        now = self.now()
        await self.journal.write(
            lambda db: filesets.failed(db, fileset, FailureKind.DISK, str(error), now + DISK_RETRY_SECONDS, False, now)
        )
        await self.tell("error", str(error), mirror=mirror.config.name, fileset=fileset.name)

    async def tell(
        self,
        level: str,
        message: str,
        *,
        mirror: str | None = None,
        product: str | None = None,
        fileset: str | None = None,
    ) -> None:
        """Write one event to the log and to the state, where screens find it."""
        place = "/".join(display(part) for part in (mirror, product, fileset) if part)
        text = display(message)
        log.log(_log_level(level), "%s%s", f"{place}: " if place else "", text)
        now = self.now()
        await self.journal.write(lambda db: events.add(db, now, level, text, mirror, product, fileset))


def _log_level(event: str) -> int:
    """Return the level of the log for that of an event; the log has none for what operators did."""
    return logging.INFO if event == AUDIT else logging.getLevelNamesMapping()[event.upper()]
