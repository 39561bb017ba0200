"""How often the screen is drawn: soon after a change, and seldom enough to leave the machine to its engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

PAINT_SECONDS = 0.25
"""The shortest time between two snapshots, unless one is asked for."""
STEADY_SECONDS = 1.0
"""The longest time between two snapshots, unless they cost much: ages and clocks go on although nothing changes."""
STALE_SECONDS = 5.0
"""The longest time between two snapshots, whatever they cost."""
REST_FACTOR = 4
"""A state that takes long to read is read less often: at most a fifth of the time goes into reading."""
STEADY_SHARE, BUSY_SHARE = 0.03, 0.1
"""Of a core, for snapshots and their drawing: while nothing changes, and while much does."""


class Pace:
    """Tells when the next snapshot is due. The caller says when it begins one, has read it, and has drawn it.

    `clock` and `work` return seconds: those that pass, and those of a core that the process has used.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, work: Callable[[], float] = time.process_time):
        self._clock = clock
        self._work = work
        self._begun = -inf
        self._worked = 0.0
        self._rest = 0.0
        self._cost = 0.0

    def due(self, *, changed: bool, hurried: bool = False) -> bool:
        """Tell whether to read a snapshot; if `hurried`, each change is worth one."""
        passed = self._clock() - self._begun
        if changed and (hurried or passed >= max(PAINT_SECONDS, self._rest, self._wait(BUSY_SHARE))):
            return True
        return passed >= max(STEADY_SECONDS, self._rest, self._wait(STEADY_SHARE))

    def begin(self) -> None:
        """Take note that a snapshot is begun."""
        self._begun, self._worked = self._clock(), self._work()

    def read(self) -> None:
        """Take note that it is read."""
        self._rest = (self._clock() - self._begun) * REST_FACTOR

    def drawn(self) -> None:
        """Take note that it is drawn, too."""
        self._cost = self._work() - self._worked

    def _wait(self, share: float) -> float:
        return min(self._cost / share, STALE_SECONDS)
