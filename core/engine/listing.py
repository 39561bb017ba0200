"""The indexes of what is published, filled from the state window by window."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from core.destinations.indexes import Index, RowT, file_index, fileset_index
from core.model import ListedFile, ListedFileset
from core.store import files, registry
from core.store.database import Database

WINDOW = 500


async def of_product(db: Database, product: int) -> Index[ListedFileset]:
    """Return the index of the published filesets of a product."""
    return await _filled(fileset_index(), lambda after: registry.published_filesets(db, product, after, WINDOW))


async def of_fileset(db: Database, fileset: int) -> Index[ListedFile]:
    """Return the index of the files of a fileset."""
    return await _filled(file_index(), lambda after: files.listing(db, fileset, after, WINDOW))


async def _filled(index: Index[RowT], read: Callable[[int], Awaitable[list[tuple[int, RowT]]]]) -> Index[RowT]:
    """Fill an index: `read` returns the rows behind a key, each with its own key."""
    after = 0
    while window := await read(after):
        after = window[-1][0]
        index.add(row for _, row in window)
    return index
