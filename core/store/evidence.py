"""Evidence: what came of a file in quarantine instead of what the catalogue lists, and taking it for what is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.store import filesets
from core.store.bulk import table
from core.store.database import Database
from core.store.ids import file_range, fileset_of

EVIDENT = """state = 'quarantined' AND failure_kind = 'integrity'
              AND seen_size IS NOT NULL AND seen_digest IS NOT NULL"""
"""SQL that holds of a file of which the whole wrong content was seen."""
_AS_LISTED = "size = listed_size, digest = listed_digest, listed_size = NULL, listed_digest = NULL, accepted = NULL"
"""SQL that takes back what was accepted of a file; of all others listed_size is NULL."""


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
                           || ifnull(listed_size, size) || ' bytes, '
                           || ifnull('MD5 ' || iif(listed_size IS NULL, digest, listed_digest), 'no MD5')
                           || ' as listed',
                       seen_size, seen_digest
                FROM files WHERE id BETWEEN ? AND ? AND {EVIDENT}""",
            (fileset, now, who, *span),
        )
        accepted += await db.run(
            f"""UPDATE files SET listed_digest = iif(listed_size IS NULL, digest, listed_digest),
                                 listed_size = ifnull(listed_size, size), size = seen_size, digest = seen_digest,
                                 accepted = ?, state = 'pending', attempts = 0, tries = 0, next_try = NULL, kept = 0,
                                 validator = NULL, seen_size = NULL, seen_digest = NULL, failure_kind = NULL,
                                 failure = NULL
                WHERE id BETWEEN ? AND ? AND {EVIDENT}""",
            (who, *span),
        )
        left += await db.value("SELECT count(*) FROM files WHERE id BETWEEN ? AND ? AND state = 'quarantined'", span)
        await _weigh(db, fileset)
    await filesets.judge(db, found)
    return accepted, left


async def take_back(db: Database, found: Iterable[int], *, refuted: bool) -> None:
    """Want of filesets what the catalogue lists, whatever was accepted; `refuted`: only where something else came."""
    for fileset in found:
        if await db.run(
            f"""UPDATE files SET {_AS_LISTED} WHERE id BETWEEN ? AND ? AND listed_size IS NOT NULL
                AND (NOT ? OR state IN ('retry_wait', 'quarantined') AND failure_kind = 'integrity')""",
            (*file_range(fileset), refuted),
        ):
            await _weigh(db, fileset)


async def take_back_mended(db: Database, seen: Iterable[int]) -> None:
    """Want of these files what the catalogue lists where just that was seen, though something else was accepted."""
    mended = await db.rows(
        f"""UPDATE files SET {_AS_LISTED}
            WHERE id IN (SELECT value FROM json_each(?)) AND listed_size = seen_size
              AND ifnull(listed_digest, seen_digest) = seen_digest
            RETURNING id""",
        (table(seen),),
    )
    for fileset in {fileset_of(row[0]) for row in mended}:
        await _weigh(db, fileset)


async def _weigh(db: Database, fileset: int) -> None:
    await db.run(
        "UPDATE filesets SET bytes = (SELECT ifnull(sum(size), 0) FROM files WHERE id BETWEEN ? AND ?) WHERE id = ?",
        (*file_range(fileset), fileset),
    )


async def acceptable(db: Database, fileset: int) -> bool:
    """Tell whether there is a file of a fileset that can be accepted."""
    found = await db.value(
        f"""SELECT EXISTS (SELECT 1 FROM files INDEXED BY files_aside WHERE id BETWEEN ? AND ?
                AND state IN ('retry_wait', 'quarantined') AND {EVIDENT})""",
        file_range(fileset),
    )
    return bool(found)
