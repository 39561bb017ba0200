"""Which hosts are left alone, and what waits for them."""

from __future__ import annotations

from core.store import meters
from core.store.database import Database
from core.store.reasons import Rest
from core.urls import host_key


async def by_mirror(db: Database, now: float = 0.0) -> dict[int, Rest]:
    """Return, by the id of their mirror, the hosts of sources that are left alone after `now`."""
    rests = {host: Rest(host, until, reason) for host, until, reason in await meters.resting(db, now)}
    mirrors = await db.rows("SELECT id, url FROM mirrors WHERE configured") if rests else []
    return {row["id"]: rests[host] for row in mirrors if (host := host_key(row["url"])) in rests}


def not_before(next_try: float | None, rest: Rest | None) -> float | None:
    """Return when something is really tried that is due at `next_try`, while its host may be at `rest`."""
    return next_try if next_try is None or rest is None else max(next_try, rest.until)
