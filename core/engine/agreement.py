"""Whether upstream lists what a rebuild has entered: it knows the published index, and never saw that of upstream."""

from __future__ import annotations

from core.engine.context import Context
from core.model import FilesetState, ListedFile
from core.sources.base import Listing
from core.store import filesets, rebuilding
from core.store.database import Database
from core.store.records import FilesetRow


async def agreed(context: Context, row: FilesetRow, listing: Listing[ListedFile]) -> bool:
    """Tell whether an index lists the very files of a fileset that a rebuild entered; then that is recorded."""
    if row.state is FilesetState.DISCOVERED or row.index_sha256 is not None or not await _same(context, row, listing):
        return False
    now = context.now()

    async def write(db: Database) -> None:
        await rebuilding.know_index(db, row.id, listing.sha256)
        await filesets.index_confirmed(db, row.id, now)

    await context.journal.write(write)
    return True


async def _same(context: Context, row: FilesetRow, listing: Listing[ListedFile]) -> bool:
    count = 0
    for batch in listing.batches():
        files = [one for one in batch if isinstance(one, ListedFile)]
        if len(files) < len(batch) or not await rebuilding.same_files(context.db, row.id, count, files):
            return False
        count += len(files)
    return count == row.files and not listing.conflicts
