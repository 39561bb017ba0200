"""Who keeps an engine at work, and ends it in every way that there is."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM

from core.engine.lease import Lease
from core.errors import LeaseHeld
from tests.model import invariants
from tests.model.upstream import Upstream
from tests.soak.cast import Actor, Book
from tests.soak.place import Place

PATIENCE = 120.0
LIVES = (0.3, 25.0)
"""Seconds that an engine works before it is ended."""
CHECK_SECONDS = 40.0
"""What a killed engine left is looked at no more often, for meanwhile nothing goes on."""
ONCE_CODES = {0, 3, 4, 7}
"""What a run to the end comes to while things fail, are paused and cannot be listed."""
LEASE_HELD = 6
ABORTED = 143
"""By a second signal, if that is SIGTERM; one that comes when all is done and closed kills the process."""
WAYS: tuple[tuple[signal.Signals, ...], ...] = (
    (SIGKILL,),
    (SIGTERM,),
    (SIGINT,),
    (SIGHUP,),
    (SIGTERM, SIGTERM),
    (SIGINT, SIGTERM),
)


def expected(once: bool, ended_by: tuple[signal.Signals, ...]) -> set[int]:
    """Return the exit codes that are right for a run to the end, or a service, that was sent these signals.

    A service that was sent none must not end.
    """
    if not once and not ended_by:
        return set()
    codes = ONCE_CODES if once else {0}
    if SIGKILL in ended_by:
        return {-SIGKILL} | (codes if once else set())
    return codes | ({ABORTED, -SIGTERM} if len(ended_by) > 1 else set())


class Keeper(Actor):
    """Starts one engine after the other on a place, until `calm` seconds of the run are over: the next one stays."""

    def __init__(self, book: Book, seed: int, place: Place, upstream: Upstream, calm: float):
        super().__init__(f"keeper of {place.name}", book, seed, (0.1, 2.0))
        self._place = place
        self._upstream = upstream
        self._calm = calm
        self._checked = 0.0

    def act(self) -> None:
        """Start an engine, let it work, end it, and look at what it left."""
        calm = self.book.elapsed >= self._calm
        once = not calm and self.chance.random() < 0.25
        self._make_way()
        process = self._place.start(*(("--once", "--json") if once else ("run",)))
        try:
            if self._at_work(process):
                self.book.count("runs to the end" if once else "services")
                self.book.note_life(f"{'--once' if once else 'run'} of {self._place.name}", process.pid)
                self._live(process, calm)
            self._end(process, once, calm)
        finally:
            process.kill()
            process.wait()

    def _make_way(self) -> None:
        """End an engine that somebody else has started: a dashboard, or a verification."""
        until = time.monotonic() + PATIENCE
        if self._place.engine() is not None:
            self.book.count("engines of others")
        while self._place.engine() is not None:
            self._place.end_engine(SIGTERM)
            if time.monotonic() > until:
                raise AssertionError(f"the engine of somebody else does not end: pid {self._place.engine()}")
            time.sleep(0.2)

    def _at_work(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the process is the engine; tell whether it is: another may have been first."""
        until = time.monotonic() + PATIENCE
        while self._place.engine() != process.pid and process.poll() is None:
            if time.monotonic() > until:
                raise AssertionError("an engine that was started never came to work")
            time.sleep(0.02)
        return process.poll() is None

    def _live(self, process: subprocess.Popen[bytes], calm: bool) -> None:
        until = time.monotonic() + self.chance.uniform(*LIVES)
        while process.poll() is None and not self.book.stop.is_set() and (calm or time.monotonic() < until):
            self.book.stop.wait(0.1)

    def _end(self, process: subprocess.Popen[bytes], once: bool, calm: bool) -> None:
        """End the process, unless it has ended; what it ends with has to be right."""
        alone = process.poll() is not None
        way = () if alone else (SIGTERM,) if calm or self.book.stop.is_set() else self.chance.choice(WAYS)
        for number in way:
            if process.poll() is None:
                os.kill(process.pid, number)
                time.sleep(self.chance.uniform(0.0, 0.3))
        code = process.wait(PATIENCE)
        self.book.count(f"ended by {' '.join(one.name for one in way) or 'itself'}: {code}")
        if code == LEASE_HELD and alone:
            return
        if code not in expected(once, way):
            self.book.complain(f"{self.name}: pid {process.pid} ended with {code} after {way or 'nothing'}")
        if code == -SIGKILL:
            self._look()

    def _look(self) -> None:
        """Check what a killed engine left behind, as its successor would find it."""
        if self.book.elapsed - self._checked < CHECK_SECONDS:
            return
        lease = Lease(self._place.mirror.state)
        try:
            lease.take()
        except LeaseHeld:  # a dashboard was quicker
            return
        try:
            mirror = self._place.mirror
            invariants.check(mirror, self._upstream, mirror.seen())
        finally:
            lease.release()
        self._checked = self.book.elapsed
        self.book.count("looks at what a killed engine left")
