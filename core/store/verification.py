"""Verification of what is published: what is due, how far it has come, and what it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import FailureKind
from core.model import FilesetState, Finding, Trouble
from core.store.bulk import fields, table
from core.store.database import Database
from core.store.ids import file_range, sql_in_range
from core.store.records import FilesetRow
from core.units import parse_rate, parse_share, quoted

UNMENDED = """(filesets.published_at IS NOT NULL
    AND filesets.state NOT IN ('published', 'withdrawn', 'superseded', 'expiring', 'expired'))"""
"""What was published and found damaged, and is not right again, however far its repair has come: that is done when it
is published. Nothing else leads from published to another state of those that are left.
"""
_FOUND = "SELECT DISTINCT fileset_id FROM findings WHERE command_id = ? AND fileset_id IS NOT NULL"
KEPT = 50
"""Verifications whose findings are kept."""
FINDINGS = 10_000
"""Findings kept of one verification, beside one of each fileset: they tell what was found damaged."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How an operator wants something verified: a `share` of its bytes, at most `rate` of them a second (0: no bound).

    With `repair` what is damaged is fetched again at once. `stop` ends what is being verified.
    """

    share: float = 1.0
    repair: bool = False
    rate: int = 0
    stop: bool = False

    def __str__(self) -> str:
        """Return the wish as the value of a command."""
        words = [f"sample={self.share:.6%}"] if self.share < 1 else []
        words += [f"rate={self.rate} B/s"] if self.rate else []
        return ",".join([*words, *(word for word in ("repair", "stop") if getattr(self, word))])

    @classmethod
    def parse(cls, value: str) -> Wish:
        """Read the value of a command. Raises ValueError."""
        fields: dict[str, Any] = {}
        for word in filter(None, value.split(",")):
            key, _, text = word.partition("=")
            match key:
                case "sample":
                    fields["share"] = parse_share(text)
                case "rate":
                    fields["rate"] = parse_rate(text)
                case "repair" | "stop":
                    fields[key] = True
                case _:
                    raise ValueError(f"expected sample=, rate=, repair or stop, got {quoted(word)}")
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Verification:
    """How far a verification has come. `stopped` tells why it ended early, `failed` whether that was an error."""

    filesets: int
    bytes: int
    done_filesets: int
    done_files: int
    done_bytes: int
    ended_at: float | None
    stopped: str | None
    failed: bool


@dataclass(frozen=True, slots=True)
class FindingLine:
    """Something that a verification found; `file` is None where it is about the fileset as a whole.

    A `stranger` is no fileset: something beside them that nobody listed. Without a fileset it is about our index of
    the product, or with an empty name of the product about that of the root.
    """

    mirror: str
    product: str
    fileset: str
    file: str | None
    damage: str
    detail: str
    stranger: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A published fileset to verify, and its size in bytes."""

    id: int
    bytes: int


async def choose(db: Database, filesets: Sequence[int], share: float) -> list[Standing]:
    """Return those of `filesets` that are published, longest not verified first: up to `share` of their bytes."""
    rows = await db.rows(
        """SELECT id, bytes FROM filesets WHERE id IN (SELECT value FROM json_each(?)) AND state = 'published'
           ORDER BY ifnull(verified_at, published_at), random()""",
        (table(filesets),),
    )
    room = share * sum(row["bytes"] for row in rows)
    chosen: list[Standing] = []
    for row in rows:
        if room <= 0:
            break
        chosen.append(Standing(row["id"], row["bytes"]))
        room -= row["bytes"] if share < 1 else 0
    return chosen


async def due(db: Database, products: Sequence[int], before: float, limit: int) -> list[Standing]:
    """Return published filesets of `products` that were last verified `before`, longest ago first."""
    rows = await db.rows(
        """SELECT id, bytes FROM filesets
           WHERE product_id IN (SELECT value FROM json_each(?)) AND state = 'published'
             AND ifnull(verified_at, published_at) < ?
           ORDER BY ifnull(verified_at, published_at) LIMIT ?""",
        (table(products), before, limit),
    )
    return [Standing(row["id"], row["bytes"]) for row in rows]


async def is_due(db: Database, fileset: int, before: float) -> bool:
    """Tell whether a published fileset was last verified `before`."""
    return bool(
        await db.value(
            "SELECT ifnull(verified_at, published_at) < ? FROM filesets WHERE id = ? AND state = 'published'",
            (before, fileset),
        )
    )


async def known_damaged(db: Database, filesets: Sequence[int]) -> list[int]:
    """Return those of `filesets` that were found damaged before, and are not mended yet."""
    rows = await db.rows(
        f"SELECT id FROM filesets WHERE id IN (SELECT value FROM json_each(?)) AND {UNMENDED}", (table(filesets),)
    )
    return [row["id"] for row in rows]


async def of_configured(db: Database, filesets: Sequence[int]) -> list[int]:
    """Return those of `filesets` that belong to a configured mirror."""
    rows = await db.rows(
        """SELECT s.id FROM filesets s JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id
           WHERE s.id IN (SELECT value FROM json_each(?)) AND m.configured""",
        (table(filesets),),
    )
    return [row["id"] for row in rows]


async def mirrors_beside(db: Database, filesets: Sequence[int], mirrors: Sequence[int]) -> list[tuple[str, bool]]:
    """Return the mirrors beside `mirrors` to which `filesets` belong that are published, or damaged.

    Each is told by its name, and whether it is configured.
    """
    rows = await db.rows(
        f"""SELECT DISTINCT m.name, m.configured
            FROM filesets JOIN products p ON p.id = product_id JOIN mirrors m ON m.id = p.mirror_id
            WHERE filesets.id IN (SELECT value FROM json_each(?)) AND (filesets.state = 'published' OR {UNMENDED})
              AND m.id NOT IN (SELECT value FROM json_each(?)) ORDER BY m.name""",
        (table(filesets), table(mirrors)),
    )
    return [(row["name"], bool(row["configured"])) for row in rows]


async def names(db: Database, product: int) -> set[str]:
    """Return the names of all filesets that are known of a product."""
    rows = await db.rows("SELECT DISTINCT name FROM filesets WHERE product_id = ?", (product,))
    return {row["name"] for row in rows}


async def products_of(db: Database, filesets: Sequence[int]) -> list[tuple[int, int, str]]:
    """Return the products, as (id, mirror's id, name), to which `filesets` belong."""
    rows = await db.rows(
        """SELECT id, mirror_id, name FROM products WHERE id IN (
               SELECT product_id FROM filesets WHERE id IN (SELECT value FROM json_each(?)))""",
        (table(filesets),),
    )
    return [(row["id"], row["mirror_id"], row["name"]) for row in rows]


async def begin(db: Database, command: int, work: Sequence[Standing]) -> None:
    """Record that a verification has begun; forget the oldest.

    One that an engine had begun, and was killed before it could answer the command, begins anew.
    """
    await db.run("DELETE FROM findings WHERE command_id = ?", (command,))
    await db.run(
        "INSERT OR REPLACE INTO verifications (command_id, filesets, bytes) VALUES (?, ?, ?)",
        (command, len(work), sum(one.bytes for one in work)),
    )
    await db.run(
        f"""DELETE FROM verifications WHERE command_id NOT IN
            (SELECT command_id FROM verifications ORDER BY command_id DESC LIMIT {KEPT})"""
    )
    await db.run("DELETE FROM findings WHERE command_id NOT IN (SELECT command_id FROM verifications)")


async def advance(db: Database, command: int, filesets: int, files: int, size: int) -> None:
    """Record that so many more filesets, files and bytes have been verified."""
    await db.run(
        """UPDATE verifications SET done_filesets = done_filesets + ?, done_files = done_files + ?,
                                    done_bytes = done_bytes + ? WHERE command_id = ?""",
        (filesets, files, size, command),
    )


async def end(db: Database, command: int, now: float, stopped: str | None, failed: bool) -> None:
    """Record that a verification has ended, and why early if it was not finished."""
    await db.run(
        "UPDATE verifications SET ended_at = ?, stopped = ?, failed = ? WHERE command_id = ?",
        (now, stopped, failed, command),
    )


async def end_all(db: Database, now: float, stopped: str) -> None:
    """Record that the verifications of an engine that is gone have ended."""
    await db.run("UPDATE verifications SET ended_at = ?, stopped = ? WHERE ended_at IS NULL", (now, stopped))


async def note(
    db: Database, command: int, place: tuple[str, str, str], fileset: int | None, found: Sequence[Finding]
) -> None:
    """Keep what was found of a fileset at (mirror, product, name), to be told to whoever asked."""
    kept = await db.value(
        "SELECT count(*) FROM (SELECT 1 FROM findings WHERE command_id = ? LIMIT ?)", (command, FINDINGS)
    )
    await db.run_many(
        """INSERT INTO findings (command_id, mirror, product, fileset, fileset_id, file, damage, detail)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            (command, *place, fileset, one.name or None, one.damage, one.detail)
            for one in found[: max(1, FINDINGS - kept)]
        ],
    )


async def note_again(db: Database, command: int, damaged: Sequence[int]) -> None:
    """Count filesets that were found damaged before among what this verification finds."""
    await db.run(
        f"""INSERT INTO findings (command_id, mirror, product, fileset, fileset_id, damage, detail)
            SELECT ?, m.name, p.name, s.name, s.id, 'changed',
                   'found before, ' || iif(s.state = 'damaged', '', 'not mended yet, ') || s.state
                   || ifnull(': ' || ifnull(s.failure, (
                       SELECT f.name || ': ' || f.failure FROM files f INDEXED BY files_aside
                       WHERE {sql_in_range("f.id", "s.id")} AND f.state IN ('retry_wait', 'quarantined') LIMIT 1)), '')
            FROM filesets s JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id
            WHERE s.id IN (SELECT value FROM json_each(?))""",
        (command, table(damaged)),
    )


async def get(db: Database, command: int) -> Verification | None:
    """Return how far the verification that a command asked for has come; None if it has not begun."""
    row = await db.one(
        """SELECT filesets, bytes, done_filesets, done_files, done_bytes, ended_at, stopped, failed
           FROM verifications WHERE command_id = ?""",
        (command,),
    )
    return Verification(*row) if row else None


async def findings(db: Database, command: int) -> list[FindingLine]:
    """Return what a verification has found."""
    rows = await db.rows(
        """SELECT mirror, product, fileset, file, damage, detail, fileset_id IS NULL AND fileset <> '' AS stranger
           FROM findings WHERE command_id = ? ORDER BY id""",
        (command,),
    )
    return [FindingLine(**{**dict(row), "stranger": bool(row["stranger"])}) for row in rows]


async def mending(db: Database, command: int, beside: Sequence[str] = ()) -> int:
    """Return how many filesets that a verification found damaged are on their way to be right again.

    What a pause or a stop of its mirror holds up is not. Those of the mirrors `beside` are not counted.
    """
    return int(
        await db.value(
            f"""SELECT count(*) FROM ({_FOUND}) JOIN filesets s ON s.id = fileset_id
                    JOIN products p ON p.id = s.product_id JOIN mirrors m ON m.id = p.mirror_id
                WHERE s.state IN ('discovered', 'queued', 'transferring', 'staged', 'publishing') AND s.trouble = ''
                  AND p.selected AND ifnull(p.paused, m.paused) IS NULL AND m.stopped_kind IS NULL
                  AND m.configured AND m.name NOT IN (SELECT value FROM json_each(?))""",
            (command, table(beside)),
        )
    )


async def mended(db: Database, command: int) -> tuple[int, int]:
    """Return how many filesets a verification found damaged, and how many of them are published again."""
    row = await db.one(
        f"SELECT count(*), ifnull(sum(state = 'published'), 0) FROM ({_FOUND}) JOIN filesets ON id = fileset_id",
        (command,),
    )
    return (row[0], row[1]) if row else (0, 0)


async def held_up_by_disk(db: Database, command: int) -> bool:
    """Tell whether anything that a verification found damaged is not right again for the sake of a disk."""
    return bool(
        await db.value(
            f"""SELECT EXISTS (
                    SELECT 1 FROM ({_FOUND}) JOIN filesets ON filesets.id = fileset_id
                        JOIN products p ON p.id = product_id JOIN mirrors m ON m.id = p.mirror_id
                    WHERE {UNMENDED} AND (failure_kind = '{FailureKind.DISK}' OR stopped_kind = '{FailureKind.DISK}'))
            """,
            (command,),
        )
    )


async def indexes_refused(db: Database, command: int) -> int:
    """Return how many of the published indexes that a verification found wrong can't be written anew."""
    return int(
        await db.value(
            """SELECT count(*) FROM findings f JOIN mirrors m ON m.name = f.mirror
               WHERE command_id = ? AND fileset = '' AND EXISTS (
                   SELECT 1 FROM products p WHERE p.mirror_id = m.id AND f.product IN ('', p.name)
                                              AND p.index_error IS NOT NULL)""",
            (command,),
        )
    )


async def verified(db: Database, fileset: int, blake3: Mapping[int, str], now: float) -> bool:
    """Record that a fileset was read again, with digests that were not known; False if it is not published any more."""
    touched = await db.run("UPDATE filesets SET verified_at = ? WHERE id = ? AND state = 'published'", (now, fileset))
    if touched:
        await db.run(
            f"""WITH taken (id, blake3) AS (SELECT {fields(2)} FROM json_each(?))
                UPDATE files SET blake3 = taken.blake3 FROM taken WHERE files.id = taken.id""",
            (table(blake3.items()),),
        )
    return bool(touched)


async def damaged(db: Database, fileset: FilesetRow, found: Sequence[Finding], now: float) -> None:
    """Mark a published fileset as damaged, with the evidence; its bytes stay where they are, until it is retried."""
    await db.run(
        f"""UPDATE filesets SET state = '{FilesetState.DAMAGED}', trouble = '{Trouble.QUARANTINED}',
                   failure_kind = '{FailureKind.DAMAGED}', failure = ?, next_try = NULL
            WHERE id = ? AND state = 'published'""",
        (summary(found), fileset.id),
    )
    await db.run_many(
        """INSERT INTO attempts (fileset_id, file_id, at, number, kind, detail, size, digest)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            (fileset.id, one.file, now, fileset.attempts + 1, FailureKind.DAMAGED, _words(one), one.size, one.digest)
            for one in found
        ],
    )
    gone = any(not one.name for one in found)
    lost = table(one.file for one in found if one.file is not None)
    await db.run(
        """UPDATE files SET state = 'pending', kept = 0, validator = NULL
           WHERE id BETWEEN ? AND ? AND state = 'published' AND (? OR id IN (SELECT value FROM json_each(?)))""",
        (*file_range(fileset.id), gone, lost),
    )


def summary(found: Sequence[Finding]) -> str:
    """Return in one line what was found: the first, and how many more."""
    more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
    return f"{_words(found[0])}{more}"


def _words(one: Finding) -> str:
    return f"{one.name}: {one.damage}: {one.detail}" if one.name else f"{one.damage}: {one.detail}"


async def stuck(db: Database, found: Iterable[int]) -> list[int]:
    """Return those of these filesets whose repair is not begun, has failed, or is put off."""
    rows = await db.rows(
        f"""SELECT id FROM filesets WHERE id IN (SELECT value FROM json_each(?)) AND {UNMENDED}
            AND (state IN ('discovered', 'queued', 'damaged') OR state = 'transferring' AND trouble <> '')""",
        (table(found),),
    )
    return [row["id"] for row in rows]


async def repair(db: Database, found: Iterable[int]) -> None:
    """Send damaged filesets back to the queue: what is right of them is kept, the rest fetched again.

    Of those whose repair was begun, what failed as a whole is forgotten.
    """
    await db.run(
        f"""UPDATE filesets SET state = iif(state = 'damaged', 'queued', state), trouble = '', attempts = 0, tries = 0,
                                failure_kind = NULL, failure = NULL, next_try = NULL
            WHERE id IN (SELECT value FROM json_each(?)) AND {UNMENDED}
              AND state IN ('damaged', 'queued', 'transferring')""",
        (table(found),),
    )


async def repair_by_known_index(db: Database, found: Iterable[int]) -> None:
    """Queue filesets to be repaired whose index was to be read first; it is read afterwards."""
    await db.run(
        f"""UPDATE filesets SET state = 'queued', reread = 1
            WHERE id IN (SELECT value FROM json_each(?)) AND {UNMENDED}
              AND state = 'discovered' AND index_sha256 IS NOT NULL""",
        (table(found),),
    )
