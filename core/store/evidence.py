"""Evidence: what came of a file in quarantine instead of what the catalogue lists, and taking it for what is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from core.store import filesets
from core.store.database import Database
from core.store.ids import file_range

EVIDENT = """state = 'quarantined' AND failure_kind = 'integrity'
              AND seen_size IS NOT NULL AND seen_digest IS NOT NULL"""
"""SQL that holds of a file of which the whole wrong content was seen."""


async def accept(db: Database, found: Sequence[int], who: str, now: float) -> tuple[int, int]:
    """Take what was seen of files in quarantine for what is wanted: they are fetched again, and proven by that.

    Only files of which the whole wrong content was seen can be accepted. Returns how many were, and how many were not.
    """
    accepted = left = 0
    for fileset in found:
        span = file_range(fileset)
        await db.run(
            f"""INSERT INTO attempts (fileset_id, file_id, at, number, detail, size, digest)
                SELECT ?, id, ?, attempts + 1,
                       'accepted by ' || ? || ': ' || seen_size || ' bytes, MD5 ' || seen_digest || ', instead of '
                           || size || ' bytes, ' || ifnull('MD5 ' || digest, 'no MD5') || ' as listed',
                       seen_size, seen_digest
                FROM files WHERE id BETWEEN ? AND ? AND {EVIDENT}""",
            (fileset, now, who, *span),
        )
        accepted += await db.run(
            f"""UPDATE files SET size = seen_size, digest = seen_digest, accepted = ?, state = 'pending', attempts = 0,
                                 tries = 0, next_try = NULL, kept = 0, validator = NULL, seen_size = NULL,
                                 seen_digest = NULL, failure_kind = NULL, failure = NULL
                WHERE id BETWEEN ? AND ? AND {EVIDENT}""",
            (who, *span),
        )
        left += await db.value("SELECT count(*) FROM files WHERE id BETWEEN ? AND ? AND state = 'quarantined'", span)
        await db.run(
            """UPDATE filesets SET bytes = (SELECT ifnull(sum(size), 0) FROM files WHERE id BETWEEN ? AND ?)
               WHERE id = ?""",
            (*span, fileset),
        )
    await filesets.judge(db, found)
    return accepted, left


async def acceptable(db: Database, fileset: int) -> bool:
    """Tell whether there is a file of a fileset that can be accepted."""
    found = await db.value(
        f"""SELECT EXISTS (SELECT 1 FROM files INDEXED BY files_aside WHERE id BETWEEN ? AND ?
                AND state IN ('retry_wait', 'quarantined') AND {EVIDENT})""",
        file_range(fileset),
    )
    return bool(found)
