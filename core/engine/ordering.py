"""Commands about the order of the queue; filesets that are under way follow, too."""

from __future__ import annotations

import re

from core.engine.admission import Admission
from core.engine.context import Context
from core.engine.effects import effect
from core.engine.scheduler import Scheduler
from core.model import CommandKind
from core.store import filesets, operate, queue
from core.store.commands import Command, Target
from core.store.database import Database
from core.store.operate import Matching, NothingMatches
from core.store.queue import Way
from core.store.screens.queue import alone
from core.units import counted, quoted

_PRIORITY = re.compile(r"[+-]?[0-9]{1,3}")


class Ordering:
    """Changes what goes next."""

    def __init__(self, context: Context, scheduler: Scheduler, admission: Admission):
        self._context = context
        self._scheduler = scheduler
        self._admission = admission

    async def prioritise(self, command: Command) -> str:
        """Set the priority of filesets (``7``), or change it (``+1``, ``-1``)."""
        value = command.target.value or ""
        if not _PRIORITY.fullmatch(value):
            raise NothingMatches(f'expected a priority such as "7", or a change such as "+1", got {quoted(value)}')
        found = await self._named(command.target, CommandKind.PRIORITY)
        relative = value[0] in "+-"

        def words(now: tuple[int, int]) -> str:
            lowest, highest = now
            which = f"priority {lowest}" if lowest == highest else f"priorities {lowest} to {highest}"
            return f"{counted(len(found.ids), 'fileset')}: {which}{left_out(found)}"

        done = await effect(
            self._context, command, lambda db: queue.prioritise(db, found.ids, int(value), relative), words
        )
        await self._follow(found)
        return done

    async def put_first(self, command: Command) -> str:
        """Let filesets go next, without waiting for their next try."""
        found = await self._named(command.target, CommandKind.NOW)
        now = self._context.now()
        done = f"{counted(len(found.ids), 'fileset')} next{left_out(found)}"
        await effect(self._context, command, lambda db: queue.put_first(db, found.ids, now), lambda _: done)
        await self._follow(found)
        self._scheduler.hasten(set(found.ids))
        return done

    async def move(self, command: Command) -> str:
        """Move filesets within the queue of their product."""
        value = command.target.value or ""
        if value not in set(Way):
            raise NothingMatches(f"expected one of {', '.join(Way)}, got {quoted(value)}")
        way = Way(value)
        found = await self._named(command.target, CommandKind.MOVE)
        where = f"to the {way}" if way in (Way.TOP, Way.BOTTOM) else str(way)

        async def write(db: Database) -> tuple[int, str]:
            before = {row.id: row.priority for row in await filesets.some(db, found.ids)}
            moved = await queue.move(db, found.ids, way)
            if not moved:
                raise NothingMatches(await self._why_stuck(db, found, way))
            taken = {row.priority for row in await filesets.some(db, found.ids) if row.priority != before[row.id]}
            which = "priority" if len(taken) == 1 else "priorities"
            return moved, f", {which} {' and '.join(map(str, sorted(taken)))} now" if taken else ""

        def words(done: tuple[int, str]) -> str:
            moved, priorities = done
            return f"{counted(moved, 'fileset')} moved {where}{priorities}{left_out(found)}"

        return await effect(self._context, command, write, words)

    async def _why_stuck(self, db: Database, found: Matching, way: Way) -> str:
        if not await alone(db, found.ids):
            return f"{'first' if way is Way.UP else 'last'} in the queue of its product already"
        rows = await filesets.some(db, found.ids)
        if len(rows) > 1:
            return "nothing else is in the queue of their products"
        return f"alone in the queue of its product, at priority {rows[0].priority}: nothing else of it waits"

    async def _named(self, target: Target, kind: CommandKind) -> Matching:
        if not (target.filesets or target.product):
            raise NothingMatches("say which filesets")
        found = await operate.matching(self._context.db, target, kind)
        if not found.ids:
            raise NothingMatches("no fileset is there for this command")
        return found

    async def _follow(self, found: Matching) -> None:
        """Let the schedule follow, and admit what goes first now."""
        rows = await filesets.some(self._context.db, found.ids)
        self._scheduler.reorder(rows)
        self._admission.hurry({row.product_id for row in rows})


def left_out(found: Matching) -> str:
    """Say, to be appended, to which of the named filesets a command did not apply."""
    if not found.left_out:
        return ""
    more = f", and {len(found.left_out) - 1} more" if len(found.left_out) > 1 else ""
    return f"; not done: {found.left_out[0]}{more}"
