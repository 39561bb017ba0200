"""Answers that come in ever so small pieces: each costs about as much time as a large one, at the others' expense."""

from __future__ import annotations

import time

WINDOW = 1000
"""Pieces that are judged together."""
QUICK_SECONDS = 2.0
"""What takes longer than this for WINDOW pieces is slow, and costs little."""


class Pieces:
    """Watches in what pieces an answer comes: with a mean of less than `least` bytes, and quickly, is too bad.

    The first `free` pieces may be as they like: what is over soon costs little, too.
    """

    __slots__ = ("_began", "_bytes", "_count", "_free", "_least")

    def __init__(self, least: int, free: int):
        self._least = least
        self._free = free
        self._count = self._bytes = 0
        self._began = 0.0

    def add(self, size: int) -> str | None:
        """Count a piece of so many bytes; return what is wrong with the last WINDOW of them, or None."""
        if self._free:
            self._free -= 1
            return None
        if not self._count:
            self._began = time.monotonic()
        self._count += 1
        self._bytes += size
        if self._count < WINDOW:
            return None
        total = self._bytes
        self._count = self._bytes = 0
        if total >= self._least * WINDOW or time.monotonic() - self._began > QUICK_SECONDS:
            return None
        mean = max(1, round(total / WINDOW))
        return (
            f"comes in pieces of {mean} byte{'s' * (mean > 1)}: taking them would hold up what comes from other hosts"
        )
