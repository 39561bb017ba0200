"""How full the disks are, looked at from time to time."""

from __future__ import annotations

import asyncio
import contextlib

from core.engine.context import Context
from core.errors import DiskError
from core.store import meters
from core.store.database import Database

SAMPLE_SECONDS = 60.0


class Gauges:
    """Samples the space of each mirror's destination, and forgets figures that are too old."""

    def __init__(self, context: Context):
        self._context = context

    async def run(self) -> None:
        """Sample for ever, first at once."""
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    async def sample(self) -> None:
        """Record the space of all destinations that can be examined."""
        spaces: dict[int, tuple[int, int]] = {}
        for mirror in self._context.mirrors.values():
            with contextlib.suppress(DiskError):  # whoever writes there tells, and stops the mirror
                spaces[mirror.id] = await self._context.in_thread(mirror.destination.space)
        now = self._context.now()

        async def write(db: Database) -> None:
            await meters.sample_disks(db, spaces, now)
            await meters.prune(db, now)

        await self._context.journal.write(write)
