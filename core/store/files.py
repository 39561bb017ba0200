"""Files under way: windows of rows to fetch, and what became of them, in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import FailureKind
from core.model import FileState, ListedFile
from core.store import evidence, filesets
from core.store.bulk import fields, table
from core.store.database import Database
from core.store.ids import file_range, fileset_of, sql_in_range
from core.store.records import FILE_COLUMNS, FileRow, file_row, load_columns, restored


@dataclass(frozen=True, slots=True)
class Failed:
    """A file whose try failed: where it goes, and the evidence."""

    id: int
    state: FileState
    attempts: int
    tries: int
    kind: FailureKind
    detail: str
    next_try: float | None
    kept: int
    validator: str | None
    size: int | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class Live:
    """How far a transfer has come."""

    id: int
    host: str
    started_at: float
    received: int
    rate: float
    validator: str | None
    base: int = 0
    """What of it was kept from an earlier transfer."""


async def begin_anew(db: Database, found: Iterable[int], kind: str | None = None) -> None:
    """Forget what failed of filesets, or what failed in one way; what is listed with conflicting rows stays aside."""
    await db.run_many(
        """UPDATE files SET state = 'pending', attempts = 0, tries = 0, next_try = NULL, kept = 0, validator = NULL,
                            seen_size = NULL, seen_digest = NULL, failure_kind = NULL, failure = NULL
           WHERE id BETWEEN ? AND ? AND state IN ('retry_wait', 'quarantined')
             AND failure_kind <> 'conflict' AND ifnull(?, failure_kind) = failure_kind""",
        [(*file_range(fileset), kind) for fileset in found],
    )


async def to_fetch(db: Database, fileset: int, after: int, now: float, limit: int) -> list[FileRow]:
    """Return the files of `fileset` with an id above `after` that can be fetched now."""
    first, last = file_range(fileset)
    rows = await db.rows(
        f"""SELECT {FILE_COLUMNS} FROM files
            WHERE id BETWEEN ? AND ? AND (state IN ('pending', 'active', 'partial')
                                          OR state = 'retry_wait' AND next_try <= ?)
            ORDER BY id LIMIT ?""",
        (max(first, after + 1), last, now, limit),
    )
    return [file_row(row) for row in rows]


async def due_in(db: Database, fileset: int, now: float) -> list[FileRow]:
    """Return the files of `fileset` whose next try is due."""
    rows = await db.rows(
        f"""SELECT {FILE_COLUMNS} FROM files INDEXED BY files_aside
            WHERE id BETWEEN ? AND ? AND state IN ('retry_wait', 'quarantined') AND next_try <= ? LIMIT 1000""",
        (*file_range(fileset), now),
    )
    return [file_row(row) for row in rows]


async def all_of(db: Database, fileset: int, after: int, limit: int) -> list[FileRow]:
    """Return a window of all files of `fileset` with an id above `after`."""
    first, last = file_range(fileset)
    rows = await db.rows(
        f"SELECT {FILE_COLUMNS} FROM files WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
        (max(first, after + 1), last, limit),
    )
    return [file_row(row) for row in rows]


async def unstaged(db: Database, fileset: int) -> int:
    """Return how many files of `fileset` are not in place yet."""
    return int(
        await db.value(
            "SELECT count(*) FROM files WHERE id BETWEEN ? AND ? AND state NOT IN ('staged', 'published', 'skipped')",
            file_range(fileset),
        )
    )


async def staged(db: Database, files: Sequence[tuple[int, str | None, int | None]]) -> None:
    """Record that files are complete and verified in staging: (id, BLAKE3, ctime in ns) of each.

    None of them is right that is listed with conflicting rows.
    """
    await db.run(
        f"""WITH staged (id, blake3, ctime) AS (SELECT {fields(3)} FROM json_each(?))
            UPDATE files SET state = 'staged', failure_kind = NULL, failure = NULL, next_try = NULL, kept = 0,
                             validator = NULL, blake3 = staged.blake3, ctime = staged.ctime
            FROM staged WHERE files.id = staged.id AND failure_kind IS NOT 'conflict'
              AND (state <> 'staged' OR files.ctime IS NOT staged.ctime)""",
        (table(files),),
    )


async def recovered(db: Database, files: Sequence[tuple[int, int]], now: float) -> None:
    """Note the success, as attempt number n, of files that had failed before; free their filesets of trouble."""
    await db.run_many(
        "INSERT INTO attempts (fileset_id, file_id, at, number, detail) VALUES (?, ?, ?, ?, 'fetched and verified')",
        [(fileset_of(one), one, now, number) for one, number in files],
    )
    await filesets.judge(db, {fileset_of(one) for one, _ in files})


async def failed(db: Database, failures: Sequence[Failed], now: float) -> None:
    """Record tries that failed, with their evidence, and what is to happen next.

    Size and digest that were seen always belong together: those of the last try that saw the whole content.
    """
    await db.run_many(
        """UPDATE files SET state = ?1, attempts = ?2, tries = ?3, failure_kind = ?4, failure = ?5, next_try = ?6,
                            kept = ?7, validator = ?8, seen_digest = ifnull(?10, seen_digest),
                            seen_size = iif(?10 IS NULL AND seen_digest IS NOT NULL, seen_size, ifnull(?9, seen_size))
           WHERE id = ?11""",
        [
            (f.state, f.attempts, f.tries, f.kind, f.detail, f.next_try, f.kept, f.validator, f.size, f.digest, f.id)
            for f in failures
        ],
    )
    await db.run_many(
        """INSERT INTO attempts (fileset_id, file_id, at, number, kind, detail, size, digest)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        [(fileset_of(f.id), f.id, now, f.attempts, f.kind, f.detail, f.size, f.digest) for f in failures],
    )
    await evidence.take_back_mended(db, (f.id for f in failures if f.digest is not None))
    await filesets.judge(db, {fileset_of(f.id) for f in failures})


async def try_at_once(db: Database, waiting: Iterable[int], now: float) -> None:
    """Have files that wait for their next try fetched as soon as that is possible, as if they had not failed before."""
    await db.run(
        """UPDATE files SET next_try = ?, tries = 0
           WHERE id IN (SELECT value FROM json_each(?)) AND state = 'retry_wait'""",
        (now, table(waiting)),
    )


async def interrupted(db: Database, files: Sequence[tuple[int, int, str | None]]) -> None:
    """Record (id, bytes kept, validator) of transfers that we stopped ourselves: no try is consumed."""
    await db.run_many(
        "UPDATE files SET state = iif(? > 0, 'partial', 'pending'), kept = ?, validator = ? WHERE id = ?",
        [(kept, kept, validator, one) for one, kept, validator in files],
    )


async def live(db: Database, transfers: Sequence[Live], lease: int) -> None:
    """Replace the picture of the transfers under way; what could be continued after a crash is kept with the file."""
    await db.run("DELETE FROM transfers")
    await db.run(
        f"""INSERT OR REPLACE INTO transfers (file_id, host, started_at, received, rate, base, lease)
            SELECT {fields(6)}, ? FROM json_each(?)""",
        (lease, table((one.id, one.host, one.started_at, one.received, one.rate, one.base) for one in transfers)),
    )
    await db.run(
        f"""WITH live (id, kept, validator) AS (SELECT {fields(3)} FROM json_each(?))
            UPDATE files SET state = 'active', kept = live.kept, validator = live.validator FROM live
            WHERE files.id = live.id AND state <> 'staged'""",
        (table((one.id, one.received if one.validator else 0, one.validator) for one in transfers),),
    )


async def reset_lost(db: Database, lost: Iterable[int]) -> None:
    """Return files to the queue whose staged bytes are gone."""
    await db.run_many(
        "UPDATE files SET state = 'pending', kept = 0, validator = NULL WHERE id = ?", [(one,) for one in lost]
    )


async def doubt_staged(db: Database, mirrors: Collection[int] | None = None) -> None:
    """Return what is staged, of these mirrors or all, to the queue.

    Before it is fetched again, what is in staging is proven by digest.
    """
    await db.run(
        f"""UPDATE files SET state = 'pending' WHERE id IN (
                SELECT f.id FROM filesets s CROSS JOIN files f
                    ON {sql_in_range("f.id", "s.id")}
                WHERE s.state IN ('discovered', 'queued', 'transferring', 'staged', 'held') AND f.state = 'staged'
                  AND (?1 IS NULL OR s.product_id IN (
                      SELECT id FROM products WHERE mirror_id IN (SELECT value FROM json_each(?1)))))""",
        (None if mirrors is None else table(mirrors),),
    )


async def keep(db: Database, kept: Mapping[int, int]) -> None:
    """Record how many bytes of files can really be continued; the others begin at zero."""
    await db.run_many("UPDATE files SET kept = ? WHERE id = ?", [(size, one) for one, size in kept.items()])


async def listing(db: Database, fileset: int, after: int, limit: int) -> list[tuple[int, ListedFile]]:
    """Return a window of the files of a fileset, by id, as its catalogue listed them: for our own index."""
    first, last = file_range(fileset)
    rows = await db.rows(
        """SELECT id, name, size, digest, type, columns FROM files
           WHERE id BETWEEN ? AND ? AND state <> 'skipped' ORDER BY id LIMIT ?""",
        (max(first, after + 1), last, limit),
    )
    return [(row[0], ListedFile(row[1], row[2], row[3], restored(row[4]), load_columns(row[5]))) for row in rows]
