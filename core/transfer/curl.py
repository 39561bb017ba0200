"""The transport that moves files with libcurl."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from core.transfer.base import Job, Outcome, OutcomeSink, Progress
from core.transfer.network import Network

MOST_REQUESTS = 1024
"""Requests that run at once; further jobs wait for their turn."""
GATHER_SECONDS = 0.003
"""How long outcomes are gathered: with small files, waking the event loop for each would cost more than the file."""


class CurlTransport:
    """A Transport (see core.transfer.base). Ids are distinct among the jobs under way.

    A job that is cancelled when its body is whole may still succeed.
    """

    def __init__(self, most_requests: int = MOST_REQUESTS):
        self._network = Network(most_requests, self._hand_over)
        self._ended: deque[Outcome] = deque()
        self._announced = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deliver: OutcomeSink | None = None

    def start(self, deliver: OutcomeSink) -> None:
        """Begin; `deliver` is called on the running event loop with the outcomes of ended jobs, in batches."""
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._network.start()

    def submit(self, jobs: Iterable[Job]) -> None:
        """Begin these jobs, in this order."""
        self._network.call(partial(self._network.submit, list(jobs)))

    def cancel(self, ids: Iterable[int]) -> None:
        """Stop these jobs at the next chunk; each still ends with an outcome (`stopped`)."""
        self._network.call(partial(self._network.cancel, list(ids)))

    def progress(self) -> list[Progress]:
        """Return how far the transfers under way have come."""
        return [Progress(fetch.job.id, fetch.received, fetch.validator) for fetch in self._network.fetches()]

    def limit(self, bytes_per_second: int) -> None:
        """Bound the sum of all transfers' rates; 0 lifts the bound."""
        self._network.call(partial(self._network.limit, bytes_per_second))

    def close(self) -> None:
        """Stop everything and wait for the threads; no outcome is delivered afterwards."""
        self._deliver = None
        self._network.close()

    def _hand_over(self, outcomes: list[Outcome]) -> None:
        """Wake the event loop, unless it has been woken and just did not come round yet."""
        self._ended.extend(outcomes)
        if not self._announced and self._loop is not None:
            self._announced = True
            with suppress(RuntimeError):  # the event loop has ended before us
                self._loop.call_soon_threadsafe(self._gather)

    def _gather(self) -> None:
        if self._loop is not None:
            self._loop.call_later(GATHER_SECONDS, self._receive)

    def _receive(self) -> None:
        self._announced = False
        outcomes = [self._ended.popleft() for _ in range(len(self._ended))]
        if self._deliver is not None and outcomes:
            self._deliver(outcomes)
