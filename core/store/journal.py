"""Group commit: whatever wants to be written while a transaction is under way shares the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

from core.errors import DiskError
from core.store.ballast import Ballast, refusal
from core.store.database import Database

T = TypeVar("T")
Operation = Callable[[Database], Awaitable[T]]
Result: TypeAlias = tuple[Any, Exception | None]

MAX_GROUP = 256
GATHER_SECONDS = 0.02
"""How long the first operation waits for company: a flush to disk costs more."""


class Journal:
    """The engine's one way to write. An operation that raises is undone alone; the others are kept.

    `reader` is a connection for reading what is committed: it never stands in the way of writing. When the disk of the
    state is full, the room of `ballast` is given up for what has to be recorded, and `on_short` is called.
    """

    def __init__(self, db: Database, reader: Database, ballast: Ballast | None = None):
        self.db = db
        self.reader = reader
        self.short: str | None = None
        """Why the ballast was given up; None while it is there."""
        self.on_short: Callable[[], None] = lambda: None
        self._ballast = ballast
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
        """Run `operation` in the next transaction; return its result once that is on disk.

        It may be run twice, the first time undone: it changes nothing but the state.
        """
        if self._closing:
            raise RuntimeError("the journal is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, done))
        self._wake.set()
        return await done

    async def secure(self) -> None:
        """Have room in reserve. Raises DiskError if the disk of the state is full."""
        if self._ballast is None:
            return
        if not await asyncio.to_thread(self._ballast.take):
            why = self.short or "what it keeps in reserve does not fit"
            raise DiskError(
                f"{self._ballast.state}: the disk of the state file is full ({why}); free some space there, or move "
                "the file to a larger disk (`state` in [engine])",
                whole=True,
            )
        if self.short is not None:
            self.short = None
            await self.db.checkpoint_by_itself(True)

    async def _give_way(self, why: str) -> bool:
        """Give up the room in reserve; tell whether there was any.

        Until it is back, only commits may use it: a checkpoint would take it for the state file at once.
        """
        if self._ballast is None or not await asyncio.to_thread(self._ballast.release):
            return False
        await self.db.checkpoint_by_itself(False)
        self.short = why
        self.on_short()
        return True

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
        try:
            results = await self._transact(group)
        except Exception as error:
            results = [(None, error)] * len(group)
        for (_, done), (result, failure) in zip(group, results, strict=True):
            if done.done():
                continue
            if failure is None:
                done.set_result(result)
            else:
                done.set_exception(failure)

    async def _transact(self, group: list[tuple[Operation[Any], asyncio.Future[Any]]]) -> list[Result]:
        """Run a group in one transaction; once more if it may go by the room in reserve."""
        try:
            return await self._attempt_all(group)
        except Exception as error:
            why = refusal(error)
            if why is None or not await self._give_way(why):
                raise
        return await self._attempt_all(group)

    async def _attempt_all(self, group: list[tuple[Operation[Any], asyncio.Future[Any]]]) -> list[Result]:
        async with self.db.transaction():
            if len(group) == 1:  # it fails with the transaction
                return [(await group[0][0](self.db), None)]
            return [await self._attempt(operation) for operation, _ in group]

    async def _attempt(self, operation: Operation[Any]) -> Result:
        await self.db.run("SAVEPOINT operation")
        try:
            result = await operation(self.db)
        except Exception as error:
            if refusal(error) is not None:  # SQLite may have undone the whole transaction
                raise
            await self.db.run("ROLLBACK TO operation")
            await self.db.run("RELEASE operation")
            return None, error
        await self.db.run("RELEASE operation")
        return result, None
