"""What has been moved, how full the disks were, which hosts rest: the figures behind rates, forecasts and reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping

from core.store.bulk import fields, table
from core.store.database import Database

INTERVAL_SECONDS = 10
"""The span of one row of the history."""
HISTORY_SECONDS = 86_400
DISKS_SECONDS = 7 * 86_400


async def fetched(db: Database, moved: Mapping[int, tuple[int, int]]) -> None:
    """Add the (files, bytes) that were fetched and verified of products."""
    await db.run(
        f"""INSERT INTO meters (product_id, files, bytes) SELECT {fields(3)} FROM json_each(?) WHERE true
            ON CONFLICT DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes""",
        (table((product, files, size) for product, (files, size) in moved.items()),),
    )


async def came(db: Database, moved: Mapping[int, int], now: float) -> None:
    """Add the bytes that have come of products, of files under way and of failed tries, too."""
    await db.run(
        f"""INSERT INTO history (at, product_id, bytes) SELECT ?, {fields(2)} FROM json_each(?) WHERE true
            ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes""",
        (int(now) // INTERVAL_SECONDS * INTERVAL_SECONDS, table(moved.items())),
    )


async def sample_disks(db: Database, spaces: Mapping[int, tuple[int, int]], now: float) -> None:
    """Record the (free, total) bytes of the destinations of mirrors."""
    await db.run_many(
        "INSERT OR REPLACE INTO disks (mirror_id, at, free, total) VALUES (?, ?, ?, ?)",
        [(mirror, int(now), free, total) for mirror, (free, total) in spaces.items()],
    )


async def rest(db: Database, hosts: Mapping[str, tuple[float, str]]) -> None:
    """Record which hosts are left alone: until when, and why; all others are not."""
    await db.run("DELETE FROM hosts")
    await db.run_many(
        "INSERT INTO hosts (host, until, reason) VALUES (?, ?, ?)",
        [(host, until, reason) for host, (until, reason) in hosts.items()],
    )


async def resting(db: Database, now: float, longest: float = math.inf) -> list[tuple[str, float, str]]:
    """Return (host, until, reason) of those left alone; one for more than `longest` seconds is a clock's fault."""
    rows = await db.rows("SELECT host, until, reason FROM hosts WHERE until > ? AND until <= ?", (now, now + longest))
    return [(row["host"], row["until"], row["reason"]) for row in rows]


async def prune(db: Database, now: float) -> None:
    """Forget what is too old to be shown."""
    await db.run("DELETE FROM history WHERE at < ?", (int(now) - HISTORY_SECONDS,))
    await db.run("DELETE FROM disks WHERE at < ?", (int(now) - DISKS_SECONDS,))
