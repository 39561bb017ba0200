"""Runs the program in a process that kills itself: ``python -m tests.whole.crashing POINT N -- ARGUMENTS``.

POINT is ``before:NAME`` or ``after:NAME`` with a NAME of POINTS; the process gets SIGKILL at the N-th call of it.
"""

from __future__ import annotations

import inspect
import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from core.destinations import linux
from core.destinations.posix import PosixDestination
from core.store import commands
from core.store.database import Database
from core.transfer.sink import Sink
from tui.cli import main

Function = Callable[..., Any]


def always(*_: object) -> bool:
    return True


def commits(_: Database, sql: str, *__: object) -> bool:
    return sql == "COMMIT"


POINTS: dict[str, tuple[object, str, Callable[..., bool]]] = {
    "commit": (Database, "run", commits),
    "answer": (commands, "finish", always),
    "complete": (Sink, "_complete", always),
    "exchange": (linux, "exchange", always),
    "fsync": (os, "fsync", always),
    "rename": (os, "rename", always),
    **{
        name: (PosixDestination, name, always)
        for name in ("stage", "inspect", "seal", "flush", "publish", "settle", "write_index")
    },
}


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process outlived SIGKILL")


def deadly(function: Function, counts: Callable[..., bool], when: str, number: int) -> Function:
    """Return `function`, but deadly `when` it is called for the `number`-th time."""
    calls = itertools.count(1)

    def fatal(moment: str, call: int) -> None:
        if (moment, call) == (when, number):
            die()

    def plain(*args: Any, **kwargs: Any) -> Any:
        call = next(calls) if counts(*args) else 0
        fatal("before", call)
        result = function(*args, **kwargs)
        fatal("after", call)
        return result

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        call = next(calls) if counts(*args) else 0
        fatal("before", call)
        result = await function(*args, **kwargs)
        fatal("after", call)
        return result

    return awaited if inspect.iscoroutinefunction(function) else plain


def arm(point: str, number: int) -> None:
    when, _, name = point.partition(":")
    owner, attribute, counts = POINTS[name]
    setattr(owner, attribute, deadly(getattr(owner, attribute), counts, when, number))


if __name__ == "__main__":
    point, number, _, *arguments = sys.argv[1:]
    arm(point, int(number))
    sys.argv = ["mirrortui", *arguments]
    main()
