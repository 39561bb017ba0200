"""What failed, is in quarantine, or was refused: in groups by product and kind, and line by line."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from core.errors import FailureKind
from core.store.bulk import table
from core.store.database import Database
from core.store.ids import sql_fileset_of
from core.store.screens import likeness, resting

LIMIT = 5000
FEW = 3
"""So many failures of one kind in a product are shown one by one; more of them are one line."""
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
    """Not before its host may be asked again."""
    quarantined: bool
    listed_size: int | None = None
    listed_digest: str | None = None
    seen_size: int | None = None
    seen_digest: str | None = None
    group: str = ""
    """The key of its FailureGroup."""

    @property
    def whole(self) -> str:
        """The whole name, ``mirror/product/fileset``, as far as there is one."""
        return "/".join(part for part in (self.mirror, self.product, self.fileset) if part is not None)

    @property
    def acceptable(self) -> bool:
        """True if an operator may take what was seen for what is wanted."""
        evident = self.seen_size is not None and self.seen_digest is not None
        return self.quarantined and evident and self.kind == FailureKind.INTEGRITY


class FailureGroup(NamedTuple):
    """The failures of one kind in one product."""

    key: str
    mirror: str
    product: str | None
    """None: rows of the root index."""
    kind: str
    filesets: int
    """In so many filesets."""
    failures: int
    files: int
    """How many of them are about one file; the others are about a fileset as a whole, or a row of a catalogue."""
    quarantined: int
    acceptable: int
    least_attempts: int
    most_attempts: int
    next_try: float | None
    """The earliest, not before its host may be asked again; None if nothing of it waits for its time."""
    detail: str
    """What most of them say."""
    same: int
    """How many say that."""

    @property
    def many(self) -> bool:
        """Whether it is shown as one line."""
        return self.failures > FEW


_OF_MIRRORED = """JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id
                  WHERE m.configured AND p.selected"""
_FILESETS = f"FROM filesets s {_OF_MIRRORED} AND s.trouble <> '' AND s.failure_kind IS NOT NULL"
_FILES = f"""FROM files f INDEXED BY files_aside JOIN filesets s ON s.id = {sql_fileset_of("f.id")} {_OF_MIRRORED}
             AND f.state IN ('retry_wait', 'quarantined') AND s.state IN ('queued', 'transferring', 'discovered')"""
_REJECTIONS = """FROM rejections r JOIN mirrors m ON m.id = r.mirror_id LEFT JOIN products p ON p.id = r.product_id
                      LEFT JOIN filesets s ON s.id = r.fileset_id
                 WHERE m.configured AND ifnull(p.selected, 1)
                   AND ifnull(s.state, '') NOT IN ('superseded', 'withdrawn', 'cancelled', 'excluded')"""

_FAILURES = f"""failures (part, id, fileset_id, mirror_id, mirror, product_id, product, fileset, file, kind, detail,
                          attempts, next_try, quarantined, listed_size, listed_digest, seen_size, seen_digest) AS (
    SELECT 's', s.id, s.id, m.id, m.name, p.id, p.name, s.name, NULL, s.failure_kind, s.failure, s.attempts,
           s.next_try, s.trouble = 'quarantined', NULL, NULL, NULL, NULL {_FILESETS}
    UNION ALL
    SELECT 'f', f.id, s.id, m.id, m.name, p.id, p.name, s.name, f.name, f.failure_kind, f.failure, f.attempts,
           f.next_try, f.state = 'quarantined', ifnull(f.listed_size, f.size),
           iif(f.listed_size IS NULL, f.digest, f.listed_digest), f.seen_size, f.seen_digest {_FILES}
    UNION ALL
    SELECT 'r', r.id, r.fileset_id, m.id, m.name, p.id, p.name, ifnull(s.name, iif(p.id IS NULL, NULL, r.name)),
           iif(s.id IS NULL, NULL, r.name), 'rejected',
           iif(p.id IS NULL, 'root index, ', '') || 'line ' || r.line || ': ' || r.reason
               || iif(p.id IS NULL, ': ' || r.name, ''),
           1, NULL, 1, NULL, NULL, NULL, NULL {_REJECTIONS})"""
"""Of a fileset that failed as a whole there is one row, else one for each file that is waiting or set aside, and one
for each refused row."""
_GROUP = "mirror_id || '.' || ifnull(product_id, 0) || '.' || kind"
_LINE = f"""part || id, fileset_id, mirror, product, fileset, file, kind, ifnull(detail, ''), attempts, next_try,
            quarantined, listed_size, listed_digest, seen_size, seen_digest, {_GROUP}"""
_TEXT = """kind || ' ' || mirror || '/' || ifnull(product, '') || '/' || ifnull(fileset, '') || ' ' || ifnull(file, '')
           || ' ' || ifnull(detail, '')"""
_RANK = (
    f"""CASE kind {" ".join(f"WHEN '{kind}' THEN {rank}" for kind, rank in _RANKS.items())} ELSE {len(_RANKS)} END"""
)
_IN_ORDER = f"ORDER BY {_RANK}, mirror, product, fileset, part DESC, id"
_ACCEPTABLE = f"quarantined AND kind = '{FailureKind.INTEGRITY}' AND seen_size IS NOT NULL AND seen_digest IS NOT NULL"


async def failure_groups(db: Database, like: str = "") -> list[FailureGroup]:
    """Return all failures by product and kind: the worst kind first, then by mirror and product.

    `like` restricts them to those of whose texts one contains it, or, with ``!`` before it, to the others.
    """
    fits, pattern = likeness.condition(like, _TEXT)
    keys = {"like": pattern}
    rows = await db.rows(
        f"""WITH {_FAILURES},
                 said AS (SELECT mirror_id, product_id, kind, detail, count(*) AS n, count(file) AS files,
                                 sum(quarantined) AS quarantined, sum({_ACCEPTABLE}) AS acceptable,
                                 min(attempts) AS least, max(attempts) AS most, min(next_try) AS next_try
                          FROM failures WHERE TRUE {fits} GROUP BY 1, 2, 3, 4),
                 grouped AS (SELECT {_GROUP} AS key, mirror_id, product_id, kind, sum(n), sum(files), sum(quarantined),
                                    sum(acceptable), min(least), max(most), min(next_try), ifnull(detail, ''), max(n)
                             FROM said GROUP BY 2, 3, 4)
            SELECT m.name AS mirror, p.name AS product, grouped.*
            FROM grouped JOIN mirrors m ON m.id = grouped.mirror_id LEFT JOIN products p ON p.id = grouped.product_id
            ORDER BY {_RANK}, mirror, product""",
        keys,
    )
    filesets = await db.rows(
        f"""WITH {_FAILURES} SELECT mirror_id, product_id, kind, count(DISTINCT fileset_id)
            FROM failures WHERE TRUE {fits} GROUP BY 1, 2, 3""",
        keys,
    )
    counted = {tuple(row[:3]): row[3] for row in filesets}
    rests = await resting.by_mirror(db)
    groups = [
        FailureGroup._make((row["key"], *row[:2], row["kind"], counted.get(tuple(row[3:6]), 0), *row[6:]))
        for row in rows
    ]
    return [
        group._replace(next_try=resting.not_before(group.next_try, rests.get(row["mirror_id"])))
        for group, row in zip(groups, rows, strict=True)
    ]


async def failure_lines(
    db: Database, limit: int = LIMIT, like: str = "", groups: Collection[str] | None = None
) -> list[FailureLine]:
    """Return at most `limit` failures: grouped by kind, the worst first, then by mirror, product and fileset.

    `groups` restricts them to those of FailureGroups with these keys, and `like` as with `failure_groups`.
    """
    if groups is not None and not groups:
        return []
    return await _lines(db, like, groups, rest=f"{_IN_ORDER} LIMIT :limit", limit=limit)


async def failed_filesets(db: Database, like: str = "", groups: Collection[str] | None = None) -> list[FailureLine]:
    """Return of each fileset one failure, and each refused row that never became one; else as `failure_lines`."""
    once = "GROUP BY mirror_id, product_id, ifnull(fileset_id, 'r' || id)"
    return await _lines(db, like, groups, rest=f"{once} {_IN_ORDER}")


async def failures_of(db: Database, fileset: int) -> list[FailureLine]:
    """Return the failures of one fileset and its files."""
    return await _lines(db, where="AND fileset_id = :fileset", fileset=fileset)


async def rejections_of(db: Database, product: int, limit: int) -> list[FailureLine]:
    """Return refused rows of one product's catalogue, its filesets' indexes included, in the order of their listing."""
    where, rest = "AND part = 'r' AND product_id = :product", "ORDER BY fileset_id, id LIMIT :limit"
    return await _lines(db, where=where, rest=rest, product=product, limit=limit)


async def _lines(
    db: Database,
    like: str = "",
    groups: Collection[str] | None = None,
    where: str = "",
    rest: str = _IN_ORDER,
    **keys: int,
) -> list[FailureLine]:
    fits, pattern = likeness.condition(like, _TEXT)
    among = "" if groups is None else f"AND {_GROUP} IN (SELECT value FROM json_each(:groups))"
    rows = await db.rows(
        f"WITH {_FAILURES} SELECT {_LINE}, mirror_id FROM failures WHERE TRUE {where} {fits} {among} {rest}",
        {"like": pattern, "groups": table(groups or ()), **keys},
    )
    rests = await resting.by_mirror(db)
    return [
        FailureLine._make(
            (*row[:9], resting.not_before(row[9], rests.get(row["mirror_id"])), bool(row[10]), *row[11:-1])
        )
        for row in rows
    ]


async def by_kind(db: Database) -> dict[str, int]:
    """Return how many failures there are of each kind, the worst first: all that `failure_lines` tells of."""
    rows = await db.rows(
        f"""SELECT kind, count(*) AS n FROM (
                SELECT s.failure_kind AS kind {_FILESETS}
                UNION ALL SELECT f.failure_kind {_FILES}
                UNION ALL SELECT 'rejected' {_REJECTIONS}) GROUP BY kind"""
    )
    return {row["kind"]: row["n"] for row in sorted(rows, key=lambda row: _rank(row["kind"]))}


async def refused(db: Database) -> dict[int, int]:
    """Return how many rows of its catalogue were refused, by product, where there are any."""
    rows = await db.rows(f"SELECT p.id, count(*) {_REJECTIONS} AND p.id IS NOT NULL GROUP BY p.id")
    return {row[0]: row[1] for row in rows}


def _rank(kind: str) -> int:
    return _RANKS.get(kind, len(_RANKS))
