"""Which file goes next, and what follows when its transfer has ended. Runs wholly on the event loop's thread."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from core.engine import tries
from core.engine.context import Context, MirrorRun
from core.engine.denials import Denials
from core.engine.recorder import Recorder
from core.engine.runs import Lanes, Run
from core.engine.trouble import TroubleLog
from core.errors import Answer, FailureKind
from core.executors.base import Executor, Work
from core.store import files
from core.store.files import Live
from core.store.ids import fileset_of
from core.store.records import FileRow, FilesetRow
from core.transfer.base import PLAIN_SIZE, Outcome
from core.transfer.hosts import Hosts

log = logging.getLogger(__name__)

SOON_SECONDS = 30.0
"""A try that is due within this time is waited for in memory; ``--once`` leaves later ones to the next run."""
SMALL = 1 << 20
"""Files up to this size are given to the executor ahead of time; larger ones would keep others from their turn."""


@dataclass(slots=True)
class _Flight:
    run: Run
    file: FileRow
    started: float
    received: int = 0
    sampled: float = 0.0


@dataclass(slots=True)
class Totals:
    """What this engine has moved since it started, and what it knows is left."""

    files: int = 0
    bytes: int = 0
    files_left: int = 0
    bytes_left: int = 0


class Scheduler:
    """Gives files to the executor, fairly: as many as there are slots, and of small ones some `ahead`.

    `complete` takes filesets whose files are all in place.
    """

    def __init__(self, context: Context, executor: Executor, hosts: Hosts, ahead: int, complete: Callable[[Run], None]):
        self._context = context
        self._slots = context.config.engine.transfers
        self._ahead = self._ahead_unlimited = ahead
        self._executor = executor
        self._hosts = hosts
        self._complete = complete
        self.recorder = Recorder(context, self.live)
        self.trouble = TroubleLog(context)
        self._denials = Denials()
        self.runs: dict[int, Run] = {}
        self.totals = Totals()
        self._came: Counter[int] = Counter()
        self.hungry = asyncio.Event()
        self._lanes = Lanes()
        self._flights: dict[int, _Flight] = {}
        self._waiting: list[tuple[float, int, Run, FileRow]] = []
        self._numbers = itertools.count()
        self._dropping: dict[int, asyncio.Future[None]] = {}

    @property
    def in_flight(self) -> int:
        """How many transfers are under way."""
        return len(self._flights)

    @property
    def pending(self) -> int:
        """How many files are loaded and could be started."""
        return sum(len(run.pending) for run in self.runs.values())

    @property
    def busy(self) -> bool:
        """True while anything is under way or due soon."""
        return bool(self._flights or any(not self._blocked(run) for run in self.runs.values() if not run.idle))

    def _blocked(self, run: Run) -> bool:
        """Tell whether nothing of a run will move in this run of the program."""
        if not run.mirror.working:
            return True
        return self._hosts.opens_at(run.mirror.host, failing=run.failed_before) - self._clock() > SOON_SECONDS

    def came(self) -> Mapping[int, int]:
        """Return how many bytes have come since this engine started, by product; of files under way, too."""
        found = Counter(self._came)
        for one in self._executor.progress():
            if flight := self._flights.get(one.id):
                found[flight.run.row.product_id] += max(0, one.received - flight.file.kept)
        return found

    def coming(self) -> tuple[int, int]:
        """Return how many bytes have come of files under way; and how many are there, with those kept from before."""
        came = there = 0
        for one in self._executor.progress():
            if flight := self._flights.get(one.id):
                there += one.received
                came += max(0, one.received - flight.file.kept)
        return came, there

    def offer(self, run: Run, rows: Iterable[FileRow]) -> None:
        """Add files of a run that are to be fetched, but for those that are loaded, waiting, under way or done."""
        flying = {one for one, flight in self._flights.items() if flight.run is run}
        known = flying | run.waiting | run.done | {file.id for file in run.pending}
        new = [row for row in rows if row.id not in known]
        run.pending.extend(sorted(new, key=lambda row: row.attempts > 0))

    def add(self, run: Run) -> None:
        """Begin with the files of a fileset. Raises DiskError if its staging area can't be opened."""
        self._executor.begin(run.row.id, run.mirror.destination)
        self.runs[run.row.id] = run
        self._lanes.add(run)
        self._settle(run)
        self.fill()

    def fill(self) -> None:
        """Start transfers as long as slots and files are there."""
        now = self._clock()
        for host, (waiting, failing) in self._waiting_by_host().items():
            self._hosts.wants(host, waiting, failing=failing)
        works: list[Work] = []
        while len(self._flights) < self._most(now) and not self._context.aborting.is_set():
            run = self._lanes.next(lambda one: self._may_start(one, now), self._in_doubt)
            if run is None:
                break
            works.append(self._launch(run, run.pending.popleft()))
        if works:
            self._executor.submit(works)
        if self.pending < (self._slots + self._ahead) * 4:
            self.hungry.set()

    def _may_start(self, run: Run, now: float) -> bool:
        host, small = run.mirror.host, run.pending[0].size <= SMALL
        room = self._room() + self._hosts.late(host, now) + (self._ahead if small else 0)
        free = len(self._flights) < room and run.mirror.working
        return free and self._hosts.may_start(host, now, failing=run.failed_before)

    def _in_doubt(self, mirror: MirrorRun) -> bool:
        return self._hosts.in_doubt(mirror.host)

    def _room(self) -> int:
        """Return how many transfers may be under way; the probe of a host that says nothing takes no one's slot."""
        return self._slots + self._hosts.extra()

    def _most(self, now: float) -> int:
        """Return how many transfers the executor may have, whatever their host and size."""
        return self._room() + self._ahead + self._hosts.latecomers(now)

    def _waiting_by_host(self) -> dict[str, tuple[int, bool]]:
        """Return how many files wait at each host, and whether all of these failed before."""
        waiting = dict.fromkeys((mirror.host for mirror in self._context.mirrors.values()), (0, True))
        for run in self._lanes:
            if run.mirror.working and run.pending:
                number, failing = waiting[run.mirror.host]
                waiting[run.mirror.host] = number + len(run.pending), failing and run.failed_before
        return waiting

    def _launch(self, run: Run, file: FileRow) -> Work:
        self._flights[file.id] = _Flight(run, file, self._context.now())
        run.in_flight += 1
        self._hosts.started(run.mirror.host, file.id, failing=run.failed_before)
        return Work(
            id=file.id,
            fileset=run.row.id,
            url=run.mirror.source.file_url(run.place.product, run.place.fileset, file.name),
            name=file.name,
            size=file.size,
            digest=file.digest,
            access=run.mirror.access,
            offset=file.kept if file.validator else 0,
            validator=file.validator,
            plain=not file.attempts and file.size <= PLAIN_SIZE,
            fresh=file.attempts > 0,
            stuck=file.tries > 1,
            accepted=file.accepted is not None,
        )

    def deliver(self, outcomes: list[Outcome]) -> None:
        """Take the outcomes of ended transfers; an error here ends the engine, for outcomes would be lost."""
        try:
            for outcome in outcomes:
                flight = self._flights.pop(outcome.id)
                flight.run.in_flight -= 1
                self.totals.bytes += outcome.fetched
                self._came[flight.run.row.product_id] += outcome.fetched
                self.recorder.came(flight.run.row.product_id, outcome.fetched)
                self._ended(flight, outcome)
                self._settle(flight.run)
            self.fill()
        except Exception as error:
            self._context.fail(error)

    def _ended(self, flight: _Flight, outcome: Outcome) -> None:
        run, file, host = flight.run, flight.file, flight.run.mirror.host
        if outcome.stopped:
            self._hosts.released(host, file.id)
            self.recorder.interrupted(file.id, outcome.kept, outcome.validator)
            if not run.dropped:  # recalled for its host's sake: it has its turn when that may be asked again
                run.pending.appendleft(file._replace(kept=outcome.kept, validator=outcome.validator))
        elif outcome.kind is None:
            self._hosts.succeeded(host, file.id)
            self._denials.end(run.mirror.id)
            run.mirror.told = ""
            self.recorder.staged(run.row.product_id, file, outcome.blake3, outcome.ctime)
            run.done.add(file.id)
            run.failing = False
            self.totals.files += 1
        else:
            if outcome.kind is FailureKind.DISK or tries.got_on(file, outcome):
                self._hosts.released(host, file.id)
            elif outcome.kind is FailureKind.TRANSIENT and not outcome.elsewhere:
                failing = run.failing or file.attempts > 0
                self._hosts.failed(host, file.id, self._clock(), outcome.retry_after, failing=failing)
            else:
                self._hosts.succeeded(host, file.id)
            self._failed(run, file, outcome, outcome.kind)

    def _failed(self, run: Run, file: FileRow, outcome: Outcome, kind: FailureKind) -> None:
        run.begun = run.failing = True
        now = self._context.now()
        policy = self._denials.answered_as(kind, run.mirror, file.id)
        step = tries.next_try(file, outcome, policy, now)
        if step.answer in (Answer.PAUSE_MIRROR, Answer.PAUSE_DESTINATION):
            self.recorder.interrupted(file.id, outcome.kept, outcome.validator)
            run.pending.appendleft(file._replace(kept=outcome.kept, validator=outcome.validator))
            place = f"{run.place.product}/{run.place.fileset}/{file.name}"
            self._context.spawn(self._stop(run.mirror, kind, f"{place}: {outcome.detail}"))
            return
        after = tries.after_failure(file, outcome, step)
        self.recorder.failed(tries.to_record(after, outcome, kind))
        self.trouble.note(run, file.name, kind, outcome.detail, step.answer)
        if step.answer is Answer.AGAIN:
            run.pending.appendleft(after)
        elif step.at is not None and step.at - now <= SOON_SECONDS and not self._context.draining.is_set():
            run.waiting.add(file.id)
            heapq.heappush(self._waiting, (step.at, next(self._numbers), run, after))

    async def _stop(self, mirror: MirrorRun, kind: FailureKind, reason: str) -> None:
        """Stop a mirror; that files of it were denied before counts for nothing, then."""
        if kind is FailureKind.DISK:
            reason = f"{mirror.config.destination}: {reason}"
        await self._context.stop_mirror(mirror, kind, reason)
        if denied := self._denials.end(mirror.id):
            await self.recorder.flush()
            now = self._context.now()
            await self._context.journal.write(lambda db: files.try_at_once(db, denied, now))

    def _settle(self, run: Run) -> bool:
        """Let a run go that is complete, dropped, or has nothing to do soon; tell whether it went."""
        gone = run.in_flight == 0 if run.dropped else run.complete or run.idle
        if not gone or self.runs.get(run.row.id) is not run:
            return gone
        del self.runs[run.row.id]
        self._lanes.remove(run)
        self._executor.end(run.row.id)
        if run.dropped:
            self._dropping.pop(run.row.id).set_result(None)
        elif run.complete:
            self._complete(run)
        return True

    def tick(self) -> None:
        """Bring back files whose next try is due, and start what a gate has kept."""
        now = self._context.now()
        while self._waiting and (self._waiting[0][0] <= now or self._waiting[0][0] > now + 2 * SOON_SECONDS):
            _, _, run, file = heapq.heappop(self._waiting)
            run.waiting.discard(file.id)
            if not run.dropped:
                run.pending.append(file)
        self.fill()

    async def drop(self, filesets: Iterable[int]) -> None:
        """Take filesets out of the schedule; return when nothing of them is under way and all of it is recorded."""
        gone: list[asyncio.Future[None]] = []
        for fileset in filesets:
            run = self.runs.get(fileset)
            if run is None:
                continue
            if fileset not in self._dropping:
                self._dropping[fileset] = asyncio.get_running_loop().create_future()
            gone.append(self._dropping[fileset])
            run.dropped = True
            run.pending.clear()
            run.waiting.clear()
            self._executor.cancel([one for one, flight in self._flights.items() if flight.run is run])
            self._settle(run)
        if gone:
            await asyncio.gather(*gone)
        await self.recorder.flush()

    def recall(self, host: str) -> None:
        """Take back what the executor was given ahead for a host that asked to be left alone."""
        begun = {one.id for one in self._executor.progress()}
        ahead = [one for one, flight in self._flights.items() if flight.run.mirror.host == host and one not in begun]
        self._executor.cancel(reversed(ahead))

    def untouched(self) -> list[int]:
        """Return the filesets of which nothing has come or was tried; what waits in the executor has not begun."""
        coming = {fileset_of(one.id) for one in self._executor.progress()}
        return [one for one, run in self.runs.items() if not (run.begun or run.done or one in coming)]

    def limit(self, transfers: int) -> None:
        """Start no more transfers than this at once; those under way go on."""
        self._slots = transfers
        self._ahead = self._ahead_unlimited if transfers >= self._context.config.engine.transfers else 0
        self.fill()

    def reorder(self, rows: Iterable[FilesetRow]) -> None:
        """Give runs the priority and place that their filesets have now."""
        touched = [row for row in rows if row.id in self.runs]
        for row in touched:
            self.runs[row.id].row = row
        self._lanes.sort({row.product_id for row in touched})

    def hasten(self, filesets: Collection[int]) -> None:
        """Try at once what of these filesets waits for its next try."""
        self._waiting = [
            (0.0 if run.row.id in filesets else at, number, run, file) for at, number, run, file in self._waiting
        ]
        heapq.heapify(self._waiting)
        self.tick()

    def live(self) -> list[Live]:
        """Return the picture of the transfers under way; rates are since the last picture."""
        now = self._context.now()
        picture = []
        for one in self._executor.progress():
            flight = self._flights.get(one.id)
            if flight is None:
                continue
            if one.received > flight.file.kept:
                self._hosts.heard(flight.run.mirror.host)
            elapsed = now - (flight.sampled or flight.started)
            rate = max(0.0, (one.received - flight.received) / elapsed) if elapsed > 0 else 0.0
            flight.received, flight.sampled = one.received, now
            kept = flight.file.kept
            picture.append(
                Live(one.id, flight.run.mirror.host, flight.started, one.received, rate, one.validator, kept)
            )
        return picture

    @staticmethod
    def _clock() -> float:
        return time.monotonic()
