"""What was published is looked for before the work begins: a fileset that is gone, or another's, is not published."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from core.engine.context import Context, MirrorRun
from core.model import Damage, Finding
from core.store import filesets, presence, verification
from core.store.database import Database
from core.store.presence import Folder, Published
from core.units import counted

PAGE = 1000
"""Filesets that are looked for in one go."""
GRAINS = (1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000)
"""To how many ns file systems round the time of a directory when they are mounted again."""
GONE = Finding("", Damage.MISSING, "it was taken away")
REPLACED = Finding("", Damage.CHANGED, "its folder is another one than was published; a second state file was at work")


@dataclass(slots=True)
class _Found:
    """Filesets that are not as they were published: not there, or another directory with what stands there."""

    gone: list[Published] = field(default_factory=list)
    others: list[tuple[Published, str]] = field(default_factory=list)
    unknown: list[tuple[Published, str]] = field(default_factory=list)
    """Those of which nothing was known to compare with."""


async def look_for(context: Context, mirror: MirrorRun) -> None:
    """See that what was published of a mirror stands, where anything was touched since it was last seen to.

    What is gone is fetched again. What another state file has published over is damaged: were it mended without a
    word, it would be the other's turn again. The staging of that one tells of it, and goes at last. Raises DiskError.
    """
    strange = bool(await context.in_thread(mirror.destination.others))
    folders = await presence.folders(context.db, mirror.id, ended=strange)
    stamps = await context.in_thread(mirror.destination.folder_stamps, [folder.name for folder in folders])
    gone = other = 0
    for folder, stamp in zip(folders, stamps, strict=True):
        if strange or stamp != folder.seen:
            async for found in _look_in(context, mirror, folder):
                await _record(context, found, strange)
                gone, other = gone + len(found.gone), other + len(found.others)
            await context.journal.write(lambda db: presence.keep_stamp(db, folder.product, stamp))  # noqa: B023
    await _tell(context, mirror, gone, other, strange)
    if strange:
        await context.in_thread(mirror.destination.drop_others)


async def _look_in(context: Context, mirror: MirrorRun, folder: Folder) -> AsyncGenerator[_Found, None]:
    after = 0
    while page := await presence.published(context.db, folder.product, after, PAGE):
        after = page[-1].seq
        standing = await context.in_thread(mirror.destination.standing, folder.name, [one.name for one in page])
        found = _Found()
        for one in page:
            there = standing.get(one.name)
            if there is None:
                found.gone.append(one)
            elif one.inode is None:
                found.unknown.append((one, there))
            elif not same_directory(one.inode, there):
                found.others.append((one, there))
        yield found


async def _record(context: Context, found: _Found, strange: bool) -> None:
    gone = [one.id for one in found.gone]
    replaced = [one.id for one, _ in found.others if strange]
    taken = [*found.unknown, *(() if strange else found.others)]

    async def write(db: Database) -> None:
        for ids, finding in ((gone, GONE), (replaced, REPLACED)):
            for row in await filesets.some(db, ids):
                await verification.damaged(db, row, [finding], context.now())
        await verification.repair(db, gone)
        await presence.take_as_they_are(db, [(one.id, there) for one, there in taken])

    if gone or replaced or taken:
        await context.journal.write(write)


async def _tell(context: Context, mirror: MirrorRun, gone: int, other: int, strange: bool) -> None:
    place, name = mirror.config.destination, mirror.config.name
    others = counted(other, "fileset")
    if gone:
        words = f"{place}: {counted(gone, 'published fileset')} taken away since the last run; fetched again"
        await context.tell("warning", words, mirror=name)
    if other and strange:
        words = (
            f"{place}: another state file has published here since, over {others} of this one; give each state a "
            "destination of its own, then `mirrortui verify --repair` makes them right"
        )
        await context.tell("error", words, mirror=name)
    elif other:
        words = (
            f"{place}: what stands of {others} is not what was put there: a copy, or restored from a backup? "
            f"`mirrortui verify --mirror {name}` proves it"
        )
        await context.tell("warning", words, mirror=name)


def same_directory(left: str, found: str) -> bool:
    """Tell whether a directory is the one that was left, or a faithful copy, by the time of its last change.

    A number of its own it may get again on each mount, and that of one that is gone may be another's soon.
    """
    before, after = (int(one.rpartition(":")[2]) for one in (left, found))
    return any(after == before // grain * grain for grain in GRAINS)
