"""What a product's listing changes: new, re-registered, withdrawn and reappeared filesets.

A listing is first copied into a temporary table, batch by batch, and then compared by name in one
transaction, together with the product's cursor: a crash never leaves half a listing applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.model import ListedFileset, Rejection
from core.store import refusals
from core.store.database import Database
from core.store.records import dump_columns, storable

_FIXED = "('withdrawn', 'superseded', 'publishing', 'expiring', 'expired')"
_CURRENT = "filesets.product_id = :product AND filesets.state <> 'superseded'"
_SAME_NAME = "l.product_id = :product AND l.name = filesets.name"
_SET = "('held', 'cancelled')"
"""Where operators send filesets for as long as they wish."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a listing changed; `stopped` are filesets whose work is void, `empty` an upstream that lost everything.

    `doubtful` is an answer to a cursor that may be the whole list, and lacks filesets that are known.
    """

    listed: int
    discovered: int
    superseded: int
    withdrawn: int
    stopped: tuple[int, ...]
    empty: bool
    full: bool
    doubtful: bool


async def begin(db: Database, product: int) -> None:
    """Make room for a listing of `product`."""
    await db.run(
        """CREATE TEMP TABLE IF NOT EXISTS listed (
               product_id INTEGER NOT NULL, name TEXT NOT NULL, registered INTEGER NOT NULL, type TEXT NOT NULL,
               columns TEXT, wanted INTEGER NOT NULL, position INTEGER NOT NULL, line INTEGER NOT NULL,
               other_line INTEGER,  -- where it is listed otherwise
               PRIMARY KEY (product_id, name)) WITHOUT ROWID"""
    )
    await db.run(
        """CREATE TEMP TABLE IF NOT EXISTS refused (
               product_id INTEGER NOT NULL, line INTEGER NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL)"""
    )
    for table in ("listed", "refused"):
        await db.run(f"DELETE FROM temp.{table} WHERE product_id = ?", (product,))


_LATER = (
    "DO UPDATE SET "
    + ", ".join(
        f"{column} = iif(excluded.registered >= listed.registered, excluded.{column}, listed.{column})"
        for column in ("registered", "type", "columns", "position", "line")
    )
    + """, other_line = iif(
    (excluded.registered, excluded.type, excluded.columns) IS (listed.registered, listed.type, listed.columns),
    listed.other_line, iif(excluded.registered >= listed.registered, listed.line, excluded.line))"""
)
"""Of a fileset that is listed twice the later registration counts, as it does where it is listed alone."""


async def add(
    db: Database, product: int, start: int, batch: list[ListedFileset | Rejection], wanted: Callable[[str], bool]
) -> None:
    """Copy one batch; `start` is the position of its first row in the whole listing."""
    rows = [
        (
            product,
            row.name,
            row.registered,
            storable(row.type),
            dump_columns(row.columns),
            wanted(row.name),
            start + at,
            row.line,
        )
        for at, row in enumerate(batch)
        if isinstance(row, ListedFileset)
    ]
    refused = [(product, row.line, row.name, row.reason) for row in batch if isinstance(row, Rejection)]
    await db.run_many(f"INSERT INTO temp.listed VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT {_LATER}", rows)
    await db.run_many("INSERT INTO temp.refused VALUES (?, ?, ?, ?)", refused)


async def merge(db: Database, product: int, mirror: int, cursor: str | None, now: float) -> Merged:
    """Apply the copied listing, which was asked for by `cursor` (None: the whole list was asked for).

    Only the whole list proves that something is gone: servers differ in where the answer to a cursor begins.
    """
    keys = {"product": product, "mirror": mirror, "cursor": cursor, "now": now}
    await db.run(
        """INSERT INTO temp.refused SELECT product_id, other_line, name, :reason FROM temp.listed
           WHERE product_id = :product AND other_line IS NOT NULL""",
        {
            "product": product,
            "reason": "listed twice, with another time, type or columns; the later registration counts",
        },
    )
    listed = int(await db.value("SELECT count(*) FROM temp.listed WHERE product_id = :product", keys))
    known = int(await db.value(f"SELECT count(*) FROM filesets WHERE {_CURRENT} AND state NOT IN {_FIXED}", keys))
    full = cursor is None
    doubtful = not full and await _doubtful(db, keys)
    empty = full and not listed and known > 0
    wishes = await _wishes(db, keys)
    stopped = await _supersede(db, keys)
    superseded = len(stopped)
    withdrawn = 0
    if full and not empty:
        gone = await _withdraw(db, keys)
        withdrawn = len(gone)
        stopped += gone
    reappeared = await _reappear(db, keys)
    if reappeared:
        await db.run("UPDATE products SET folder_stamp = NULL WHERE id = :product", keys)
    if withdrawn or reappeared:
        await db.run("UPDATE products SET index_due = index_due + 1 WHERE id = :product", keys)
    stopped += await _filter(db, keys)
    discovered = await _discover(db, keys)
    await _carry_over(db, product, wishes)
    await _reject(db, keys, full)
    await _note(db, keys, full, empty)
    return Merged(listed, discovered, superseded, withdrawn, tuple(stopped), empty, full, doubtful)


_GONE = f"""{_CURRENT} AND state NOT IN {_FIXED}
    AND NOT EXISTS (SELECT 1 FROM temp.listed l WHERE {_SAME_NAME})
    AND name NOT IN (SELECT name FROM temp.refused WHERE product_id = :product)"""
"""What is not listed; of a row that was refused, the catalogue still speaks."""


async def _doubtful(db: Database, keys: Mapping[str, object]) -> bool:
    """Tell whether the answer to a cursor may be the whole list, and lacks what is known.

    What begins with the cursor's own row, or with the second in which that was registered, is only what came since.
    """
    found = await db.one(
        f"""SELECT min(l.registered) AS first, c.registered AS own
            FROM filesets c JOIN temp.listed l USING (product_id)
            WHERE c.product_id = :product AND c.name = :cursor AND c.state <> 'superseded'
              AND EXISTS (SELECT 1 FROM filesets WHERE {_CURRENT} AND name = l.name AND registered = l.registered)
              AND l.position < ifnull((SELECT position FROM temp.listed
                                       WHERE product_id = :product AND name = :cursor), l.position + 1)""",
        keys,
    )
    if found is None or found["first"] is None:
        return False
    since = found["own"] if found["first"] >= found["own"] else None
    gone = f"SELECT EXISTS (SELECT 1 FROM filesets WHERE {_GONE} AND (:since IS NULL OR registered >= :since))"
    return bool(await db.value(gone, {**keys, "since": since}))


_SUPERSEDED = f"""{_CURRENT} AND state NOT IN ('publishing', 'expiring')
    AND EXISTS (SELECT 1 FROM temp.listed l WHERE {_SAME_NAME} AND l.registered <> filesets.registered)"""


async def _wishes(db: Database, keys: Mapping[str, object]) -> list[tuple[str, str, int]]:
    """Return (name, state, priority) of filesets of which a new revision is listed, and which operators had set."""
    rows = await db.rows(
        f"""SELECT name, ifnull(wish, state) AS state, priority FROM filesets
            WHERE {_SUPERSEDED} AND (ifnull(wish, state) IN {_SET} OR priority <> 0)""",
        keys,
    )
    return [(row["name"], row["state"], row["priority"]) for row in rows]


async def _carry_over(db: Database, product: int, wishes: Sequence[tuple[str, str, int]]) -> None:
    """Let what operators wished for a fileset hold for its new revision."""
    await db.run_many(
        f"""UPDATE filesets SET priority = ?1, state = iif(?2 IN {_SET} AND state = 'discovered', ?2, state)
            WHERE product_id = ?3 AND name = ?4 AND state <> 'superseded'""",
        [(priority, state, product, name) for name, state, priority in wishes],
    )


async def _supersede(db: Database, keys: Mapping[str, object]) -> list[int]:
    rows = await db.rows(
        f"UPDATE filesets SET state = 'superseded', trouble = '', next_try = NULL WHERE {_SUPERSEDED} RETURNING id",
        keys,
    )
    return [row[0] for row in rows]


async def _withdraw(db: Database, keys: Mapping[str, object]) -> list[int]:
    """Mark what is not listed any more, and as damaged what was published and does not stand as it was."""
    rows = await db.rows(
        f"""UPDATE filesets SET wish = iif(state IN {_SET}, state, NULL), state = 'withdrawn', trouble = '',
                                next_try = NULL, failure_kind = iif(
                                    state = 'published' OR published_at IS NULL, failure_kind, 'damaged')
            WHERE {_GONE} RETURNING id""",
        keys,
    )
    return [row[0] for row in rows]


async def _reappear(db: Database, keys: Mapping[str, object]) -> int:
    """Let what is listed again be what it was; its index is read again, for it may list something else by now.

    Whether it still stands is seen to by whoever merged the list (see `presence`).
    """
    return await db.run(
        f"""UPDATE filesets
            SET state = CASE WHEN wish IS NOT NULL THEN wish
                             WHEN published_at IS NULL OR failure_kind = 'damaged' THEN 'discovered'
                             ELSE 'published' END,
                wish = NULL, reread = 1
            WHERE {_CURRENT} AND state = 'withdrawn'
              AND EXISTS (SELECT 1 FROM temp.listed l WHERE {_SAME_NAME})""",
        keys,
    )


async def _filter(db: Database, keys: Mapping[str, object]) -> list[int]:
    """Apply a changed choice of filesets to those listed."""
    await db.run(
        f"""UPDATE filesets SET state = 'discovered' WHERE {_CURRENT} AND state = 'excluded'
              AND EXISTS (SELECT 1 FROM temp.listed l WHERE {_SAME_NAME} AND l.wanted)""",
        keys,
    )
    rows = await db.rows(
        f"""UPDATE filesets SET state = 'excluded', trouble = '', next_try = NULL
            WHERE {_CURRENT} AND state IN ('discovered', 'queued', 'transferring', 'staged', 'damaged')
              AND EXISTS (SELECT 1 FROM temp.listed l WHERE {_SAME_NAME} AND NOT l.wanted)
            RETURNING id""",
        keys,
    )
    return [row[0] for row in rows]


async def _discover(db: Database, keys: Mapping[str, object]) -> int:
    return await db.run(
        """INSERT INTO filesets
               (product_id, seq, place, revision, name, registered, type, columns, state, discovered_at)
           WITH next (seq) AS (SELECT ifnull(max(seq), 0) + 1 FROM filesets WHERE product_id = :product)
           SELECT :product, next.seq + l.position, next.seq + l.position,
                  (SELECT ifnull(max(revision), 0) + 1 FROM filesets f
                   WHERE f.product_id = :product AND f.name = l.name AND f.state = 'superseded'),
                  l.name, l.registered, l.type, l.columns, iif(l.wanted, 'discovered', 'excluded'), :now
           FROM temp.listed l, next
           WHERE l.product_id = :product AND NOT EXISTS (
               SELECT 1 FROM filesets f
               WHERE f.product_id = :product AND f.name = l.name AND f.state <> 'superseded')
           ORDER BY l.position""",
        keys,
    )


async def _reject(db: Database, keys: Mapping[str, object], full: bool) -> None:
    await db.run(
        """DELETE FROM rejections
           WHERE mirror_id = :mirror AND ifnull(product_id, 0) = :product AND ifnull(fileset_id, 0) = 0
               AND (:full OR name IN (SELECT name FROM temp.listed WHERE product_id = :product))""",
        {**keys, "full": full},
    )
    await db.run(
        """INSERT INTO rejections (product_id, mirror_id, line, name, reason, seen_at)
           SELECT :product, :mirror, line, name, reason, :now FROM temp.refused WHERE product_id = :product
           ORDER BY line LIMIT :kept
           ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at""",
        {**keys, "kept": refusals.MAX_KEPT},
    )
    rest = await db.one(
        """SELECT min(line), count(*) FROM (SELECT line FROM temp.refused WHERE product_id = :product
                                            ORDER BY line LIMIT -1 OFFSET :kept)""",
        {**keys, "kept": refusals.MAX_KEPT},
    )
    if rest and rest[1]:
        others = refusals.others(*rest)
        await db.run(
            """INSERT INTO rejections (product_id, mirror_id, line, name, reason, seen_at)
               VALUES (:product, :mirror, :line, :name, :reason, :now)
               ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at""",
            {**keys, "line": others.line, "name": others.name, "reason": others.reason},
        )


async def _note(db: Database, keys: Mapping[str, object], full: bool, empty: bool) -> None:
    await db.run(
        """UPDATE products SET
               cursor = ifnull((SELECT name FROM temp.listed WHERE product_id = :product
                                ORDER BY position DESC LIMIT 1), cursor),
               polled_at = :now, tried_at = :now, error_kind = NULL, error = NULL
           WHERE id = :product""",
        keys,
    )
    if not full:
        await db.run(
            """UPDATE products SET alarm = NULL WHERE id = :product AND alarm IS NOT NULL
               AND EXISTS (SELECT 1 FROM temp.listed WHERE product_id = :product)""",
            keys,
        )
    else:
        alarm = "upstream lists nothing any more; nothing was deleted" if empty else None
        await db.run(
            "UPDATE products SET reconciled_at = :now, full_list_due = 0, alarm = :alarm WHERE id = :product",
            {**keys, "alarm": alarm},
        )
    for table in ("listed", "refused"):
        await db.run(f"DELETE FROM temp.{table} WHERE product_id = :product", keys)
