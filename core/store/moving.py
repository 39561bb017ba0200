"""A mirror whose source is another one than before: what was read there says nothing of what is offered here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.store import files
from core.store.database import Database
from core.store.mending import UNREAD
from core.urls import same_place


@dataclass(frozen=True, slots=True)
class Move:
    """A configured mirror whose source was at the URL `old`; `published` filesets came from there."""

    mirror: str
    old: str
    new: str
    published: int


async def follow(db: Database, mirrors: Iterable[tuple[str, str, str, str]]) -> list[Move]:
    """Have everything read again of the mirrors, as (name, protocol, URL, destination), whose source is another one.

    It is for the time before the new URLs are recorded. Mirrors of which nothing was known are not returned.
    """
    known = {row["name"]: row for row in await db.rows("SELECT id, name, url FROM mirrors")}
    moves: list[Move] = []
    for name, _, url, _ in mirrors:
        row = known.get(name)
        if row is not None and not same_place(row["url"], url):
            published = await _read_again(db, row["id"])
            moves.append(Move(name, row["url"], url, published))
    return moves


async def _read_again(db: Database, mirror: int) -> int:
    """Take no listing and no index of a mirror for read, and nothing for failed; return how many are published."""
    await db.run("UPDATE products SET full_list_due = 1 WHERE mirror_id = ?", (mirror,))
    ours = "product_id IN (SELECT id FROM products WHERE mirror_id = ?)"
    await db.run(f"UPDATE filesets SET reread = 1 WHERE {ours} AND state <> 'superseded'", (mirror,))
    rows = await db.rows(f"SELECT id FROM filesets WHERE {ours} AND trouble <> ''", (mirror,))
    await files.begin_anew(db, [row["id"] for row in rows])
    await db.run(
        f"UPDATE filesets SET {UNREAD} WHERE {ours} AND state IN ('discovered', 'queued', 'transferring')",
        (mirror,),
    )
    return int(await db.value(f"SELECT count(*) FROM filesets WHERE {ours} AND state = 'published'", (mirror,)))
