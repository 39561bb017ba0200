"""A watcher's connection that remembers what it asked, and short ways to transfers and failures of files."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from core.errors import FailureKind
from core.model import FileState
from core.store import files
from core.store.database import Database, Parameters
from core.store.files import Failed, Live
from core.store.ids import file_id
from tests.core.store.seed import NOW, fileset

BIG = {"filesets", "files", "attempts", "s", "f", "a"}
"""The tables that grow, by the names that statements give them."""
SMALL_INDEXES = ("files_aside", "files_retry", "filesets_trouble")


class Watcher(Database):
    """Reads, and remembers each statement."""

    def __init__(self, connection: Any, path: Path):
        super().__init__(connection, path)
        self.asked: list[tuple[str, Parameters]] = []

    async def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        self.asked.append((sql, parameters))
        return await super().rows(sql, parameters)

    async def whole_tables(self) -> list[str]:
        """Return what of the statements so far would read all rows of a table that grows."""
        found = []
        for sql, parameters in self.asked:
            if not sql.startswith("PRAGMA"):
                plan = [row["detail"] for row in await super().rows(f"EXPLAIN QUERY PLAN {sql}", parameters)]
                found += [step for step in plan if _reads_all(step)]
        return found


def _reads_all(step: str) -> bool:
    words = step.split()
    return words[0] == "SCAN" and words[1] in BIG and not step.endswith(SMALL_INDEXES)


async def fetching(db: Database, name: str, *received: int) -> None:
    """Show the first files of a fileset as under way, with so many bytes received of each."""
    number = (await fileset(db, name)).id
    live = [Live(file_id(number, at), "host", NOW, size, 1000.0, None) for at, size in enumerate(received)]
    await files.live(db, live, 1)


async def file_failed(
    db: Database,
    name: str,
    position: int,
    kind: FailureKind = FailureKind.TRANSIENT,
    next_try: float | None = None,
    detail: str = "reset",
    seen: tuple[int, str] | None = None,
    number: int = 1,
) -> None:
    """Record a failed try of a file; `next_try` None puts it into quarantine."""
    state = FileState.QUARANTINED if next_try is None else FileState.RETRY_WAIT
    one = file_id((await fileset(db, name)).id, position)
    size, digest = seen or (None, None)
    await files.failed(
        db, [Failed(one, state, number, number, kind, detail, next_try, 0, None, size, digest)], NOW + number
    )
