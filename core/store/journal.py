"""Group commit: whatever wants to be written while a transaction is under way shares the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from core.store.database import Database

T = TypeVar("T")
Operation = Callable[[Database], Awaitable[T]]

MAX_GROUP = 256
GATHER_SECONDS = 0.02
"""How long the first operation waits for company: a flush to disk costs more."""


class Journal:
    """The engine's one way to write. An operation that raises is undone alone; the others are kept.

    `reader` is a connection for reading what is committed: it never stands in the way of writing.
    """

    def __init__(self, db: Database, reader: Database):
        self.db = db
        self.reader = reader
        self._waiting: list[tuple[Operation[Any], asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="journal")

    @property
    def task(self) -> asyncio.Task[None]:
        """What writes; it ends before `close` only by an error."""
        if self._task is None:
            raise RuntimeError("the journal was not started")
        return self._task

    async def write(self, operation: Operation[T]) -> T:
        """Run `operation` in the next transaction; return its result once that is on disk."""
        if self._closing:
            raise RuntimeError("the journal is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, done))
        self._wake.set()
        return await done

    async def close(self) -> None:
        """Write what is still waiting, and stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not self._closing:
                await asyncio.sleep(GATHER_SECONDS)
            while self._waiting:
                group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
                await asyncio.shield(self._commit(group))
            if self._closing:
                return

    async def _commit(self, group: list[tuple[Operation[Any], asyncio.Future[Any]]]) -> None:
        results: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        try:
            async with self.db.transaction():
                for operation, done in group:
                    results.append((done, *await self._attempt(operation)))
        except Exception as error:
            results = [(done, None, error) for _, done in group]
        for done, result, failure in results:
            if done.done():
                continue
            if failure is None:
                done.set_result(result)
            else:
                done.set_exception(failure)

    async def _attempt(self, operation: Operation[Any]) -> tuple[Any, Exception | None]:
        await self.db.run("SAVEPOINT operation")
        try:
            result = await operation(self.db)
        except Exception as error:
            await self.db.run("ROLLBACK TO operation")
            await self.db.run("RELEASE operation")
            return None, error
        await self.db.run("RELEASE operation")
        return result, None
