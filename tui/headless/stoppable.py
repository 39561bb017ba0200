"""Long operations apart from the engine: a live line while they run, and signals that stop them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from core.errors import ExitCode, MirrorError, Stopped
from tui.headless.progress import LiveLine, terminal_can_draw
from tui.signals import heed

T = TypeVar("T")


class Interrupted(MirrorError):
    """A signal stopped an operation, which has undone what it had begun."""

    def __init__(self, code: ExitCode):
        super().__init__("stopped; nothing was changed")
        self.exit_code = code


async def stoppable(
    work: Awaitable[T], stop: Callable[[], None], line: Callable[[], str | None], *, show: bool = True
) -> T:
    """Return what `work` comes to; draw what `line` says meanwhile, if there is a terminal and with `show`.

    A signal calls `stop`, which makes `work` raise Stopped; that becomes Interrupted, with the signal's exit code.
    """
    codes: list[ExitCode] = []

    def obey(code: ExitCode) -> None:
        codes.append(code)
        stop()

    heed(asyncio.get_running_loop(), obey)
    drawing = asyncio.create_task(LiveLine(line).run()) if show and terminal_can_draw() else None
    try:
        return await work
    except Stopped:
        raise Interrupted(codes[0]) from None
    finally:
        if drawing is not None:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing
