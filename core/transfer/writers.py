"""A few threads that digest and write: many files at a time, each one's blocks in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

Work: TypeAlias = Callable[[], None]


class Lane:
    """The work for one file: done piece by piece, in order, by one thread at a time; `done` is called after each."""

    def __init__(self, writers: Writers, done: Work):
        self._writers = writers
        self._done = done
        self._work: deque[Work] = deque()
        self.waiting = 0

    @property
    def waiting_in_all(self) -> int:
        """The pieces of work that wait in all lanes."""
        return self._writers.waiting

    def put(self, work: Work) -> None:
        """Add a piece of work, which must not raise."""
        self._work.append(work)
        if self._writers.count(self, 1) == 1:
            self._writers.queue(self)

    def step(self) -> None:
        """Do the next piece; called by a writer."""
        self._work.popleft()()
        if self._writers.count(self, -1):
            self._writers.queue(self)
        self._done()


class Writers:
    """The threads; they start when there is work."""

    def __init__(self, threads: int = 2):
        self._threads = [threading.Thread(target=self._run, name=f"writer-{n}", daemon=True) for n in range(threads)]
        self._lanes: SimpleQueue[Lane | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = False
        self.waiting = 0

    def lane(self, done: Work) -> Lane:
        """Return a lane for one file; `done` is called in a writer's thread after each piece of work."""
        return Lane(self, done)

    def count(self, lane: Lane, change: int) -> int:
        """Add `change` to the work that waits in `lane`, and return how much that is now."""
        with self._lock:
            self.waiting += change
            lane.waiting += change
            return lane.waiting

    def queue(self, lane: Lane) -> None:
        """Give `lane` its turn after those that came before."""
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        self._lanes.put(lane)

    def close(self) -> None:
        """Do what waits, then end the threads."""
        for _ in self._threads:
            self._lanes.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _run(self) -> None:
        while (lane := self._lanes.get()) is not None:
            lane.step()
