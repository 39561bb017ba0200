"""The thread that talks to libcurl: one epoll, any number of requests."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pycurl

from core.errors import FailureKind
from core.text import display
from core.transfer.bandwidth import Bucket
from core.transfer.base import Job, Outcome, OutcomeSink
from core.transfer.fetch import Fetch, Next
from core.transfer.request import Handle
from core.transfer.writers import Writers
from core.urls import host_key

log = logging.getLogger(__name__)

LONGEST_SLEEP = 60.0
BREATHER = 0.1
"""Seconds to wait after an error that nobody foresaw, lest it fill the log."""
EVENTS = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


class Network:
    """The thread that talks to curl. Other threads use `start`, `call`, `fetches` and `close` only."""

    def __init__(self, most_requests: int, report: OutcomeSink):
        self._most_requests = most_requests
        self._report = report
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._calls: deque[Callable[[], None]] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._rung = False
        self._poller = select.epoll()
        self._poller.register(self._bell, select.EPOLLIN)
        self._multi: Any = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_alarm)
        self._multi.setopt(pycurl.M_MAXCONNECTS, most_requests)
        self._parked: set[int] = set()
        """Sockets that curl has done with for now; the poller keeps them, as most serve the next request at once."""
        self._alarm: float | None = None
        self._writers = Writers()
        self._bucket = Bucket()
        self._starved: deque[Fetch] = deque()
        self._waiting: dict[int, Job] = {}
        self._active: dict[int, Fetch] = {}
        self._running: dict[Any, Fetch] = {}
        self._left_alone: dict[str, float] = {}
        """Hosts that asked for rest, and until when (monotonic)."""
        self._idle: dict[bool, list[Handle]] = {False: [], True: []}
        self._outcomes: list[Outcome] = []
        self._closing = self._closed = False

    # From other threads.

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def call(self, work: Callable[[], None]) -> None:
        """Have `work` done in the network's thread, soon."""
        self._calls.append(work)
        if not self._rung and not self._closed:
            self._rung = True
            os.eventfd_write(self._bell, 1)

    def fetches(self) -> list[Fetch]:
        """Return the jobs under way."""
        return list(self._active.values())

    def close(self) -> None:
        """Stop all jobs, keep what came, and end the thread."""
        if self._closed:
            return
        if self._thread.ident is not None:
            self.call(self._stop_all)
            self._thread.join()
        self._closed = True
        self._writers.close()
        for handle in (*self._idle[False], *self._idle[True]):
            handle.close()
        self._multi.close()
        self._poller.close()
        os.close(self._bell)

    # Wishes, in the network's thread.

    def submit(self, jobs: list[Job]) -> None:
        """Put `jobs` in the queue; those for a host that asked to be left alone meanwhile come back at once."""
        self._waiting.update((job.id, job) for job in jobs)
        if self._left_alone:
            self._give_back()

    def cancel(self, ids: list[int]) -> None:
        """Stop the jobs with these `ids`, whether begun or not."""
        for number in ids:
            job = self._waiting.pop(number, None)
            fetch = self._active.get(number)
            if job is not None:
                kept = job.offset if job.validator is not None else 0
                self._outcomes.append(Outcome(number, kept=kept, validator=job.validator, stopped=True))
            elif fetch is not None:
                fetch.stop()
                self._release(fetch)
                self._advance(fetch)

    def limit(self, bytes_per_second: int) -> None:
        """Change the bandwidth bound."""
        self._bucket.set_rate(bytes_per_second, time.monotonic())

    def _stop_all(self) -> None:
        self._closing = True
        self.cancel([*self._waiting, *self._active])

    # The loop.

    def _run(self) -> None:
        while self._active or not self._closing:
            try:
                self._turn()
            except Exception:
                log.exception("the network's thread goes on after an error")
                time.sleep(BREATHER)

    def _turn(self) -> None:
        for fd, mask in self._poller.poll(self._patience()):
            if fd == self._bell:
                os.eventfd_read(self._bell)
                self._rung = False
            elif fd in self._parked:
                self._forget(fd)
            else:
                self._multi.socket_action(fd, _curl_events(mask))
        if self._alarm is not None and self._alarm <= time.monotonic():
            self._alarm = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()
        for _ in range(len(self._calls)):
            self._calls.popleft()()
        self._begin_waiting()
        self._feed_starved()
        if self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            self._report(outcomes)

    def _patience(self) -> float:
        """Return the seconds until something is due, if nothing happens before."""
        if self._calls:
            return 0.0
        now = time.monotonic()
        until = LONGEST_SLEEP if self._alarm is None else max(0.0, self._alarm - now)
        return min(until, self._bucket.wait(now)) if self._starved else until

    def _watch(self, what: int, fd: int, *_: object) -> None:
        """Watch a socket for curl, or no longer (M_SOCKETFUNCTION)."""
        if what == pycurl.POLL_REMOVE:
            self._parked.add(fd)
            return
        self._parked.discard(fd)
        try:
            self._poller.modify(fd, EVENTS[what])
        except FileNotFoundError:
            self._poller.register(fd, EVENTS[what])

    def _forget(self, fd: int) -> None:
        """Let a parked socket go: its server has hung up, say."""
        self._parked.discard(fd)
        with suppress(OSError):  # curl may have closed it meanwhile
            self._poller.unregister(fd)

    def _set_alarm(self, milliseconds: int) -> None:
        """Remember when curl wants to be called (M_TIMERFUNCTION)."""
        self._alarm = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    # The jobs.

    def _begin_waiting(self) -> None:
        while self._waiting and len(self._active) < self._most_requests:
            job = self._waiting.pop(next(iter(self._waiting)))
            fetch = self._active[job.id] = Fetch(job, self._writers, self._stirred_elsewhere, self._admit)
            self._advance(fetch)

    def _advance(self, fetch: Fetch) -> None:
        """Do what comes next for a fetch that has no request running."""
        try:
            step = fetch.next()
            if step is Next.REQUEST:
                self._request(fetch)
            elif step is Next.END:
                self._end(fetch, fetch.outcome())
        except Exception as bug:
            self._break_off(fetch, bug)

    def _request(self, fetch: Fetch) -> None:
        target = fetch.target(bounded=self._bucket.bounded)
        idle = self._idle[target.plain]
        handle = fetch.handle = idle.pop() if idle else Handle(target.plain)
        handle.aim(target)
        handle.easy.setopt(pycurl.HEADERFUNCTION, fetch.on_head)
        handle.easy.setopt(pycurl.WRITEFUNCTION, fetch.on_body)
        self._multi.add_handle(handle.easy)
        self._running[handle.easy] = fetch

    def _release(self, fetch: Fetch) -> None:
        """End the request of `fetch`, if one runs."""
        handle, fetch.handle = fetch.handle, None
        if handle is not None and self._running.pop(handle.easy, None) is not None:
            self._multi.remove_handle(handle.easy)
            self._idle[handle.plain].append(handle)

    def _end(self, fetch: Fetch, outcome: Outcome) -> None:
        if self._active.pop(fetch.job.id, None) is not None:
            self._outcomes.append(outcome)
            if outcome.retry_after and not outcome.elsewhere:
                self._leave_alone(host_key(fetch.job.url), time.monotonic() + outcome.retry_after)

    def _leave_alone(self, host: str, until: float) -> None:
        """Begin nothing more at a host before this time."""
        self._left_alone[host] = max(until, self._left_alone.get(host, 0.0))
        self._give_back()

    def _give_back(self) -> None:
        """Stop what waits for hosts that are left alone; the last comes first, to be put in front of what is left."""
        now = time.monotonic()
        self._left_alone = {host: until for host, until in self._left_alone.items() if until > now}
        self.cancel([job.id for job in reversed(self._waiting.values()) if host_key(job.url) in self._left_alone])

    def _break_off(self, fetch: Fetch, bug: Exception) -> None:
        """End a job that our own code can't handle, so that the others go on."""
        log.error("job %d ends with an internal error", fetch.job.id, exc_info=bug)
        self._release(fetch)
        fetch.sink.abandon(bug)
        self._end(fetch, Outcome(fetch.job.id, FailureKind.TRANSIENT, display(f"internal error: {bug!r}")))

    def _collect(self) -> None:
        """Take up the requests that have ended."""
        more = bool(self._running)
        while more:
            more, good, bad = self._multi.info_read()
            for easy in good:
                self._answered(easy, pycurl.E_OK, "")
            for easy, code, message in bad:
                self._answered(easy, code, message)

    def _answered(self, easy: Any, code: int, message: str) -> None:
        fetch = self._running[easy]
        self._release(fetch)
        try:
            fetch.answered(code, message, easy)
        except Exception as bug:
            self._break_off(fetch, bug)
        else:
            self._advance(fetch)

    # Pauses: for the disk, and for the bandwidth bound.

    def _stirred_elsewhere(self, fetch: Fetch) -> None:
        self.call(partial(self._stirred, fetch))

    def _stirred(self, fetch: Fetch) -> None:
        """The writers have got on with `fetch`."""
        if self._active.get(fetch.job.id) is not fetch:
            return
        if fetch.handle is None:
            self._advance(fetch)
        elif fetch.paused and not fetch.starved and not fetch.sink.full:
            self._unpause(fetch, fetch.handle)

    def _admit(self, fetch: Fetch, count: int) -> bool:
        admitted = self._bucket.take(count, time.monotonic())
        if not admitted:
            self._starved.append(fetch)
        return admitted

    def _feed_starved(self) -> None:
        if self._starved and self._bucket.wait(now := time.monotonic()) <= 0:
            while self._starved and self._bucket.ready(now):
                fetch = self._starved.popleft()
                if fetch.handle is not None and fetch.starved:
                    self._unpause(fetch, fetch.handle)

    def _unpause(self, fetch: Fetch, handle: Handle) -> None:
        fetch.paused = fetch.starved = False
        try:
            handle.easy.pause(pycurl.PAUSE_CONT)
        except pycurl.error as error:
            self._answered(handle.easy, *error.args)


def _curl_events(mask: int) -> int:
    events = 0
    if mask & select.EPOLLIN:
        events |= pycurl.CSELECT_IN
    if mask & select.EPOLLOUT:
        events |= pycurl.CSELECT_OUT
    if mask & (select.EPOLLERR | select.EPOLLHUP):
        events |= pycurl.CSELECT_ERR
    return events
