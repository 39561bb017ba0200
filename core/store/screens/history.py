"""What went on over time: bytes that were fetched, and disks that fill."""

from __future__ import annotations

import statistics
from itertools import groupby

from core.store.database import Database
from core.store.meters import INTERVAL_SECONDS

DAY = 86_400
STEP = 600
"""Free disk is followed in steps of this many seconds; a trend needs two samples that far apart."""


async def throughput(db: Database, now: float, seconds: int, buckets: int, product: int | None = None) -> list[float]:
    """Return the bytes a second of `buckets` equal parts of the last `seconds`, oldest first.

    `product` None: of all products together. The interval that has just begun is left out: it is not complete.
    """
    end = int(now) // INTERVAL_SECONDS * INTERVAL_SECONDS
    rows = await db.rows(
        """SELECT (at - :start) * :buckets / :seconds AS bucket, sum(bytes) AS bytes FROM history
           WHERE at >= :start AND at < :end AND ifnull(:product, product_id) = product_id GROUP BY bucket""",
        {"start": end - seconds, "end": end, "seconds": seconds, "buckets": buckets, "product": product},
    )
    found = {row["bucket"]: row["bytes"] for row in rows}
    return [found.get(bucket, 0) * buckets / seconds for bucket in range(buckets)]


async def peak(db: Database, now: float, seconds: int) -> float:
    """Return the most bytes a second of all products together in any whole interval of the last `seconds`."""
    end = int(now) // INTERVAL_SECONDS * INTERVAL_SECONDS
    most = await db.value(
        "SELECT max(bytes) FROM (SELECT sum(bytes) AS bytes FROM history WHERE at >= ? AND at < ? GROUP BY at)",
        (end - seconds, end),
    )
    return (most or 0) / INTERVAL_SECONDS


async def filling(db: Database, now: float) -> dict[int, float]:
    """Return how many bytes a second the disks of mirrors lose, by mirror, for those that fill.

    It is the linear trend of free bytes over the last day, from samples at least ten minutes apart.
    """
    rows = await db.rows(
        """SELECT mirror_id, min(at) AS first, max(at) AS last, avg(at) AS at, avg(free) AS free FROM disks
           WHERE mirror_id IN (SELECT id FROM mirrors WHERE configured) AND at >= ?
           GROUP BY mirror_id, at / ? ORDER BY mirror_id, first""",
        (now - DAY, STEP),
    )
    found: dict[int, float] = {}
    for mirror, group in groupby(rows, key=lambda row: int(row["mirror_id"])):
        samples = list(group)
        if samples[-1]["last"] - samples[0]["first"] < STEP:
            continue
        slope, _ = statistics.linear_regression([row["at"] for row in samples], [row["free"] for row in samples])
        if slope < 0:
            found[mirror] = -slope
    return found
