"""What signals end a process with, and what they do while nothing needs to be saved."""

from __future__ import annotations

import signal
import sys

from core.errors import ExitCode

SIGNALS = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,
}
"""What ends a process, and what it ends with."""


def end_at_once() -> None:
    """Have signals end the process, without a traceback, until whoever has something to save takes them over."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _end)


def _end(number: int, _frame: object) -> None:
    sys.exit(SIGNALS[signal.Signals(number)])
