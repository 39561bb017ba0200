"""Making the state and the disk agree after any kind of end, and nothing more: leftover work is the state itself."""

from __future__ import annotations

import asyncio

from core.destinations.base import Place
from core.engine.context import Context, MirrorRun
from core.model import FilesetState
from core.store import events, files, filesets
from core.store.database import Database
from core.store.records import FilesetRow

LONGEST_WAIT = 25 * 3600.0
"""No policy, and no Retry-After that we accept, asks for a longer wait."""


async def recover(context: Context) -> None:
    """Finish or take back publications that were cut off, and forget transfers of an engine that is gone."""
    now = context.now()

    async def tidy(db: Database) -> None:
        await files.live(db, [], context.lease)
        await files.clamp_waits(db, now, LONGEST_WAIT)
        await events.prune(db)

    await context.journal.write(tidy)
    for mirror in context.mirrors.values():
        if mirror.stop is None:
            rows = await filesets.in_state(context.db, (FilesetState.PUBLISHING, FilesetState.STAGED), mirror.id)
            for row in rows:
                await _settle(context, mirror, row)


async def _settle(context: Context, mirror: MirrorRun, row: FilesetRow) -> None:
    product = await context.db.value("SELECT name FROM products WHERE id = ?", (row.product_id,))
    place = Place(row.id, product, row.name)
    stands = row.inode is not None and await asyncio.to_thread(mirror.destination.is_published, place, row.inode)
    now = context.now()
    if stands:
        await context.journal.write(lambda db: filesets.published(db, [row.id], now))
    else:
        await context.journal.write(lambda db: filesets.take_back(db, row.id))
