"""From the state file to the screen: reads what the screen asks for, and hands over one snapshot after the other."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from core.engine import lease
from core.errors import StateError
from core.store import commands, identity, screens
from core.store.database import Database
from core.store.identity import OtherVersion
from core.store.meters import INTERVAL_SECONDS
from core.store.screens import (
    EventLine,
    FailureGroup,
    FailureLine,
    FileLine,
    FilesetDetails,
    Overview,
    ProductDetails,
    QueueLine,
)
from core.text import display
from tui import attach
from tui.pace import REST_FACTOR, Pace
from tui.rates import Rates
from tui.snapshot import Snapshot, Subject, Throughput, View

LOOK_SECONDS = 0.1
"""How often it is asked whether the state has changed; a change is on the screen soon after."""
HURRY_SECONDS, HURRIED_LOOK_SECONDS = 1.0, 0.02
"""For how long after a command each change is shown at once, and how often it is asked then whether there is one."""
AGAIN_SECONDS = 1.0
"""After which a state that could not be read is tried again."""
FAILURES_SECONDS = 1.0
HOUR = 3600
STEPS = 60
EVENTS = 2000
FILES = 5000
ALL = "all"
TROUBLE_CHARS = 500
"""How much is told of why the state can't be read: with the path, and with what to do."""


@dataclass(frozen=True, slots=True)
class _Slow:
    """What changes slowly, and when it was read."""

    at: float = 0.0
    subject: Subject | None = None
    history: tuple[float, ...] = ()
    peak: float = 0.0
    of_subject: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class _Failed:
    """What failed, when and how long that was read, and what was asked for."""

    at: float = float("-inf")
    took: float = 0.0
    wanted: tuple[str, frozenset[str]] = ("", frozenset())
    kinds: Mapping[str, int] = field(default_factory=dict)
    all_groups: tuple[FailureGroup, ...] = ()
    groups: tuple[FailureGroup, ...] = ()
    lines: tuple[FailureLine, ...] = ()


class Bridge:
    """Reads the state file as long as it runs. `show` takes each snapshot; `want` changes what is read."""

    def __init__(
        self,
        state: Path,
        show: Callable[[Snapshot], None],
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ):
        self._state = state
        self._show = show
        self._view = View()
        self._wanted = False
        self._hurried_until = 0.0
        self._wake = asyncio.Event()
        self._clock = clock
        self._ticks = ticks
        self._rates = Rates()
        self._conditions: tuple[object, ...] = ()
        self._slow = _Slow()
        self._failed = _Failed()
        self._queue: tuple[int, ...] = ()
        self._queue_of: tuple[object, ...] = ()
        self._events: tuple[EventLine, ...] = ()
        self._engine: attach.Engine | None = None

    def want(self, view: View) -> None:
        """Read this from now on, and the first time at once."""
        if view != self._view:
            self._view = view
            self.look()

    def look(self) -> None:
        """Read at once."""
        self._wanted = True
        self._wake.set()

    def hurry(self) -> None:
        """Read as soon as something changes: an operator has given a command, and waits for what comes of it."""
        self._hurried_until = asyncio.get_running_loop().time() + HURRY_SECONDS
        self._wake.set()

    async def run(self) -> None:
        """Read for ever; what can't be read is told on the screen, and tried again."""
        while True:
            try:
                async with await Database.open_reader(self._state) as db:
                    await self._follow(db)
            except (StateError, sqlite3.Error) as error:
                self._show(self._unreadable(error))
            await asyncio.sleep(AGAIN_SECONDS)

    def _unreadable(self, error: Exception) -> Snapshot:
        old = lease.outdated(error, self._state)
        words = display(old or error, TROUBLE_CHARS)
        engine = attach.find(self._state)
        return Snapshot(
            self._clock(),
            self._view,
            engine=engine,
            trouble=words,
            outdated=old is not None,
            broken=_beyond_engines(error),
        )

    async def _follow(self, db: Database) -> None:
        version, pace = None, Pace()
        self._queue_of = ()
        while True:
            seen = await db.value("PRAGMA data_version")
            hurried = asyncio.get_running_loop().time() < self._hurried_until
            before, self._engine = self._engine, attach.find(self._state)
            if self._engine != before:
                self._wanted = True  # who moves the bytes is told at once, however long a reading takes
            if shown := self._wanted or pace.due(changed=seen != version, hurried=hurried):
                self._wanted = False
                version = seen
                pace.begin()
                self._show(await self._read(db, seen))
                pace.read()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), HURRIED_LOOK_SECONDS if hurried else LOOK_SECONDS)
            self._wake.clear()
            if shown:
                pace.drawn()

    async def _read(self, db: Database, version: int) -> Snapshot:
        view, now, running = self._view, self._clock(), self._engine is not None
        overview = await screens.overview(db, now, running=running)
        self._meter(overview)
        await self._read_queue(db, version, view)
        events = await screens.events(db, self._events[-1].id if self._events else 0, EVENTS)
        self._events = (*self._events, *events)[-EVENTS:]
        lines = await screens.queue_lines(db, in_sight(self._queue, view), running=running)
        noted = {} if running else await commands.noted(db, [line.whole for line in lines.values()])
        await self._read_history(db, now)
        details, files = await self._read_details(db, view, overview, now)
        failed = await self._read_failures(db, overview, view)
        return Snapshot(
            at=now,
            view=view,
            overview=overview,
            queue=self._queue,
            lines=lines,
            noted=noted,
            failing=failed.all_groups,
            groups=failed.groups,
            failures=failed.lines,
            events=self._events,
            throughput=Throughput(self._slow.history, self._rates.rate(ALL) if running else 0.0, self._slow.peak),
            rates={line.id: self._rates.rate(line.id) for line in overview.products} if running else {},
            fileset_rates=self._meter_filesets(lines.values()),
            engine=self._engine,
            details=details,
            files=files,
            details_history=self._slow.of_subject,
        )

    async def _read_queue(self, db: Database, version: int, view: View) -> None:
        """Read the order of the queue, unless it was read of this very version of the state."""
        of = (version, view.order, view.reverse, view.like, view.problems)
        if of != self._queue_of:
            queue = await screens.queue_ids(db, view.order, view.reverse, view.like, view.problems)
            if len(queue) != len(self._queue) or tuple(queue) != self._queue:
                self._queue = tuple(queue)  # else the same object: so the table sees at once that nothing has changed
            self._queue_of = of

    async def _read_failures(self, db: Database, overview: Overview, view: View) -> _Failed:
        """Return what failed. It is read anew if something else is asked for, if its number changes, and now and then;
        what takes long, less often.
        """
        before, kinds, at = self._failed, dict(overview.failures_by_kind), self._ticks()
        wanted, age = (view.failed_like, view.opened), at - before.at
        due = age >= FAILURES_SECONDS or kinds != before.kinds
        if wanted != before.wanted or (due and age >= before.took * REST_FACTOR):
            everything = await screens.failure_groups(db)
            groups = await screens.failure_groups(db, view.failed_like) if view.failed_like else everything
            listed = [one.key for one in groups if not one.many or one.key in view.opened]
            lines = await screens.failure_lines(db, like=view.failed_like, groups=listed)
            took = self._ticks() - at
            self._failed = _Failed(at, took, wanted, kinds, tuple(everything), tuple(groups), tuple(lines))
        return self._failed

    def _meter(self, overview: Overview) -> None:
        at, conditions = self._ticks(), _conditions(overview)
        if conditions != self._conditions:
            self._conditions = conditions
            self._rates.begin_anew(overview.limit_bandwidth or inf)
        for line in overview.products:
            self._rates.note(line.id, at, line.metered_bytes)
        self._rates.note(ALL, at, sum(line.metered_bytes for line in overview.products))

    def _meter_filesets(self, lines: Iterable[QueueLine]) -> dict[int, float]:
        at, rates = self._ticks(), {}
        for line in lines:
            if line.active:
                self._rates.note(("fileset", line.id), at, line.done_bytes)
                rates[line.id] = self._rates.rate(("fileset", line.id))
        return rates

    async def _read_history(self, db: Database, now: float) -> None:
        """Read the history when the state has ten seconds more of it, which is the same moment in all dashboards."""
        subject = self._view.subject
        if now // INTERVAL_SECONDS == self._slow.at // INTERVAL_SECONDS and subject == self._slow.subject:
            return
        history = tuple(await screens.throughput(db, now, HOUR, STEPS))
        of_subject: tuple[float, ...] = ()
        if subject is not None and subject.noun == "product":
            of_subject = tuple(await screens.throughput(db, now, HOUR, STEPS, subject.id))
        self._slow = _Slow(now, subject, history, await screens.peak(db, now, HOUR), of_subject)

    async def _read_details(
        self, db: Database, view: View, overview: Overview, now: float
    ) -> tuple[ProductDetails | FilesetDetails | None, tuple[FileLine, ...]]:
        if view.subject is None:
            return None, ()
        if view.subject.noun == "product":
            return await screens.product_details(db, view.subject.id, now, overview), ()
        files = await screens.file_lines(db, view.subject.id, 0, FILES) if view.files else ()
        running = self._engine is not None
        return await screens.fileset_details(db, view.subject.id, running=running), tuple(files)


def _beyond_engines(error: Exception) -> bool:
    """Tell whether a state can't be read for its content, with which no engine of this version begins anything."""
    newer = isinstance(error, OtherVersion) and not error.older
    return newer or identity.broken(error.__cause__ if isinstance(error.__cause__, Exception) else error)


def _conditions(overview: Overview) -> tuple[object, ...]:
    """Return what operators have set, and what stands still: with other conditions old rates tell nothing."""
    mirrors = [(one.id, one.paused, one.stopped is None, one.rest is None) for one in overview.mirrors]
    products = [(line.id, line.selected, line.paused) for line in overview.products]
    return overview.limit_transfers, overview.limit_bandwidth, overview.phase, mirrors, products


def in_sight(queue: Sequence[int], view: View) -> Sequence[int]:
    """Return the filesets that will be in sight on a screen that showed `view`, when it shows `queue`."""
    rows = len(view.visible)
    if not rows:
        return queue[:STEPS]
    (anchor, line), first = view.anchor, 0
    with contextlib.suppress(ValueError):
        first = max(0, queue.index(anchor) - line) if anchor is not None else 0
    return list(dict.fromkeys((*queue[first : first + rows], *queue[:rows], *view.visible)))
