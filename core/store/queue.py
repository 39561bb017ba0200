"""The order in which filesets of a product are fetched: by priority, and among equals by place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from core.store.bulk import table
from core.store.database import Database
from core.store.ids import file_range

HIGHEST_PRIORITY = 100
QUEUE_STATES = ("discovered", "queued", "damaged", "held")
"""Which filesets stand in the queue: those that are wanted, and not begun."""
UNPUBLISHED = (*QUEUE_STATES, "transferring")

_ORDER = "priority DESC, place, id"
_FIRST, _LAST = "priority DESC, place, id", "priority, place DESC, id DESC"


class Way(StrEnum):
    """Where a fileset can be moved to."""

    UP = "up"
    DOWN = "down"
    TOP = "top"
    BOTTOM = "bottom"


async def prioritise(db: Database, found: Sequence[int], priority: int, relative: bool) -> tuple[int, int]:
    """Set (or, with `relative`, change) the priority of filesets; return the lowest and highest that they have now."""
    await db.run(
        """UPDATE filesets SET priority = max(-:most, min(:most, :priority + iif(:relative, priority, 0)))
           WHERE id IN (SELECT value FROM json_each(:found))""",
        {"most": HIGHEST_PRIORITY, "priority": priority, "relative": relative, "found": table(found)},
    )
    row = await db.one(
        "SELECT min(priority), max(priority) FROM filesets WHERE id IN (SELECT value FROM json_each(?))",
        (table(found),),
    )
    return (row[0], row[1]) if row else (0, 0)


async def put_first(db: Database, found: Sequence[int], now: float) -> None:
    """Let filesets go before all others, in the order that they have, and end the waits for their next try."""
    highest = await db.value(
        f"""SELECT ifnull(max(priority), 0) FROM filesets
            WHERE product_id IN (SELECT id FROM products WHERE selected) AND {_among(UNPUBLISHED)}"""
    )
    await _line_up(db, await _in_order(db, found), max(1, highest), front=True)
    await db.run(
        """UPDATE filesets SET next_try = ? WHERE id IN (SELECT value FROM json_each(?))
           AND trouble = 'failed' AND failure_kind IS NOT NULL""",
        (now, table(found)),
    )
    for fileset in found:
        await db.run(
            "UPDATE files SET next_try = ? WHERE id BETWEEN ? AND ? AND state = 'retry_wait'",
            (now, *file_range(fileset)),
        )


async def move(db: Database, found: Sequence[int], way: Way) -> int:
    """Move filesets of the queue, keeping their order among themselves; return how many of them moved."""
    rows = await _in_order(db, found)
    if way in (Way.TOP, Way.BOTTOM):
        await _line_up(db, rows, None, front=way is Way.TOP)
        return len(rows)
    stuck: set[int] = set()
    for row in rows if way is Way.UP else reversed(rows):
        if not await _step(db, row, -1 if way is Way.UP else 1, stuck):
            stuck.add(row["id"])
    return len(rows) - len(stuck)


async def _step(db: Database, row: Any, step: int, stuck: set[int]) -> bool:
    """Change places with the neighbour, whose priority is taken on, unless it is one of `stuck`; tell if it moved."""
    other = await _neighbour(db, row, step)
    if other is None or other["id"] in stuck:
        return False
    if other["priority"] != row["priority"]:
        # the neighbour is the last (or first) of its priority, where there is room behind (or before) it
        away = math.floor(other["place"]) + 1.5 if step < 0 else other["place"] - 1
    elif other["place"] != row["place"]:
        away = row["place"]
    else:
        away = math.nextafter(other["place"], -step * math.inf)
    await _put(db, other["id"], other["priority"], away)
    await _put(db, row["id"], other["priority"], other["place"])
    return True


async def _neighbour(db: Database, row: Any, step: int) -> Any:
    """Return what stands before (-1) or behind (1) a fileset, from the index of the queue: one lookup a state."""
    beside, beyond = ("<", ">") if step < 0 else (">", "<")
    order = _LAST if step < 0 else _FIRST
    nearest = [
        f"""SELECT * FROM (SELECT id, priority, place FROM filesets
                           WHERE product_id = :product_id AND state = '{state}' AND {condition}
                           ORDER BY {order} LIMIT 1)"""
        for state in QUEUE_STATES
        for condition in (
            f"priority = :priority AND (place, id) {beside} (:place, :id)",
            f"priority {beyond} :priority",
        )
    ]
    return await db.one(f"{' UNION ALL '.join(nearest)} ORDER BY {order} LIMIT 1", dict(row))


async def _line_up(db: Database, rows: Sequence[Any], priority: int | None, *, front: bool) -> None:
    """Put filesets, in this order, before (or behind) all of their products; `priority` None: with that at this end."""
    ends: dict[int, Any] = {}
    for product in {row["product_id"] for row in rows}:
        ends[product] = await db.one(
            f"""SELECT min(place) AS first, max(place) AS last, max(priority) AS highest, min(priority) AS lowest
                FROM filesets WHERE product_id = ? AND {_among(UNPUBLISHED)}""",
            (product,),
        )
    for at, row in enumerate(rows):
        end = ends[row["product_id"]]
        place = end["first"] - len(rows) + at if front else math.floor(end["last"]) + 1.5 + at
        usual = end["highest"] if front else end["lowest"]
        await _put(db, row["id"], usual if priority is None else priority, place)


async def _in_order(db: Database, found: Sequence[int]) -> list[Any]:
    """Return those that are not on their way to their place yet: what is has no place in the queue."""
    return await db.rows(
        f"""SELECT id, product_id, priority, place FROM filesets WHERE id IN (SELECT value FROM json_each(?))
            AND {_among(UNPUBLISHED)} ORDER BY {_ORDER}""",
        (table(found),),
    )


async def _put(db: Database, fileset: int, priority: int, place: float) -> None:
    await db.run("UPDATE filesets SET priority = ?, place = ? WHERE id = ?", (priority, place, fileset))


def _among(states: Sequence[str]) -> str:
    return f"state IN ({', '.join(map(repr, states))})"
