"""The history of tries is kept as long as it helps, and is bounded."""

from __future__ import annotations

import pytest

from core.errors import FailureKind
from core.store import attempts, filesets
from core.store.database import Database
from tests.core.store.seed import NOW, add_product, poll


async def test_old_tries_of_filesets_that_are_done_with_are_dropped(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = await add_product(db)
    await poll(db, product, [("open", 1), ("again", 1), ("new", 1)])
    ids = {row["name"]: row["id"] for row in await db.rows("SELECT id, name FROM filesets")}
    for name in ("open", "again", "new", "again"):
        row = await filesets.get(db, ids[name])
        assert row is not None
        await filesets.failed(db, row, FailureKind.TRANSIENT, name, NOW, True, NOW)
    await poll(db, product, [("open", 1), ("again", 2), ("new", 1)])
    await attempts.prune(db)
    assert await told(db) == ["open", "again", "new", "again"], "all of them are among the newest"
    monkeypatch.setattr(attempts, "KEPT", 1)
    await attempts.prune(db)
    assert await told(db) == ["open", "new", "again"]


async def told(db: Database) -> list[str]:
    return [row["detail"] for row in await db.rows("SELECT detail FROM attempts ORDER BY id")]
