"""A new state file in the making, beside the one whose place it takes."""

from __future__ import annotations

import os
from pathlib import Path

from core.units import stamp

COMPANIONS = ("", "-wal", "-shm")
"""What SQLite keeps of one database, by the ends of the names."""


class Draft:
    """The file at `path` becomes the state file in one step, or is dropped; until then nothing else is touched.

    The caller holds the lease of `state`. Every method blocks and may raise OSError.
    """

    def __init__(self, state: Path):
        self._state = Path(os.path.realpath(state))
        self.path = self._state.with_name(self._state.name + ".rebuilding")

    def discard(self) -> None:
        """Drop the draft, also one that a crash left behind."""
        for end in (*COMPANIONS, "-journal"):
            _beside(self.path, end).unlink(missing_ok=True)

    def put_in_place(self, now: float) -> Path | None:
        """Make the draft, which is closed, the state file; return where what stood there was moved to, if anything.

        A write-ahead log that its state file left behind is moved, too: SQLite would take it for one of the draft's.
        """
        sync(self.path)
        aside = self._move_aside(now)
        self.path.rename(self._state)
        sync(self._state.parent)
        return aside

    def _move_aside(self, now: float) -> Path | None:
        there = [end for end in COMPANIONS if os.path.lexists(_beside(self._state, end))]
        if not there:
            return None
        aside = self._free_name(f"{self._state.name}.broken-{stamp(now)}")
        for end in there:
            _beside(self._state, end).rename(_beside(aside, end))
        return aside

    def _free_name(self, name: str) -> Path:
        place, number = self._state.with_name(name), 1
        while any(os.path.lexists(_beside(place, end)) for end in COMPANIONS):
            number += 1
            place = self._state.with_name(f"{name}-{number}")
        return place


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
