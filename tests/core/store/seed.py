"""Short ways to fill a state file the way the engine does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from core.model import ListedFile, ListedFileset, Rejection
from core.store import filesets, listings, registry
from core.store.database import Database
from core.store.listings import Merged
from core.store.records import FilesetRow

NOW = 1_800_000_000.0
Row = tuple[str, int] | ListedFileset | Rejection


async def add_mirror(db: Database, name: str = "sky", products: Sequence[str] = ("raw",)) -> dict[str, int]:
    """Configure one more mirror with selected products; return the products' ids by name."""
    known = [tuple(row) for row in await db.rows("SELECT name, protocol, url, destination FROM mirrors")]
    async with db.transaction():
        ids = await registry.configure_mirrors(
            db, [*known, (name, "ipp", f"http://{name}.example/ds", f"/data/{name}")]
        )
        await registry.choose_products(db, ids[name], products, [], lambda _: True, "")
    rows = await db.rows("SELECT id, name FROM products WHERE mirror_id = ?", (ids[name],))
    return {row["name"]: row["id"] for row in rows}


async def add_product(db: Database, name: str = "raw") -> int:
    """Configure a mirror with one product; return the product's id."""
    return (await add_mirror(db, products=[name]))[name]


def listed(row: Row) -> ListedFileset | Rejection:
    """Return a row of a product's index."""
    return ListedFileset(row[0], row[1], "notset") if isinstance(row, tuple) else row


async def poll(
    db: Database,
    product: int,
    rows: Iterable[Row],
    cursor: str | None = None,
    wanted: Callable[[str], bool] = lambda _: True,
    now: float = NOW,
) -> Merged:
    """Merge a listing into the state, as the poller does."""
    mirror = await db.value("SELECT mirror_id FROM products WHERE id = ?", (product,))
    async with db.transaction():
        await listings.begin(db, product)
        await listings.add(db, product, 0, [listed(row) for row in rows], wanted)
        return await listings.merge(db, product, mirror, cursor, now)


def some_files(count: int = 3, size: int = 10) -> list[ListedFile]:
    """Return rows of a fileset's index."""
    return [ListedFile(f"f{at}", size, f"{at:032x}", "text") for at in range(count)]


async def fileset(db: Database, name: str) -> FilesetRow:
    """Return the current fileset of this name."""
    number = await db.value("SELECT id FROM filesets WHERE name = ? AND state <> 'superseded'", (name,))
    row = await filesets.get(db, number)
    assert row is not None
    return row


async def read_index(
    db: Database,
    name: str,
    files: Sequence[ListedFile],
    rejected: Sequence[Rejection] = (),
    conflicts: Iterable[str] = (),
    sha256: str = "ab" * 32,
) -> FilesetRow:
    """Store a fileset's index, as the indexer does."""
    row = await fileset(db, name)
    async with db.transaction():
        await filesets.begin_index(db, row)
        await filesets.add_files(db, row.id, 0, files)
        await filesets.index_read(db, row, sha256, rejected, conflicts, NOW)
    return await fileset(db, name)


async def transferring(db: Database, name: str, files: Sequence[ListedFile]) -> FilesetRow:
    """Bring a discovered fileset to its transfer."""
    row = await read_index(db, name, files)
    async with db.transaction():
        await filesets.admit(db, [row.id], 1)
    return await fileset(db, name)


async def publish(db: Database, name: str, files: Sequence[ListedFile] = ()) -> FilesetRow:
    """Bring a discovered fileset to its publication."""
    row = await transferring(db, name, files)
    async with db.transaction():
        await db.run("UPDATE files SET state = 'staged' WHERE id >> 24 = ?", (row.id,))
        assert await filesets.intend(db, [(row.id, "1:2")]) == [row.id]
        await filesets.published(db, [row.id], NOW)
    return await fileset(db, name)


async def states(db: Database, product: int) -> dict[str, str]:
    """Return the state of each current fileset of a product."""
    rows = await db.rows("SELECT name, state FROM filesets WHERE product_id = ? AND state <> 'superseded'", (product,))
    return {row["name"]: row["state"] for row in rows}


async def file_states(db: Database, fileset: int) -> dict[str, str]:
    """Return the state of each file of a fileset."""
    rows = await db.rows("SELECT name, state FROM files WHERE id >> 24 = ?", (fileset,))
    return {row["name"]: row["state"] for row in rows}


async def cursor_of(db: Database, product: int) -> str | None:
    """Return the last fileset seen in a listing."""
    found: str | None = await db.value("SELECT cursor FROM products WHERE id = ?", (product,))
    return found


async def set_fileset(db: Database, name: str, state: str) -> None:
    """Force a fileset into any state, by way of a new row: the triggers guard changes only."""
    await db.run("DELETE FROM filesets WHERE name = ?", (name,))
    await db.run(
        """INSERT INTO filesets (product_id, seq, place, name, registered, type, state, discovered_at)
           SELECT id, 1, 1, ?, 0, '', ?, 0 FROM products LIMIT 1""",
        (name, state),
    )


async def counted(db: Database) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Return the counters: filesets, files and bytes by product, scope, state and trouble."""
    rows = await db.rows("SELECT * FROM counters WHERE n <> 0 OR files <> 0 OR bytes <> 0")
    return {tuple(row)[:4]: tuple(row)[4:] for row in rows}


async def recounted(db: Database) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Return what the counters should be."""
    rows = await db.rows(
        """SELECT product_id, 'fileset', state, trouble, count(*), sum(files), sum(bytes) FROM filesets
           GROUP BY product_id, state, trouble
           UNION ALL
           SELECT s.product_id, 'file', f.state,
                  iif(f.state = 'staged' AND s.state IN ('held', 'cancelled', 'withdrawn', 'superseded', 'excluded'),
                      'aside', ''),
                  count(*), count(*), sum(f.size)
           FROM files f JOIN filesets s ON s.id = f.id >> 24 GROUP BY 1, 3, 4"""
    )
    return {tuple(row)[:4]: tuple(row)[4:] for row in rows}


async def to_index(db: Database, product: int, now: float = NOW) -> list[str]:
    """Return the names of the filesets whose index is to be read, in order: new ones, and those to be read again."""
    found = await filesets.to_index(db, product, now, 10) + await filesets.to_index_again(db, [product], now, 10)
    return [row.name for row in found]
