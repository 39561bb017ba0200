"""Crash points: which changes of a traced run a later run is killed at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

FLUSHES = frozenset({"fsync", "fdatasync", "syncfs"})
WRITES = 12
"""So many writes of a kind are taken, evenly, of those in one run; of all else, every one."""


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th change of its kind, and the moment: before, midway, after; see `tests.crash.tracer`."""

    kind: str
    number: int
    moment: str
    path: str = ""
    """What was changed there in the traced run."""

    def __str__(self) -> str:
        return f"{self.moment} {self.kind} {self.number} ({self.path})"

    @property
    def word(self) -> str:
        """What is done, wherever."""
        return self.kind.split()[0]

    @property
    def arguments(self) -> list[str]:
        """The point as the tracer takes it."""
        return [*self.kind.split(), str(self.number), self.moment]


def evenly(items: Sequence[T], count: int, offset: float = 0.5) -> list[T]:
    """Return `count` of `items`, evenly spread, or all; `offset`, from 0 to 1, shifts the choice."""
    if len(items) <= count:
        return list(items)
    return [items[int((at + offset) * len(items) / count)] for at in range(count)]


def found(record: Iterable[str]) -> list[Point]:
    """Return the points of a traced run, in its order: each change of names or sizes, before and after it.

    A flush changes nothing that outlives the process alone: it is taken before or after, in turn. Of writes there are
    many, alike: some are taken, half done and just done.
    """
    calls: list[Point] = []
    numbers: Counter[str] = Counter()
    for line in record:
        kind, _, path = line.rstrip("\n").partition("\t")
        numbers[kind] += 1
        calls.append(Point(kind, numbers[kind], "", path))
    return [replace(call, moment=moment) for call in calls for moment in _moments(call, numbers[call.kind])]


def _moments(call: Point, count: int) -> Sequence[str]:
    if call.word == "write":
        return ("midway", "after") if call.number in evenly(range(1, count + 1), WRITES) else ()
    if call.word in FLUSHES:
        return (("before", "after")[call.number % 2],)
    return ("before", "after")
