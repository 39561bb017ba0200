"""Files or indexes that the source denies: one is refused alone, many in a row are the credentials' fault."""

from __future__ import annotations

from collections import defaultdict

ENOUGH = 5
"""Different files, or indexes, denied one after the other, after which a mirror is stopped."""


class Denials:
    """Counts, by mirror, the files, or the filesets whose indexes, were denied since the last success."""

    def __init__(self) -> None:
        self._denied: defaultdict[int, set[int]] = defaultdict(set)

    def add(self, mirror: int, denied: int) -> bool:
        """Count one; tell whether it is the mirror that is denied, and not just some of it."""
        self._denied[mirror].add(denied)
        return len(self._denied[mirror]) >= ENOUGH

    def end(self, mirror: int) -> set[int]:
        """Begin to count anew; return those that were counted."""
        return self._denied.pop(mirror, set())
