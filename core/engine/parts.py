"""The parts of an engine, wired together, and the rhythm they share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from core.engine import presence
from core.engine.admission import Admission
from core.engine.choosing import Choosing
from core.engine.context import Context, MirrorRun
from core.engine.control import Answers, Control
from core.engine.gauges import Gauges
from core.engine.indexer import Indexer
from core.engine.limits import Limits
from core.engine.ordering import Ordering
from core.engine.places import Places
from core.engine.poller import Poller
from core.engine.publisher import Publisher
from core.engine.recovery import let_go, mend_stamps
from core.engine.scheduler import SOON_SECONDS, Scheduler, Totals
from core.engine.scrubber import Scrubber
from core.errors import DiskError, FailureKind
from core.executors.base import Executor
from core.model import CommandKind
from core.store import filesets, queries
from core.store.commands import Command
from core.store.verification import Wish
from core.store.whereabouts import Whereabouts
from core.transfer.hosts import Hosts

TICK_SECONDS = 0.2
DUE_SECONDS = 1.0
AHEAD = 96
FAR_SECONDS = 3600.0
"""An engine that nobody watches does not stay for a try that is further away; the next one sees to it."""
DISK_AGAIN_SECONDS = 10.0
DENIED_AGAIN_SECONDS = 900.0
CLOCK_JUMP_SECONDS = 30.0


def queued_ahead(context: Context) -> int:
    """Return how many small files the executor is given beyond those that it may fetch at once.

    So a slot that becomes free is taken up without asking the scheduler, which would cost more than the file itself.
    Where hosts compete for slots, or one may not have them all, the scheduler has to be asked.
    """
    engine = context.config.engine
    return AHEAD if not hosts_compete(context) and engine.transfers_per_host >= engine.transfers else 0


def hosts_compete(context: Context) -> bool:
    """Tell whether there is more than one host to share the slots."""
    return len({mirror.host for mirror in context.mirrors.values()}) > 1


def _fetches_at_once(command: Command) -> bool:
    """Tell whether what a command names is to be fetched without waiting for rests of our own making."""
    repairs = command.kind is CommandKind.VERIFY and Wish.parse(command.target.value or "").repair
    return repairs or command.kind is CommandKind.NOW


class Part(Protocol):
    """Something that runs as long as the engine does."""

    async def run(self) -> None:
        """Run for ever, or until there is nothing left to do."""


class Parts:
    """The parts of one engine, wired; with `plan` only those that find out what there is to do are started.

    `stop` ends the engine as an operator wishes: at once (True), or when what is under way is finished.
    """

    def __init__(self, context: Context, executor: Executor, *, plan: bool, stop: Callable[[bool], None]):
        engine = context.config.engine
        self._plan = plan
        self._context = context
        self._stop = stop
        self._files = self._bytes = 0
        ahead = queued_ahead(context)
        hosts = self._hosts = Hosts(
            engine.transfers + ahead, engine.transfers_per_host + ahead, probing=hosts_compete(context)
        )
        self.publisher = Publisher(context, self.recorded, lambda: self.scheduler.in_flight > 0)
        self.scheduler = Scheduler(context, executor, hosts, ahead, self.publisher.add)
        hosts.on_wish = self.scheduler.recall
        self.admission = Admission(context, self.scheduler)
        self.publisher.again = self.admission.resume
        self.admission.let_go = self.publisher.let_go
        context.publishing = self.publisher.holds
        queued = self.admission.queued
        listed = [] if context.repairs_only else list(context.mirrors.values())
        self.indexers = [Indexer(context, mirror, hosts, queued, self.admission.apart) for mirror in listed]
        self.pollers = [Poller(context, mirror, hosts, self._discovered, self._polled) for mirror in listed]
        self.limits = Limits(context, self.scheduler, executor)
        self.scrubber = Scrubber(context, self.admission, lambda: self.scheduler.in_flight > 0)
        self.control = Control(context, self.admission, self._answers(), self._commanded)
        self.gauges = Gauges(context, hosts)
        self.places = Places(context, self._drop)
        self._whereabouts = Whereabouts(engine.state)
        self._whereabouts.demand()

    def _answers(self) -> Answers:
        ordering = Ordering(self._context, self.scheduler, self.admission)
        choosing = Choosing(self._context, self.admission, self.pollers)
        return {
            CommandKind.PRIORITY: ordering.prioritise,
            CommandKind.NOW: ordering.put_first,
            CommandKind.MOVE: ordering.move,
            CommandKind.POLL: choosing.poll,
            CommandKind.MIRROR: choosing.choose,
            CommandKind.IGNORE: choosing.choose,
            CommandKind.LIMIT: self.limits.change,
            CommandKind.VERIFY: self.scrubber.verify,
        }

    async def recorded(self) -> None:
        """Write what is known about files to the state."""
        await self.scheduler.recorder.flush()

    async def _discovered(self, void: Sequence[int]) -> None:
        await self.admission.drop(void)
        await self.admission.drop_staging(void)
        self._read_indexes()

    async def _polled(self, mirror: MirrorRun) -> None:
        """See that what came back to a list stands still."""
        if self._plan or not mirror.working:
            return
        try:
            for product in await presence.look_for_new(self._context, mirror):
                self.admission.queued(product)
        except DiskError as error:
            await self._context.stop_mirror(mirror, FailureKind.DISK, str(error))

    async def _drop(self, mirror: MirrorRun) -> None:
        await self.admission.drop([one for one, run in self.scheduler.runs.items() if run.mirror is mirror])

    def _read_indexes(self) -> None:
        for indexer in self.indexers:
            indexer.wake.set()

    def _commanded(self, command: Command, done: bool) -> None:
        self._read_indexes()
        if command.kind in (CommandKind.RETRY, CommandKind.RESUME) or (done and _fetches_at_once(command)):
            self._hosts.forgive()
        if command.kind in (CommandKind.RETRY, CommandKind.RESUME):
            for poller in self.pollers:
                poller.look()
        if command.kind is CommandKind.STOP and done:
            self._stop(command.target.value == "now")

    def totals(self) -> Totals:
        """Return what has been moved, and, by what was counted a moment ago, what is left."""
        done, (came, _) = self.scheduler.totals, self.scheduler.coming()
        moved = done.bytes + came
        return Totals(done.files, moved, max(0, self._files - done.files), max(0, self._bytes - moved))

    def start(self) -> list[asyncio.Task[None]]:
        """Start everything that runs side by side."""
        running: list[Part] = [*self.indexers, *self.pollers]
        if not self._plan:
            running += [
                self.admission,
                self.publisher,
                self.control,
                self.scheduler.recorder,
                self.gauges,
                self.places,
                self.scrubber,
            ]
        self._read_indexes()
        tasks = [asyncio.create_task(part.run(), name=type(part).__name__) for part in running]
        return [*tasks, asyncio.create_task(self._tick(), name="ticks")]

    async def _tick(self) -> None:
        """Do what is due by time."""
        looked, seen = time.monotonic(), self._context.now()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._plan:
                continue
            self.scheduler.tick()
            elapsed = time.monotonic() - looked
            if elapsed < DUE_SECONDS:
                continue
            self._whereabouts.demand()
            now = self._context.now()
            if abs(now - seen - elapsed) > CLOCK_JUMP_SECONDS:
                await mend_stamps(self._context)
            await self._do_due(seen, now)
            looked, seen = time.monotonic(), now

    async def _do_due(self, seen: float, now: float) -> None:
        await self._count()
        await self.gauges.note_flow(self.scheduler.came())
        await self.gauges.note_rests()
        self.gauges.note_stops()
        await self.scheduler.trouble.tell()
        await self.admission.due()
        rested = [indexer for indexer in self.indexers if indexer.rested]
        if rested or await filesets.index_due(self._context.db, self._context.at_work, seen - DUE_SECONDS, now):
            self._read_indexes()
        if not self._context.once:
            await self._look_again(now)

    async def _count(self) -> None:
        """Keep the figures of all there is to move: what has been moved, and what is left."""
        await self.recorded()
        (came, there), files, moved = self.scheduler.coming(), self.scheduler.totals.files, self.scheduler.totals.bytes
        files_left, bytes_left = await queries.left(self._context.db)
        self._files, self._bytes = files + files_left, moved + came + bytes_left - there

    async def _look_again(self, now: float) -> None:
        """Give stopped mirrors another chance after a while."""
        for mirror in self._context.mirrors.values():
            if mirror.stop is None:
                continue
            wait = DISK_AGAIN_SECONDS if mirror.stop.kind is FailureKind.DISK else DENIED_AGAIN_SECONDS
            if abs(now - mirror.stop.since) < wait:
                continue
            if not await let_go(self._context, mirror):
                mirror.stop.since = now
                continue
            await self.admission.reconsider()
            self._read_indexes()

    async def quiet(self) -> None:
        """Return when nothing is under way and nothing is due soon."""
        while True:
            await asyncio.sleep(TICK_SECONDS / 4)
            if await self._idle(SOON_SECONDS):
                return

    async def at_rest(self) -> bool:
        """Tell whether only polls, and tries far in the future, are left for an engine to do.

        A mirror with work left that is stopped for a reason which may pass (a full disk) is not at rest.
        """
        stopped = any(mirror.stop is not None and not mirror.paused for mirror in self._context.mirrors.values())
        return await self._idle(FAR_SECONDS) and not (stopped and any(await queries.left(self._context.db)))

    async def _idle(self, within: float) -> bool:
        """Tell whether nothing is under way, and nothing is due within so many seconds."""
        if self._moving():
            return False
        await self.recorded()
        if self._plan:
            return True
        now = self._context.now()
        soon = await filesets.next_due(self._context.db, self._context.at_work, now - 2 * DUE_SECONDS, now + within)
        return not soon and not self._moving()

    def _moving(self) -> bool:
        return (
            any(poller.busy for poller in self.pollers)
            or any(indexer.busy or indexer.goes_on_within(SOON_SECONDS) for indexer in self.indexers)
            or (not self._plan and not self.admission.idle)
            or self.scheduler.busy
            or self.publisher.busy
            or self.scrubber.working
            or self._context.busy
        )
