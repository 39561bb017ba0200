"""Mirrors and products: what is configured, what sources offer, what is paused and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from core.errors import FailureKind
from core.model import ListedFileset, ListedProduct, Rejection
from core.store import files
from core.store.bulk import table
from core.store.database import Database
from core.store.records import ProductRow, load_columns, restored, storable

_SELECTED = "CASE wish WHEN 'mirror' THEN 1 WHEN 'ignore' THEN 0 ELSE {configured} END"
"""An operator's wish is above the configuration."""
PRODUCT_COLUMNS = """id, mirror_id, name, priority, cursor, reconciled_at, full_list_due, alarm IS NOT NULL AS alarmed,
    EXISTS (SELECT 1 FROM rejections r WHERE r.mirror_id = products.mirror_id
            AND ifnull(r.product_id, 0) = +products.id AND ifnull(r.fileset_id, 0) = 0) AS refused"""
"""`+` keeps the type of the column out of the comparison: only so is the index on the expression used."""


async def configure_mirrors(db: Database, mirrors: Iterable[tuple[str, str, str, str]]) -> dict[str, int]:
    """Make the state agree with the configured (name, protocol, URL, destination); return ids by name.

    Stops of our own making are lifted: the reason may be gone, and is found again if it is not. What had been staged on
    a disk that failed is doubted.
    """
    failed = await db.rows("SELECT id FROM mirrors WHERE stopped_kind = ?", (FailureKind.DISK,))
    if failed:
        await files.doubt_staged(db, [row["id"] for row in failed])
    await db.run("UPDATE mirrors SET configured = 0, stopped = NULL, stopped_kind = NULL")
    await db.run_many(
        """INSERT INTO mirrors (name, protocol, url, destination) VALUES (?, ?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET protocol = excluded.protocol, url = excluded.url,
               destination = excluded.destination, configured = 1""",
        mirrors,
    )
    rows = await db.rows("SELECT name, id FROM mirrors WHERE configured")
    return {row["name"]: row["id"] for row in rows}


async def list_products(
    db: Database, mirror: int, batch: Sequence[ListedProduct | Rejection], selected: Callable[[str], bool], now: float
) -> None:
    """Record products that the root of a source lists, and its refused rows."""
    await _doubt_newest(db, mirror, [row for row in batch if isinstance(row, ListedProduct)])
    chosen = _SELECTED.format(configured="excluded.selected")
    await db.run_many(
        f"""INSERT INTO products (mirror_id, name, type, description, newest_at, selected) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (mirror_id, name) DO UPDATE SET type = excluded.type, description = excluded.description,
               newest_at = excluded.newest_at, selected = {chosen}""",
        [
            (mirror, row.name, storable(row.type), storable(row.description), row.registered, selected(row.name))
            for row in batch
            if isinstance(row, ListedProduct)
        ],
    )
    # a source that says "nothing here" of a product that had something is asked for the whole list
    await db.run_many(
        "UPDATE products SET full_list_due = 1 WHERE mirror_id = ? AND name = ? AND cursor IS NOT NULL",
        [(mirror, row.name) for row in batch if isinstance(row, ListedProduct) and row.most_recent is None],
    )
    await db.run_many(
        """INSERT INTO rejections (mirror_id, line, name, reason, seen_at) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at""",
        [(mirror, row.line, row.name, row.reason, now) for row in batch if isinstance(row, Rejection)],
    )


async def _doubt_newest(db: Database, mirror: int, rows: Sequence[ListedProduct]) -> None:
    """Ask for the whole list of products whose newest fileset was registered again: no query by cursor tells that.

    The root's time of it counts only if it was the right one before: some servers tell another kind of time there.
    """
    await db.run_many(
        """UPDATE products SET full_list_due = 1
           WHERE mirror_id = ?1 AND name = ?2 AND EXISTS (
               SELECT 1 FROM filesets f
               WHERE f.product_id = products.id AND f.name = ?3 AND f.state <> 'superseded'
                 AND f.registered <> ?4 AND f.registered = ifnull(products.newest_at, f.registered))""",
        [(mirror, row.name, storable(row.most_recent or ""), row.registered) for row in rows],
    )


async def choose_products(
    db: Database,
    mirror: int,
    named: Iterable[str],
    hidden: Sequence[str],
    selected: Callable[[str], bool],
    filter_: str,
) -> None:
    """Apply the configured choice: products named without a glob need not be listed by the root.

    A wish that agrees with the configuration has been made permanent, and is forgotten.
    """
    await db.run_many(
        "INSERT OR IGNORE INTO products (mirror_id, name, hidden) VALUES (?, ?, ?)",
        [(mirror, name, name in hidden) for name in [*named, *hidden]],
    )
    rows = await db.rows("SELECT id, name FROM products WHERE mirror_id = ?", (mirror,))
    await db.run_many(
        f"""UPDATE products SET hidden = ?1, selected = {_SELECTED.format(configured="?2")},
                                wish = nullif(wish, iif(?2, 'mirror', 'ignore')) WHERE id = ?3""",
        [(row["name"] in hidden, selected(row["name"]), row["id"]) for row in rows],
    )
    await db.run(
        "UPDATE products SET filter = ?, full_list_due = 1 WHERE mirror_id = ? AND filter <> ?",
        (filter_, mirror, filter_),
    )


async def forget_root_rejections(db: Database, mirror: int) -> None:
    """Drop refused rows of the root index: it has just been read again."""
    await db.run("DELETE FROM rejections WHERE mirror_id = ? AND product_id IS NULL", (mirror,))


async def selected_products(db: Database, mirror: int) -> list[ProductRow]:
    """Return the products of a mirror that are mirrored and not paused."""
    rows = await db.rows(
        f"""SELECT {PRODUCT_COLUMNS} FROM products
            WHERE mirror_id = ? AND selected AND paused IS NULL ORDER BY priority DESC, name""",
        (mirror,),
    )
    flags = ("full_list_due", "alarmed", "refused")
    return [ProductRow(**{**dict(row), **{flag: bool(row[flag]) for flag in flags}}) for row in rows]


async def known_cursors(db: Database, product: ProductRow, count: int) -> list[str]:
    """Return the last names seen in listings of a product, newest first."""
    rows = await db.rows(
        """SELECT name FROM filesets WHERE product_id = ? AND state NOT IN ('withdrawn', 'superseded')
           ORDER BY seq DESC LIMIT ?""",
        (product.id, count),
    )
    names = [row["name"] for row in rows]
    if product.cursor in names:
        names.remove(product.cursor)
        names.insert(0, product.cursor)
    return names


async def lists(db: Database, product: int, fileset: str) -> bool:
    """Tell whether a product's listings tell of a fileset of this name, and not of its withdrawal."""
    row = await db.one(
        "SELECT 1 FROM filesets WHERE product_id = ? AND name = ? AND state NOT IN ('withdrawn', 'superseded')",
        (product, storable(fileset)),
    )
    return row is not None


async def mirror_polled(db: Database, mirror: int, now: float, kind: FailureKind | None, error: str | None) -> None:
    """Record how reading the root of a source ended."""
    await db.run(
        """UPDATE mirrors SET tried_at = ?, polled_at = iif(? IS NULL, ?, polled_at), error_kind = ?, error = ?
           WHERE id = ?""",
        (now, kind, now, kind, error, mirror),
    )


async def product_failed(db: Database, product: int, now: float, kind: FailureKind, error: str) -> None:
    """Record why a product could not be listed."""
    await db.run(
        "UPDATE products SET tried_at = ?, error_kind = ?, error = ? WHERE id = ?", (now, kind, error, product)
    )


async def stop_mirror(db: Database, mirror: int, kind: FailureKind, reason: str) -> None:
    """Stop a mirror for a reason that trying again can't cure."""
    await db.run("UPDATE mirrors SET stopped_kind = ?, stopped = ? WHERE id = ?", (kind, reason, mirror))


async def mirror_flags(db: Database, mirror: int) -> tuple[bool, bool]:
    """Tell whether a mirror is paused by an operator, and whether it is stopped by an engine."""
    row = await db.one("SELECT paused, stopped FROM mirrors WHERE id = ?", (mirror,))
    return (row["paused"] is not None, row["stopped"] is not None) if row else (False, False)


async def product_name(db: Database, product: int) -> str:
    """Return the name of a product."""
    return str(await db.value("SELECT name FROM products WHERE id = ?", (product,)))


async def mirrors_of(db: Database, filesets: Collection[int]) -> dict[int, int]:
    """Return the mirror that each fileset belongs to."""
    rows = await db.rows(
        """SELECT f.id, p.mirror_id FROM filesets f JOIN products p ON p.id = f.product_id
           WHERE f.id IN (SELECT value FROM json_each(?))""",
        (table(filesets),),
    )
    return {row["id"]: row["mirror_id"] for row in rows}


async def product_names(db: Database, mirror: int) -> list[str]:
    """Return the names of all products that are known of a mirror."""
    return [row["name"] for row in await db.rows("SELECT name FROM products WHERE mirror_id = ?", (mirror,))]


async def listed_products(db: Database, mirror: int) -> bool:
    """Tell whether the root of a source has ever listed a product; those that are named need not be in it."""
    row = await db.one(
        """SELECT 1 FROM products
           WHERE mirror_id = ? AND NOT hidden AND (type <> '' OR description <> '' OR newest_at IS NOT NULL)""",
        (mirror,),
    )
    return row is not None


async def let_mirror_go(db: Database, mirror: int) -> None:
    """Lift a stop of our own making."""
    await db.run("UPDATE mirrors SET stopped_kind = NULL, stopped = NULL WHERE id = ?", (mirror,))


async def marker(db: Database, mirror: int) -> tuple[str | None, bool]:
    """Return the marker of the place where a mirror was published, and whether anything should be there."""
    known = await db.value("SELECT marker FROM mirrors WHERE id = ?", (mirror,))
    published = await db.value(
        """SELECT EXISTS (SELECT 1 FROM filesets WHERE state = 'published'
                          AND product_id IN (SELECT id FROM products WHERE mirror_id = ?))""",
        (mirror,),
    )
    return known, bool(published)


async def set_marker(db: Database, mirror: int, marker: str) -> None:
    """Remember the place where a mirror is published."""
    await db.run("UPDATE mirrors SET marker = ? WHERE id = ?", (marker, mirror))


async def published_products(db: Database, mirror: int) -> list[ListedProduct]:
    """Return the products that are mirrored, or of which something is published here, as our root index lists them.

    Those that the source hides stay hidden: whoever mirrors us names them, too.
    """
    rows = await db.rows(
        """SELECT p.name, p.type, p.description, f.name AS most_recent, f.registered FROM products p
           LEFT JOIN filesets f ON f.id = (SELECT id FROM filesets WHERE product_id = p.id AND state = 'published'
                                           ORDER BY seq DESC LIMIT 1)
           WHERE p.mirror_id = ? AND NOT p.hidden AND (p.selected OR f.id IS NOT NULL) ORDER BY p.name""",
        (mirror,),
    )
    return [
        ListedProduct(
            row["name"], row["most_recent"], row["registered"], restored(row["type"]), restored(row["description"])
        )
        for row in rows
    ]


async def published_filesets(db: Database, product: int, after: int, limit: int) -> list[tuple[int, ListedFileset]]:
    """Return a window of the filesets of a product that stand at their final place, in the order of registration."""
    rows = await db.rows(
        """SELECT seq, name, registered, type, columns FROM filesets
           WHERE product_id = ? AND seq > ? AND state IN ('published', 'damaged') ORDER BY seq LIMIT ?""",
        (product, after, limit),
    )
    return [(row[0], ListedFileset(row[1], row[2], restored(row[3]), load_columns(row[4]))) for row in rows]


async def setting(db: Database, key: str) -> str | None:
    """Return a setting, or None."""
    found = await db.value("SELECT value FROM settings WHERE key = ?", (key,))
    return None if found is None else str(found)


async def set_setting(db: Database, key: str, value: str | None) -> None:
    """Keep a setting; None removes it."""
    if value is None:
        await db.run("DELETE FROM settings WHERE key = ?", (key,))
    else:
        await db.run(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (key, value)
        )
