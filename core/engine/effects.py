"""What a command does to the state, together with its result in words: no crash makes it count twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from core.engine.context import Context
from core.store import commands
from core.store.commands import Command
from core.store.database import Database
from core.store.journal import Operation

T = TypeVar("T")


async def effect(context: Context, command: Command, operation: Operation[T], words: Callable[[T], str]) -> str:
    """Change the state as `command` wishes; return the result, which `words` tell of what `operation` returned.

    If either raises, nothing was changed.
    """

    async def write(db: Database) -> str:
        result = words(await operation(db))
        await commands.carried_out(db, command.id, result)
        return result

    return await context.journal.write(write)
