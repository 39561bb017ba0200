"""Refused rows of an index: all are counted, the first are kept."""

from __future__ import annotations

from collections.abc import Iterable

from core.model import Rejection

MAX_KEPT = 1000
"""Refused rows of one index that are kept in the state, each with its reason."""


class Refusals:
    """The refused rows of one index, as they come."""

    def __init__(self) -> None:
        self.kept: list[Rejection] = []
        self._more = self._from = 0

    def add(self, rows: Iterable[Rejection]) -> None:
        """Take refused rows."""
        for row in rows:
            if len(self.kept) < MAX_KEPT:
                self.kept.append(row)
            else:
                self._from = self._from or row.line
                self._more += 1

    def told(self) -> list[Rejection]:
        """Return those that are kept, and one that speaks for the others."""
        return [*self.kept, others(self._from, self._more)] if self._more else self.kept


def others(line: int, count: int) -> Rejection:
    """Return what speaks for `count` refused rows from a line on that are not kept."""
    return Rejection(line, "...", f"refused, as are more rows of this index, {count:,} in all from here on")
