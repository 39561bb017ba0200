"""What failed, is in quarantine, or was refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from core.errors import FailureKind
from core.store.database import Database

LIMIT = 5000
_WORST_FIRST = (
    FailureKind.DISK,
    FailureKind.DENIED,
    FailureKind.TLS,
    FailureKind.UNSAFE,
    FailureKind.INTEGRITY,
    FailureKind.CONFLICT,
    FailureKind.MISSING,
    FailureKind.MALFORMED,
    FailureKind.REJECTED,
    FailureKind.TRANSIENT,
)
_RANKS = {str(kind): rank for rank, kind in enumerate(_WORST_FIRST)}


class FailureLine(NamedTuple):
    """Something that failed or was set aside: what, where, why, how often, and when it is tried again.

    A tuple, for there may be thousands of them, several times a second.
    """

    key: str
    """``f<file id>``, ``s<fileset id>`` or ``r<rejection id>``."""
    fileset_id: int | None
    """None: it is about a row of a catalogue that never became a fileset."""
    mirror: str
    product: str | None
    fileset: str | None
    file: str | None
    kind: str
    detail: str
    attempts: int
    next_try: float | None
    quarantined: bool
    listed_size: int | None = None
    listed_digest: str | None = None
    seen_size: int | None = None
    seen_digest: str | None = None

    @property
    def whole(self) -> str:
        """The whole name, ``mirror/product/fileset``, as far as there is one."""
        return "/".join(part for part in (self.mirror, self.product, self.fileset) if part is not None)

    @property
    def acceptable(self) -> bool:
        """True if an operator may take what was seen for what is wanted."""
        evident = self.seen_size is not None and self.seen_digest is not None
        return self.quarantined and evident and self.kind == FailureKind.INTEGRITY


_OF_MIRRORED = """JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id
                  WHERE m.configured AND p.selected"""
_FILESETS = f"FROM filesets s {_OF_MIRRORED} AND s.trouble <> '' AND s.failure_kind IS NOT NULL"
_FILES = f"""FROM files f INDEXED BY files_aside JOIN filesets s ON s.id = f.id >> 24 {_OF_MIRRORED}
             AND f.state IN ('retry_wait', 'quarantined') AND s.state IN ('queued', 'transferring', 'discovered')"""
_REJECTIONS = """FROM rejections r JOIN mirrors m ON m.id = r.mirror_id LEFT JOIN products p ON p.id = r.product_id
                      LEFT JOIN filesets s ON s.id = r.fileset_id
                 WHERE m.configured AND ifnull(p.selected, 1)
                   AND ifnull(s.state, '') NOT IN ('superseded', 'withdrawn', 'cancelled', 'excluded')"""
_NO_EVIDENCE = "NULL, NULL, NULL, NULL"
_REJECTED = f"""SELECT 'r' || r.id, r.fileset_id, m.name, p.name, ifnull(s.name, iif(p.id IS NULL, NULL, r.name)),
                       iif(s.id IS NULL, NULL, r.name), 'rejected',
                       iif(p.id IS NULL, 'root index, ', '') || 'line ' || r.line || ': ' || r.reason
                           || iif(p.id IS NULL, ': ' || r.name, ''),
                       1, NULL, 1, {_NO_EVIDENCE}
                {_REJECTIONS}"""


async def failure_lines(db: Database, limit: int = LIMIT) -> list[FailureLine]:
    """Return at most `limit` failures: grouped by kind, the worst first, then by mirror, product and fileset.

    Of a fileset that failed as a whole there is one line, else one for each file that is waiting or set aside, and one
    for each refused row.
    """
    filesets = await db.rows(
        f"""SELECT 's' || s.id, s.id, m.name, p.name, s.name, NULL, s.failure_kind, s.failure, s.attempts, s.next_try,
                   s.trouble = 'quarantined', {_NO_EVIDENCE} {_FILESETS} LIMIT ?""",
        (limit,),
    )
    files = await db.rows(
        f"""SELECT 'f' || f.id, s.id, m.name, p.name, s.name, f.name, f.failure_kind, f.failure, f.attempts, f.next_try,
                   f.state = 'quarantined', f.size, f.digest, f.seen_size, f.seen_digest {_FILES} LIMIT ?""",
        (limit,),
    )
    rejected = await db.rows(f"{_REJECTED} LIMIT ?", (limit,))
    lines = [*_lines(filesets), *_lines(files), *_lines(rejected)]
    lines.sort(key=lambda line: (_rank(line.kind), line.mirror, line.product or "", line.fileset or ""))
    return lines[:limit]


async def rejections_of(db: Database, product: int, limit: int) -> list[FailureLine]:
    """Return refused rows of one product's catalogue, its filesets' indexes included, the first listed first."""
    rows = await db.rows(f"{_REJECTED} AND r.product_id = ? ORDER BY r.fileset_id, r.line LIMIT ?", (product, limit))
    return list(_lines(rows))


async def by_kind(db: Database) -> dict[str, int]:
    """Return how many failures there are of each kind, the worst first: all that `failure_lines` tells of."""
    rows = await db.rows(
        f"""SELECT kind, count(*) AS n FROM (
                SELECT s.failure_kind AS kind {_FILESETS}
                UNION ALL SELECT f.failure_kind {_FILES}
                UNION ALL SELECT 'rejected' {_REJECTIONS}) GROUP BY kind"""
    )
    return {row["kind"]: row["n"] for row in sorted(rows, key=lambda row: _rank(row["kind"]))}


def _lines(rows: Iterable[sqlite3.Row]) -> Iterable[FailureLine]:
    return (FailureLine._make((*row[:10], bool(row[10]), *row[11:])) for row in rows)


def _rank(kind: str) -> int:
    return _RANKS.get(kind, len(_RANKS))
