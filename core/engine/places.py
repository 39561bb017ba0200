"""Whether destinations are still where they were opened: what is written to a displaced one is found by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from core.engine.context import Context, MirrorRun
from core.errors import DiskError, FailureKind

LOOK_SECONDS = 1.0


class Places:
    """Stops mirrors whose destination was displaced; `drop` takes out of the schedule what is under way there."""

    def __init__(self, context: Context, drop: Callable[[MirrorRun], Awaitable[None]]):
        self._context = context
        self._drop = drop

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look at all destinations once; also at those of stopped mirrors, for which something may be under way."""
        for mirror in self._context.mirrors.values():
            try:
                await self._context.in_thread(mirror.destination.demand_in_place)
            except DiskError as error:
                await self._context.stop_mirror(mirror, FailureKind.DISK, str(error))
                await self._drop(mirror)
