"""An engine at work in this process, and an operator who watches its state and writes wishes to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.config import Config
from core.engine.engine import Engine, Result
from core.errors import ExitCode, StateError
from core.model import CommandKind, Phase
from core.store import commands, registry
from core.store.commands import Command, Target
from core.store.database import Database

PATIENCE = 30.0


class Operator:
    """Watches one engine through the state, as a screen does."""

    def __init__(self, db: Database, engine: asyncio.Task[Result]):
        self.db = db
        self.engine = engine

    async def wish(self, kind: CommandKind, *filesets: str, **more: Any) -> Command:
        """Write a command; return it when it is answered."""
        number = await commands.append(self.db, kind, replace(Target(filesets=filesets), **more), time.time())

        async def answered() -> bool:
            command = await commands.get(self.db, number)
            return command is not None and command.state != "new"

        await self.until(answered)
        command = await commands.get(self.db, number)
        assert command is not None
        return command

    async def done(self, kind: CommandKind, *filesets: str, **more: Any) -> str:
        """Write a command that has to be carried out; return its result."""
        command = await self.wish(kind, *filesets, **more)
        assert command.state == "done", command.result
        return command.result or ""

    async def refused(self, kind: CommandKind, *filesets: str, **more: Any) -> str:
        """Write a command that has to be refused; return the reason."""
        command = await self.wish(kind, *filesets, **more)
        assert command.state == "refused", command.result
        return command.result or ""

    async def until(self, true: Callable[[], Awaitable[object]]) -> None:
        """Wait for something to be so."""
        end = time.monotonic() + PATIENCE
        while not await true():
            if self.engine.done():
                self.engine.result()
            assert time.monotonic() < end, "waited in vain"
            await asyncio.sleep(0.02)

    async def seen(self, sql: str) -> list[tuple[Any, ...]]:
        """Return rows of the state."""
        return [tuple(row) for row in await self.db.rows(sql)]

    async def until_seen(self, sql: str, *rows: tuple[Any, ...]) -> None:
        """Wait until a query has just this result."""

        async def so() -> bool:
            return await self.seen(sql) == list(rows)

        await self.until(so)

    async def states(self) -> dict[str, str]:
        """Return the state of each current fileset by name."""
        return dict(await self.seen("SELECT name, state FROM filesets WHERE state <> 'superseded' ORDER BY id"))

    async def until_state(self, state: str, *filesets: str) -> None:
        """Wait until filesets have reached a state."""

        async def so() -> bool:
            states = await self.states()
            return all(states.get(name) == state for name in filesets)

        await self.until(so)


@asynccontextmanager
async def operating(config: Config) -> AsyncIterator[Operator]:
    """Run a service for the time of the block; at its end it is ended at once, unless it has ended by itself."""
    engine = Engine(config, once=False)
    task = asyncio.create_task(engine.run())
    await _running(config.engine.state, task)
    async with await Database.open_reader(config.engine.state) as db:
        try:
            yield Operator(db, task)
        finally:
            engine.stop(ExitCode.TERMINATED)
            engine.stop(ExitCode.TERMINATED)
            await task


async def _running(state: Path, engine: asyncio.Task[Result]) -> None:
    """Wait until the engine has made its state ready for others."""
    end = time.monotonic() + PATIENCE
    while not engine.done():
        assert time.monotonic() < end, "the engine did not come to work"
        with suppress(StateError):
            async with await Database.open_reader(state) as db:
                if await registry.setting(db, "phase") == Phase.RUNNING:
                    return
        await asyncio.sleep(0.02)
    engine.result()


def configured(config: Config, **changes: Any) -> Config:
    """Return a configuration with other keys of its engine (``engine={...}``) and of its mirror."""
    engine = config.engine.model_copy(update=changes.pop("engine", {}))
    mirror = config.mirrors[0].model_copy(update=changes)
    return config.model_copy(update={"engine": engine, "mirrors": (mirror,)})
