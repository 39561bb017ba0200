"""Filesets on their way: indexed, admitted, staged, published, set aside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.errors import FailureKind
from core.model import OPEN_STATES, FilesetState, ListedFile, Rejection, Trouble
from core.store.bulk import fields, table
from core.store.database import Database
from core.store.ids import file_id, file_range, sql_fileset_of, sql_in_range
from core.store.records import FILESET_COLUMNS, LOOK, FilesetRow, dump_columns, fileset_row, storable

_OF_PRODUCTS = "product_id IN (SELECT value FROM json_each(:products))"


async def get(db: Database, fileset: int) -> FilesetRow | None:
    """Return one fileset."""
    row = await db.one(f"SELECT {FILESET_COLUMNS} FROM filesets WHERE id = ?", (fileset,))
    return fileset_row(row) if row else None


async def some(db: Database, found: Iterable[int]) -> list[FilesetRow]:
    """Return these filesets."""
    rows = await db.rows(
        f"SELECT {FILESET_COLUMNS} FROM filesets WHERE id IN (SELECT value FROM json_each(?))", (table(found),)
    )
    return [fileset_row(row) for row in rows]


async def to_index(db: Database, product: int, now: float, limit: int) -> list[FilesetRow]:
    """Return filesets whose index is to be read now, and did not fail before."""
    rows = await db.rows(
        f"""SELECT {FILESET_COLUMNS} FROM filesets
            WHERE product_id = ? AND state = 'discovered' AND trouble = '' AND (next_try IS NULL OR next_try <= ?)
            ORDER BY priority DESC, place LIMIT ?""",
        (product, now, limit),
    )
    return [fileset_row(row) for row in rows]


async def to_index_again(db: Database, products: Sequence[int], now: float, limit: int) -> list[FilesetRow]:
    """Return filesets of `products` whose index is to be tried again now, or of which a file is in trouble, not the
    index; and those whose index is to be read again, however far they are.
    """
    keys = {"products": table(products), "now": now, "limit": limit}
    failed = await db.rows(
        f"""SELECT {FILESET_COLUMNS} FROM filesets INDEXED BY filesets_again
            WHERE {_OF_PRODUCTS} AND state = 'discovered' AND trouble <> ''
              AND (failure_kind IS NULL OR (trouble = 'failed' AND next_try <= :now)
                   OR (trouble = 'quarantined' AND reread = {LOOK}))
            ORDER BY priority DESC, place LIMIT :limit""",
        keys,
    )
    again = await db.rows(
        f"""SELECT {FILESET_COLUMNS} FROM filesets INDEXED BY filesets_reread
            WHERE {_OF_PRODUCTS} AND reread
              AND (state = 'published' OR state IN ('queued', 'transferring') AND reread = {LOOK})
              AND (reread = {LOOK} OR next_try IS NULL OR next_try <= :now)
            LIMIT :limit""",
        keys,
    )
    return [fileset_row(row) for row in [*failed, *again]]


async def begin_index(db: Database, fileset: FilesetRow) -> None:
    """Forget what is known of an index that was never completed, or is to be replaced: from now on it is unknown."""
    await db.run("DELETE FROM files WHERE id BETWEEN ? AND ?", file_range(fileset.id))
    if fileset.index_sha256 is not None:
        await db.run("UPDATE filesets SET index_sha256 = NULL WHERE id = ?", (fileset.id,))
        await db.run("DELETE FROM rejections WHERE fileset_id = ?", (fileset.id,))


async def add_files(db: Database, fileset: int, start: int, files: Sequence[ListedFile]) -> None:
    """Store file rows; `start` is the position of the first one."""
    rows = table((row.name, row.size, row.digest, storable(row.type), dump_columns(row.columns)) for row in files)
    await db.run(
        f"""INSERT INTO files (id, name, size, digest, type, columns, state)
            SELECT ? + key, {fields(5)}, 'pending' FROM json_each(?)""",
        (file_id(fileset, start), rows),
    )


async def index_read(
    db: Database, fileset: FilesetRow, sha256: str, rejected: Sequence[Rejection], conflicts: Iterable[str], now: float
) -> None:
    """Complete a read index: count the file rows, note refused ones, and queue the fileset."""
    first, last = file_range(fileset.id)
    if conflicts:
        await db.run(
            """UPDATE files SET state = 'quarantined', failure_kind = 'conflict',
                                failure = 'listed twice, with different size or digest'
               WHERE id BETWEEN ? AND ? AND name IN (SELECT value FROM json_each(?))""",
            (first, last, table(sorted(conflicts))),
        )
    await db.run_many(
        """INSERT INTO rejections (product_id, mirror_id, fileset_id, line, name, reason, seen_at)
           SELECT id, mirror_id, ?, ?, ?, ?, ? FROM products WHERE id = ?
           ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at""",
        [(fileset.id, row.line, row.name, row.reason, now, fileset.product_id) for row in rejected],
    )
    await db.run(
        """UPDATE filesets SET state = 'queued', index_sha256 = ?, reread = 0, queued_at = ?, rejected = ?,
               attempts = 0, tries = 0, failure_kind = NULL, failure = NULL, next_try = NULL, trouble = '',
               files = (SELECT count(*) FROM files WHERE id BETWEEN ? AND ?),
               bytes = (SELECT ifnull(sum(size), 0) FROM files WHERE id BETWEEN ? AND ?)
           WHERE id = ? AND state = 'discovered'""",
        (sha256, now, len(rejected), first, last, first, last, fileset.id),
    )
    if conflicts or fileset.trouble:
        await judge(db, [fileset.id])


async def index_confirmed(db: Database, fileset: FilesetRow, now: float) -> None:
    """Record that an index which was read again is the one we have; what is being fetched goes on as it does.

    An order to read it that came while it was looked at stands.
    """
    await db.run("UPDATE filesets SET reread = 0 WHERE id = ? AND reread = ?", (fileset.id, fileset.reread))
    await db.run(
        """UPDATE filesets SET state = iif(state = 'discovered', 'queued', state), queued_at = ?, tries = 0,
               failure_kind = NULL, failure = NULL, next_try = NULL, trouble = ''
           WHERE id = ? AND state = ? AND state IN ('discovered', 'published')""",
        (now, fileset.id, fileset.state),
    )
    await judge(db, [fileset.id])


async def index_replaced(db: Database, fileset: int, now: float) -> None:
    """Begin a new revision of a fileset whose index has changed upstream, if it is published still."""
    superseded = (
        "UPDATE filesets SET state = 'superseded', reread = 0, trouble = '' WHERE id = ? AND state = 'published'"
    )
    if not await db.run(superseded, (fileset,)):
        return
    await db.run("DELETE FROM rejections WHERE fileset_id = ?", (fileset,))
    await db.run(
        """INSERT INTO filesets
               (product_id, seq, place, revision, name, registered, type, columns, state, priority, discovered_at)
           SELECT product_id, seq, place, revision + 1, name, registered, type, columns, 'discovered', priority, ?
           FROM filesets WHERE id = ?""",
        (now, fileset),
    )


async def failed(
    db: Database, fileset: FilesetRow, kind: FailureKind, detail: str, next_try: float | None, counts: bool, now: float
) -> None:
    """Record that a fileset's index could not be read, or that it could not be published.

    `next_try` None sets it aside for the operator: its index is then looked at as those of others in quarantine. With
    `counts` False no try is consumed.
    """
    tries = (fileset.tries if fileset.failure_kind == kind else 0) + counts
    trouble = Trouble.FAILED if next_try is not None else Trouble.QUARANTINED
    touched = await db.run(
        """UPDATE filesets SET attempts = attempts + ?1, tries = ?2, failure_kind = ?3, failure = ?4, next_try = ?5,
                               trouble = ?6, reread = iif(?5 IS NULL, 0, reread)
           WHERE id = ?7 AND state IN ('discovered', 'transferring', 'published')""",
        (int(counts), tries, kind, detail, next_try, trouble, fileset.id),
    )
    if not touched:  # taken away meanwhile, by an operator or by upstream
        return
    await db.run(
        "INSERT INTO attempts (fileset_id, at, number, kind, detail) VALUES (?, ?, ?, ?, ?)",
        (fileset.id, now, fileset.attempts + 1, kind, detail),
    )


async def next_queued(db: Database, product: int, limit: int, now: float) -> list[FilesetRow]:
    """Return the next filesets of a product that wait for their transfer and are not put off, best first."""
    rows = await db.rows(
        f"""SELECT {FILESET_COLUMNS} FROM filesets
            WHERE product_id = ? AND state = 'queued' AND (next_try IS NULL OR next_try <= ?)
            ORDER BY priority DESC, place LIMIT ?""",
        (product, now, limit),
    )
    return [fileset_row(row) for row in rows]


async def put_off(db: Database, product: int, most: int, why: str, next_try: float) -> list[str]:
    """Put off the queued filesets of a product that have more than `most` bytes: no disk holds them.

    Returns the names of those of which that was not known, best first. No try is consumed.
    """
    keys = {"product": product, "most": most, "why": why, "next_try": next_try, "disk": FailureKind.DISK}
    large = "product_id = :product AND state = 'queued' AND bytes > :most"
    news = await db.rows(
        f"SELECT name FROM filesets WHERE {large} AND failure_kind IS NOT :disk ORDER BY priority DESC, place", keys
    )
    await db.run(
        f"""UPDATE filesets SET failure_kind = :disk, failure = :why, next_try = :next_try,
                                trouble = iif(trouble = '{Trouble.QUARANTINED}', trouble, '{Trouble.FAILED}')
            WHERE {large}""",
        keys,
    )
    return [row["name"] for row in news]


async def try_at_once(db: Database, found: Iterable[int], kind: FailureKind, now: float) -> None:
    """Have filesets that wait for their next try after a failure of this kind tried now, as if it had not been."""
    await db.run(
        """UPDATE filesets SET next_try = ?, tries = 0
           WHERE id IN (SELECT value FROM json_each(?)) AND trouble = 'failed' AND failure_kind = ?""",
        (now, table(found), kind),
    )


async def look_again(db: Database, mirror: int, now: float) -> None:
    """Have what the disk refused of a mirror tried again now."""
    await db.run(
        """UPDATE filesets SET next_try = :now WHERE trouble <> '' AND failure_kind = :disk AND next_try > :now
           AND product_id IN (SELECT id FROM products WHERE mirror_id = :mirror)""",
        {"mirror": mirror, "now": now, "disk": FailureKind.DISK},
    )


async def begun(db: Database, now: float) -> list[int]:
    """Return the filesets whose transfer was begun, and which are not put off as a whole."""
    rows = await db.rows(
        """SELECT f.id FROM products p JOIN filesets f ON f.product_id = p.id AND f.state = 'transferring'
           WHERE p.selected AND (f.next_try IS NULL OR f.next_try <= ?) ORDER BY f.id""",
        (now,),
    )
    return [row["id"] for row in rows]


async def next_due(db: Database, products: Sequence[int], after: float, before: float) -> bool:
    """Tell whether anything of `products` is to be tried again within this span of time."""
    return bool(
        await db.value(
            f"""SELECT EXISTS (SELECT 1 FROM files f JOIN filesets s ON s.id = {sql_fileset_of("f.id")}
                               WHERE f.state = 'retry_wait' AND f.next_try > :after AND f.next_try <= :before
                                 AND s.state = 'transferring' AND s.{_OF_PRODUCTS})
                    OR EXISTS (SELECT 1 FROM filesets
                               WHERE trouble = 'failed' AND next_try > :after AND next_try <= :before
                                 AND state IN ('discovered', 'queued', 'transferring', 'published')
                                 AND {_OF_PRODUCTS})""",
            {"products": table(products), "after": after, "before": before},
        )
    )


async def index_due(db: Database, products: Sequence[int], after: float, now: float) -> bool:
    """Tell whether the index of a fileset of `products` has become due to be read again within this span of time."""
    return bool(
        await db.value(
            f"""SELECT EXISTS (SELECT 1 FROM filesets
                               WHERE trouble = 'failed' AND state IN ('discovered', 'published')
                                 AND next_try > :after AND next_try <= :now AND {_OF_PRODUCTS})""",
            {"products": table(products), "after": after, "now": now},
        )
    )


async def due(db: Database, products: Sequence[int], now: float) -> list[int]:
    """Return filesets of `products` that were begun and of which something is to be tried again now."""
    rows = await db.rows(
        f"""SELECT DISTINCT s.id FROM files f JOIN filesets s ON s.id = {sql_fileset_of("f.id")}
            WHERE f.state = 'retry_wait' AND f.next_try <= :now AND s.state = 'transferring' AND s.{_OF_PRODUCTS}
            UNION SELECT id FROM filesets
            WHERE state = 'transferring' AND trouble = 'failed' AND next_try <= :now AND {_OF_PRODUCTS}
            LIMIT 1000""",
        {"products": table(products), "now": now},
    )
    return [row["id"] for row in rows]


async def products_due(db: Database, products: Sequence[int], now: float) -> list[int]:
    """Return those of `products` of which queued filesets were put off until now."""
    rows = await db.rows(
        f"""SELECT DISTINCT product_id FROM filesets
            WHERE trouble <> '' AND state = 'queued' AND next_try <= :now AND {_OF_PRODUCTS}""",
        {"products": table(products), "now": now},
    )
    return [row["product_id"] for row in rows]


async def still_staged(db: Database, found: Sequence[int], mirror: int) -> set[int]:
    """Return which of these filesets still have a use for what is in the staging of a mirror."""
    rows = await db.rows(
        """SELECT id FROM filesets WHERE id IN (SELECT value FROM json_each(?))
           AND product_id IN (SELECT id FROM products WHERE mirror_id = ?)
           AND state IN ('discovered', 'queued', 'transferring', 'staged', 'publishing', 'held')""",
        (table(found), mirror),
    )
    return {row["id"] for row in rows}


async def in_state(db: Database, states: Sequence[FilesetState], mirror: int) -> list[FilesetRow]:
    """Return the filesets of a mirror in these states (the short-lived ones: there are few)."""
    marks = ",".join("?" * len(states))
    rows = await db.rows(
        f"""SELECT {FILESET_COLUMNS} FROM filesets WHERE state IN ({marks})
            AND product_id IN (SELECT id FROM products WHERE mirror_id = ?) ORDER BY id""",
        (*states, mirror),
    )
    return [fileset_row(row) for row in rows]


async def admit(db: Database, filesets: Iterable[int], lease: int) -> None:
    """Begin the transfer of filesets under this engine's lease."""
    found = list(filesets)
    await db.run_many(
        """UPDATE filesets SET state = 'transferring', lease = ?, failure_kind = NULL, failure = NULL, next_try = NULL,
                                inode = NULL
           WHERE id = ? AND state = 'queued'""",
        [(lease, fileset) for fileset in found],
    )
    await judge(db, found)


async def give_back(db: Database, filesets: Iterable[int]) -> None:
    """Return filesets to the queue whose transfer was to begin, unless something of them has come after all."""
    await db.run(
        f"""UPDATE filesets SET state = 'queued', lease = NULL
            WHERE id IN (SELECT value FROM json_each(?)) AND state = 'transferring' AND NOT EXISTS (
                SELECT 1 FROM files WHERE {sql_in_range("files.id", "filesets.id")}
                  AND files.state NOT IN ('pending', 'quarantined', 'skipped'))""",
        (table(filesets),),
    )


async def intend(db: Database, wanted: Iterable[tuple[int, str]]) -> list[int]:
    """Record, before any rename, which directory (device:inode) of which fileset is about to appear.

    Only filesets whose transfer is still wanted, and all of whose files are staged, are taken; their ids are returned.
    """
    wanted = list(wanted)
    await db.run_many(
        """UPDATE filesets SET state = 'staged' WHERE id = ? AND state = 'transferring' AND NOT EXISTS (
               SELECT 1 FROM files WHERE files.id BETWEEN ? AND ? AND files.state NOT IN ('staged', 'skipped'))""",
        [(fileset, *file_range(fileset)) for fileset, _ in wanted],
    )
    rows = await db.rows(
        f"""WITH wanted (id, inode) AS (SELECT {fields(2)} FROM json_each(?))
            UPDATE filesets SET state = 'publishing', inode = wanted.inode FROM wanted
            WHERE filesets.id = wanted.id AND state = 'staged' RETURNING filesets.id""",
        (table(wanted),),
    )
    return [row[0] for row in rows]


async def take_back(db: Database, fileset: int) -> None:
    """Return a fileset that could not be published to those under way."""
    await db.run("UPDATE filesets SET state = 'staged', inode = NULL WHERE id = ? AND state = 'publishing'", (fileset,))
    await db.run("UPDATE filesets SET state = 'transferring' WHERE id = ? AND state = 'staged'", (fileset,))


async def published(db: Database, filesets: Sequence[int], now: float) -> None:
    """Record that filesets stand at their final place."""
    await db.run_many(
        "UPDATE files SET state = 'published', ctime = NULL WHERE id BETWEEN ? AND ? AND state = 'staged'",
        map(file_range, filesets),
    )
    await db.run_many(
        """UPDATE filesets SET state = 'published', published_at = ?, verified_at = NULL, lease = NULL,
                  trouble = '', failure_kind = NULL, failure = NULL, next_try = NULL WHERE id = ?""",
        [(now, fileset) for fileset in filesets],
    )
    await db.run_many(
        "UPDATE products SET index_due = index_due + 1 WHERE id = (SELECT product_id FROM filesets WHERE id = ?)",
        [(fileset,) for fileset in filesets],
    )


_AT_WORK = f"state IN ({', '.join(repr(str(state)) for state in (*OPEN_STATES, FilesetState.PUBLISHED))})"


async def judge(db: Database, filesets: Iterable[int]) -> None:
    """Set the trouble of filesets from the state of their files.

    What an operator or upstream has taken away has none, though a transfer that was under way may fail afterwards.
    """
    await db.run(
        f"""WITH worst (fileset, state) AS (
                SELECT value, (
                    SELECT min(state) FROM files INDEXED BY files_aside  -- 'quarantined' before 'retry_wait'
                    WHERE {sql_in_range("id", "value")}
                      AND state IN ('retry_wait', 'quarantined'))
                FROM json_each(?)),
            judged (fileset, trouble) AS (
                SELECT fileset, CASE state WHEN 'quarantined' THEN '{Trouble.QUARANTINED}'
                                           WHEN 'retry_wait' THEN '{Trouble.FAILED}' ELSE '{Trouble.NONE}' END
                FROM worst)
            UPDATE filesets SET trouble = judged.trouble FROM judged
            WHERE filesets.id = judged.fileset AND filesets.trouble <> judged.trouble AND failure_kind IS NULL
              AND {_AT_WORK}""",
        (table(filesets),),
    )
