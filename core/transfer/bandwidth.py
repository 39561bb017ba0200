"""A bound on the sum of all transfers' rates."""

from __future__ import annotations

BURST_SECONDS = 0.1
"""What may be taken at once after a pause, in seconds' worth of the rate."""
QUANTUM_SECONDS = 0.02
"""How much is saved up before waiting transfers go on: fewer, longer turns."""


class Bucket:
    """Tokens, one a byte, that fill up at a steady rate; the level may fall below zero by one chunk.

    All times are monotonic seconds, passed in.
    """

    def __init__(self, rate: int = 0):
        self._rate = max(rate, 0)
        self._level = 0.0
        self._filled_at = 0.0

    @property
    def bounded(self) -> bool:
        """True if there is a bound."""
        return self._rate > 0

    def set_rate(self, bytes_per_second: int, now: float) -> None:
        """Change the rate from now on; 0 lifts the bound."""
        self._fill(now)
        self._rate = max(bytes_per_second, 0)
        self._level = min(self._level, self._rate * BURST_SECONDS)

    def take(self, count: int, now: float) -> bool:
        """Take `count` tokens if any are there, and tell whether that was so."""
        if not self.ready(now):
            return False
        self._level -= count
        return True

    def ready(self, now: float) -> bool:
        """Tell whether tokens can be taken; without a bound they always can."""
        if not self._rate:
            self._level = 0.0
            return True
        self._fill(now)
        return self._level > 0

    def wait(self, now: float) -> float:
        """Return the seconds after which it is worth asking again."""
        if not self._rate:
            return 0.0
        self._fill(now)
        return max(0.0, QUANTUM_SECONDS - self._level / self._rate)

    def _fill(self, now: float) -> None:
        elapsed = max(0.0, now - self._filled_at)
        self._level = min(self._level + elapsed * self._rate, self._rate * BURST_SECONDS)
        self._filled_at += elapsed
