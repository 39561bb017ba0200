"""Files or indexes that the source denies: one is refused alone, many in a row are the credentials' fault."""

from __future__ import annotations

from collections import defaultdict

from core.engine.context import MirrorRun
from core.errors import FailureKind

ENOUGH = 5
"""Different files, or indexes, denied one after the other, after which a mirror is stopped."""


class Denials:
    """Counts, by mirror, the files, or the filesets whose indexes, were denied since the last success."""

    def __init__(self) -> None:
        self._denied: defaultdict[int, set[int]] = defaultdict(set)

    def answered_as(self, kind: FailureKind, mirror: MirrorRun, failed: int) -> FailureKind:
        """Count what failed if it was denied; return by which policy it is answered: alone, it is as good as not there.

        What is denied by a mirror that has stopped meanwhile says nothing more.
        """
        if kind is not FailureKind.DENIED or mirror.stop is not None:
            return kind
        self._denied[mirror.id].add(failed)
        return kind if len(self._denied[mirror.id]) >= ENOUGH else FailureKind.MISSING

    def end(self, mirror: int) -> set[int]:
        """Begin to count anew; return those that were counted."""
        return self._denied.pop(mirror, set())
