"""Everything about one product or one fileset."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from core.model import Columns
from core.store import evidence
from core.store.database import Database
from core.store.ids import file_range
from core.store.records import load_columns
from core.store.screens import failed
from core.store.screens.failed import FailureLine
from core.store.screens.overview import Overview, ProductLine, overview
from core.store.screens.queue import QueueLine, queue_lines
from core.urls import quote_segment

ATTEMPTS = 50
NEWEST = 20
REJECTIONS = 20
LATENCIES = 1000
"""Of so many filesets, the last ones that were registered, the latency is taken."""


class AttemptLine(NamedTuple):
    """One try: of a file, or (`file` None) of the fileset's index or publication. `kind` None: it succeeded."""

    at: float
    number: int
    kind: str | None
    detail: str
    file: str | None
    size: int | None
    digest: str | None


class FileLine(NamedTuple):
    """One file; `received` bytes of it are here by now."""

    id: int
    name: str
    size: int
    digest: str | None
    type: str
    state: str
    attempts: int
    failure_kind: str | None
    failure: str | None
    next_try: float | None
    received: int
    seen_size: int | None
    seen_digest: str | None
    accepted: str | None
    """Who took what was seen for what is wanted, against the catalogue."""


@dataclass(frozen=True, slots=True)
class FilesetDetails:
    """All of one fileset but its files; `attempts` has the newest first."""

    line: QueueLine
    revision: int
    columns: Columns
    type: str
    counts_by_file_state: Mapping[str, int]
    attempts: tuple[AttemptLine, ...]
    source_url: str
    destination_path: str
    published_at: float | None
    verified_at: float | None
    discovered_at: float
    acceptable: bool
    """Whether a file of it is in quarantine with evidence that an operator may accept."""


@dataclass(frozen=True, slots=True)
class ProductDetails:
    """All of one product; `newest` has the filesets that were listed last."""

    line: ProductLine
    latency: tuple[float, float] | None
    """Median and 90th percentile, in seconds, of publication after registration; None if nothing is published."""
    newest: tuple[QueueLine, ...]
    last_published: str | None
    last_published_at: float | None
    proven_since: float | None
    """Each published file was read, as it came or again, at this time or later; None if nothing is published."""
    rejections: tuple[FailureLine, ...]


async def fileset_details(db: Database, fileset: int, *, running: bool = True) -> FilesetDetails | None:
    """Return all of one fileset, or None if there is no such fileset; `running` as with `queue_lines`."""
    line = (await queue_lines(db, [fileset], running=running)).get(fileset)
    row = await db.one(
        """SELECT s.revision, s.columns, s.type, s.published_at, s.verified_at, s.discovered_at, m.url, m.destination
           FROM filesets s JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id
           WHERE s.id = ?""",
        (fileset,),
    )
    if line is None or row is None:
        return None
    states = await db.rows(
        "SELECT state, count(*) AS n FROM files WHERE id BETWEEN ? AND ? GROUP BY state", file_range(fileset)
    )
    return FilesetDetails(
        line=line,
        revision=row["revision"],
        columns=load_columns(row["columns"]),
        type=row["type"],
        counts_by_file_state={one["state"]: one["n"] for one in states},
        attempts=await _attempts(db, fileset),
        source_url="/".join((_root(row["url"]), quote_segment(line.product), quote_segment(line.name))),
        destination_path=f"{row['destination']}/{line.product}/{line.name}",
        published_at=row["published_at"],
        verified_at=row["verified_at"],
        discovered_at=row["discovered_at"],
        acceptable=await evidence.acceptable(db, fileset),
    )


def _root(url: str) -> str:
    return url.rstrip("/").removesuffix("/index.txt").rstrip("/")


async def _attempts(db: Database, fileset: int) -> tuple[AttemptLine, ...]:
    rows = await db.rows(
        """SELECT a.at, a.number, a.kind, a.detail, f.name, a.size, a.digest
           FROM attempts a LEFT JOIN files f ON f.id = a.file_id
           WHERE a.fileset_id = ? ORDER BY a.id DESC LIMIT ?""",
        (fileset, ATTEMPTS),
    )
    return tuple(AttemptLine(*row) for row in rows)


async def file_lines(db: Database, fileset: int, after: int, limit: int) -> list[FileLine]:
    """Return at most `limit` files of a fileset with an id above `after`, as its index lists them."""
    first, last = file_range(fileset)
    rows = await db.rows(
        """SELECT f.id, name, size, digest, type, state, attempts, failure_kind, failure, next_try,
                  CASE WHEN state IN ('staged', 'published') THEN size
                       WHEN state = 'active' THEN max(kept, ifnull(t.received, 0)) ELSE kept END,
                  seen_size, seen_digest, accepted
           FROM files f LEFT JOIN transfers t ON t.file_id = f.id
           WHERE f.id BETWEEN ? AND ? ORDER BY f.id LIMIT ?""",
        (max(first, after + 1), last, limit),
    )
    return [FileLine(*row) for row in rows]


async def product_details(
    db: Database, product: int, now: float, known: Overview | None = None
) -> ProductDetails | None:
    """Return all of one product, or None if it is not there any more; `known` spares reading an overview anew."""
    known = known or await overview(db, now)
    line = next((line for line in known.products if line.id == product), None)
    if line is None:
        return None
    newest = await db.rows(
        "SELECT id FROM filesets WHERE product_id = ? AND state <> 'superseded' ORDER BY seq DESC LIMIT ?",
        (product, NEWEST),
    )
    published = await db.rows(
        """SELECT name, registered, published_at FROM filesets
           WHERE product_id = ? AND state = 'published' AND published_at IS NOT NULL
           ORDER BY registered DESC LIMIT ?""",
        (product, LATENCIES),
    )
    last = max(published, key=lambda row: row["published_at"], default=None)
    return ProductDetails(
        line=line,
        latency=_latency([max(0.0, row["published_at"] - row["registered"]) for row in published]),
        newest=tuple((await queue_lines(db, [row["id"] for row in newest])).values()),
        last_published=last["name"] if last else None,
        last_published_at=last["published_at"] if last else None,
        proven_since=await db.value(
            """SELECT ifnull(verified_at, published_at) FROM filesets WHERE product_id = ? AND state = 'published'
               ORDER BY ifnull(verified_at, published_at) LIMIT 1""",
            (product,),
        ),
        rejections=tuple(await failed.rejections_of(db, product, REJECTIONS)),
    )


def _latency(seconds: list[float]) -> tuple[float, float] | None:
    if not seconds:
        return None
    return statistics.median(seconds), sorted(seconds)[round(0.9 * (len(seconds) - 1))]
