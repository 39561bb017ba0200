"""What screens have to know though nothing was recorded of it: how full the disks are, and which hosts rest."""

from __future__ import annotations

import asyncio
import contextlib
import time

from core.engine.context import Context
from core.errors import DiskError
from core.store import attempts, events, meters
from core.store.database import Database
from core.transfer.hosts import Hosts, Trust

SAMPLE_SECONDS = 60.0


class Gauges:
    """Samples the space of each mirror's destination, notes hosts at rest, and forgets what is too old."""

    def __init__(self, context: Context, hosts: Hosts):
        self._context = context
        self._hosts = hosts
        self._resting: dict[str, tuple[float, str]] | None = None
        """By host until when (monotonic) and why, as recorded; None: nothing is recorded by this engine yet."""

    async def run(self) -> None:
        """Sample for ever, first at once."""
        while True:
            if self._context.journal.short is None:  # what room there is, is for what has to be recorded
                await self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)

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

    async def note_rests(self) -> None:
        """Record which hosts are left alone, if that has changed."""
        now, clock = self._context.now(), time.monotonic()
        resting = self._rests(clock)
        if resting == self._resting:
            return
        self._resting = resting
        picture = {host: (now + until - clock, reason) for host, (until, reason) in resting.items()}
        await self._context.journal.write(lambda db: meters.rest(db, picture))

    def _rests(self, clock: float) -> dict[str, tuple[float, str]]:
        found: dict[str, tuple[float, str]] = {}
        for mirror in self._context.mirrors.values():
            state = self._hosts.state(mirror.host, clock)
            if state.trust is Trust.RESTING and state.until is not None:
                found[mirror.host] = (state.until, state.reason)
        return found
