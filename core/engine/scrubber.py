"""Reading what is published again: on an operator's wish, and each file once in the configured time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from core.destinations.base import Gate, Place, Verified
from core.engine import indexes, listing
from core.engine.admission import Admission
from core.engine.context import Context, MirrorRun
from core.errors import DiskError, FailureKind, Stopped
from core.model import CommandKind, Damage, Finding
from core.store import files, filesets, operate, registry, verification
from core.store.commands import Command, Target
from core.store.database import Database
from core.store.operate import NothingMatches
from core.store.records import FilesetRow
from core.store.verification import Standing, Wish
from core.units import counted, format_bytes

LOOK_SECONDS = 10.0
"""How often it is asked whether a scrub is due."""
IDLE_SHARE, LATEST_SHARE = 0.5, 0.9
"""A fileset is read again in idle time from this share of the scrub interval on, and in any case from this one."""
SLICE = 16
"""Filesets taken up by one scheduled scrub, before it is asked again what is due; and recorded together."""
YIELD_SECONDS = 0.05
YIELD_MOST = 60.0
"""A scrub that has waited for so many seconds in all for transfers to end is begun again another time."""


@dataclass(slots=True)
class Task:
    """A verification that an operator asked for."""

    command: int
    wish: Wish
    work: list[Standing]
    damaged: list[int]
    """What was found damaged before, and is not mended yet."""
    whole: bool
    """True if it is about all of its products, so that what is no fileset of theirs can be told."""
    stop: threading.Event = field(default_factory=threading.Event)


class Scrubber:
    """Verifies one fileset at a time, in a thread of its own. `busy` tells whether transfers need the disk more."""

    def __init__(self, context: Context, admission: Admission, busy: Callable[[], bool]):
        self._context = context
        self._admission = admission
        self._busy = busy
        self._thread = ThreadPoolExecutor(1, "scrub")
        self._tasks: deque[Task] = deque()
        self._current: Task | None = None
        self._closed = threading.Event()
        self._scrub_stop = threading.Event()
        """Set when the scrub under way is to make room for what an operator asked for."""
        self._wake = asyncio.Event()

    @property
    def working(self) -> bool:
        """True while a verification that was asked for is not finished."""
        return self._current is not None or bool(self._tasks)

    def stop(self) -> None:
        """Stop reading; what was asked for is recorded as stopped."""
        self._closed.set()
        self._wake.set()

    def close(self) -> None:
        """Stop reading, and wait until that has come to its end."""
        self._closed.set()
        self._thread.shutdown()

    # What operators ask for.

    async def verify(self, command: Command) -> str:
        """Take a verification on; it goes on after this answer."""
        try:
            wish = Wish.parse(command.target.value or "")
        except ValueError as error:
            raise NothingMatches(str(error)) from error
        if wish.stop:
            return self._stop_all()
        found = await self._meant(command.target)
        work = await verification.choose(self._context.db, found, wish.share)
        damaged = await verification.known_damaged(self._context.db, found)

        async def write(db: Database) -> None:
            await verification.begin(db, command.id, work)
            await verification.note_again(db, command.id, damaged)

        await self._context.journal.write(write)
        whole = not command.target.filesets and wish.share == 1
        self._tasks.append(Task(command.id, wish, work, damaged, whole))
        self._scrub_stop.set()
        self._wake.set()
        again = f"; {counted(len(damaged), 'fileset')} found damaged before, not mended yet" if damaged else ""
        return f"{counted(len(work), 'fileset')}, {format_bytes(sum(one.bytes for one in work))} to read{again}"

    async def _meant(self, target: Target) -> list[int]:
        """Return the filesets that are meant: those of no configured mirror only where these are named."""
        found = (await operate.matching(self._context.db, target, CommandKind.VERIFY)).ids
        if target.mirror or target.filesets:
            return found
        configured = await verification.of_configured(self._context.db, found)
        if target.product and found and not configured:
            raise NothingMatches(f"product {target.product!r} belongs to no mirror that is configured")
        return configured

    def _stop_all(self) -> str:
        tasks = [*self._tasks, *([self._current] if self._current else [])]
        if not tasks:
            raise NothingMatches("nothing is being verified")
        for task in tasks:
            task.stop.set()
        return f"{counted(len(tasks), 'verification')} stopped"

    async def run(self) -> None:
        """Verify for ever: what was asked for first, then what is due."""
        while True:
            self._wake.clear()
            while self._tasks:
                self._current = self._tasks.popleft()
                await self._carry_out(self._current)
                self._current = None
            if not self._context.once and await self._scrub():
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()

    async def _carry_out(self, task: Task) -> None:
        stopped: str | None = None
        failed = False
        gate = self._gate(task.stop, task.wish.rate)
        if task.wish.repair:
            mirrors = await registry.mirrors_of(self._context.db, task.damaged)
            await self._repair([one for one in task.damaged if mirrors.get(one) in self._context.mirrors])
        try:
            for several in _slices(task.work):
                await self._verify_all(several, gate, task)
            if task.whole:
                await self._look_beside(task)
            stopped = await self._passed_over(task)
        except Stopped:
            stopped = "stopped by an operator" if task.stop.is_set() else "the engine ended"
        except DiskError as error:
            stopped, failed = str(error), True
        now = self._context.now()
        await self._context.journal.write(lambda db: verification.end(db, task.command, now, stopped, failed))
        done = await verification.get(self._context.db, task.command)
        if done is not None:
            read = f"{counted(done.done_filesets, 'fileset')}, {counted(done.done_files, 'file')}"
            end = f"; ended early: {stopped}" if stopped else ""
            await self._context.tell("info", f"verified {read}, {format_bytes(done.done_bytes)}{end}")

    async def _passed_over(self, task: Task) -> str | None:
        """Tell which mirrors of what was to be verified, or repaired, this engine doesn't have."""
        asked = [one.id for one in task.work] + (task.damaged if task.wish.repair else [])
        absent = await verification.mirrors_beside(self._context.db, asked, list(self._context.mirrors))
        return "; ".join(_not_at_work(name, configured) for name, configured in absent) or None

    async def _look_beside(self, task: Task) -> None:
        """Tell of entries beside the filesets of products that nobody listed, and of indexes that are not right."""
        found = await verification.products_of(self._context.db, [one.id for one in task.work])
        for mirror in self._context.mirrors.values():
            products = {product: name for product, number, name in found if number == mirror.id}
            if products:
                await self._tell_strangers(task, mirror, products)
                await indexes.verify(self._context, task.command, mirror, products)

    async def _tell_strangers(self, task: Task, mirror: MirrorRun, products: Mapping[int, str]) -> None:
        db = self._context.db
        for product, name in products.items():
            known = await verification.names(db, product)
            entries = await asyncio.get_running_loop().run_in_executor(
                self._thread, mirror.destination.strangers, name, known
            )
            for entry in entries:
                await self._tell_stranger(task, mirror.config.name, name, entry)

    async def _tell_stranger(self, task: Task, mirror: str, product: str, entry: str) -> None:
        found = [Finding("", Damage.EXTRA, "nobody listed it")]
        await self._context.journal.write(
            lambda db: verification.note(db, task.command, (mirror, product, entry), None, found)
        )
        await self._context.tell("warning", "extra: nobody listed it", mirror=mirror, product=product, fileset=entry)

    # What is due.

    async def _scrub(self) -> bool:
        """Read some of what is due; tell whether more of it may be due at once."""
        self._scrub_stop = stop = threading.Event()
        more = False
        for mirror in self._context.mirrors.values():
            interval = mirror.config.scrub
            if not interval or not mirror.working:
                continue
            share = LATEST_SHARE if self._busy() else IDLE_SHARE
            before = self._context.now() - interval * share
            try:
                due = await verification.due(self._context.db, list(mirror.products), before, SLICE)
                for one in due:
                    latest = await self._is_late(one, interval)
                    await self._verify(one, self._gate(stop, mirror.config.scrub_rate, yields=not latest))
                    if self._tasks:
                        return True
                more = more or len(due) == SLICE
            except Stopped:
                return bool(self._tasks)
            except DiskError as error:
                await self._context.tell("error", f"scrub put off: {error}", mirror=mirror.config.name)
        return more

    async def _is_late(self, one: Standing, interval: float) -> bool:
        before = self._context.now() - interval * LATEST_SHARE
        return await verification.is_due(self._context.db, one.id, before)

    # One fileset.

    async def _verify_all(self, several: Sequence[Standing], gate: Gate, task: Task) -> None:
        """Read filesets again, one after the other; what was found is recorded together: each commit costs a flush."""
        ended = await asyncio.gather(*(self._verify(one, gate, task) for one in several), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _verify(self, one: Standing, gate: Gate, task: Task | None = None) -> None:
        """Read a fileset again, and record what was found. Raises Stopped or DiskError."""
        if self._closed.is_set() or (task is not None and task.stop.is_set()):
            raise Stopped
        row = await filesets.get(self._context.db, one.id)
        mirror = await self._mirror_of(one.id)
        if row is None or not row.published or mirror is None:
            return
        if mirror.stop is not None and mirror.stop.kind is FailureKind.DISK:
            raise DiskError(mirror.stop.reason)
        place = await self._context.place_of(row)
        expected = await listing.expected(self._context.db, row.id)
        with contextlib.closing(await listing.of_fileset(self._context.db, row.id)) as index:
            result = await asyncio.get_running_loop().run_in_executor(
                self._thread, mirror.destination.verify, place, expected, index.blocks(), gate
            )
        await self._record(row, mirror, place, result, task)

    async def _mirror_of(self, fileset: int) -> MirrorRun | None:
        number = (await registry.mirrors_of(self._context.db, [fileset])).get(fileset)
        return None if number is None else self._context.mirrors.get(number)

    async def _record(
        self, row: FilesetRow, mirror: MirrorRun, place: Place, result: Verified, task: Task | None
    ) -> None:
        now, name = self._context.now(), mirror.config.name
        found = result.findings

        async def write(db: Database) -> bool:
            if task is not None:
                await verification.advance(db, task.command, 1, result.files, result.bytes)
            if not await verification.verified(db, row.id, result.blake3, now):
                return False
            if found:
                await verification.damaged(db, row, found, now)
                if task is not None:
                    await verification.note(db, task.command, (name, place.product, place.fileset), row.id, found)
            return True

        if await self._context.journal.write(write) and found:
            words = f"damaged: {verification.summary(found)}"
            await self._context.tell("error", words, mirror=name, product=place.product, fileset=place.fileset)
            if task is not None and task.wish.repair:
                await self._repair([row.id])

    async def _repair(self, found: Sequence[int]) -> None:
        """Begin at once to fetch again what is wrong of damaged filesets, or go on with that."""
        if not found:
            return
        stuck = await verification.stuck(self._context.db, found)

        async def write(db: Database) -> None:
            if self._context.repairs_only:  # nobody reads indexes
                await verification.repair_by_known_index(db, stuck)
            await files.begin_anew(db, stuck)
            await verification.repair(db, stuck)
            await filesets.admit(db, stuck, self._context.lease)

        await self._admission.apart(stuck, lambda: self._context.journal.write(write))
        self._admission.resume(found)

    def _gate(self, stop: threading.Event, rate: int, *, yields: bool = False) -> Gate:
        """Return what bounds the reading to `rate` bytes a second (0: as fast as can be), and ends it.

        With `yields` it waits as long as transfers are under way, though not for ever.
        """
        begun, read, yielded = time.monotonic(), 0, 0.0

        def gate(count: int) -> bool:
            nonlocal read, yielded
            read += count
            while not (stop.is_set() or self._closed.is_set() or yielded > YIELD_MOST):
                ahead = read / rate - (time.monotonic() - begun) if rate else 0.0
                if ahead <= 0 and not (yields and self._busy()):
                    return True
                wait = min(max(ahead, YIELD_SECONDS), 1.0)
                yielded += wait if ahead <= 0 else 0.0
                self._closed.wait(wait)
            return False

        return gate


def _not_at_work(mirror: str, configured: bool) -> str:
    if configured:
        return f"mirror {mirror} is not at work in the engine that runs; verify when that has ended, or restart it"
    return f"mirror {mirror} is not in the configuration that the engine has read; verify when it is"


def _slices(work: Iterable[Standing]) -> Iterator[list[Standing]]:
    """Yield filesets, SLICE at a time."""
    rest = iter(work)
    while several := list(islice(rest, SLICE)):
        yield several
