"""Want of descriptors, as SQLite meets it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from core.errors import ExitCode
from core.store.database import Database
from core.store.shortage import StateShort, UsedUp, shortage
from tests.descriptors import no_descriptors


@pytest.mark.parametrize("door", [Database.open_reader, Database.open_writer, Database.open_look])
async def test_a_state_that_cannot_be_opened_for_want_of_descriptors_says_so(state: Path, door: object) -> None:
    await (await Database.open_writer(state)).close()
    with no_descriptors(), pytest.raises(StateShort, match="Too many open files; raise the limit") as raised:
        await door(state)  # type: ignore[operator]
    assert raised.value.exit_code is ExitCode.DISK
    await (await Database.open_writer(state)).close()


async def test_a_file_that_sqlite_cannot_open_later_is_told_when_there_are_descriptors_again(
    state: Path, tmp_path: Path
) -> None:
    async with await Database.open_writer(state) as db:
        with no_descriptors(), pytest.raises(UsedUp) as raised:
            await db.run("ATTACH ? AS other", (str(tmp_path / "other.db"),))
        assert "Too many open files" in str(shortage(state, raised.value))
        with pytest.raises(sqlite3.OperationalError, match="unable to open") as other:
            await db.run("ATTACH ? AS other", (str(tmp_path / "none" / "other.db"),))
        assert shortage(state, other.value) is None
