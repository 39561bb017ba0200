"""How much room there is for filesets on the disk of a mirror, beside what is under way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.engine.context import Context, MirrorRun
from core.engine.runs import Run
from core.errors import DiskError
from core.store import filesets
from core.units import counted, format_room

ROOM_AGAIN_SECONDS = 60.0
"""When a fileset that found no room is looked at again."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that are free on a disk, of which `spare` are kept free, and which filesets under way may need."""

    free: int
    spare: int
    promised: int

    @property
    def most(self) -> int:
        """What a fileset may need at most, if it has the disk for itself."""
        return self.free - self.spare

    @property
    def left(self) -> int:
        """What is left for filesets beside those under way."""
        return self.most - self.promised

    def __str__(self) -> str:
        return format_room(self.free, self.spare)


async def find_room(context: Context, mirror: MirrorRun, runs: Iterable[Run]) -> Room:
    """Return the room for a mirror beside `runs`, of whatever mirror, that are to come to the same disk.

    Raises DiskError if there is none, and nothing is under way that may end.
    """
    device = mirror.destination.device
    promised = sum(run.row.bytes for run in runs if run.mirror.destination.device == device)
    free, total = await context.in_thread(mirror.destination.space)
    room = Room(free, context.config.engine.min_free.of(total), promised)
    if room.most <= 0 and not promised:
        raise DiskError(f"disk full: {room}: {mirror.config.destination}", whole=True)
    return room


async def put_off_large(context: Context, mirror: MirrorRun, product: int, room: Room) -> None:
    """Put off the queued filesets of a product for which no ending of others makes room; tell of each once."""
    why = f"{mirror.config.destination}: no room for it: {room}"
    again = context.now() + ROOM_AGAIN_SECONDS
    news = await context.journal.write(lambda db: filesets.put_off(db, product, room.most, why, again))
    if news:
        more = f", nor for {counted(len(news) - 1, 'other')} of this product" if len(news) > 1 else ""
        told = f"{mirror.config.destination}: no room for {news[0]}{more}: {room}; the others go on"
        await context.tell("error", told, mirror=mirror.config.name, product=mirror.products.get(product))
