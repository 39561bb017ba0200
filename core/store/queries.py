"""Read-only questions that screens and reports ask; their cost does not grow with the number of files."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.model import OPEN_STATES
from core.store.database import Database

OPEN = tuple(map(str, OPEN_STATES))


@dataclass(frozen=True, slots=True)
class ProductStatus:
    """Where a product stands. `lag` is None when it is unknown: never polled, or the last poll failed."""

    name: str
    type: str
    selected: bool
    hidden: bool
    paused: str | None
    alarm: str | None
    error: str | None
    error_kind: str | None
    polled_at: float | None
    lag: float | None
    counts: dict[str, int] = field(default_factory=dict)
    backlog_filesets: int = 0
    backlog_files: int = 0
    backlog_bytes: int = 0
    published_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """Where a mirror stands, with its products."""

    name: str
    url: str
    destination: str
    paused: str | None
    stopped: str | None
    stopped_kind: str | None
    error: str | None
    error_kind: str | None
    polled_at: float | None
    products: tuple[ProductStatus, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that failed or was set aside: what, where, why, how often, and when it is tried again."""

    mirror: str
    product: str | None
    fileset: str | None
    file: str | None
    kind: str
    detail: str
    attempts: int
    next_try: float | None
    quarantined: bool


async def overview(db: Database, now: float) -> list[MirrorStatus]:
    """Return all configured mirrors with the products that they mirror or could mirror."""
    mirrors = await db.rows("SELECT * FROM mirrors WHERE configured ORDER BY name")
    return [
        MirrorStatus(
            **{key: row[key] for key in MirrorStatus.__dataclass_fields__ if key != "products"},
            products=tuple(await _products(db, row["id"], row["stopped"] is None, now)),
        )
        for row in mirrors
    ]


async def _products(db: Database, mirror: int, working: bool, now: float) -> list[ProductStatus]:
    rows = await db.rows("SELECT * FROM products WHERE mirror_id = ? ORDER BY selected DESC, name", (mirror,))
    return [await _product(db, row, working, now) for row in rows]


async def _product(db: Database, row: object, working: bool, now: float) -> ProductStatus:
    product: dict[str, object] = dict(row)  # type: ignore[call-overload]
    totals = await db.rows("SELECT * FROM counters WHERE product_id = ? AND scope = 'fileset'", (product["id"],))
    waiting = [one for one in totals if one["state"] in OPEN]
    published = [one for one in totals if one["state"] == "published"]
    counts = {
        "published": sum(one["n"] for one in published),
        "queued": sum(one["n"] for one in waiting if not one["trouble"]),
        "failed": sum(one["n"] for one in waiting if one["trouble"] == "failed"),
        "quarantined": sum(one["n"] for one in waiting if one["trouble"] == "quarantined"),
    }
    for state in ("excluded", "held", "cancelled", "withdrawn"):
        counts[state] = sum(one["n"] for one in totals if one["state"] == state)
    known = working and product["error"] is None and product["polled_at"] is not None
    fields = ("name", "type", "paused", "alarm", "error", "error_kind", "polled_at")
    return ProductStatus(
        **{key: product[key] for key in fields},  # type: ignore[arg-type]
        selected=bool(product["selected"]),
        hidden=bool(product["hidden"]),
        lag=await _lag(db, product["id"], now) if known else None,
        counts=counts,
        backlog_filesets=sum(one["n"] for one in waiting),
        backlog_files=sum(one["files"] for one in waiting),
        backlog_bytes=sum(one["bytes"] for one in waiting),
        published_bytes=sum(one["bytes"] for one in published),
    )


async def _lag(db: Database, product: object, now: float) -> float:
    """Return the age of the oldest wanted fileset that is neither published nor in quarantine; 0 if there is none."""
    oldest = await db.value(
        f"""SELECT min(registered) FROM filesets
            WHERE product_id = ? AND state IN ({",".join("?" * len(OPEN))}) AND trouble <> 'quarantined'""",
        (product, *OPEN),
    )
    return 0.0 if oldest is None else max(0.0, now - float(oldest))


async def failures(db: Database, limit: int = 10_000) -> list[Failure]:
    """Return what failed, is in quarantine, or was refused, worst first."""
    joins = """JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id
               WHERE m.configured AND p.selected"""
    whole = await db.rows(
        f"""SELECT m.name AS mirror, p.name AS product, s.name AS fileset, NULL AS file, s.failure_kind AS kind,
                   s.failure AS detail, s.attempts, s.next_try, s.trouble = 'quarantined' AS quarantined
            FROM filesets s {joins} AND s.trouble <> '' AND s.failure_kind IS NOT NULL LIMIT ?""",
        (limit,),
    )
    files = await db.rows(
        f"""SELECT m.name AS mirror, p.name AS product, s.name AS fileset, f.name AS file, f.failure_kind AS kind,
                   f.failure AS detail, f.attempts, f.next_try, f.state = 'quarantined' AS quarantined
            FROM files f INDEXED BY files_aside JOIN filesets s ON s.id = f.id >> 24 {joins}
              AND f.state IN ('retry_wait', 'quarantined')
              AND s.state IN ('queued', 'transferring', 'discovered') LIMIT ?""",
        (limit,),
    )
    refused = await db.rows(
        """SELECT m.name AS mirror, p.name AS product, ifnull(s.name, iif(p.id IS NULL, NULL, r.name)) AS fileset,
                  iif(s.id IS NULL, NULL, r.name) AS file, 'rejected' AS kind,
                  iif(p.id IS NULL, 'root index, ', '') || 'line ' || r.line || ': ' || r.reason
                      || iif(p.id IS NULL, ': ' || r.name, '') AS detail,
                  1 AS attempts, NULL AS next_try, 1 AS quarantined
           FROM rejections r JOIN mirrors m ON m.id = r.mirror_id LEFT JOIN products p ON p.id = r.product_id
                LEFT JOIN filesets s ON s.id = r.fileset_id
           WHERE m.configured AND ifnull(p.selected, 1)
             AND ifnull(s.state, '') NOT IN ('superseded', 'withdrawn', 'cancelled', 'excluded') LIMIT ?""",
        (limit,),
    )
    found = [Failure(**{**dict(row), "quarantined": bool(row["quarantined"])}) for row in [*whole, *files, *refused]]
    return sorted(found, key=lambda one: (not one.quarantined, one.mirror, one.product or "", one.fileset or ""))[
        :limit
    ]


async def left(db: Database) -> tuple[int, int]:
    """Return how many files, and bytes, of open filesets of mirrored products are not staged yet."""
    rows = await db.rows(
        f"""SELECT scope, ifnull(sum(iif(scope = 'file', c.n, c.files)), 0) AS n, ifnull(sum(c.bytes), 0) AS bytes
            FROM counters c JOIN products p ON p.id = c.product_id AND p.selected
            WHERE scope = 'fileset' AND c.state IN ({",".join("?" * len(OPEN))})
               OR scope = 'file' AND c.state = 'staged'
            GROUP BY scope""",
        OPEN,
    )
    found = {row["scope"]: (row["n"], row["bytes"]) for row in rows}
    (files, size), (staged, staged_size) = found.get("fileset", (0, 0)), found.get("file", (0, 0))
    return max(0, files - staged), max(0, size - staged_size)
