"""A state file of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.store.database import Database


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return where the state file is to be."""
    return tmp_path / "state.db"


@pytest.fixture
async def db(state: Path) -> AsyncIterator[Database]:
    """Yield the engine's connection to a new state file."""
    async with await Database.open_writer(state) as database:
        yield database
