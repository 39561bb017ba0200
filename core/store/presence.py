"""What the state says stands at a destination, and how that was left: to be compared with what is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from core.store.bulk import fields, table
from core.store.database import Database


@dataclass(frozen=True, slots=True)
class Folder:
    """A product of which filesets are published; `seen` is its folder's stamp when all of them were seen to stand."""

    product: int
    name: str
    seen: str | None


class Published(NamedTuple):
    """A fileset that is published, its place in the order of registration, and the directory that was put there."""

    seq: int
    id: int
    name: str
    inode: str | None


async def forget_ended(db: Database, mirror: int) -> None:
    """Forget what was seen of products that are not mirrored any more: nobody looks for their filesets."""
    await db.run("UPDATE products SET folder_stamp = NULL WHERE mirror_id = ? AND NOT selected", (mirror,))


async def folders(db: Database, mirror: int, *, ended: bool = False) -> list[Folder]:
    """Return the folders of the products of a mirror, with those that are not mirrored any more if `ended` is asked."""
    rows = await db.rows(
        """SELECT id, name, folder_stamp FROM products p WHERE mirror_id = ? AND (selected OR ?)
           AND EXISTS (SELECT 1 FROM filesets WHERE product_id = p.id AND state = 'published') ORDER BY name""",
        (mirror, ended),
    )
    return [Folder(row["id"], row["name"], row["folder_stamp"]) for row in rows]


async def keep_stamp(db: Database, product: int, stamp: str | None) -> None:
    """Record the stamp of a product's folder, all of whose filesets have been looked for since."""
    await db.run("UPDATE products SET folder_stamp = ? WHERE id = ?", (stamp, product))


async def published(db: Database, product: int, after: int, limit: int) -> list[Published]:
    """Return a window of the published filesets of a product, in the order of registration."""
    rows = await db.rows(
        """SELECT seq, id, name, inode FROM filesets
           WHERE product_id = ? AND seq > ? AND state = 'published' ORDER BY seq LIMIT ?""",
        (product, after, limit),
    )
    return [Published(*row) for row in rows]


async def take_as_they_are(db: Database, found: Iterable[tuple[int, str]]) -> None:
    """Take the directories that stand in the places of filesets for those that were published."""
    await db.run(
        f"""WITH found (id, inode) AS (SELECT {fields(2)} FROM json_each(?))
            UPDATE filesets SET inode = found.inode FROM found WHERE filesets.id = found.id AND state = 'published'""",
        (table(found),),
    )
