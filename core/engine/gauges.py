"""What screens have to know though nothing else tells it: how full the disks are, what comes, which hosts rest."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping

from core.engine.context import Context
from core.engine.recovery import LONGEST_WAIT
from core.errors import DiskError, FailureKind
from core.store import attempts, events, meters
from core.store.database import Database
from core.transfer.hosts import Hosts
from core.units import format_time

SAMPLE_SECONDS = 60.0


class Gauges:
    """Samples the space of each mirror's destination, notes what comes and who rests, and forgets what is too old."""

    def __init__(self, context: Context, hosts: Hosts):
        self._context = context
        self._hosts = hosts
        self._noted: dict[str, tuple[int, str]] | None = None
        """By host until when, to the second, and why, as recorded; None: nothing is recorded by this engine yet."""
        self._came: dict[int, int] = {}
        """Bytes by product, as recorded."""
        self._stopped: set[int] = set()
        """Mirrors that their disk has stopped, as of the last look."""
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Sample for ever, first at once."""
        while True:
            if self._context.journal.short is None:  # what room there is, is for what has to be recorded
                await self.sample()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), SAMPLE_SECONDS)
            self._wanted.clear()

    async def sample(self) -> None:
        """Record the space of all destinations that can be examined, and drop old records."""
        spaces: dict[int, tuple[int, int]] = {}
        for mirror in self._context.mirrors.values():
            with contextlib.suppress(DiskError):  # whoever writes there tells, and stops the mirror
                spaces[mirror.id] = await self._context.in_thread(mirror.destination.space)
        now = self._context.now()

        async def write(db: Database) -> None:
            await meters.sample_disks(db, spaces, now)
            await meters.prune(db, now)
            await events.prune(db)
            await attempts.prune(db)

        await self._context.journal.write(write)

    def note_stops(self) -> None:
        """Have a sample taken when a disk has stopped a mirror: what was measured before tells nothing of that."""
        stops = {mirror.id: mirror.stop for mirror in self._context.mirrors.values()}
        stopped = {one for one, stop in stops.items() if stop is not None and stop.kind is FailureKind.DISK}
        if stopped - self._stopped:
            self._wanted.set()
        self._stopped = stopped

    async def note_flow(self, came: Mapping[int, int]) -> None:
        """Record what has come since the last time; `came` has all bytes since this engine started, by product."""
        moved = {product: size - self._came.get(product, 0) for product, size in came.items()}
        moved = {product: size for product, size in moved.items() if size > 0}
        if not moved or self._context.journal.short is not None:
            return
        self._came |= {product: came[product] for product in moved}
        now = self._context.now()
        await self._context.journal.write(lambda db: meters.came(db, moved, now))

    async def note_rests(self) -> None:
        """Record which hosts are left alone, if that has changed: by their wish, by ours, or by the clock."""
        clock = time.monotonic()
        ahead = self._context.now() - clock
        resting = self._hosts.resting(clock)
        picture = {host: (ahead + (one.until or clock), one.reason) for host, one in resting.items()}
        noted = {host: (round(until), reason) for host, (until, reason) in picture.items()}
        if noted != self._noted:
            self._noted = noted
            await self._context.journal.write(lambda db: meters.rest(db, picture))

    async def restore_rests(self) -> None:
        """Leave those hosts alone that the last engine left alone, until the same time."""
        now, clock = self._context.now(), time.monotonic()
        for host, until, reason in await meters.resting(self._context.db, now, LONGEST_WAIT):
            self._hosts.restore(host, clock + until - now, reason)
            await self._context.tell("warning", f"{host} is left alone until {format_time(until)}: {reason}")
