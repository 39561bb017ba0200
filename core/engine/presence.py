"""What was published is looked for before the work begins: a fileset that is gone, or another's, is not published."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from core.destinations.base import Place
from core.engine import listing
from core.engine.context import Context, MirrorRun
from core.model import Damage, Finding
from core.store import filesets, presence, verification
from core.store.database import Database
from core.store.presence import Folder
from core.units import counted

PAGE = 1000
"""Filesets that are looked for in one go."""
GRAINS = (1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000)
"""To how many ns file systems round the time of a directory when they are mounted again."""
GONE = Finding("", Damage.MISSING, "it was taken away")
REPLACED = Finding("", Damage.CHANGED, "its folder is another one than was published; a second state file was at work")


@dataclass(slots=True)
class _Found:
    """What was found of some filesets: those that are lost or replaced, each with a finding, and others."""

    lost: list[tuple[int, Finding]] = field(default_factory=list)
    replaced: list[tuple[int, Finding]] = field(default_factory=list)
    unlike: list[tuple[int, str]] = field(default_factory=list)
    """Those that are whole at first sight, with the directory that stands there: another than was put there."""
    new: list[tuple[int, str]] = field(default_factory=list)
    """Those of which nothing was known to compare with."""


async def look_for_all(context: Context, mirror: MirrorRun) -> None:
    """See that what was published of a mirror stands, where anything was touched since it was last seen to.

    What is gone, or not whole, is fetched again. What another state file has published over is damaged: were it mended
    without a word, it would be the other's turn again. The staging of that one tells of it, and goes at last.

    Raises DiskError.
    """
    strange = bool(await context.in_thread(mirror.destination.others))
    await context.journal.write(lambda db: presence.forget_ended(db, mirror.id))
    folders = await presence.folders(context.db, mirror.id, ended=strange)
    await _look_into(context, mirror, folders, strange)
    if strange:
        await context.in_thread(mirror.destination.drop_others)


async def look_for_new(context: Context, mirror: MirrorRun) -> list[int]:
    """Look into the folders of products that nobody has looked into since they were chosen, or listed something again.

    Returns the products of which something is fetched again. Raises DiskError.
    """
    folders = [folder for folder in await presence.folders(context.db, mirror.id) if folder.seen is None]
    return await _look_into(context, mirror, folders, strange=False)


async def _look_into(context: Context, mirror: MirrorRun, folders: Sequence[Folder], strange: bool) -> list[int]:
    stamps = await context.in_thread(mirror.destination.folder_stamps, [folder.name for folder in folders])
    lost: Counter[int] = Counter()
    replaced = unlike = 0
    for folder, stamp in zip(folders, stamps, strict=True):
        if strange or stamp is None or stamp != folder.seen:
            async for found in _look_in(context, mirror, folder, strange):
                await _record(context, found)
                lost[folder.product] += len(found.lost)
                replaced, unlike = replaced + len(found.replaced), unlike + len(found.unlike)
            await context.journal.write(lambda db: presence.keep_stamp(db, folder.product, stamp))  # noqa: B023
    await _tell(context, mirror, lost.total(), replaced, unlike)
    return [product for product, count in lost.items() if count]


async def _look_in(context: Context, mirror: MirrorRun, folder: Folder, strange: bool) -> AsyncGenerator[_Found, None]:
    after = 0
    while page := await presence.published(context.db, folder.product, after, PAGE):
        after = page[-1].seq
        standing = await context.in_thread(mirror.destination.standing, folder.name, [one.name for one in page])
        found = _Found()
        for one in page:
            there = standing.get(one.name)
            if there is None:
                found.lost.append((one.id, GONE))
            elif one.inode is None:
                found.new.append((one.id, there))
            elif not same_directory(one.inode, there):
                if strange:
                    found.replaced.append((one.id, REPLACED))
                elif lacks := await _lacks(context, mirror, Place(one.id, folder.name, one.name)):
                    found.lost.append((one.id, lacks))
                else:
                    found.unlike.append((one.id, there))
        yield found


async def _lacks(context: Context, mirror: MirrorRun, place: Place) -> Finding | None:
    expected = await listing.expected(context.db, place.fileset_id)
    return await context.in_thread(mirror.destination.lacks, place, expected)


async def _record(context: Context, found: _Found) -> None:
    damaged = dict([*found.lost, *found.replaced])
    taken = [*found.new, *found.unlike]

    async def write(db: Database) -> None:
        for row in await filesets.some(db, damaged):
            await verification.damaged(db, row, [damaged[row.id]], context.now())
        await verification.repair(db, [fileset for fileset, _ in found.lost])
        await presence.take_as_they_are(db, taken)

    if damaged or taken:
        await context.journal.write(write)


async def _tell(context: Context, mirror: MirrorRun, lost: int, replaced: int, unlike: int) -> None:
    place, name = mirror.config.destination, mirror.config.name
    if lost:
        words = f"{place}: {counted(lost, 'published fileset')} not there any more, or not whole; fetched again"
        await context.tell("warning", words, mirror=name)
    if replaced:
        words = (
            f"{place}: another state file has published here since, over {counted(replaced, 'fileset')} of this one; "
            "give each state a destination of its own, then `mirrortui verify --repair` makes them right"
        )
        await context.tell("error", words, mirror=name)
    if unlike:
        words = (
            f"{place}: what stands of {counted(unlike, 'fileset')} is not what was put there: a copy, or restored from "
            f"a backup? `mirrortui verify --mirror {name}` proves it"
        )
        await context.tell("warning", words, mirror=name)


def same_directory(left: str, found: str) -> bool:
    """Tell whether a directory is the one that was left, or a faithful copy, by the time of its last change.

    A number of its own it may get again on each mount, and that of one that is gone may be another's soon.
    """
    before, after = (int(one.rpartition(":")[2]) for one in (left, found))
    return any(after == before // grain * grain for grain in GRAINS)
