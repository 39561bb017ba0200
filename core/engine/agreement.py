"""Whether an index that is read again agrees with what is known of its fileset."""

from __future__ import annotations

import asyncio

from core.engine.context import Context
from core.model import FilesetState, ListedFile, Rejection
from core.sources.base import Listing
from core.store import filesets, mending, rebuilding
from core.store.database import Database
from core.store.records import FilesetRow
from core.store.refusals import Refusals


async def agreed(context: Context, row: FilesetRow, listing: Listing[ListedFile]) -> bool:
    """Tell whether an index lists the very files of a fileset that a rebuild entered; then that is recorded.

    A rebuild knows the published index, and never saw that of upstream.
    """
    if row.state is FilesetState.DISCOVERED or row.index_sha256 is not None or not await _same(context, row, listing):
        return False
    now = context.now()

    async def write(db: Database) -> None:
        await rebuilding.know_index(db, row.id, listing.sha256)
        await filesets.index_confirmed(db, row, now)

    await context.journal.write(write)
    return True


async def mended(context: Context, row: FilesetRow, listing: Listing[ListedFile]) -> bool:
    """Tell whether an index that was looked at lists something else, and still all of which nothing is wrong.

    One that has lost files may be read while it is written: nobody but an operator takes it for mended.
    """
    if await _same(context, row, listing):
        return False
    if await mending.count_in_use(context.db, row.id) > listing.rows:
        return False
    lost: set[int] = set()  # of hashes: names can be long, and there may be many
    async for names in mending.in_use(context.db, row.id):
        lost.update(map(hash, names))
    for batch in listing.batches():
        lost.difference_update(hash(one.name) for one in batch if isinstance(one, ListedFile))
        await asyncio.sleep(0)
    return not lost


async def _same(context: Context, row: FilesetRow, listing: Listing[ListedFile]) -> bool:
    """Tell whether an index has the files of a fileset, in their order, and as much is wrong with its rows."""
    count, refused = 0, Refusals()
    for batch in listing.batches():
        files = [one for one in batch if isinstance(one, ListedFile)]
        refused.add(one for one in batch if isinstance(one, Rejection) and one.name not in listing.conflicts)
        if not await rebuilding.same_files(context.db, row.id, count, files):
            return False
        count += len(files)
    wrong = (len(refused.told()), len(listing.conflicts))
    if (count, *wrong) != (row.files, *await mending.known_wrong(context.db, row.id)):
        return False
    async for names in mending.conflicting(context.db, row.id):
        if not listing.conflicts.issuperset(names):
            return False
    return True
