"""Our published indexes of products and roots, found changed or gone: they are made of the state, and written anew."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import replace

from core.destinations.indexes import product_lines
from core.engine import listing
from core.engine.context import Context, MirrorRun
from core.model import Finding
from core.store import indexes, registry, verification
from core.store.database import Database
from core.store.indexes import Written


async def mend(context: Context, mirror: MirrorRun) -> None:
    """Have the indexes of a mirror that are not what they should be written anew, and say so. Raises DiskError."""
    wrong = await _wrong(context, mirror)
    due = await context.journal.write(lambda db: indexes.mark_due(db, mirror.id, list(wrong)))
    if due:
        more = f" and {len(due) - 1:,} more" if len(due) > 1 else ""
        words = (
            f"the published index of {due[0].name or 'the root'}{more} was changed or taken away; it is written anew"
        )
        await context.tell("warning", words, mirror=mirror.config.name)


async def verify(context: Context, command: int, mirror: MirrorRun, products: Collection[int]) -> None:
    """Tell which indexes of these products, and of the root, are not what they should be; they are written anew.

    Raises DiskError.
    """
    wrong = {one: found for one, found in (await _wrong(context, mirror)).items() if one.product in {None, *products}}

    async def write(db: Database) -> list[Written]:
        due = await indexes.mark_due(db, mirror.id, list(wrong))
        for one in due:
            await verification.note(db, command, (mirror.config.name, one.name or "", ""), None, [wrong[one]])
        return due

    for one in await context.journal.write(write):
        words = f"{wrong[one].damage}: {wrong[one].name}: {wrong[one].detail}"
        await context.tell("warning", words, mirror=mirror.config.name, product=one.name)


async def _wrong(context: Context, mirror: MirrorRun) -> dict[Written, Finding]:
    """Return what is wrong with indexes. Only those are read that were touched since they were written."""
    wrong: dict[Written, Finding] = {}
    for one, stamp in await _touched(context, mirror):
        if found := await _compare(context, mirror, one):
            wrong[one] = replace(found[0], detail=f"{found[0].detail}; written anew")
        else:
            await context.journal.write(lambda db: indexes.confirm(db, mirror.id, one, stamp))  # noqa: B023
    return wrong


async def _touched(context: Context, mirror: MirrorRun) -> list[tuple[Written, str]]:
    """Return the indexes that are not as they were left, each with the stamp that it has."""
    known = await indexes.up_to_date(context.db, mirror.id)
    stamps = await context.in_thread(mirror.destination.index_stamps, [one.name for one in known])
    return [(one, stamp) for one, stamp in zip(known, stamps, strict=True) if stamp != one.stamp]


async def _compare(context: Context, mirror: MirrorRun, one: Written) -> list[Finding]:
    verify = mirror.destination.verify_index
    if one.product is None:
        listed = await registry.published_products(context.db, mirror.id)
        return await context.in_thread(verify, None, product_lines(listed))
    with contextlib.closing(await listing.of_product(context.db, one.product)) as index:
        return await context.in_thread(verify, one.name, index.blocks())
