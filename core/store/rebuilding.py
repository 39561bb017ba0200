"""The rows of what is published already, as they are entered into a new state file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.model import ListedFile, ListedFileset, ListedProduct
from core.store.bulk import fields, table
from core.store.database import Database
from core.store.ids import file_id
from core.store.records import dump_columns, storable


async def hurry(db: Database) -> None:
    """Flush nothing on the way: a state file in the making is flushed as a whole, at its end."""
    await db.run("PRAGMA synchronous = OFF")


async def settle(db: Database) -> None:
    """Bring everything from the write-ahead log into the file itself."""
    await db.run("PRAGMA wal_checkpoint(TRUNCATE)")


async def add_product(db: Database, mirror: int, product: ListedProduct, *, selected: bool, hidden: bool) -> int:
    """Enter a product; the next run takes its whole list, and writes its index anew."""
    return await db.insert(
        """INSERT INTO products (mirror_id, name, type, description, selected, hidden, full_list_due, index_due)
           VALUES (?, ?, ?, ?, ?, ?, 1, 1)""",
        (mirror, product.name, storable(product.type), storable(product.description), selected, hidden),
    )


async def see_last(db: Database, product: int) -> None:
    """Take the last fileset that was entered for the last one that a listing had."""
    await db.run(
        """UPDATE products SET cursor = (SELECT name FROM filesets WHERE product_id = products.id
                                         ORDER BY seq DESC LIMIT 1) WHERE id = ?""",
        (product,),
    )


async def add_fileset(
    db: Database,
    product: int,
    seq: int,
    fileset: ListedFileset,
    *,
    files: int,
    size: int,
    published_at: float,
    verified_at: float | None,
) -> int:
    """Enter a published fileset as number `seq` of its product, with the number of its files and their bytes.

    Whether upstream lists the same is not known: its index is read again.
    """
    return await db.insert(
        """INSERT INTO filesets (product_id, seq, place, name, registered, type, columns, state, files, bytes,
                                 discovered_at, published_at, verified_at, reread)
           VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, 'published', ?7, ?8, ?9, ?9, ?10, 1)""",
        (
            product,
            seq,
            fileset.name,
            fileset.registered,
            storable(fileset.type),
            dump_columns(fileset.columns),
            files,
            size,
            published_at,
            verified_at,
        ),
    )


def packed(files: Iterable[tuple[ListedFile, str | None]]) -> str:
    """Return files, each with its BLAKE3 if that was taken, in the form that `add_files` takes."""
    return table(
        (one.name, one.size, one.digest, own, storable(one.type), dump_columns(one.columns)) for one, own in files
    )


async def add_files(db: Database, fileset: int, start: int, files: str) -> int:
    """Enter `packed` files of a published fileset, the first one at position `start`; return how many there were."""
    return await db.run(
        f"""INSERT INTO files (id, name, size, digest, blake3, type, columns, state)
            SELECT ? + key, {fields(6)}, 'published' FROM json_each(?)""",
        (file_id(fileset, start), files),
    )


async def same_files(db: Database, fileset: int, start: int, files: Sequence[ListedFile]) -> bool:
    """Tell whether `files`, in all that an index says of them, are those of a fileset from position `start` on."""
    listed = table((one.name, one.size, one.digest, storable(one.type), dump_columns(one.columns)) for one in files)
    same = await db.value(
        f"""SELECT count(*) FROM json_each(?) JOIN files f ON f.id = ? + key
            WHERE (f.name, ifnull(f.listed_size, f.size), iif(f.listed_size IS NULL, f.digest, f.listed_digest),
                   f.type, f.columns) IS ({fields(5)})""",
        (listed, file_id(fileset, start)),
    )
    return bool(same == len(files))


async def know_index(db: Database, fileset: int, sha256: str) -> None:
    """Record which index of upstream a fileset agrees with that was entered by its own."""
    await db.run("UPDATE filesets SET index_sha256 = ? WHERE id = ?", (sha256, fileset))
