"""Rates, from readings of counters that only grow."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

WINDOW = 10.0
"""Seconds over which a rate is taken: long enough for filesets of small files, short enough to follow a change."""
SHORTEST = 0.9


class Rates:
    """Readings of counters over the last seconds, by key."""

    def __init__(self) -> None:
        self._readings: dict[Hashable, deque[tuple[float, float]]] = {}
        self._before: dict[Hashable, float] = {}

    def note(self, key: Hashable, at: float, value: float) -> None:
        """Take a reading; a counter that has fallen begins anew."""
        readings = self._readings.setdefault(key, deque())
        if readings and value < readings[-1][1]:
            readings.clear()
            self._before.pop(key, None)
        readings.append((at, value))
        while len(readings) > 2 and at - readings[1][0] >= WINDOW:
            readings.popleft()

    def begin_anew(self) -> None:
        """Take rates from the last readings on: what came before was under other conditions.

        Until there is enough to tell, they stay what they were.
        """
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
        return (high - low) / (last - first) if last - first >= SHORTEST else self._before.get(key, 0.0)
