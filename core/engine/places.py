"""Whether destinations are still where they were opened: what is written to a displaced one is found by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from core.engine.context import Context, MirrorRun
from core.errors import DiskError, FailureKind

LOOK_SECONDS = 1.0
PATIENCE = 10.0
"""Seconds that an engine which is ending waits for disks to answer."""


class Places:
    """Stops mirrors whose destination was displaced; `drop` takes out of the schedule what is under way there."""

    def __init__(self, context: Context, drop: Callable[[MirrorRun], Awaitable[None]]):
        self._context = context
        self._drop = drop

    async def run(self) -> None:
        """Look for ever; a disk that does not answer keeps none of the others from being looked at."""
        await asyncio.gather(*map(self._watch, self._context.mirrors.values()))

    async def look(self) -> None:
        """Look at all destinations once, those left out that do not answer soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*map(self._look, self._context.mirrors.values()))

    async def _watch(self, mirror: MirrorRun) -> None:
        while True:
            await self._look(mirror)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, mirror: MirrorRun) -> None:
        """Look at one; also if its mirror is stopped, for something may be under way there."""
        try:
            await self._context.in_thread(mirror.destination.demand_in_place)
        except DiskError as error:
            await self._context.stop_mirror(mirror, FailureKind.DISK, str(error))
            await self._drop(mirror)
