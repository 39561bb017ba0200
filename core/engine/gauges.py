"""What screens have to know though nothing was recorded of it: how full the disks are, and which hosts rest."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

from core.engine.context import Context
from core.engine.indexer import Indexer
from core.errors import DiskError
from core.store import meters
from core.store.database import Database
from core.transfer.hosts import Hosts, Trust

SAMPLE_SECONDS = 60.0
INDEXES_FAIL = "one index after the other failed"


class Gauges:
    """Samples the space of each mirror's destination, notes hosts at rest, and forgets figures that are too old."""

    def __init__(self, context: Context, hosts: Hosts, indexers: Sequence[Indexer]):
        self._context = context
        self._hosts = hosts
        self._indexers = indexers
        self._resting: dict[str, tuple[float, str]] | None = None
        """By host until when (monotonic) and why, as recorded; None: nothing is recorded by this engine yet."""

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
        for indexer in self._indexers:
            state = self._hosts.state(indexer.host, clock)
            if state.trust is Trust.RESTING and state.until is not None:
                reason = INDEXES_FAIL if indexer.fails_until >= state.until else state.reason
                found[indexer.host] = (state.until, reason)
        return found
