"""Other state files that have published at a destination: what they put over filesets of this one is found."""

from __future__ import annotations

from collections.abc import Sequence

from core.destinations.base import Destination, Place
from core.engine.context import Context, MirrorRun
from core.model import Damage, Finding
from core.store import filesets, verification
from core.store.database import Database
from core.store.records import FilesetRow
from core.units import counted

PAGE = 1000
"""Filesets that are looked at in one go."""
REPLACED = Finding(
    "", Damage.CHANGED, "its folder is not the one that was published; another state file was at work here"
)


async def take_over(context: Context, mirror: MirrorRun) -> None:
    """Mark what other state files have published over as damaged, and remove what they have staged.

    It is their staging that tells of them: when it is gone, so is what they have done. Raises DiskError.
    """
    if not await context.in_thread(mirror.destination.others):
        return
    replaced = after = 0
    while page := await filesets.published_of(context.db, mirror.id, after, PAGE):
        places = [await context.place_of(row) for row in page]
        found = await context.in_thread(_replaced, mirror.destination, page, places)
        await _mark(context, found)
        replaced += len(found)
        after = page[-1].id
    if replaced:
        words = (
            f"{mirror.config.destination}: another state file has published here since, over "
            f"{counted(replaced, 'fileset')} of this one; give each state a destination of its own, then "
            "`mirrortui verify --repair` makes them right"
        )
        await context.tell("error", words, mirror=mirror.config.name)
    await context.in_thread(mirror.destination.drop_others)


def _replaced(destination: Destination, page: Sequence[FilesetRow], places: Sequence[Place]) -> list[FilesetRow]:
    return [
        row
        for row, place in zip(page, places, strict=True)
        if row.inode is not None and not destination.stands(place, row.inode)
    ]


async def _mark(context: Context, found: Sequence[FilesetRow]) -> None:
    async def write(db: Database) -> None:
        for row in found:
            await verification.damaged(db, row, [REPLACED], context.now())

    await context.journal.write(write)
