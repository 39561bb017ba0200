"""What upstream may have mended since it was read: indexes that are looked at again, and what comes of that."""

from __future__ import annotations

from collections.abc import AsyncIterator

from core.store.database import Database
from core.store.ids import file_range, sql_in_range
from core.store.records import LOOK

MOST = 1000
"""Indexes of a mirror that are looked at again at a time, any of those that may have been mended."""
SAMPLE = 50
"""Those of them that wait for their next try, as they do when a host is down: they may be many, for nothing."""
WINDOW = 1000
"""Names of files that are read at a time."""
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
           OR s.state = 'queued' AND s.failure_kind = 'disk'
           OR s.state IN ('queued', 'transferring') AND s.failure_kind IS NULL AND EXISTS (
               SELECT 1 FROM files f INDEXED BY files_aside
               WHERE {sql_in_range("f.id", "s.id")} AND f.state IN ('retry_wait', 'quarantined')
                 AND (f.state = 'quarantined' OR f.failure_kind NOT IN ('transient', 'disk'))))
    UNION
    SELECT id FROM (
        SELECT s.id FROM products p
            JOIN filesets s INDEXED BY filesets_trouble ON s.product_id = p.id AND s.trouble <> ''
        WHERE p.mirror_id = :mirror AND p.selected AND s.state = 'transferring' AND s.failure_kind IS NULL AND EXISTS (
            SELECT 1 FROM files f INDEXED BY files_aside
            WHERE {sql_in_range("f.id", "s.id")} AND f.state IN ('retry_wait', 'quarantined')
              AND f.failure_kind = 'transient' AND f.next_try > :now)
        ORDER BY random() LIMIT {SAMPLE})
    UNION
    SELECT s.id FROM rejections r JOIN filesets s ON s.id = r.fileset_id
    WHERE r.mirror_id = :mirror AND s.state IN ('queued', 'transferring', 'published')
    UNION
    SELECT s.id FROM products p JOIN filesets s INDEXED BY filesets_verified ON s.product_id = p.id
    WHERE p.mirror_id = :mirror AND p.selected AND s.state = 'published' AND s.files = 0
      AND ifnull(s.verified_at, s.published_at) >= :since"""


async def look_again(db: Database, mirror: int, now: float) -> int:
    """Have indexes of a mirror looked at that upstream may have mended; return how many.

    They are those of filesets that are in trouble by what is listed, or may be: what no disk has room for may have a
    wrong size, and what a server fails to send may not be listed any more; of those that have refused rows, or that are
    empty.
    """
    return await db.run(
        f"""UPDATE filesets SET reread = {LOOK}
            WHERE NOT reread AND id IN (SELECT id FROM ({_CANDIDATES}) ORDER BY random() LIMIT :most)""",
        {"mirror": mirror, "now": now, "since": now - EMPTY_SECONDS, "most": MOST},
    )


async def nothing_seen(db: Database, fileset: int) -> None:
    """Leave a fileset as it was: its index could not be looked at, or says nothing new.

    An order to read it that came meanwhile stands.
    """
    await db.run(f"UPDATE filesets SET reread = 0 WHERE id = ? AND reread = {LOOK}", (fileset,))


async def give_up(db: Database, mirror: int) -> None:
    """Look at no further index of a mirror."""
    await db.run(
        f"""UPDATE filesets SET reread = 0 WHERE reread AND reread = {LOOK}
            AND product_id IN (SELECT id FROM products WHERE mirror_id = ?)""",
        (mirror,),
    )


_FINE = "state NOT IN ('retry_wait', 'quarantined')"
_CONFLICT = "state IN ('retry_wait', 'quarantined') AND failure_kind = 'conflict'"


async def count_in_use(db: Database, fileset: int) -> int:
    """Return the number of the files of a fileset of which nothing is wrong."""
    return int(await db.value(f"SELECT count(*) FROM files WHERE id BETWEEN ? AND ? AND {_FINE}", file_range(fileset)))


def in_use(db: Database, fileset: int) -> AsyncIterator[list[str]]:
    """Yield the names of the files of a fileset of which nothing is wrong, some at a time."""
    return _names(db, fileset, "files", _FINE)


def conflicting(db: Database, fileset: int) -> AsyncIterator[list[str]]:
    """Yield the names of the files of a fileset that are listed with unequal rows, some at a time."""
    return _names(db, fileset, "files INDEXED BY files_aside", _CONFLICT)


async def _names(db: Database, fileset: int, source: str, condition: str) -> AsyncIterator[list[str]]:
    start, last = file_range(fileset)
    query = f"SELECT id, name FROM {source} WHERE id BETWEEN ? AND ? AND {condition} ORDER BY id LIMIT {WINDOW}"
    while rows := await db.rows(query, (start, last)):
        yield [row["name"] for row in rows]
        start = rows[-1]["id"] + 1


async def known_wrong(db: Database, fileset: int) -> tuple[int, int]:
    """Return how many rows of the index of a fileset were refused, as far as they were kept, and how many conflict."""
    refused = await db.value("SELECT rejected FROM filesets WHERE id = ?", (fileset,))
    conflicts = await db.value(
        f"SELECT count(*) FROM files INDEXED BY files_aside WHERE id BETWEEN ? AND ? AND {_CONFLICT}",
        file_range(fileset),
    )
    return int(refused), int(conflicts)


async def begin_anew(db: Database, fileset: int) -> None:
    """Have the index of a fileset read that has changed since its transfer was begun."""
    await db.run(f"UPDATE filesets SET {UNREAD} WHERE id = ? AND {_BEGUN}", (fileset,))


async def read_first(db: Database) -> None:
    """Have indexes read that were to be read again before their filesets were repaired by the old ones."""
    await db.run(f"UPDATE filesets SET {UNREAD} WHERE reread AND reread <> {LOOK} AND {_BEGUN}")
