"""Files that the source denies: one is refused like any other file, many in a row are the credentials' fault."""

from __future__ import annotations

from collections import defaultdict

ENOUGH = 5
"""Different files denied one after the other, after which a mirror is stopped."""


class Denials:
    """Counts, by mirror, the files that were denied since the last success."""

    def __init__(self) -> None:
        self._denied: defaultdict[int, set[int]] = defaultdict(set)

    def add(self, mirror: int, file: int) -> bool:
        """Count a file; tell whether it is the mirror that is denied, and not just files of it."""
        self._denied[mirror].add(file)
        return len(self._denied[mirror]) >= ENOUGH

    def end(self, mirror: int) -> set[int]:
        """Begin to count anew; return the files that were counted."""
        return self._denied.pop(mirror, set())
