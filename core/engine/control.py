"""Carrying out the commands that operators have written to the state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import TypeVar

from core.engine.admission import Admission
from core.engine.context import Context
from core.engine.effects import effect
from core.engine.ordering import left_out
from core.engine.recovery import lift_stops
from core.engine.rests import asked_rests
from core.errors import MirrorError
from core.model import CommandKind
from core.store import commands, evidence, operate, registry
from core.store.commands import Command, Target
from core.store.database import Database, IllegalTransition
from core.store.events import AUDIT
from core.store.identity import hurts_all
from core.store.journal import Operation
from core.store.operate import Matching, NothingMatches
from core.units import counted

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""Commands are looked for at least this often: a key's effect has to be seen within 0.3 s."""

T = TypeVar("T")
Answers = Mapping[CommandKind, Callable[[Command], Awaitable[str]]]


class Control:
    """Looks for commands, and makes the schedule agree with what they changed.

    `answers` carry out commands of further kinds: each returns its result in words, or raises NothingMatches with
    the reason for a refusal. `changed` is told of each command at last.
    """

    def __init__(
        self, context: Context, admission: Admission, answers: Answers, changed: Callable[[Command, bool], None]
    ):
        self._context = context
        self._admission = admission
        self._changed = changed
        self._answers: Answers = {
            CommandKind.PAUSE: self._pause,
            CommandKind.RESUME: self._pause,
            CommandKind.RETRY: self._retry,
            CommandKind.ACCEPT: self._accept,
            CommandKind.STOP: self._stop,
            **dict.fromkeys(ACTIONS, self._on_filesets),
            **answers,
        }

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
        except Exception as error:
            # what nobody thought of ends no engine; the command would meet it again in the next one
            if isinstance(error, MirrorError) or hurts_all(error):
                raise
            log.exception("a command cannot be carried out")
            result = f"it cannot be carried out: {type(error).__name__}: {error}; `mirrortui.log` has more"
        now = self._context.now()
        await self._context.journal.write(lambda db: commands.finish(db, command.id, done, result, now))
        await lift_stops(self._context)
        await self._context.refresh()
        await self._admission.reconsider()
        mirror, product = command.target.place
        await self._context.tell(AUDIT, _told(command, result), mirror=mirror, product=product)
        self._changed(command, done)

    async def _carry_out(self, command: Command) -> str:
        if command.result is not None:  # by an engine that was killed before it came to the answer
            return command.result
        if command.kind is None:
            raise NothingMatches("this version of mirrortui does not know this command; upgrade it")
        return await self._answers[command.kind](command)

    async def _on_filesets(self, command: Command) -> str:
        kind = command.kind or CommandKind.HOLD
        found = await operate.matching(self._context.db, command.target, kind)
        words = counted(len(found.ids), "fileset") + (left_out(found) or _named(command.target))
        done = await self._apart(found, command, lambda db: ACTIONS[kind](db, found.ids), lambda _: words)
        if kind is CommandKind.CANCEL:
            await self._admission.drop_staging(found.ids)
        return done

    async def _apart(self, found: Matching, command: Command, change: Operation[T], words: Callable[[T], str]) -> str:
        """Change the state of filesets, of which nothing is under way meanwhile, as `effect` does."""
        return await self._admission.apart(found.ids, lambda: effect(self._context, command, change, words))

    async def _retry(self, command: Command) -> str:
        found = await operate.to_retry(self._context.db, command.target)
        mirrors = await registry.mirrors_of(self._context.db, found.ids)
        rests = await asked_rests(self._context, set(mirrors.values()))
        waits = _waiting(await operate.paused_among(self._context.db, found.ids), len(found.ids))

        async def write(db: Database) -> tuple[int, int]:
            published = await operate.retry(db, found.ids, command.target.kind)
            return published, await operate.relist(db, command.target)

        def words(done: tuple[int, int]) -> str:
            published, relisted = done
            tried = len(found.ids) - published
            told = [f"{counted(tried, 'fileset')} tried again"] if tried else []
            told += [f"index of {counted(published, 'published fileset')} read again"] if published else []
            told += [f"{counted(relisted, 'product')} will be listed again"] if relisted else []
            return (", ".join(told) or "nothing has failed") + waits + (f"; {rests}" if rests else "") + left_out(found)

        return await self._apart(found, command, write, words)

    async def _accept(self, command: Command) -> str:
        if not (command.target.filesets or command.target.product):
            raise NothingMatches("say which filesets")
        found = await operate.matching(self._context.db, command.target, CommandKind.ACCEPT)
        now = self._context.now()

        def words(files: tuple[int, int]) -> str:
            accepted, left = files
            unseen = (
                f"{counted(left, 'file')} in quarantine without evidence: only what came whole, with another digest"
            )
            if not accepted:
                raise NothingMatches(f"{unseen}, can be accepted")
            rest = f"; {unseen}, can be" if left else ""
            return f"{counted(accepted, 'file')} accepted as seen, fetched again{rest}{left_out(found)}"

        return await self._apart(found, command, lambda db: evidence.accept(db, found.ids, command.who, now), words)

    async def _pause(self, command: Command) -> str:
        reason = f"by {command.who}" if command.kind is CommandKind.PAUSE else None

        def words(touched: int) -> str:
            what = counted(touched, "product" if command.target.product else "mirror")
            return what + (_named(command.target) if touched == 1 else "")

        done = await effect(self._context, command, lambda db: operate.pause(db, command.target, reason), words)
        await self._context.refresh()
        await self._admission.drop_unwanted()
        return done

    async def _stop(self, command: Command) -> str:
        """Tell whether the engine may end; it does when that is recorded."""
        if command.at < self._context.started:
            raise NothingMatches("this engine was started after that")
        if command.target.value == "now":
            return "ending at once; partial files are kept"
        if command.target.value != "drain":
            raise NothingMatches('expected "drain" or "now"')
        if self._context.draining.is_set():
            raise NothingMatches('no new work is begun already; "now" ends at once')
        return "no new work; filesets under way are finished"


def _named(target: Target) -> str:
    """Say, to be appended, what was hit; empty if the command named nothing."""
    about = commands.some(target.filesets) or "/".join(filter(None, target.place))
    return f": {about}" if about else ""


def _waiting(paused: int, number: int) -> str:
    """Tell how many of so many filesets are paused; nothing if none are."""
    which = "they" if paused == number else f"{paused:,} of them"
    return f"; {which} are paused, and wait" if paused else ""


def _told(command: Command, result: str) -> str:
    """Return what the log tells of a command: what it was about, unless the result says so, and the result."""
    if command.kind is None:
        return f"unknown command by {command.who}: {result}"
    named = _named(command.target)
    about = "" if named and result.endswith(named) else f"{commands.target_words(asdict(command.target))}: "
    return f"{command.kind} by {command.who}: {about}{result}"


ACTIONS = {
    CommandKind.HOLD: operate.hold,
    CommandKind.RELEASE: operate.release,
    CommandKind.CANCEL: operate.cancel,
    CommandKind.REQUEUE: operate.release,
}
"""What is done to the filesets that a command names."""
