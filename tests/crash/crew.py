"""Playing scenarios in a pool of processes, which tell what they find."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import TypeAlias

from tests.crash.lab import Lab, Outcome
from tests.crash.points import evenly
from tests.crash.scenarios import SCENARIOS

SHARES = 2
"""Each scenario is played by so many processes, each with a share of its points."""


@dataclass(frozen=True, slots=True)
class Task:
    """A share of a scenario's points."""

    name: str
    share: int
    points: int


Told: TypeAlias = int | Outcome | BaseException | None
"""The number of points, outcomes, and at last the error that ended a share, or None."""
News: TypeAlias = "SimpleQueue[tuple[Task, Told]]"


def play(task: Task) -> None:
    """Play a share in a process of the pool; tell the number of its points, then each outcome."""
    scenario = SCENARIOS[task.name]
    with tempfile.TemporaryDirectory(prefix="crash-") as folder, Lab(scenario, Path(folder)) as lab:
        points = evenly(lab.points, task.points)[task.share :: SHARES]
        _news[0].put((task, len(points)))
        for point in points:
            _news[0].put((task, lab.play(point)))


_news: list[News] = []
"""In a process of the pool: where it tells."""


def _begin(news: News) -> None:
    _news.append(news)


def play_all(names: Sequence[str], points: int) -> Iterator[tuple[str, Told]]:
    """Play scenarios, of each at most `points`; yield the scenario and what is told of it, until all have ended."""
    context = get_context("spawn")
    news: News = context.SimpleQueue()
    running = [Task(name, share, points) for name in names for share in range(SHARES)]
    with ProcessPoolExecutor(os.cpu_count(), context, initializer=_begin, initargs=(news,)) as pool:
        for task in list(running):
            pool.submit(play, task).add_done_callback(_ending(task, news))
        while running:
            task, told = news.get()
            if told is None or isinstance(told, BaseException):
                running.remove(task)
            yield task.name, told


def _ending(task: Task, news: News) -> Callable[[Future[None]], None]:
    return lambda share: news.put((task, share.exception()))
