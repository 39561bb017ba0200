"""What happened, and what operators asked for."""

from __future__ import annotations

import json
from typing import NamedTuple

from core.store.database import Database
from core.text import display


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
    return [CommandLine(*row)._replace(target=target_words(row["target"])) for row in reversed(rows)]


def target_words(stored: str) -> str:
    """Return what a command is about, in words fit for a terminal; `stored` is its target as the state has it."""
    target = json.loads(stored)
    filesets = target.get("filesets") or []
    words = [display(name) for name in filesets[:1]]
    if len(filesets) > 1:
        words.append(f"and {len(filesets) - 1:,} more")
    words += [f"{noun} {display(target[noun])}" for noun in ("mirror", "product", "kind") if target.get(noun)]
    if target.get("value") is not None:
        words.append(display(target["value"]))
    return ", ".join(words).replace(", and ", " and ") or "everything"
