"""What an operator's commands do to the state; each function returns how much it touched."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from core.model import CommandKind
from core.store import filesets
from core.store.commands import Target
from core.store.database import Database
from core.store.ids import file_range

_OPEN = "'discovered', 'queued', 'transferring', 'staged', 'damaged'"

FITTING = {
    CommandKind.HOLD: f"filesets.state IN ({_OPEN})",
    CommandKind.RELEASE: "filesets.state = 'held'",
    CommandKind.CANCEL: f"filesets.state IN ({_OPEN}, 'held')",
    CommandKind.REQUEUE: "filesets.state = 'cancelled'",
}
"""Which filesets a command applies to."""


class NothingMatches(Exception):
    """A command names something that is not there."""


async def matching(db: Database, target: Target, condition: str) -> list[int]:
    """Return the current filesets that `target` names and that satisfy `condition` (SQL of our own)."""
    products = await _products(db, target)
    if not target.filesets:
        found: list[int] = []
        for product in products:
            rows = await db.rows(f"SELECT id FROM filesets WHERE product_id = ? AND {condition}", (product,))
            found += [row["id"] for row in rows]
        return found
    return [await _named(db, name, set(products), condition) for name in dict.fromkeys(target.filesets)]


async def _named(db: Database, name: str, products: set[int], condition: str) -> int:
    mirror, product, fileset = [None, None, *name.split("/", 2)][-3:]
    rows = await db.rows(
        f"""SELECT filesets.id, product_id, state, ({condition}) AS fits,
                   m.name || '/' || p.name || '/' || filesets.name AS whole
            FROM filesets JOIN products p ON p.id = product_id JOIN mirrors m ON m.id = p.mirror_id
            WHERE filesets.name = ? AND state <> 'superseded'
              AND ifnull(?, p.name) = p.name AND ifnull(?, m.name) = m.name""",
        (fileset, product, mirror),
    )
    rows = [row for row in rows if row["product_id"] in products]
    if not rows:
        raise NothingMatches(f"no fileset {name!r} is known")
    if len(rows) > 1:
        raise NothingMatches(f"{name!r} is ambiguous: say one of " + ", ".join(row["whole"] for row in rows))
    if not rows[0]["fits"]:
        raise NothingMatches(f"fileset {name!r} is {rows[0]['state']}: nothing to do for this command")
    return int(rows[0]["id"])


async def _products(db: Database, target: Target) -> list[int]:
    rows = await db.rows("SELECT p.id, p.name, m.name AS mirror FROM products p JOIN mirrors m ON m.id = p.mirror_id")
    found = [
        row["id"]
        for row in rows
        if target.mirror in (None, row["mirror"])
        and (target.product is None or fnmatchcase(row["name"], target.product))
    ]
    if not found and (target.mirror or target.product):
        raise NothingMatches(f"no product {target.product or '*'!r} of mirror {target.mirror or '*'!r} is known")
    return found


async def to_retry(db: Database, target: Target) -> list[int]:
    """Return the filesets that a retry touches: those in trouble, and those with refused rows."""
    found = await matching(db, target, "(trouble <> '' OR rejected > 0) AND state <> 'superseded'")
    if target.kind is None:
        return found
    return [one for one in found if await _has_kind(db, one, target.kind)]


async def _has_kind(db: Database, fileset: int, kind: str) -> bool:
    return bool(
        await db.value(
            """SELECT EXISTS (SELECT 1 FROM filesets WHERE id = ? AND failure_kind = ?)
                   OR EXISTS (SELECT 1 FROM files INDEXED BY files_aside
                              WHERE id BETWEEN ? AND ? AND state IN ('retry_wait', 'quarantined') AND failure_kind = ?)
                   OR (? = 'rejected' AND EXISTS (SELECT 1 FROM rejections WHERE fileset_id = ?))""",
            (fileset, kind, *file_range(fileset), kind, kind, fileset),
        )
    )


async def retry(db: Database, found: Sequence[int], kind: str | None) -> None:
    """Give filesets a clean start: their index is read again, and what failed is tried at once.

    Files that are listed with conflicting rows stay aside until the index is another one.
    """
    for fileset in found:
        await db.run(
            """UPDATE files SET state = 'pending', attempts = 0, tries = 0, next_try = NULL, kept = 0, validator = NULL,
                                seen_size = NULL, seen_digest = NULL, failure_kind = NULL, failure = NULL
               WHERE id BETWEEN ? AND ? AND state IN ('retry_wait', 'quarantined')
                 AND failure_kind <> 'conflict' AND ifnull(?, failure_kind) = failure_kind""",
            (*file_range(fileset), kind),
        )
    keys = [(fileset,) for fileset in found]
    await db.run_many(
        """UPDATE filesets SET attempts = 0, tries = 0, next_try = NULL, failure_kind = NULL, failure = NULL
           WHERE id = ?""",
        keys,
    )
    await db.run_many(
        "UPDATE filesets SET state = 'discovered' WHERE id = ? AND state IN ('queued', 'transferring')", keys
    )
    await db.run_many("UPDATE filesets SET reread = 1 WHERE id = ? AND state = 'published'", keys)
    await filesets.judge(db, found)


async def relist(db: Database, target: Target) -> int:
    """Have the products with refused rows listed as a whole again, and lift stops of our own making."""
    products = await _products(db, target)
    await db.run(
        "UPDATE mirrors SET stopped = NULL, stopped_kind = NULL WHERE ifnull(?, name) = name", (target.mirror,)
    )
    touched = 0
    for product in products:
        touched += await db.run(
            """UPDATE products SET full_list_due = 1 WHERE id = ?1 AND
                   (alarm IS NOT NULL
                    OR EXISTS (SELECT 1 FROM rejections WHERE product_id = ?1 AND fileset_id IS NULL))""",
            (product,),
        )
    return touched


async def hold(db: Database, found: Sequence[int]) -> None:
    """Stop filesets until they are released."""
    await db.run_many(
        "UPDATE filesets SET state = 'held', trouble = '', next_try = NULL WHERE id = ?", [(one,) for one in found]
    )


async def release(db: Database, found: Sequence[int]) -> None:
    """Let held or cancelled filesets go on, at once."""
    await db.run_many(
        """UPDATE filesets SET state = iif(index_sha256 IS NULL, 'discovered', 'queued'),
                               tries = 0, next_try = NULL, failure_kind = NULL, failure = NULL WHERE id = ?""",
        [(one,) for one in found],
    )
    await filesets.judge(db, found)


async def cancel(db: Database, found: Sequence[int]) -> None:
    """Give filesets up; what was fetched of them is dropped."""
    for one in found:
        await db.run(
            """UPDATE files SET state = 'pending', tries = 0, next_try = NULL, kept = 0, validator = NULL,
                                failure_kind = NULL, failure = NULL
               WHERE id BETWEEN ? AND ? AND state <> 'pending' AND failure_kind IS NOT 'conflict'""",
            file_range(one),
        )
    await db.run_many(
        """UPDATE filesets SET state = 'cancelled', trouble = '', tries = 0, next_try = NULL, failure_kind = NULL,
                               failure = NULL WHERE id = ?""",
        [(one,) for one in found],
    )


async def pause(db: Database, target: Target, reason: str | None) -> int:
    """Pause (or, with `reason` None, resume) products, a mirror, or everything; return how many."""
    if target.product is not None:
        products = await _products(db, target)
        await db.run_many("UPDATE products SET paused = ? WHERE id = ?", [(reason, one) for one in products])
        return len(products)
    where = "configured AND ifnull(?, name) = name"
    stops = "" if reason else ", stopped = NULL, stopped_kind = NULL"
    touched = await db.run(f"UPDATE mirrors SET paused = ?{stops} WHERE {where}", (reason, target.mirror))
    if not touched:
        raise NothingMatches(f"no mirror {target.mirror!r} is configured")
    return touched
