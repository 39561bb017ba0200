"""What signals end a process with, and what they do while nothing needs to be saved."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import ExitCode

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

SIGNALS = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,
}
"""What ends a process, and what it ends with."""


NOHUP = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
"""Whether this process was started to outlive its terminal, as by nohup(1).

Only the signal that is for terminals is ignored then: a shell has its jobs in the background ignore SIGINT, too.
"""


def end_at_once() -> None:
    """Have signals end the process, without a traceback, until whoever has something to save takes them over."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _end)


def heed(loop: AbstractEventLoop, obey: Callable[[ExitCode], object]) -> None:
    """Have signals call `obey` on an event loop with what they end the process with."""
    for number, code in SIGNALS.items():
        if not (NOHUP and number is signal.SIGHUP):
            loop.add_signal_handler(number, obey, code)


def pass_over(loop: AbstractEventLoop | None = None) -> None:
    """Have signals do nothing, which a `loop` may have heeded: how the process ends is decided, and is being told.

    An interpreter that ends leaves to the system what it handled; to ignore a signal it leaves as it is.
    """
    for number in SIGNALS:
        if loop is not None:
            loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


class EndedEarly(SystemExit):
    """A signal has ended the process before there was anything to save."""

    def __init__(self, exit_code: ExitCode):
        super().__init__(int(exit_code))
        self.exit_code = exit_code


def _end(number: int, _frame: object) -> None:
    raise EndedEarly(SIGNALS[signal.Signals(number)])
