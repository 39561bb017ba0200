"""Bringing mirrors to work: the state and the disk are made to agree, after any kind of end, and nothing more.

Leftover work needs no care here: it is the state itself.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from core.engine import indexes, presence
from core.engine.context import Context, MirrorRun
from core.errors import HOUR, DiskError, FailureKind, MirrorError
from core.http import LONGEST_RETRY_AFTER
from core.model import FilesetState
from core.store import files, filesets, registry, stamps, verification
from core.store.database import Database
from core.store.records import FilesetRow

LONGEST_WAIT = LONGEST_RETRY_AFTER + HOUR
"""No policy, and no Retry-After that we accept, asks for a longer wait."""


async def recover(context: Context) -> None:
    """Forget the transfers of an engine that is gone, and bring every mirror to work.

    Raises LeaseHeld if another engine publishes into one of the destinations.
    """

    async def tidy(db: Database) -> None:
        await files.live(db, [], context.lease)
        await verification.end_all(db, context.now(), "the engine ended")

    await context.journal.write(tidy)
    await mend_stamps(context)
    for mirror in context.mirrors.values():
        try:
            await _bring_up(context, mirror)
        except DiskError as error:
            await context.stop_mirror(mirror, FailureKind.DISK, str(error))
    await _doubt(context)


async def _doubt(context: Context) -> None:
    """Doubt what is staged if the machine was started anew since the last engine: what was not flushed may be lost.

    The doubt is in the state, for it may be long before a fileset is at work again, and the boot is known by then.
    """
    boot = boot_id()
    if boot == await registry.setting(context.db, "boot"):
        return

    async def write(db: Database) -> None:
        await files.doubt_staged(db)
        await registry.set_setting(db, "boot", boot)

    await context.journal.write(write)


async def mend_stamps(context: Context) -> None:
    """Forget what a clock that has jumped left in the future, and would be waited for."""
    now = context.now()
    await context.journal.write(lambda db: stamps.mend(db, now, LONGEST_WAIT))


async def let_go(context: Context, mirror: MirrorRun) -> bool:
    """Give a stopped mirror another chance; tell whether it has one."""
    try:
        await _bring_up(context, mirror)
    except MirrorError as error:
        reason = str(error)
        _, known = await registry.mirror_flags(context.db, mirror.id)
        if mirror.stop is None or not known or reason != mirror.stop.reason:
            await context.journal.write(lambda db: registry.stop_mirror(db, mirror.id, FailureKind.DISK, reason))
        return False
    await context.journal.write(lambda db: registry.let_mirror_go(db, mirror.id))
    mirror.stop = None
    return True


async def lift_stops(context: Context) -> None:
    """Give mirrors another chance whose stop an operator has lifted in the state."""
    for mirror in context.mirrors.values():
        _, stopped = await registry.mirror_flags(context.db, mirror.id)
        if mirror.stop is not None and not stopped:
            await let_go(context, mirror)


async def _bring_up(context: Context, mirror: MirrorRun) -> None:
    """Open the destination, finish or take back publications that were cut off, drop staging that is of no use.

    What the disk had refused may be welcome by now.
    """
    await context.journal.secure()
    await _open(context, mirror)
    for row in await filesets.in_state(context.db, (FilesetState.PUBLISHING, FilesetState.STAGED), mirror.id):
        if not context.publishing(row.id):
            await _settle(context, mirror, row)
    await _clear_away(context, mirror)
    now = context.now()
    await context.journal.write(lambda db: filesets.look_again(db, mirror.id, now))
    areas = await context.in_thread(mirror.destination.areas)
    useful = await filesets.still_staged(context.db, areas, mirror.id)
    for area in areas:
        if area not in useful:
            await context.in_thread(mirror.destination.drop, area)
    if not context.repairs_only:
        await indexes.mend(context, mirror)


async def _clear_away(context: Context, mirror: MirrorRun) -> None:
    """Clear away what was replaced by publications, where that was cut off or refused, and what nobody knows."""
    rows = await filesets.some(context.db, await context.in_thread(mirror.destination.replaced))
    try:
        await context.in_thread(mirror.destination.tidy, {row.id for row in rows})
    except DiskError as error:
        await context.tell("warning", str(error), mirror=mirror.config.name)
    for row in rows:
        if not context.publishing(row.id):
            place = await context.place_of(row)
            try:
                await context.in_thread(mirror.destination.clear, place)
            except DiskError as error:
                names = {"mirror": mirror.config.name, "product": place.product, "fileset": place.fileset}
                await context.tell("warning", str(error), **names)


async def _open(context: Context, mirror: MirrorRun) -> None:
    """Open the destination, and have it marked.

    Raises DiskError, before anything is made, if it is not where this mirror was published: perhaps a disk is not
    mounted.
    """
    known, published = await registry.marker(context.db, mirror.id)
    found = await context.in_thread(mirror.destination.marker)
    if published and known is not None and found != known and not context.any_place:
        mirror.destination.leave()
        place, name = mirror.config.destination, mirror.config.name
        raise DiskError(
            f"{place}: this is not where mirror {name} was published (its marker is missing); mount the right disk, or "
            f"put the folder back. If the place is meant: `mirrortui verify --repair --mirror {name}` takes what is "
            "right there, and fetches the rest",
            whole=True,
        )
    await context.in_thread(mirror.destination.open)
    if found is None:
        found = secrets.token_hex(16)
        await context.in_thread(mirror.destination.mark, found)
    if found != known:
        await context.journal.write(lambda db: registry.set_marker(db, mirror.id, found))
    if not context.repairs_only:
        await presence.look_for_all(context, mirror)


async def _settle(context: Context, mirror: MirrorRun, row: FilesetRow) -> None:
    place = await context.place_of(row)
    stands = row.inode is not None and await context.in_thread(mirror.destination.is_published, place, row.inode)
    now = context.now()
    if stands:
        await context.journal.write(lambda db: filesets.published(db, [row.id], now))
    else:
        await context.journal.write(lambda db: filesets.take_back(db, row.id))


def boot_id() -> str:
    """Return what tells one start of this machine from another; the same for ever where the system doesn't say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
