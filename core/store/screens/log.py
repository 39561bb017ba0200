"""What happened, and what operators asked for."""

from __future__ import annotations

import json
from typing import NamedTuple

from core.store.commands import target_words
from core.store.database import Database


class EventLine(NamedTuple):
    """One event; what it is about is named as exactly as it is known."""

    id: int
    at: float
    level: str
    mirror: str | None
    product: str | None
    fileset: str | None
    message: str


class CommandLine(NamedTuple):
    """One command, from whom it came, and what became of it."""

    id: int
    at: float
    who: str
    host: str
    kind: str
    target: str
    """In words, fit for a terminal."""
    state: str
    result: str | None
    done_at: float | None


async def events(db: Database, after: int, limit: int) -> list[EventLine]:
    """Return the newest `limit` events with an id above `after`, the oldest of them first."""
    rows = await db.rows(
        """SELECT id, at, level, mirror, product, fileset, message FROM events WHERE id > ?
           ORDER BY id DESC LIMIT ?""",
        (after, limit),
    )
    return [EventLine(*row) for row in reversed(rows)]


async def commands(db: Database, limit: int) -> list[CommandLine]:
    """Return the newest `limit` commands, the oldest of them first."""
    rows = await db.rows(
        """SELECT id, at, who, host, kind, target, state, result, done_at FROM commands
           ORDER BY id DESC LIMIT ?""",
        (limit,),
    )
    return [CommandLine(*row)._replace(target=target_words(json.loads(row["target"]))) for row in reversed(rows)]
