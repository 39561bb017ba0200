"""The queue: which filesets are under way, and which come next."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from core.store.bulk import table
from core.store.database import Database
from core.store.ids import sql_fileset_of, sql_in_range
from core.store.queue import QUEUE_STATES
from core.store.reasons import Rest
from core.store.screens import likeness, resting

TURN = 16
"""Filesets that are taken from a product before it is the next one's turn."""
UNDER_WAY = ("transferring", "staged", "publishing")
LOOKED_AT = 100
"""Files of a fileset among which the next try is looked for."""


class QueueOrder(StrEnum):
    """How the queue is ordered: as it will be worked off, or by one column."""

    TURN = "turn"
    PRODUCT = "product"
    NAME = "name"
    SIZE = "size"
    REGISTERED = "registered"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One fileset; `done_files` and `done_bytes` are 0 of those that were never begun."""

    id: int
    mirror: str
    product: str
    name: str
    state: str
    trouble: str
    priority: int
    files: int
    bytes: int
    done_files: int
    done_bytes: int
    """Staged, or received by now."""
    registered: int
    queued_at: float | None
    next_try: float | None
    active: int
    """Transfers under way."""
    failure: str | None
    """Its own, or that of one of its files."""
    paused: bool = False
    """Its product is, or its mirror."""
    stopped: bool = False
    """Its mirror is."""
    rests_until: float | None = None
    """Its host is left alone until then."""

    @property
    def whole(self) -> str:
        """The whole name, ``mirror/product/fileset``: unambiguous in commands."""
        return f"{self.mirror}/{self.product}/{self.name}"


def _among(states: Sequence[str]) -> str:
    return f"IN ({', '.join(map(repr, states))})"


_SHOWN = """shown (id, rank, prefix, stands) AS (
    SELECT p.id, row_number() OVER (ORDER BY m.name, p.name), m.name || '/' || p.name || '/',
           coalesce(p.paused, m.paused, m.stopped) IS NOT NULL
    FROM products p JOIN mirrors m ON m.id = p.mirror_id
    WHERE m.configured AND p.selected AND ifnull(:product, p.id) = p.id)"""
_OF_SHOWN = "FROM shown p CROSS JOIN filesets s INDEXED BY filesets_queue ON s.product_id = p.id AND s.state"
_STATES = ("publishing", "staged", "transferring", "queued", "discovered", "damaged", "held")
_BY_STATE = " ".join(f"WHEN '{state}' THEN {rank}" for rank, state in enumerate(_STATES, 2))
_ORDERS = {
    QueueOrder.PRODUCT: "p.rank, s.priority DESC, s.place, s.id",
    QueueOrder.NAME: "s.name, p.rank",
    QueueOrder.SIZE: "s.bytes DESC, s.id",
    QueueOrder.REGISTERED: "s.registered, s.id",
    QueueOrder.STATE: f"""CASE s.trouble WHEN 'quarantined' THEN 0 WHEN 'failed' THEN 1 ELSE
                              CASE s.state {_BY_STATE} END END, p.rank, s.priority DESC, s.place, s.id""",
}


async def queue_ids(
    db: Database,
    order: QueueOrder = QueueOrder.TURN,
    reverse: bool = False,
    like: str = "",
    problems: bool = False,
    product: int | None = None,
) -> list[int]:
    """Return the ids of all filesets of mirrored products that are wanted and not published, held ones included.

    `like` restricts them to those whose ``mirror/product/name`` contains it (case of ASCII letters ignored), or, with
    ``!`` before it, to the others; `problems` to those in trouble. Sizes begin with the largest, registration
    times with the oldest, states with what is in trouble.
    """
    condition, pattern = likeness.condition(like, "p.prefix || s.name")
    if problems:
        condition += " AND s.id IN (SELECT id FROM filesets WHERE trouble <> '')"
    keys = {"product": product, "like": pattern}
    if order is QueueOrder.TURN:
        found = await _by_turn(db, condition, keys)
    else:
        found = await _ids(db, f"{_among(_STATES)} {condition} ORDER BY {_ORDERS[order]}", keys)
    return found[::-1] if reverse else found


async def _ids(db: Database, rest: str, keys: Mapping[str, Any]) -> list[int]:
    # as one JSON text: rows would cost ten times as much
    found = await db.value(f"WITH {_SHOWN} SELECT json_group_array(id) FROM (SELECT s.id {_OF_SHOWN} {rest})", keys)
    return list(json.loads(found))


async def _by_turn(db: Database, condition: str, keys: Mapping[str, Any]) -> list[int]:
    """Return what is transferring now, what else is under way, what waits, by turn, and what is blocked.

    What a pause, or a stopped mirror, holds up comes after what can go, in the same order.
    """

    async def under_way(trouble: str, stands: bool) -> list[int]:
        rest = f"{_among(UNDER_WAY)} AND s.trouble = '{trouble}' AND p.stands = {stands} {condition}"
        return await _ids(db, f"{rest} ORDER BY s.priority DESC, s.place, s.id", keys)

    waiting = await db.rows(
        f"""WITH {_SHOWN},
                 levels AS (SELECT DISTINCT p.id, p.rank, p.prefix, p.stands, s.priority
                            {_OF_SHOWN} {_among(QUEUE_STATES)})
            SELECT stands, priority, (SELECT json_group_array(id) FROM (
                SELECT s.id FROM filesets s
                WHERE s.product_id = p.id AND s.state {_among(QUEUE_STATES)} AND s.priority = p.priority {condition}
                ORDER BY s.place, s.id)) AS ids
            FROM levels p ORDER BY stands, priority DESC, rank""",
        keys,
    )
    moving = await _moving(db)
    first, then, last = list[int](), list[int](), list[int]()
    for stands in (False, True):
        begun = [*await under_way("", stands), *await under_way("failed", stands)]
        blocked = await under_way("quarantined", stands)
        first += (one for one in chain(begun, blocked) if one in moving)
        then += (one for one in begun if one not in moving)
        then += _by_level([row for row in waiting if row["stands"] == stands])
        last += (one for one in blocked if one not in moving)
    return [*first, *then, *last]


def _by_level(rows: Sequence[sqlite3.Row]) -> Iterator[int]:
    """Return what waits, from rows of (priority, ids of a product), the highest priority first."""
    levels: dict[int, list[list[int]]] = {}
    for row in rows:
        levels.setdefault(row["priority"], []).append(json.loads(row["ids"]))
    return chain.from_iterable(map(in_turn, levels.values()))


async def _moving(db: Database) -> set[int]:
    """Return the filesets of which a file is being transferred now."""
    rows = await db.rows(
        f"""SELECT DISTINCT {sql_fileset_of("f.id")} AS id
            FROM transfers t CROSS JOIN files f ON f.id = t.file_id AND f.state = 'active'"""
    )
    return {row["id"] for row in rows}


async def alone(db: Database, found: Sequence[int]) -> bool:
    """Tell whether nothing stands in the queues of their products beside these filesets."""
    return not await db.value(
        f"""SELECT EXISTS (SELECT 1 FROM filesets s WHERE s.state {_among(QUEUE_STATES)}
                AND s.product_id IN (SELECT product_id FROM filesets WHERE id IN (SELECT value FROM json_each(:found)))
                AND s.id NOT IN (SELECT value FROM json_each(:found)))""",
        {"found": table(found)},
    )


def in_turn(products: Sequence[Sequence[int]]) -> list[int]:
    """Take from each of several sequences in turn, until all are used up."""
    found: list[int] = []
    at = 0
    while products:
        for ids in products:
            found += ids[at : at + TURN]
        at += TURN
        products = [ids for ids in products if len(ids) > at]
    return found


_IN_FILESET = sql_in_range("f.id", "s.id")
_ASIDE = f"FROM files f INDEXED BY files_aside WHERE {_IN_FILESET} AND f.state IN ('retry_wait', 'quarantined')"


async def queue_lines(db: Database, ids: Sequence[int], *, running: bool = True) -> dict[int, QueueLine]:
    """Return these filesets by id, whatever their state, in the order of `ids`; those that are gone are left out.

    Unless an engine is `running`, nothing of them is under way, whatever one that died has left in the state.
    """
    rows = await db.rows(
        f"""SELECT s.id, m.id AS mirror_id, m.name AS mirror, p.name AS product, s.name, s.state, s.trouble,
                   s.priority, s.files, s.bytes, s.registered, s.queued_at,
                   coalesce(p.paused, m.paused) IS NOT NULL AS paused, m.stopped IS NOT NULL AS stopped,
                   s.lease IS NOT NULL OR s.state {_among(UNDER_WAY)} AS begun,
                   iif(s.trouble = '', s.next_try, ifnull(s.next_try, (
                       SELECT min(next_try) FROM (SELECT f.next_try {_ASIDE} LIMIT {LOOKED_AT})))) AS next_try,
                   iif(s.trouble = '', s.failure, ifnull(s.failure, (
                       SELECT f.name || ': ' || f.failure {_ASIDE} LIMIT 1))) AS failure
            FROM json_each(?) JOIN filesets s ON s.id = value
                 JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id ORDER BY key""",
        (table(ids),),
    )
    progress = await _progress(db, [row["id"] for row in rows if row["begun"]], running)
    rests = await resting.by_mirror(db)
    return {row["id"]: _line(row, progress, rests.get(row["mirror_id"])) for row in rows}


def _line(row: Any, progress: Mapping[int, tuple[int, int, int]], rest: Rest | None) -> QueueLine:
    whole = (row["files"], row["bytes"], 0) if row["state"] == "published" else (0, 0, 0)
    done_files, done_bytes, active = progress.get(row["id"], whole)
    fields = {key: row[key] for key in set(row.keys()) - {"begun", "mirror_id"}}
    fields |= {key: bool(row[key]) for key in ("paused", "stopped")}
    fields |= {"next_try": resting.not_before(row["next_try"], rest), "rests_until": rest.until if rest else None}
    return QueueLine(**fields, done_files=done_files, done_bytes=done_bytes, active=active)


async def whole_names(db: Database, ids: Sequence[int]) -> list[str]:
    """Return the whole names of these filesets, in their order; those that are gone are left out."""
    rows = await db.rows(
        """SELECT m.name || '/' || p.name || '/' || s.name FROM json_each(?) JOIN filesets s ON s.id = value
           JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id ORDER BY key""",
        (table(ids),),
    )
    return [row[0] for row in rows]


async def products_of(db: Database, ids: Sequence[int]) -> list[tuple[str, str]]:
    """Return (mirror, product) of these filesets, each once, by name."""
    rows = await db.rows(
        """SELECT m.name, p.name FROM products p JOIN mirrors m ON m.id = p.mirror_id
           WHERE p.id IN (SELECT product_id FROM filesets WHERE id IN (SELECT value FROM json_each(?)))
           ORDER BY m.name, p.name""",
        (table(ids),),
    )
    return [(row[0], row[1]) for row in rows]


async def _progress(db: Database, ids: Sequence[int], running: bool) -> dict[int, tuple[int, int, int]]:
    """Return (files staged, bytes staged or received, transfers) of filesets, from the rows of their files."""
    rows = await db.rows(
        f"""SELECT s.id, count(*) FILTER (WHERE f.state = 'staged') AS files,
                   sum(CASE f.state WHEN 'staged' THEN f.size WHEN 'active' THEN max(f.kept, ifnull(t.received, 0))
                                    ELSE f.kept END) AS bytes,
                   count(t.file_id) FILTER (WHERE f.state = 'active' AND :running) AS active
            FROM (SELECT value AS id FROM json_each(:ids)) s CROSS JOIN files f ON {_IN_FILESET}
                 LEFT JOIN transfers t ON t.file_id = f.id GROUP BY s.id""",
        {"ids": table(ids), "running": running},
    )
    return {row["id"]: (row["files"], row["bytes"], row["active"]) for row in rows}
