"""Times in the state that lie in the future: a clock that was wrong has left them, or one that is wrong now."""

from __future__ import annotations

from core.store.database import Database

_SHOWN = (
    ("mirrors", "polled_at"),
    ("mirrors", "tried_at"),
    ("products", "polled_at"),
    ("products", "tried_at"),
    ("filesets", "published_at"),
)
_DECIDING = (("products", "reconciled_at"), ("filesets", "verified_at"))
"""What is due so long after these is due now: nobody knows how long ago they really were."""


async def mend(db: Database, now: float, longest_wait: float) -> None:
    """Take back to `now` what can't have happened later, and tries that are further away than any policy asks for."""
    await db.run("UPDATE files SET next_try = ? WHERE state = 'retry_wait' AND next_try > ?", (now, now + longest_wait))
    await db.run("UPDATE filesets SET next_try = ? WHERE next_try > ?", (now, now + longest_wait))
    for noun, stamp in _SHOWN:
        await db.run(f"UPDATE {noun} SET {stamp} = ?1 WHERE {stamp} > ?1", (now,))
    for noun, stamp in _DECIDING:
        await db.run(f"UPDATE {noun} SET {stamp} = NULL WHERE {stamp} > ?", (now,))
    for noun in ("history", "disks"):
        await db.run(f"DELETE FROM {noun} WHERE at > ?", (int(now),))
