"""Our published indexes of products and roots: which are out of date, and how each was left when it was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.store.database import Database


@dataclass(frozen=True, slots=True)
class Written:
    """The index of a product, or without a name that of the root, which is up to date as far as the state knows.

    `stamp` tells how it was left, see `Destination.write_index`; None: that is not known.
    """

    product: int | None
    name: str | None
    stamp: str | None


_KEPT = "(selected OR cursor IS NOT NULL)"
"""Products of which an index is published."""


async def due(db: Database, mirror: int) -> list[tuple[int, str, int]]:
    """Return (id, name, number of changes) of the products whose published index is out of date.

    That of the root is written with any of them.
    """
    rows = await db.rows(
        f"SELECT id, name, index_due FROM products WHERE mirror_id = ? AND index_due AND {_KEPT}", (mirror,)
    )
    return [(row["id"], row["name"], row["index_due"]) for row in rows]


async def written(db: Database, products: Iterable[tuple[int, str, int]]) -> None:
    """Record that published indexes are up to date, as of the changes that were known when they were begun."""
    await db.run_many(
        "UPDATE products SET index_due = iif(index_due = ?, 0, index_due), index_error = NULL WHERE id = ?",
        [(changes, product) for product, _, changes in products],
    )


async def refused(db: Database, product: int, error: str) -> bool:
    """Record why our published index of a product could not be written; tell whether that is news."""
    return bool(
        await db.run("UPDATE products SET index_error = ?1 WHERE id = ?2 AND index_error IS NOT ?1", (error, product))
    )


async def keep_stamps(db: Database, mirror: int, stamps: Mapping[int | None, str]) -> None:
    """Record how the indexes of products were left, by id; None: that of the mirror's root."""
    await db.run_many(
        "UPDATE products SET index_stamp = ? WHERE id = ?",
        [(stamp, product) for product, stamp in stamps.items() if product is not None],
    )
    if None in stamps:
        await db.run("UPDATE mirrors SET index_stamp = ? WHERE id = ?", (stamps[None], mirror))


async def up_to_date(db: Database, mirror: int) -> list[Written]:
    """Return the indexes of a mirror that are not to be written anew, that of the root first."""
    rows = await db.rows(
        f"""SELECT NULL AS product, NULL AS name, index_stamp AS stamp FROM mirrors
            WHERE id = :mirror AND EXISTS (SELECT 1 FROM products WHERE mirror_id = :mirror AND {_KEPT})
              AND NOT EXISTS (SELECT 1 FROM products WHERE mirror_id = :mirror AND index_due AND {_KEPT})
            UNION ALL
            SELECT * FROM (SELECT id, name, index_stamp FROM products
                           WHERE mirror_id = :mirror AND NOT index_due AND {_KEPT} ORDER BY name)""",
        {"mirror": mirror},
    )
    return [Written(row["product"], row["name"], row["stamp"]) for row in rows]


async def confirm(db: Database, mirror: int, index: Written, stamp: str) -> None:
    """Record that an index which is not as it was left is right all the same, unless it was written anew since."""
    table, key = ("mirrors", mirror) if index.product is None else ("products", index.product)
    await db.run(f"UPDATE {table} SET index_stamp = ? WHERE id = ? AND index_stamp IS ?", (stamp, key, index.stamp))


async def mark_due(db: Database, mirror: int, wrong: Sequence[Written]) -> list[Written]:
    """Have indexes written anew that are not what was left; return them, without those that are written anyway."""
    known = set(await up_to_date(db, mirror))
    due = [one for one in wrong if one in known]
    await db.run_many(
        f"""UPDATE products SET index_due = index_due + 1
            WHERE id = ifnull(?, (SELECT min(id) FROM products WHERE mirror_id = ? AND {_KEPT}))""",
        [(one.product, mirror) for one in due],
    )
    return due
