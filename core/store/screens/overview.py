"""Where all mirrors and products stand: what the header and the products' table show."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.model import OPEN_STATES
from core.store import reasons
from core.store.database import Database
from core.store.ids import sql_fileset_of
from core.store.reasons import Rest, Standing
from core.store.screens import failed, history, resting

_OPEN = f"state IN ({', '.join(repr(str(state)) for state in OPEN_STATES)})"
_COUNTED = ("published", "queued", "failed", "quarantined", "excluded", "held", "cancelled", "withdrawn")


def _all(size: str) -> str:
    """Return the SQL of a sum of sizes which, other than sum(), takes whatever sources claim, even beyond 64 bits."""
    return f"CAST(total({size}) AS INTEGER)"


class ProductLine(NamedTuple):
    """Where a product stands. Times are in seconds since the epoch, sizes in bytes.

    A tuple, for there may be a thousand of them, several times a second.
    """

    id: int
    mirror: str
    name: str
    type: str
    description: str
    selected: bool
    hidden: bool
    wish: str | None
    """An operator's, above the configuration: mirror or ignore."""
    paused: str | None
    alarm: str | None
    error: str | None
    error_kind: str | None
    polled_at: float | None
    tried_at: float | None
    lag: float | None
    """Age in seconds of the oldest wanted fileset that is known and neither published nor in quarantine; those that
    were there before their product was first listed count from that on.

    If there is none: 0, or None if nobody knows, for it was never polled, the last poll failed, or all stands still.
    """
    counts: Mapping[str, int]
    """Filesets: published; queued, failed and quarantined, which make up the backlog; excluded, held, cancelled and
    withdrawn."""
    published_filesets: int
    filesets: int
    """All that are wanted: published, in the backlog, or held."""
    refused: int
    """Rows of its catalogue, its filesets' indexes included, that were refused."""
    backlog_filesets: int
    backlog_files: int
    """Of the backlog, those that are not here yet; so are its bytes."""
    backlog_bytes: int
    unread: int
    """Filesets of the backlog whose index is still to be read: their files and bytes may not be known yet."""
    published_bytes: int
    metered_files: int
    metered_bytes: int
    """Fetched since the state file began, transfers under way included: a rate is the difference of two readings."""
    active: int
    """Transfers under way."""
    next_try: float | None
    """When the next of what failed is tried again; None if nothing waits for its time."""
    why: str
    """Why it is not current, in words fit for a terminal; empty if it is."""
    failing: bool
    """Because something failed: it is that which tells more."""


@dataclass(frozen=True, slots=True)
class MirrorLine:
    """Where a mirror stands. `free` and `total` bytes of its disk are None as long as nobody has measured them."""

    id: int
    name: str
    url: str
    destination: str
    paused: str | None
    stopped: str | None
    stopped_kind: str | None
    error: str | None
    error_kind: str | None
    polled_at: float | None
    free: int | None
    total: int | None
    full_in: float | None
    """Seconds until the disk is full, as the last day went on; None if it doesn't fill, or too little is known."""
    rest: Rest | None
    """Of its host, if that is left alone."""


@dataclass(frozen=True, slots=True)
class Overview:
    """All mirrors that are configured, and their products, at one moment."""

    at: float
    mirrors: tuple[MirrorLine, ...]
    products: tuple[ProductLine, ...]
    """The mirrored ones first, then by mirror and name."""
    queued_filesets: int
    left_files: int
    left_bytes: int
    unread: int
    """Filesets whose index is still to be read: what is left may be more than the figures tell."""
    failures_by_kind: Mapping[str, int]
    phase: str
    """What the engine is about: running or draining; empty if none runs."""
    limit_transfers: int | None
    """An operator's live limits; None: as configured."""
    limit_bandwidth: int | None


async def overview(db: Database, now: float, *, running: bool = True) -> Overview:
    """Return where everything stands, by a fixed number of statements.

    Unless an engine is `running`, nothing is under way: one that died has left its transfers in the state.
    """
    settings = {row["key"]: row["value"] for row in await db.rows("SELECT key, value FROM settings")}
    transfers, bandwidth = (_number(settings.get(key)) for key in ("limit_transfers", "limit_bandwidth"))
    mirrors = await _mirrors(db, now)
    rows = [row for row in await db.rows(_PRODUCTS, {"running": running}) if row["mirror_id"] in mirrors]
    active, rate = sum(row["active"] or 0 for row in rows), sum(row["rate"] or 0.0 for row in rows)
    known = _Known(
        now,
        mirrors,
        oldest={row[0]: row[1] for row in await db.rows(_OLDEST)},
        next_tries={row[0]: row[1] for row in await db.rows(_NEXT_TRIES, {"now": now})},
        refused=await failed.refused(db),
        fetching=_fetching(rows),
        limit=reasons.limit_reached(active, rate, transfers, bandwidth),
    )
    products = tuple(_product(row, known) for row in rows)
    left_files, left_bytes = await left(db)
    return Overview(
        at=now,
        mirrors=tuple(mirrors.values()),
        products=products,
        queued_filesets=sum(line.backlog_filesets for line in products if line.selected),
        left_files=left_files,
        left_bytes=left_bytes,
        unread=sum(line.unread for line in products if line.selected),
        failures_by_kind=await failed.by_kind(db),
        phase=settings.get("phase", ""),
        limit_transfers=transfers,
        limit_bandwidth=bandwidth,
    )


async def left(db: Database) -> tuple[int, int]:
    """Return how many files, and bytes, of open filesets of mirrored products are not staged yet."""
    row = await db.one(
        f"""SELECT ifnull(sum(l.files), 0) AS files, {_all("l.bytes")} AS bytes
            FROM ({_LEFT}) l JOIN products p ON p.id = l.product_id AND p.selected"""
    )
    return (row["files"], row["bytes"]) if row else (0, 0)


async def _mirrors(db: Database, now: float) -> dict[int, MirrorLine]:
    filling, rests = await history.filling(db, now), await resting.by_mirror(db, now)
    rows = await db.rows(
        """SELECT m.id, m.name, url, destination, paused, stopped, stopped_kind, error, error_kind, polled_at,
                  free, total
           FROM mirrors m LEFT JOIN disks d ON d.mirror_id = m.id
                AND d.at = (SELECT max(at) FROM disks WHERE mirror_id = m.id)
           WHERE configured ORDER BY m.name"""
    )
    full_in = {row["id"]: row["free"] / filling[row["id"]] for row in rows if row["id"] in filling}
    return {
        row["id"]: MirrorLine(**dict(row), full_in=full_in.get(row["id"]), rest=rests.get(row["id"])) for row in rows
    }


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known beside the rows of products, by product."""

    now: float
    mirrors: Mapping[int, MirrorLine]
    oldest: Mapping[int, float]
    next_tries: Mapping[int, float]
    refused: Mapping[int, int]
    fetching: Sequence[str]
    limit: str


def _fetching(rows: Sequence[sqlite3.Row]) -> list[str]:
    """Return the names of the products of which something is being fetched, the busiest first."""
    found = [row for row in rows if row["active"]]
    return [row["name"] for row in sorted(found, key=lambda row: -int(row["active"]))]


_OLDEST = f"""
    SELECT product_id, max(
        min((SELECT registered FROM filesets f
             WHERE f.product_id = c.product_id AND f.state = c.state AND f.trouble = c.trouble
             ORDER BY registered LIMIT 1)),
        (SELECT discovered_at FROM filesets f WHERE f.product_id = c.product_id ORDER BY seq LIMIT 1)) AS since
    FROM counters c WHERE scope = 'fileset' AND {_OPEN} AND trouble <> 'quarantined' AND n > 0 GROUP BY product_id"""
"""Since when the oldest is waited for: what was there before its product was first listed is, since that.

One look into the index of lag for each state in which there is something.
"""

_NEXT_TRIES = f"""
    SELECT product_id, min(next_try) AS next_try FROM (
        SELECT s.product_id, f.next_try FROM files f INDEXED BY files_retry
             CROSS JOIN filesets s ON s.id = {sql_fileset_of("f.id")}
        WHERE f.state = 'retry_wait' AND f.next_try > :now AND s.state = 'transferring'
        UNION ALL
        SELECT product_id, next_try FROM filesets INDEXED BY filesets_trouble
        WHERE trouble <> '' AND trouble = 'failed' AND next_try > :now)
    GROUP BY product_id"""

_LEFT = f"""
    SELECT product_id, max(0, sum(iif(scope = 'fileset', files, -n))) AS files,
           max(0, {_all("iif(scope = 'fileset', bytes, -bytes)")}) AS bytes
    FROM counters WHERE scope = 'fileset' AND {_OPEN} OR scope = 'file' AND state = 'staged' AND trouble <> 'aside'
    GROUP BY product_id"""
"""What of open filesets is not staged yet, by product."""

_PRODUCTS = f"""
    WITH remaining AS ({_LEFT}),
    totals AS (
        SELECT product_id,
               sum(n) FILTER (WHERE state = 'published') AS published,
               sum(n) FILTER (WHERE {_OPEN} AND trouble = '') AS queued,
               sum(n) FILTER (WHERE {_OPEN} AND trouble = 'failed') AS failed,
               sum(n) FILTER (WHERE {_OPEN} AND trouble = 'quarantined') AS quarantined,
               sum(n) FILTER (WHERE state = 'excluded') AS excluded,
               sum(n) FILTER (WHERE state = 'held') AS held,
               sum(n) FILTER (WHERE state = 'cancelled') AS cancelled,
               sum(n) FILTER (WHERE state = 'withdrawn') AS withdrawn,
               sum(n) FILTER (WHERE {_OPEN}) AS open,
               {_all("iif(state = 'published', bytes, 0)")} AS published_bytes,
               sum(n) FILTER (WHERE trouble = '' AND state = 'discovered') AS unread,
               sum(n) FILTER (WHERE trouble = '' AND state = 'discovered') AS discovered,
               sum(n) FILTER (WHERE trouble = '' AND state IN ('staged', 'publishing')) AS completing
        FROM counters WHERE scope = 'fileset' GROUP BY product_id),
    moving AS (
        SELECT s.product_id, count(*) AS active, sum(max(0, t.received - t.base)) AS received, sum(t.rate) AS rate
        FROM transfers t CROSS JOIN files f ON f.id = t.file_id AND f.state = 'active'
             CROSS JOIN filesets s ON s.id = {sql_fileset_of("f.id")}
        WHERE :running GROUP BY s.product_id)
    SELECT p.mirror_id, p.id, m.name AS mirror, p.name, p.type, p.description, p.selected, p.hidden, p.wish,
           p.paused, p.alarm, ifnull(p.error, p.index_error),
           iif(p.error IS NULL AND p.index_error IS NOT NULL, 'disk', p.error_kind), p.polled_at, p.tried_at,
           published, queued, failed, quarantined, excluded, held, cancelled, withdrawn,
           open, remaining.files, remaining.bytes, unread, published_bytes, t.files, t.bytes, discovered, completing,
           active, received, rate
    FROM products p JOIN mirrors m ON m.id = p.mirror_id AND m.configured LEFT JOIN meters t ON t.product_id = p.id
         LEFT JOIN totals ON totals.product_id = p.id LEFT JOIN remaining ON remaining.product_id = p.id
         LEFT JOIN moving ON moving.product_id = p.id
    ORDER BY p.selected DESC, m.name, p.name"""
"""Meters and transfers are read by one statement: a file that is complete must not be counted by both, or by none."""
_COUNTS = slice(15, 23)
_NUMBERS = slice(23, 34)


class _Product(NamedTuple):
    """The first columns of a row, as the first fields of a ProductLine."""

    id: int
    mirror: str
    name: str
    type: str
    description: str
    selected: bool
    hidden: bool
    wish: str | None
    paused: str | None
    alarm: str | None
    error: str | None
    error_kind: str | None
    polled_at: float | None
    tried_at: float | None


def _product(row: sqlite3.Row, known: _Known) -> ProductLine:
    # by position: looking for each of some forty names in a row takes longer than reading the row
    mirror = known.mirrors[row[0]]
    product = _Product._make((*row[1:6], bool(row[6]), bool(row[7]), *row[8:15]))
    counts = {key: number or 0 for key, number in zip(_COUNTED, row[_COUNTS], strict=True)}
    numbers = (number or 0 for number in row[_NUMBERS])
    backlog, files, size, unread, published, metered, metered_size, discovered, completing, active, received = numbers
    next_try = resting.not_before(known.next_tries.get(product.id), mirror.rest)
    standing = Standing(
        selected=product.selected,
        ignored=product.wish == "ignore",
        mirror_stopped=mirror.stopped,
        mirror_paused=mirror.paused,
        mirror_error=mirror.error,
        paused=product.paused,
        error=product.error,
        polled_at=product.polled_at,
        alarm=product.alarm,
        discovered=discovered,
        waiting=counts["queued"] - discovered - completing,
        completing=completing,
        failed=counts["failed"],
        quarantined=counts["quarantined"],
        refused=known.refused.get(product.id, 0),
        held=counts["held"],
        active=active,
        next_try=next_try,
        rest=mirror.rest,
        limit=known.limit,
        ahead=known.fetching,
    )
    return ProductLine(
        *product,
        _lag(product, mirror, known),
        counts,
        counts["published"],
        counts["published"] + backlog + counts["held"],
        known.refused.get(product.id, 0),
        backlog,
        files,
        size,
        unread,
        published,
        metered,
        metered_size + received,
        active,
        next_try,
        *reasons.why(standing),
    )


def _lag(product: _Product, mirror: MirrorLine, known: _Known) -> float | None:
    oldest = known.oldest.get(product.id)
    if oldest is not None:
        return max(0.0, known.now - oldest)
    stands = (mirror.stopped, mirror.paused, product.paused, product.error) != (None, None, None, None)
    return None if stands or product.polled_at is None else 0.0


def _number(stored: str | None) -> int | None:
    return None if stored is None else int(stored)
