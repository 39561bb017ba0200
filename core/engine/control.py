"""Carrying out the commands that operators have written to the state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from core.engine.admission import Admission
from core.engine.context import Context
from core.engine.recovery import lift_stops
from core.engine.scheduler import Scheduler
from core.errors import DiskError
from core.model import CommandKind
from core.store import commands, operate
from core.store.commands import Command
from core.store.database import Database, IllegalTransition
from core.store.operate import NothingMatches
from core.units import counted

LOOK_SECONDS = 0.2
"""Commands are looked for at least this often."""


class Control:
    """Looks for commands, and makes the schedule agree with what they changed."""

    def __init__(
        self,
        context: Context,
        scheduler: Scheduler,
        admission: Admission,
        changed: Callable[[CommandKind | None], None],
    ):
        self._context = context
        self._scheduler = scheduler
        self._admission = admission
        self._changed = changed

    async def run(self) -> None:
        """Look for commands for ever."""
        while True:
            await self.obey()
            await asyncio.sleep(LOOK_SECONDS)

    async def obey(self) -> None:
        """Carry out all commands that are new."""
        while found := await commands.new(self._context.db):
            for command in found:
                await self._obey(command)

    async def _obey(self, command: Command) -> None:
        done = False
        try:
            result = await self._carry_out(command)
            done = True
        except NothingMatches as error:
            result = str(error)
        except IllegalTransition:
            result = "its state has changed in this moment; look at `mirrortui status`, then try again"
        now = self._context.now()
        await self._context.journal.write(lambda db: commands.finish(db, command.id, done, result, now))
        await lift_stops(self._context)
        await self._context.refresh()
        await self._admission.reconsider()
        level = "info" if done else "warning"
        await self._context.tell(level, f"{command.kind or 'unknown command'} by {command.who}: {result}")
        self._changed(command.kind)

    async def _carry_out(self, command: Command) -> str:
        kind, target = command.kind, command.target
        if kind is None:
            raise NothingMatches("this version of mirrortui does not know this command; upgrade it")
        if kind in (CommandKind.PAUSE, CommandKind.RESUME):
            return await self._pause(command)
        if kind is CommandKind.RETRY:
            found = await operate.to_retry(self._context.db, target)
            return await self._retry(command, found)
        found = await operate.matching(self._context.db, target, operate.FITTING[kind])
        await self._admission.drop(found)
        action = {
            CommandKind.HOLD: operate.hold,
            CommandKind.RELEASE: operate.release,
            CommandKind.CANCEL: operate.cancel,
            CommandKind.REQUEUE: operate.release,
        }[kind]
        await self._context.journal.write(lambda db: action(db, found))
        if kind is CommandKind.CANCEL:
            await self._drop_staging(found)
        return counted(len(found), "fileset")

    async def _retry(self, command: Command, found: list[int]) -> str:
        await self._admission.drop(found)

        async def write(db: Database) -> int:
            await operate.retry(db, found, command.target.kind)
            return await operate.relist(db, command.target)

        relisted = await self._context.journal.write(write)
        again = f"{counted(len(found), 'fileset')} tried again"
        return f"{again}, {counted(relisted, 'product')} listed again" if relisted else again

    async def _pause(self, command: Command) -> str:
        reason = f"by {command.who}" if command.kind is CommandKind.PAUSE else None
        touched = await self._context.journal.write(lambda db: operate.pause(db, command.target, reason))
        await self._context.refresh()
        for mirror in self._context.mirrors.values():
            gone = [
                run.row.id
                for run in self._scheduler.runs.values()
                if run.mirror is mirror and (mirror.paused or run.row.product_id not in mirror.products)
            ]
            await self._admission.drop(gone)
        return counted(touched, "product" if command.target.product else "mirror")

    async def _drop_staging(self, found: list[int]) -> None:
        for fileset in found:
            for mirror in self._context.mirrors.values():
                try:
                    await self._context.in_thread(mirror.destination.drop, fileset)
                except DiskError as error:
                    await self._context.tell("warning", str(error), mirror=mirror.config.name)
