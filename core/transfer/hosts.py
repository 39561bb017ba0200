"""Which host may be asked for another file now: slots, fair shares, Retry-After, and hosts that fail.

Nothing here does IO; all times are monotonic seconds, passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

FAILURES_TO_REST = 5
FILES_TO_REST = 2
FIRST_REST = 60.0
LONGEST_REST = 1800.0
LONGEST_SUSPICION = 8.0
"""Seconds between tries of a host that failed lately, at most."""
PROBES = 1
LATECOMERS = 1
BESIDE = PROBES + LATECOMERS
"""Slots beside the ordinary ones, where hosts compete."""

ASKED = "the server asked to be left alone"
SPARED = "one index after the other failed"


class Trust(StrEnum):
    """How a host is dealt with."""

    TRUSTED = "trusted"
    SUSPECTED = "suspected"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class HostState:
    """A host as a screen shows it; nothing is started there before `until` (None: now is fine)."""

    trust: Trust
    until: float | None = None
    reason: str = ""
    running: int = 0
    waiting: int = 0


class HostGate:
    """What one host is allowed.

    Transfers that were begun before a failure was counted, and fail after it, tell nothing new: an outage
    that hits sixteen of them counts once. After a first failure the host is suspected: one transfer at a time,
    until one succeeds. After FAILURES_TO_REST in a row, over FILES_TO_REST files, it is left alone for a while.
    A file that fails again, though others were served since it failed last, tells of itself only; of such failures
    one is passed over for each success. A rest that nearly nothing but such files brought about, `failing` before they
    were tried, is for these alone: what has not failed yet may show that the host works.
    """

    def __init__(self) -> None:
        self.waiting = 0
        """Transfers that want to start ..."""
        self.waits_failing = False
        """... and whether all of these failed before."""
        self._running: dict[int, int] = {}
        self._failing: set[int] = set()
        """Of what is running, what failed before."""
        self._starts = 0
        self._failures = self._news = 0
        """Failures in a row; and how many of them are of what had not failed before."""
        self._starts_at_failure = 0
        self._failed_files: set[int] = set()
        self._served = self._passed_over_at = 0
        self._served_before: dict[int, int] = {}
        """How many transfers had succeeded when a file failed last."""
        self.answers = False
        """Whether something has come from it since it was last in doubt."""
        self._rests = 0
        self._suspected_until = 0.0
        self._resting_until = 0.0
        self._asked_until = 0.0
        self._spared_until = 0.0

    @property
    def running(self) -> int:
        """Transfers under way."""
        return len(self._running)

    @property
    def in_doubt(self) -> bool:
        """True if it failed and no transfer has succeeded since."""
        return self._failures > 0

    def opens_at(self, *, failing: bool) -> float:
        """Return the time before which nothing may be started; what is not `failing`, if not."""
        rests = self._resting_until if failing or self._rests_for_all else 0.0
        return max(self._suspected_until, rests, self._asked_until)

    def index_opens_at(self) -> float:
        """Return the time before which no index may be read."""
        return max(self._resting_until if self._rests_for_all else 0.0, self._asked_until, self._spared_until)

    @property
    def _rests_for_all(self) -> bool:
        return self._news >= FILES_TO_REST

    def is_open(self, now: float, *, failing: bool) -> bool:
        """Tell whether this host may be asked now, as far as its own record goes."""
        return now >= self.opens_at(failing=failing) and not (self._failures and self._on_probation(failing=failing))

    def may_go_on(self, now: float) -> bool:
        """Tell whether the best of what waits may be started, as far as its own record goes."""
        return self.is_open(now, failing=self.waits_failing)

    def running_beside(self, *, failing: bool) -> int:
        """Return how many transfers are under way that one more has to wait for while the host is in doubt.

        What failed before may hang as it did: what is not `failing` doesn't wait for it.
        """
        return len(self._running) - (0 if failing else len(self._failing))

    def started(self, file_id: int, *, failing: bool = False) -> None:
        """A transfer was begun, of what had been `failing` or not."""
        self._starts += 1
        self._running[file_id] = self._starts
        if failing:
            self._failing.add(file_id)

    def succeeded(self, file_id: int) -> None:
        """A transfer ended with a proper answer, be it "not found": the host works."""
        self.released(file_id)
        self._served += 1
        self._served_before.pop(file_id, None)
        self.answers = True
        self._failures = self._news = self._rests = 0
        self._failed_files.clear()
        self._suspected_until = self._resting_until = 0.0

    def released(self, file_id: int) -> None:
        """A transfer ended in a way that tells nothing about the host: stopped, or the disk failed."""
        self._running.pop(file_id, None)
        self._failing.discard(file_id)

    def failed(self, file_id: int, now: float, retry_after: float | None = None, *, failing: bool = False) -> None:
        """A transfer ended with a transient failure; `retry_after` is the host's wish in seconds."""
        start = self._running.get(file_id, self._starts)
        self.released(file_id)
        self._asked_until = max(self._asked_until, now + (retry_after or 0.0))
        if self._tells_of_itself(file_id):
            return
        if start <= self._starts_at_failure:
            if self._failures:
                self._failed_files.add(file_id)
            return
        self.answers = False
        self._failed_files.add(file_id)
        self._failures += 1
        self._news += not failing
        self._starts_at_failure = self._starts
        self._suspected_until = now + min(2.0 ** (self._failures - 1), LONGEST_SUSPICION)
        if self._failures >= FAILURES_TO_REST and len(self._failed_files) >= FILES_TO_REST:
            self._resting_until = now + min(FIRST_REST * 2.0**self._rests, LONGEST_REST)
            self._rests += 1

    def _tells_of_itself(self, file_id: int) -> bool:
        before = self._served_before.get(file_id, self._served)
        self._served_before[file_id] = self._served
        if self.in_doubt or max(before, self._passed_over_at) >= self._served:
            return False
        self._passed_over_at = self._served
        return True

    def rest(self, until: float) -> None:
        """Start nothing before this time: the host asked for that."""
        self._asked_until = max(self._asked_until, until)

    def spare(self, until: float) -> None:
        """Read no index before this time: one after the other failed."""
        self._spared_until = max(self._spared_until, until)

    def forgive(self) -> None:
        """End rests of our own making; one transfer at a time has to show whether the host works."""
        self._suspected_until = self._resting_until = self._spared_until = 0.0

    def asked_for(self, now: float) -> float:
        """Return for how many more seconds the host asked to be left alone."""
        return max(0.0, self._asked_until - now)

    def restore(self, until: float, reason: str) -> None:
        """Go on with a rest that was begun under another engine."""
        if reason == ASKED:
            self.rest(until)
        elif reason == SPARED:
            self.spare(until)
        else:
            self._failures, self._rests = FAILURES_TO_REST, 1
            self._resting_until = until  # for what failed: something else may show that the host works by now

    def state(self, now: float) -> HostState:
        """Return what a screen shows."""
        opens_at = max(self.opens_at(failing=True), self._spared_until)
        until = opens_at if opens_at > now else None
        trust, reason = Trust.TRUSTED, ""
        if self._asked_until > now and self._asked_until >= max(self._resting_until, self._spared_until):
            trust, reason = Trust.RESTING, ASKED
        elif self._spared_until > now and self._spared_until >= self._resting_until:
            trust, reason = Trust.RESTING, SPARED
        elif self._resting_until > now:
            trust, reason = Trust.RESTING, f"{self._failures} failures in a row"
        elif self._failures:
            trust, reason = Trust.SUSPECTED, "one transfer at a time after a failure"
        return HostState(trust, until, reason, self.running, self.waiting)

    def _on_probation(self, *, failing: bool) -> bool:
        """Tell whether a transfer that was begun since the last counted failure is still under way."""
        counted = {one: start for one, start in self._running.items() if failing or one not in self._failing}
        return any(start > self._starts_at_failure for start in counted.values())


class Hosts:
    """All hosts, and the slots that they share: `transfers` in all, `transfers_per_host` each.

    With `probing` a host that has not answered yet gets one transfer only, and PROBES of these are not counted among
    the slots: one that takes connections and says nothing would otherwise keep slots from the others until its
    transfers are given up. LATECOMERS more are for hosts that come when others have more than their shares: what these
    have begun may last for hours, and is not taken from them.
    """

    def __init__(self, transfers: int, transfers_per_host: int, probing: bool = False):
        self._transfers = transfers
        self._per_host = transfers_per_host
        self._probing = probing
        self.on_wish: Callable[[str], None] = lambda _: None
        """Told at once of a host that asks to be left alone."""
        self._gates: dict[str, HostGate] = {}
        self._running = 0

    def wants(self, host: str, waiting: int, *, failing: bool = False) -> None:
        """Tell how many transfers from `host` want to start, and whether all that wait are `failing`."""
        gate = self._gate(host)
        gate.waiting, gate.waits_failing = waiting, failing

    def may_start(self, host: str, now: float, *, failing: bool = False) -> bool:
        """Tell whether one more transfer, of what is `failing` or not, may be started at `host`.

        A host may have more than its share of the slots as long as the others' shares stay free for them.
        """
        gate = self._gate(host)
        free = self._transfers + self.extra() + self.late(host, now) - self._running
        if free <= 0 or self._full(gate, failing) or not gate.is_open(now, failing=failing):
            return False
        able = [each for each in self._gates.values() if each.waiting > 0 and each is not gate and each.may_go_on(now)]
        share = max(1, self._transfers // (len(able) + 1))
        reserved = sum(min(each.waiting, max(0, min(share, self._most(each)) - each.running)) for each in able)
        return gate.running < share or free > reserved

    def extra(self) -> int:
        """Return how many slots there are beside the ordinary ones, for hosts that say nothing."""
        if not self._probing:
            return 0
        return min(PROBES, sum(gate.running for gate in self._gates.values() if self._is_probed(gate)))

    def late(self, host: str, now: float) -> int:
        """Return how many slots beside the ordinary ones `host` may have now.

        It has some while it waits with nothing under way, and another has more than an equal share among all that
        have something to do.
        """
        gate = self._gate(host)
        if not self._probing or gate.running or not gate.waiting or not gate.may_go_on(now):
            return 0
        busy = [each.running for each in self._gates.values() if each.running or each.waiting]
        return LATECOMERS if max(busy) > max(1, self._transfers // len(busy)) else 0

    def latecomers(self, now: float) -> int:
        """Return how many slots there are beside the ordinary ones for hosts that came late."""
        return max((self.late(host, now) for host in self._gates), default=0)

    def started(self, host: str, file_id: int, *, failing: bool = False) -> None:
        """A transfer was begun; `failing`: its fileset had failed before."""
        self._gate(host).started(file_id, failing=failing)
        self._running += 1

    def heard(self, host: str) -> None:
        """Bytes have come from a host: it answers, though no transfer has ended yet."""
        self._gate(host).answers = True

    def succeeded(self, host: str, file_id: int) -> None:
        """A transfer ended with a proper answer, be it "not found": the host works."""
        self._gate(host).succeeded(file_id)
        self._running -= 1

    def released(self, host: str, file_id: int) -> None:
        """A transfer ended in a way that tells nothing about the host."""
        self._gate(host).released(file_id)
        self._running -= 1

    def failed(
        self, host: str, file_id: int, now: float, retry_after: float | None = None, *, failing: bool = False
    ) -> None:
        """A transfer ended with a transient failure; `retry_after` is the host's wish in seconds.

        `failing`: the file, or another one of its fileset, had failed before it was tried.
        """
        self._gate(host).failed(file_id, now, retry_after, failing=failing)
        self._running -= 1
        if retry_after:
            self.on_wish(host)

    def rest(self, host: str, until: float) -> None:
        """Leave `host` alone until this time: it asked for that."""
        self._gate(host).rest(until)
        self.on_wish(host)

    def spare(self, host: str, until: float) -> None:
        """Read no index of `host` before this time: one after the other failed."""
        self._gate(host).spare(until)

    def opens_at(self, host: str, *, failing: bool) -> float:
        """Return the time before which nothing of `host`, `failing` or not, may be started."""
        return self._gate(host).opens_at(failing=failing)

    def index_opens_at(self, host: str) -> float:
        """Return the time before which no index of `host` may be read."""
        return self._gate(host).index_opens_at()

    def forgive(self) -> None:
        """End all rests of our own making: an operator says that the trouble is over."""
        for gate in self._gates.values():
            gate.forgive()

    def asked_for(self, host: str, now: float) -> float:
        """Return for how many more seconds `host` asked to be left alone."""
        return self._gate(host).asked_for(now)

    def restore(self, host: str, until: float, reason: str) -> None:
        """Leave `host` alone until this time, for the reason that its state had under another engine."""
        self._gate(host).restore(until, reason)

    def resting(self, now: float) -> dict[str, HostState]:
        """Return the hosts that are left alone."""
        states = {host: gate.state(now) for host, gate in self._gates.items()}
        return {host: state for host, state in states.items() if state.trust is Trust.RESTING}

    def state(self, host: str, now: float) -> HostState:
        """Return what a screen shows of `host`."""
        return self._gate(host).state(now)

    def in_doubt(self, host: str) -> bool:
        """Tell whether the last transfers from `host` failed: it gets few tries until one succeeds."""
        return self._gate(host).in_doubt

    def _full(self, gate: HostGate, failing: bool) -> bool:
        beside = gate.running_beside(failing=failing) if self._is_probed(gate) else gate.running
        return beside >= self._most(gate)

    def _most(self, gate: HostGate) -> int:
        return 1 if self._is_probed(gate) else self._per_host

    def _is_probed(self, gate: HostGate) -> bool:
        return self._probing and not gate.answers

    def _gate(self, host: str) -> HostGate:
        gate = self._gates.get(host)
        if gate is None:
            gate = self._gates[host] = HostGate()
        return gate
