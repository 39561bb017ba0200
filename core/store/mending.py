"""What upstream may have mended since it was read: indexes that are looked at again, and what comes of that."""

from __future__ import annotations

from core.store.database import Database
from core.store.ids import file_range, sql_in_range
from core.store.records import LOOK

MOST = 1000
"""Indexes of a mirror that are looked at again at a time, any of those that may have been mended."""
EMPTY_SECONDS = 86_400.0
"""For how long after its publication a fileset without files is looked at again: its index may have been read while it
was being written.
"""

UNREAD = """state = 'discovered', trouble = '', attempts = 0, tries = 0, failure_kind = NULL, failure = NULL,
            next_try = NULL"""
"""What a fileset is made whose index is to be read, in SQL."""

_BEGUN = "state IN ('queued', 'transferring')"
_CANDIDATES = f"""
    SELECT s.id FROM products p JOIN filesets s INDEXED BY filesets_trouble ON s.product_id = p.id AND s.trouble <> ''
    WHERE p.mirror_id = :mirror AND p.selected
      AND (s.state IN ('discovered', 'published') AND s.trouble = 'quarantined'
           OR s.state IN ('queued', 'transferring') AND s.failure_kind IS NULL AND EXISTS (
               SELECT 1 FROM files f INDEXED BY files_aside
               WHERE {sql_in_range("f.id", "s.id")} AND f.state IN ('retry_wait', 'quarantined')
                 AND f.failure_kind NOT IN ('transient', 'disk')))
    UNION
    SELECT s.id FROM rejections r JOIN filesets s ON s.id = r.fileset_id
    WHERE r.mirror_id = :mirror AND s.state IN ('queued', 'transferring', 'published')
    UNION
    SELECT s.id FROM products p JOIN filesets s INDEXED BY filesets_verified ON s.product_id = p.id
    WHERE p.mirror_id = :mirror AND p.selected AND s.state = 'published' AND s.files = 0
      AND ifnull(s.verified_at, s.published_at) >= :since"""


async def look_again(db: Database, mirror: int, now: float) -> int:
    """Have indexes of a mirror looked at that upstream may have mended; return how many.

    They are those of filesets that are in trouble by what is listed, that have refused rows, or that are empty.
    """
    return await db.run(
        f"""UPDATE filesets SET reread = {LOOK}
            WHERE NOT reread AND id IN (SELECT id FROM ({_CANDIDATES}) ORDER BY random() LIMIT :most)""",
        {"mirror": mirror, "since": now - EMPTY_SECONDS, "most": MOST},
    )


async def nothing_seen(db: Database, fileset: int) -> None:
    """Leave a fileset as it was: its index could not be looked at, or says nothing new."""
    await db.run("UPDATE filesets SET reread = 0 WHERE id = ?", (fileset,))


async def give_up(db: Database, mirror: int) -> None:
    """Look at no further index of a mirror."""
    await db.run(
        f"""UPDATE filesets SET reread = 0 WHERE reread AND reread = {LOOK}
            AND product_id IN (SELECT id FROM products WHERE mirror_id = ?)""",
        (mirror,),
    )


async def in_use(db: Database, fileset: int, most: int) -> set[str] | None:
    """Return the names of the files of a fileset of which nothing is wrong; None if they are more than `most`."""
    first, last = file_range(fileset)
    fine = "id BETWEEN ? AND ? AND state NOT IN ('retry_wait', 'quarantined')"
    if await db.value(f"SELECT count(*) FROM files WHERE {fine}", (first, last)) > most:
        return None
    return {row["name"] for row in await db.rows(f"SELECT name FROM files WHERE {fine}", (first, last))}


async def known_wrong(db: Database, fileset: int) -> tuple[int, int]:
    """Return how many rows of the index of a fileset were refused, as far as they were kept, and how many conflict."""
    refused = await db.value("SELECT rejected FROM filesets WHERE id = ?", (fileset,))
    conflicts = await db.value(
        """SELECT count(*) FROM files INDEXED BY files_aside WHERE id BETWEEN ? AND ?
           AND state IN ('retry_wait', 'quarantined') AND failure_kind = 'conflict'""",
        file_range(fileset),
    )
    return int(refused), int(conflicts)


async def begin_anew(db: Database, fileset: int) -> None:
    """Have the index of a fileset read that has changed since its transfer was begun."""
    await db.run(f"UPDATE filesets SET {UNREAD} WHERE id = ? AND {_BEGUN}", (fileset,))


async def read_first(db: Database) -> None:
    """Have indexes read that were to be read again before their filesets were repaired by the old ones."""
    await db.run(f"UPDATE filesets SET {UNREAD} WHERE reread AND reread <> {LOOK} AND {_BEGUN}")
