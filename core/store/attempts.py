"""The history of tries: what failed, and what a later try came to."""

from __future__ import annotations

from core.store.database import Database

KEPT = 100_000
"""Newest attempts, which are kept in any case; of older ones, those of filesets that are open."""
AT_ONCE = 10_000
"""Attempts dropped in one go at most."""


async def prune(db: Database) -> None:
    """Drop old attempts of filesets that are done with: their history helps nobody to decide anything."""
    await db.run(
        """DELETE FROM attempts WHERE id IN (
               SELECT a.id FROM attempts a JOIN filesets f ON f.id = a.fileset_id
               WHERE a.id <= (SELECT max(id) FROM attempts) - ?
                 AND f.state IN ('published', 'withdrawn', 'superseded', 'cancelled', 'excluded', 'expired')
               LIMIT ?)""",
        (KEPT, AT_ONCE),
    )
