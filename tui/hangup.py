"""Leaving when the terminal is gone."""

from __future__ import annotations

import os
import threading

GRACE_SECONDS = 5.0


def let_go_of_terminal() -> None:
    """Write nowhere from now on, and end within GRACE_SECONDS whatever happens.

    A write to a terminal that is gone fails; the thread that does it would end, and those who wait for it never would.
    """
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    end = threading.Timer(GRACE_SECONDS, os._exit, [0])
    end.daemon = True
    end.start()
