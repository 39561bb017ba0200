"""What is published, as the state has it: indexes, filled window by window, and what a fileset has to hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from core.destinations.base import Expected
from core.destinations.indexes import Index, RowT, file_index, fileset_index
from core.errors import DiskError
from core.model import ListedFile, ListedFileset
from core.store import files, registry
from core.store.database import Database

WINDOW = 500


async def of_product(db: Database, product: int) -> Index[ListedFileset]:
    """Return the index of the published filesets of a product, to be closed. Raises DiskError."""
    return await _filled(
        fileset_index(db.path.parent), lambda after: registry.published_filesets(db, product, after, WINDOW)
    )


async def of_fileset(db: Database, fileset: int) -> Index[ListedFile]:
    """Return the index of the files of a fileset, to be closed. Raises DiskError."""
    return await _filled(file_index(db.path.parent), lambda after: files.listing(db, fileset, after, WINDOW))


async def expected(db: Database, fileset: int) -> list[Expected]:
    """Return the files that a published fileset has to have."""
    found: list[Expected] = []
    after = 0
    while window := await files.all_of(db, fileset, after, WINDOW):
        after = window[-1].id
        found += [Expected(f.id, f.name, f.size, f.digest, False, 0, blake3=f.blake3) for f in window]
    return found


async def _filled(index: Index[RowT], read: Callable[[int], Awaitable[list[tuple[int, RowT]]]]) -> Index[RowT]:
    """Fill an index: `read` returns the rows behind a key, each with its own key."""
    after, more = 0, True
    while more:
        window = await read(after)
        try:
            index.add(row for _, row in window)
        except OSError as error:
            raise DiskError(f"an index of ours finds no room beside the state file: {error.strerror}") from error
        if more := len(window) == WINDOW:
            after = window[-1][0]
    return index
