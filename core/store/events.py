"""The log that screens show: what happened, to what."""

from __future__ import annotations

from collections.abc import Iterable

from core.store.database import Database

AUDIT = "audit"
"""The level of what operators did; the others are those of the log."""
KEPT = 50_000
"""Events kept; an engine drops older ones."""


async def add(
    db: Database, now: float, level: str, message: str, mirror: str | None, product: str | None, fileset: str | None
) -> None:
    """Record one event."""
    await db.run(
        "INSERT INTO events (at, level, mirror, product, fileset, message) VALUES (?, ?, ?, ?, ?, ?)",
        (now, level, mirror, product, fileset, message),
    )


async def add_many(db: Database, now: float, level: str, told: Iterable[tuple[str, str, str, str]]) -> None:
    """Record many events, each as (message, mirror, product, fileset)."""
    await db.run_many(
        "INSERT INTO events (at, level, message, mirror, product, fileset) VALUES (?, ?, ?, ?, ?, ?)",
        [(now, level, *one) for one in told],
    )


async def prune(db: Database) -> None:
    """Drop all but the last KEPT events."""
    await db.run("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (KEPT,))
