"""Filesets under way, as the scheduler holds them in memory."""

from __future__ import annotations

import bisect
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from core.destinations.base import Place
from core.engine.context import MirrorRun
from core.store.records import FileRow, FilesetRow


@dataclass(slots=True, eq=False)
class Run:
    """A fileset whose files are being fetched.

    `pending` is a window of its files, in order; `after` the last file loaded, `exhausted` when none is left to
    load. `missing` counts the files that were not in place when it began, `done` holds those that are now.
    `begun` tells that something of it had come before, or was tried, `failing` that the last try of a file failed,
    `resumed` that it was brought back after something of it had failed.
    """

    row: FilesetRow
    mirror: MirrorRun
    place: Place
    missing: int = 0
    done: set[int] = field(default_factory=set)
    pending: deque[FileRow] = field(default_factory=deque)
    after: int = 0
    exhausted: bool = False
    in_flight: int = 0
    waiting: set[int] = field(default_factory=set)
    in_place: bool = False
    begun: bool = False
    failing: bool = False
    resumed: bool = False
    dropped: bool = False

    @property
    def failed_before(self) -> bool:
        """Whether what it would fetch next has failed before, or something else of it did last."""
        return self.failing or bool(self.pending and self.pending[0].attempts)

    @property
    def order(self) -> tuple[int, float, int]:
        """Best first: by priority, then by place in the queue."""
        return -self.row.priority - self.mirror.config.priority, self.row.place, self.row.id

    @property
    def complete(self) -> bool:
        """True if every file is in place and nothing is under way any more."""
        return len(self.done) >= self.missing and not self.in_flight

    @property
    def idle(self) -> bool:
        """True if nothing of it is under way, nor will be soon."""
        return not (self.pending or self.in_flight or self.waiting) and self.exhausted


class Lanes:
    """Runs by product: products take turns, within one the best fileset goes first."""

    def __init__(self) -> None:
        self._lanes: dict[int, list[Run]] = {}
        self._turns: deque[int] = deque()
        self._best = 0
        """No run has a better priority, as its order has it."""

    def add(self, run: Run) -> None:
        """Take a run in."""
        product = run.row.product_id
        if product not in self._lanes:
            self._lanes[product] = []
            self._turns.append(product)
        self._best = min(self._best, run.order[0])
        bisect.insort(self._lanes[product], run, key=lambda one: one.order)

    def sort(self, products: Iterable[int]) -> None:
        """Follow a change of the order of runs."""
        for product in products:
            self._lanes[product].sort(key=lambda one: one.order)
        self._find_best()

    def remove(self, run: Run) -> None:
        """Let a run go."""
        lane = self._lanes.get(run.row.product_id, [])
        if run in lane:
            lane.remove(run)
        if not lane and self._lanes.pop(run.row.product_id, None) is not None:
            self._turns.remove(run.row.product_id)

    def next(self, allowed: Callable[[Run], bool], in_doubt: Callable[[MirrorRun], bool]) -> Run | None:
        """Return the run whose file goes next: the highest priority, and among equals the product whose turn it is.

        Within a product it is the first, but for mirrors that are `in_doubt`: there it is any of those that have not
        failed, for what comes next to one that fails often fails like it.
        """
        best: Run | None = None
        for product in self._turns:
            run = next((one for one in self._lanes[product] if one.pending), None)
            if run and in_doubt(run.mirror):
                run = self._probe(product, run)
            if run and allowed(run) and (best is None or run.order[0] < best.order[0]):
                best = run
                if best.order[0] <= self._best:
                    break
        else:
            self._find_best()
        if best is not None:
            self._turns.remove(best.row.product_id)
            self._turns.append(best.row.product_id)
        return best

    def _probe(self, product: int, first: Run) -> Run:
        fresh = [one for one in self._lanes[product] if one.pending and not one.failed_before]
        fresh = [one for one in fresh if one.order[0] == fresh[0].order[0]]
        return random.choice(fresh) if fresh else first  # noqa: S311 - chooses what is tried; guards nothing

    def _find_best(self) -> None:
        self._best = min((lane[0].order[0] for lane in self._lanes.values()), default=0)

    def __iter__(self) -> Iterator[Run]:
        return (run for lane in self._lanes.values() for run in lane)
