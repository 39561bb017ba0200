"""Those who take part in a long run, each in a thread of its own, and the book in which they write."""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from random import Random

from tests.soak.figures import Life

MOST_TOLD = 50


class Book:
    """What was counted, what was wrong, and which processes lived; written by all threads."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.stop = threading.Event()
        """Set when the turbulence is to end."""
        self.counts: Counter[str] = Counter()
        self.complaints: list[str] = []
        self.lives: list[Life] = []
        self._lock = threading.Lock()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def count(self, what: str, number: int = 1) -> None:
        """Count something that happened."""
        with self._lock:
            self.counts[what] += number

    def complain(self, what: str) -> None:
        """Note something that must not be, and print it."""
        with self._lock:
            self.complaints.append(what)
            if len(self.complaints) <= MOST_TOLD:
                say(f"WRONG, after {self.elapsed:.0f} s: {what}")

    def note_life(self, name: str, pid: int) -> None:
        """Note a process, to be looked at until it ends."""
        with self._lock:
            self.lives.append(Life(name, pid))


class Actor(ABC):
    """Acts again and again, with pauses of a random length, until the book says stop."""

    def __init__(self, name: str, book: Book, seed: int, pause: tuple[float, float]):
        self.name = name
        self.book = book
        self.chance = Random(f"{seed} {name}")
        self._pause = pause
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def act(self) -> None:
        """Do something."""

    def start(self) -> None:
        """Begin to act."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until the last act is done; one that never ends is told."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            self.book.complain(f"{self.name} does not come to an end")

    def _run(self) -> None:
        while not self.book.stop.wait(self.chance.uniform(*self._pause)):
            try:
                self.act()
            except Exception as error:  # one that failed is told, and the others play on
                self.book.complain(f"{self.name}: {type(error).__name__}: {error}")


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
