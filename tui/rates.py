"""Rates, from readings of counters that only grow."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from math import inf

WINDOW = 10.0
"""Seconds over which a rate is taken: long enough for filesets of small files, short enough to follow a change."""
SHORTEST = 0.9
SWING = 2 * WINDOW
"""Seconds in which what came before conditions changed may still swell a rate."""


class Rates:
    """Readings of counters over the last seconds, by key."""

    def __init__(self) -> None:
        self._readings: dict[Hashable, deque[tuple[float, float]]] = {}
        self._before: dict[Hashable, float] = {}
        self._began, self._most = -inf, inf

    def note(self, key: Hashable, at: float, value: float) -> None:
        """Take a reading; a counter that has fallen begins anew."""
        readings = self._readings.setdefault(key, deque())
        if readings and value < readings[-1][1]:
            readings.clear()
            self._before.pop(key, None)
        readings.append((at, value))
        while len(readings) > 2 and at - readings[1][0] >= WINDOW:
            readings.popleft()

    def begin_anew(self, most: float = inf) -> None:
        """Take rates from the last readings on: what came before was under other conditions.

        Until there is enough to tell, they stay what they were; for a while none is more than `most` is possible now.
        """
        self._began = max((readings[-1][0] for readings in self._readings.values()), default=-inf)
        self._most = most
        self._before = {key: self.rate(key) for key in self._readings}
        for readings in self._readings.values():
            while len(readings) > 1:
                readings.popleft()

    def rate(self, key: Hashable) -> float:
        """Return the growth per second; 0 if too little is known."""
        readings = self._readings.get(key)
        if not readings:
            return 0.0
        (first, low), (last, high) = readings[0], readings[-1]
        rate = (high - low) / (last - first) if last - first >= SHORTEST else self._before.get(key, 0.0)
        return min(rate, self._most) if last - self._began < SWING else rate
