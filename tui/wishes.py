"""Operators' wishes on their way to the engine, and what became of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Protocol

from core.model import CommandKind
from core.store import commands
from core.store.commands import Target
from core.store.database import Database
from core.text import display
from tui import attach

LOOK_SECONDS = 0.05
SILENT_SECONDS = 0.5
"""After so long without an answer it is told that one is waited for."""
PATIENCE_SECONDS = 10.0
"""How long an answer is waited for; after that, the log tells it."""
MANY = 100
PATIENCE_WITH_MANY = 600.0
"""How long an answer about more than MANY filesets is waited for."""


class Teller(Protocol):
    """Takes words for the operator, how serious they are (information, warning or error), and for how long."""

    def __call__(self, words: str, severity: str = ..., seconds: float = ...) -> None:
        """Tell the words."""


class Wishes:
    """Writes commands for the engine, and tells their results."""

    def __init__(self, state: Path, tell: Teller):
        self._state = state
        self._tell = tell

    async def send(self, kind: CommandKind, target: Target) -> None:
        """Write one command, and tell what became of it. Raises StateError if the state can't be opened."""
        async with await Database.open_reader(self._state) as db:
            number = await self._write(db, kind, target)
            if attach.find(self._state) is None:
                self._tell(f"{kind}: noted; no engine runs, the next one will do it", "warning")
                await self._answered(db, kind, number, PATIENCE_SECONDS)  # by an engine that was just being started
            elif len(target.filesets) > MANY:  # of these it is told already that they are under way
                await self._wait(db, kind, number, PATIENCE_WITH_MANY)
            elif not await self._answered(db, kind, number, SILENT_SECONDS):
                self._tell(_waiting(kind), seconds=PATIENCE_SECONDS)
                await self._wait(db, kind, number, PATIENCE_SECONDS)

    async def _write(self, db: Database, kind: CommandKind, target: Target) -> int:
        """Write one command as soon as the engine, which may be at a long write of its own, leaves room for it."""
        loop = asyncio.get_running_loop()
        told = loop.call_later(SILENT_SECONDS, self._tell, _waiting(kind), "information", PATIENCE_SECONDS)
        try:
            return await commands.append(db, kind, target, time.time())
        finally:
            told.cancel()

    async def _wait(self, db: Database, kind: CommandKind, number: int, patience: float) -> None:
        if not await self._answered(db, kind, number, patience):
            self._tell(f"{kind}: the engine has not answered yet; the log will tell", "warning")

    async def _answered(self, db: Database, kind: CommandKind, number: int, patience: float) -> bool:
        """Tell the answer as soon as there is one; return whether it came within `patience` seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if (answer := await commands.answer(db, number)) is not None:
                state, result = answer
                self._tell(f"{kind}: {display(result or state)}", "information" if state == "done" else "warning")
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False


def _waiting(kind: CommandKind) -> str:
    return f"{kind}: waiting for the engine"
