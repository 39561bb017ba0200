"""What an operator's commands do to the state; each function returns how much it touched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from core.errors import FailureKind
from core.model import CommandKind, Trouble
from core.store import commands, evidence, files, filesets, verification
from core.store.bulk import fields, table
from core.store.commands import Target
from core.store.database import Database
from core.store.ids import file_range
from core.store.queue import QUEUE_STATES

_OPEN = "'discovered', 'queued', 'transferring', 'staged', 'damaged'"

FITTING = {
    CommandKind.HOLD: f"filesets.state IN ({_OPEN})",
    CommandKind.RELEASE: "(filesets.state = 'held' OR filesets.wish IS 'held')",
    CommandKind.CANCEL: f"filesets.state IN ({_OPEN}, 'held')",
    CommandKind.REQUEUE: "(filesets.state = 'cancelled' OR filesets.wish IS 'cancelled')",
    CommandKind.RETRY: "(filesets.trouble <> '' OR filesets.rejected > 0) "
    "AND filesets.state NOT IN ('withdrawn', 'superseded')",
    CommandKind.PRIORITY: f"filesets.state IN ({_OPEN}, 'held')",
    CommandKind.NOW: f"filesets.state IN ({_OPEN}) AND filesets.trouble <> 'quarantined'",
    CommandKind.MOVE: f"filesets.state IN ({', '.join(map(repr, QUEUE_STATES))})",
    CommandKind.ACCEPT: f"filesets.trouble = 'quarantined' AND filesets.state IN ({_OPEN})",
    CommandKind.VERIFY: f"(filesets.state = 'published' OR {verification.UNMENDED})",
}
"""Which filesets a command applies to."""

BY_NAME = {CommandKind.RETRY: f"({FITTING[CommandKind.RETRY]} OR filesets.state = 'published')"}
"""Which filesets a command applies to when they are named, where that differs: nothing else has an index read again."""

REFUSALS = {
    CommandKind.HOLD: "nothing to hold",
    CommandKind.CANCEL: "nothing to cancel",
    CommandKind.RETRY: "nothing of it has failed",
    CommandKind.NOW: "nothing to fetch",
    CommandKind.PRIORITY: "nothing to fetch",
    CommandKind.MOVE: "only what waits in the queue can be moved",
    CommandKind.ACCEPT: "nothing of it is in quarantine",
    CommandKind.VERIFY: "only what is published can be verified",
}
"""Why a command doesn't apply to a fileset, where "nothing to do for this command" would tell too little."""
RELEASE_FIRST = "release it first"
BEGUN = frozenset({"transferring", "staged"})


class NothingMatches(Exception):
    """A command names something that is not there, or for which there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The filesets that a command is carried out on; `left_out` tells of those it doesn't apply to, and why."""

    ids: list[int]
    left_out: tuple[str, ...] = ()


async def matching(db: Database, target: Target, kind: CommandKind) -> Matching:
    """Return the current filesets that `target` names and to which a command of this kind applies.

    Raises NothingMatches for a name that is unknown or ambiguous, and if there is nothing to do for any that is named.
    """
    products = await _products(db, target)
    if not target.filesets:
        found: list[int] = []
        for product in products:
            rows = await db.rows(f"SELECT id FROM filesets WHERE product_id = ? AND {FITTING[kind]}", (product,))
            found += [row["id"] for row in rows]
        return Matching(found)
    fitting = BY_NAME.get(kind, FITTING[kind])
    named = await _named(db, list(dict.fromkeys(target.filesets)), set(products), fitting)
    left_out = tuple(_refusals(named, kind).values())
    ids = [row["id"] for row in named.values() if row["fits"]]
    if not ids:
        raise NothingMatches(left_out[0] if len(left_out) == 1 else f"{left_out[0]}, nor for {len(left_out) - 1} more")
    return Matching(ids, left_out)


async def fitting(db: Database, ids: Sequence[int], kind: CommandKind) -> list[int]:
    """Return those of these filesets to which a command of this kind applies, in their order."""
    found = await db.value(
        f"""SELECT json_group_array(value) FROM (
                SELECT value FROM json_each(?) JOIN filesets ON filesets.id = value
                WHERE {BY_NAME.get(kind, FITTING[kind])} ORDER BY key)""",
        (table(ids),),
    )
    return list(json.loads(found))


async def refusals(db: Database, names: Sequence[str], kind: CommandKind) -> dict[str, str]:
    """Return why a command would not be carried out on some of these filesets, by name.

    Raises NothingMatches for a name that is unknown or ambiguous.
    """
    products = set(await _products(db, Target()))
    return _refusals(await _named(db, names, products, BY_NAME.get(kind, FITTING[kind])), kind)


def _refusals(named: Mapping[str, Any], kind: CommandKind) -> dict[str, str]:
    return {name: f"fileset {name!r} {_refusal(row, kind)}" for name, row in named.items() if not row["fits"]}


_IN_TROUBLE = {Trouble.QUARANTINED: "in quarantine", Trouble.FAILED: "waiting to be tried again"}


def _refusal(row: Any, kind: CommandKind) -> str:
    state = row["state"]
    if kind is CommandKind.MOVE and state in BEGUN:
        return "was begun already: only its priority can be raised"
    if kind is CommandKind.NOW and state == "held":
        return f"is held: {RELEASE_FIRST}"
    if kind is CommandKind.NOW and row["trouble"] == Trouble.QUARANTINED:
        return "is in quarantine: retry it"
    return f"is {_IN_TROUBLE.get(row['trouble'], state)}: {REFUSALS.get(kind, 'nothing to do for this command')}"


async def _named(db: Database, names: Sequence[str], products: set[int], condition: str) -> dict[str, Any]:
    """Return the rows of filesets by name: whole names are looked up together, for there may be thousands."""
    whole = [(name, *name.split("/", 2)) for name in names if name.count("/") >= 2]
    rows = await db.rows(
        f"""WITH wanted (name, mirror, product, fileset) AS (SELECT {fields(4)} FROM json_each(?))
            SELECT wanted.name AS wanted, filesets.id, product_id, state, trouble, ({condition}) AS fits
            FROM wanted JOIN mirrors m ON m.name = wanted.mirror
                 JOIN products p ON p.mirror_id = m.id AND p.name = wanted.product
                 JOIN filesets ON product_id = p.id AND filesets.name = wanted.fileset AND state <> 'superseded'""",
        (table(whole),),
    )
    found = {row["wanted"]: row for row in rows if row["product_id"] in products}
    missing = {name: await _one_named(db, name, products, condition) for name in names if name not in found}
    return {name: found.get(name) or missing[name] for name in names}


async def _one_named(db: Database, name: str, products: set[int], condition: str) -> Any:
    mirror, product, fileset = [None, None, *name.split("/", 2)][-3:]
    rows = await db.rows(
        f"""SELECT filesets.id, product_id, state, trouble, ({condition}) AS fits,
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
    return rows[0]


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


async def to_retry(db: Database, target: Target) -> Matching:
    """Return the filesets that a retry touches: those in trouble, and those with refused rows."""
    found = await matching(db, target, CommandKind.RETRY)
    if target.kind is None:
        return found
    return Matching([one for one in found.ids if await _has_kind(db, one, target.kind)], found.left_out)


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


async def demand_match(db: Database, kind: CommandKind, target: Target) -> None:
    """Raise NothingMatches if a command can't mean anything in the state as it is.

    While others wait, which may change the state before, only the names have to be known.
    """
    if await commands.new(db):
        await _named(db, list(target.filesets), set(await _products(db, target)), "TRUE")
    elif kind in (CommandKind.MIRROR, CommandKind.IGNORE):
        await one_product(db, target)
    elif kind is CommandKind.RETRY:
        await to_retry(db, target)
    elif kind in FITTING:
        await matching(db, target, kind)
    elif target.product is not None:
        await _products(db, target)


async def retry(db: Database, found: Sequence[int], kind: str | None) -> int:
    """Give filesets a clean start: their index is read again, and what failed is tried at once.

    Files that are listed with conflicting rows stay aside until the index is another one. Returns how many filesets
    are published: of these nothing but the index is read.
    """
    if kind in (None, FailureKind.INTEGRITY):
        await evidence.take_back(db, found, refuted=True)
    await files.begin_anew(db, found, kind)
    keys = [(fileset,) for fileset in found]
    await verification.repair(db, found)
    await db.run_many(
        """UPDATE filesets SET attempts = 0, tries = 0, next_try = NULL, failure_kind = NULL, failure = NULL
           WHERE id = ?""",
        keys,
    )
    await db.run_many(
        "UPDATE filesets SET state = 'discovered' WHERE id = ? AND state IN ('queued', 'transferring')", keys
    )
    published = await db.run(
        "UPDATE filesets SET reread = 1 WHERE id IN (SELECT value FROM json_each(?)) AND state = 'published'",
        (table(found),),
    )
    await filesets.judge(db, found)
    return published


async def paused_among(db: Database, found: Sequence[int]) -> int:
    """Return how many of these filesets are of products, or mirrors, that are paused."""
    return int(
        await db.value(
            """SELECT count(*) FROM filesets s JOIN products p ON p.id = s.product_id
                    JOIN mirrors m ON m.id = p.mirror_id
               WHERE s.id IN (SELECT value FROM json_each(?)) AND ifnull(p.paused, m.paused) IS NOT NULL""",
            (table(found),),
        )
    )


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
    """Let held or cancelled filesets go on, at once; those that upstream does not list, when it lists them again.

    Their indexes are read again: meanwhile upstream may have mended what they were held for.
    """
    rows = await db.rows(
        "UPDATE filesets SET wish = NULL WHERE id IN (SELECT value FROM json_each(?)) RETURNING id, state",
        (table(found),),
    )
    listed = [row["id"] for row in rows if row["state"] != "withdrawn"]
    await db.run_many(
        """UPDATE filesets SET state = 'discovered', tries = 0, next_try = NULL, failure_kind = NULL, failure = NULL
           WHERE id = ?""",
        [(one,) for one in listed],
    )
    await filesets.judge(db, listed)


async def cancel(db: Database, found: Sequence[int]) -> None:
    """Give filesets up; what was fetched of them is dropped, and nothing stays accepted."""
    await evidence.take_back(db, found, refuted=False)
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


async def one_product(db: Database, target: Target) -> tuple[int, int]:
    """Return the ids of the product that `target` names exactly, and of its mirror."""
    rows = await db.rows(
        """SELECT p.id, p.mirror_id, m.name FROM products p JOIN mirrors m ON m.id = p.mirror_id AND m.configured
           WHERE p.name = ? AND ifnull(?, m.name) = m.name""",
        (target.product, target.mirror),
    )
    if not rows:
        raise NothingMatches(
            f"no product {target.product or ''!r} of mirror {target.mirror or '*'!r} is known; "
            "if the source hides it, name it in hidden_products"
        )
    if len(rows) > 1:
        raise NothingMatches(
            f"{target.product!r} is ambiguous: say of which mirror, " + " or ".join(r["name"] for r in rows)
        )
    return rows[0]["id"], rows[0]["mirror_id"]


async def wish(db: Database, product: int, mirrored: bool, configured: bool) -> None:
    """Begin or end the mirroring of a product; a wish for what is configured anyway needs no remembering."""
    wished = None if mirrored == configured else "mirror" if mirrored else "ignore"
    await db.run("UPDATE products SET wish = ?, selected = ? WHERE id = ?", (wished, mirrored, product))


async def wishes(db: Database, mirror: int) -> dict[str, bool]:
    """Return the products of a mirror that are mirrored (or not: False) because an operator wishes it."""
    rows = await db.rows("SELECT name, wish FROM products WHERE mirror_id = ? AND wish IS NOT NULL", (mirror,))
    return {row["name"]: row["wish"] == "mirror" for row in rows}
