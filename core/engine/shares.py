"""How much of each product is in the schedule: none keeps the others out, and memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.engine.runs import Run
from core.store.records import FilesetRow

ENOUGH_FILES = 2_000
"""Files loaded of a mirror, which its products share."""
LEAST_FILES = 500
"""A product's share is no smaller, as long as not twice as much as is enough is loaded: transactions cost, too."""
ENOUGH_FILESETS = 192
"""Filesets of a mirror under way, which its products share."""
MOST_FILESETS = 256
"""Filesets of a mirror under way at most; those above what is enough are for products that come later."""


@dataclass(slots=True)
class Load:
    """An amount of filesets and their files."""

    filesets: int = 0
    files: int = 0


class Shares:
    """What is in the schedule of one mirror, and what may join it. `waiting` are the products that have more."""

    def __init__(self, runs: Iterable[Run], waiting: Iterable[int]):
        self._loads = {product: Load() for product in waiting}
        self._all = Load()
        for run in runs:
            self.add(run.row.product_id, 1, len(run.pending))

    def add(self, product: int, filesets: int, files: int) -> None:
        """Count what has joined the schedule."""
        for load in (self._loads.setdefault(product, Load()), self._all):
            load.filesets += filesets
            load.files += files

    def room(self, product: int) -> Load:
        """Return how much more of a product may join; a product that has nothing there may always have one fileset."""
        load = self._loads.get(product, Load())
        crowd = max(1, len(self._loads))
        filesets = min(max(1, ENOUGH_FILESETS // crowd) - load.filesets, MOST_FILESETS - self._all.filesets)
        files = max(LEAST_FILES, ENOUGH_FILES // crowd) - load.files
        if self._all.files >= 2 * ENOUGH_FILES:
            filesets, files = min(filesets, int(not load.filesets)), 1
        return Load(filesets, files) if filesets > 0 and files > 0 else Load()

    def fitting(self, product: int, rows: Iterable[FilesetRow]) -> list[FilesetRow]:
        """Return those first of `rows` for which there is room."""
        room = self.room(product)
        taken: list[FilesetRow] = []
        for row in rows:
            if len(taken) == room.filesets or room.files <= 0:
                break
            taken.append(row)
            room.files -= row.files
        return taken
