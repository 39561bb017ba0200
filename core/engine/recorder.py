"""What happened to files, gathered and written in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from core.engine.context import Context
from core.store import files, meters
from core.store.database import Database
from core.store.files import Failed, Live
from core.store.records import FileRow

FLUSH_SECONDS = 0.1
LIVE_SECONDS = 0.25
"""How often progress is written: at most four times a second."""


@dataclass(slots=True)
class _Batch:
    staged: list[tuple[int, str | None, int | None]] = field(default_factory=list)
    recovered: list[tuple[int, int]] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    interrupted: list[tuple[int, int, str | None]] = field(default_factory=list)
    moved: dict[int, tuple[int, int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.staged or self.recovered or self.failed or self.interrupted)


class Recorder:
    """Collects outcomes on the event loop; `live` gives the picture of the transfers under way."""

    def __init__(self, context: Context, live: Callable[[], list[Live]]):
        self._context = context
        self._live = live
        self._live_shown = False
        self._batch = _Batch()
        self._writing = asyncio.Lock()

    def staged(self, product: int, file: FileRow, blake3: str | None, ctime: int | None) -> None:
        """Note a file of a product that is complete and verified, and when its inode was changed last."""
        batch = self._batch
        batch.staged.append((file.id, blake3, ctime))
        files, size = batch.moved.get(product, (0, 0))
        batch.moved[product] = (files + 1, size)
        if file.attempts:
            batch.recovered.append((file.id, file.attempts + 1))

    def came(self, product: int, fetched: int) -> None:
        """Note how many bytes a transfer that has ended brought; what was kept from an earlier one was noted then."""
        if fetched:
            files, size = self._batch.moved.get(product, (0, 0))
            self._batch.moved[product] = (files, size + fetched)

    def failed(self, failure: Failed) -> None:
        """Note a failed try."""
        self._batch.failed.append(failure)

    def interrupted(self, file: int, kept: int, validator: str | None) -> None:
        """Note a transfer that we stopped ourselves."""
        self._batch.interrupted.append((file, kept, validator))

    async def flush(self, with_live: bool = False) -> None:
        """Write what has been gathered, in one transaction; return when that, and all before it, is in the state."""
        async with self._writing:
            await self._flush(with_live)

    async def _flush(self, with_live: bool) -> None:
        batch, self._batch = self._batch, _Batch()
        live = self._live() if with_live else []
        show = with_live and (bool(live) or self._live_shown)
        if not batch and not show:
            return
        if with_live:
            self._live_shown = bool(live)
        now, lease = self._context.now(), self._context.lease

        async def write(db: Database) -> None:
            if batch.failed:
                await files.failed(db, batch.failed, now)
            if batch.interrupted:
                await files.interrupted(db, batch.interrupted)
            if batch.staged:
                await files.staged(db, batch.staged)
            if batch.moved:
                await meters.fetched(db, batch.moved)
            if batch.recovered:
                await files.recovered(db, batch.recovered, now)
            if show:
                await files.live(db, live, lease)

        await self._context.journal.write(write)

    async def run(self) -> None:
        """Write for ever, as often as is due."""
        loop = asyncio.get_running_loop()
        shown = loop.time()
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            due = loop.time() - shown >= LIVE_SECONDS
            if due:
                shown = loop.time()
            await self.flush(with_live=due)
