"""The engine: its parts, their start, their end, and what the end means to whoever called."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from core.config import Config
from core.engine import mirrors
from core.engine.context import Choice, Context
from core.engine.lease import Lease
from core.engine.parts import TICK_SECONDS, Parts, hosts_compete
from core.engine.recovery import recover
from core.engine.scheduler import Totals
from core.engine.watchers import deserted
from core.errors import ExitCode
from core.executors.local import LocalExecutor
from core.model import Durability, Phase
from core.store import commands, mending, moving, registry
from core.store.ballast import Ballast
from core.store.database import Database
from core.store.journal import Journal
from core.store.moving import Move
from core.transfer.curl import CurlTransport
from core.transfer.hosts import BESIDE
from core.units import counted
from core.urls import redact

log = logging.getLogger(__name__)

ABORT_SECONDS = 5.0
"""How long a stop at once waits for transfers to come to the end of their chunk."""
CANCEL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """How a run of an engine ended."""

    started: float
    elapsed: float
    files: int
    bytes: int
    filesets: int
    stopped_by: ExitCode | None
    unfinished: bool
    """True if it was stopped before all sources had been listed."""
    moves: tuple[str, ...] = ()
    """Which mirrors have another source than before, in words."""


class Engine:
    """One engine for one state file. `run` returns when all is done (``once``), or when it was told to stop.

    With `plan` it finds out what there is to do, and begins none of it: destinations are not touched. An engine with a
    `starter`, the pid of a dashboard, ends by itself when nobody watches and nothing is left to do. With `repairs_only`
    it lists no source: it carries out commands, and fetches what a verification found damaged. `any_place` allows
    destinations that are not those where was published before.
    """

    def __init__(
        self,
        config: Config,
        *,
        once: bool,
        choice: Choice | None = None,
        plan: bool = False,
        repairs_only: bool = False,
        any_place: bool = False,
        starter: int | None = None,
    ):
        self._config = config
        self._once = once
        self._plan = plan
        self._repairs_only = repairs_only
        self._any_place = any_place
        self._choice = choice or Choice()
        self._starter = starter
        self._lease = Lease(config.engine.state, starter)
        self.ready = asyncio.Event()
        """Set when state and destinations have been opened, and work begins."""
        self._signals = 0
        self._began = 0.0
        self._stopped_by: ExitCode | None = None
        self._unfinished = False
        self._moves: tuple[str, ...] = ()
        self._context: Context | None = None
        self._parts: Parts | None = None

    def stop(self, code: ExitCode) -> None:
        """Drain at the first call; at the second stop at the next chunk, to end with `code`."""
        self._signals += 1
        if self._signals > 1:
            self._stopped_by = code
        self._obey_signals()

    def _obey_command(self, at_once: bool) -> None:
        """Do what one signal does, or with `at_once` what two do."""
        self._signals = max(self._signals, 1)
        if at_once:
            self._stopped_by = ExitCode.TERMINATED
        self._obey_signals()

    def _obey_signals(self) -> None:
        if self._context is not None and self._signals:
            self._context.draining.set()
            if self._stopped_by is not None:
                self._context.aborting.set()

    def totals(self) -> Totals | None:
        """Return what has been moved so far, and what is known to be left; None before the start."""
        return None if self._parts is None else self._parts.totals()

    async def run(self) -> Result:
        """Run to the end. Raises LeaseHeld, StateError, or DiskError if no mirror can work."""
        self._began = time.time()
        self._lease.take()
        try:
            state = self._config.engine.state
            async with await Database.open_writer(state) as db, await Database.open_reader(state) as reader:
                journal = Journal(db, reader, None if self._plan else Ballast(state))
                journal.start()
                try:
                    return await self._run(journal)
                finally:
                    await journal.close()
        finally:
            self._lease.release()

    async def _run(self, journal: Journal) -> Result:
        context = await self._open(journal)
        context.started = self._began
        self._context = context
        self._obey_signals()
        started = context.now()
        clock = asyncio.get_running_loop().time
        begun = clock()
        most = self._config.engine.transfers + (BESIDE if hosts_compete(context) else 0)
        executor = LocalExecutor(CurlTransport(most), self._config.engine.durability is Durability.FULL)
        try:
            if not self._plan:
                await recover(context)
            parts = self._parts = Parts(context, executor, plan=self._plan, stop=self._obey_command)
            executor.start(parts.scheduler.deliver)
            await parts.gauges.restore_rests()
            await parts.limits.apply()
            self.ready.set()
            await self._work(context, parts)
            if not self._once:
                await context.tell("info", f"engine ended: pid {os.getpid()}")
            await context.enter(None)
        finally:
            executor.close()
            if self._parts is not None:
                self._parts.scrubber.close()
            context.close()
            for mirror in context.mirrors.values():
                await mirror.source.close()
                mirror.destination.close()
        totals = parts.scheduler.totals
        return Result(
            started=started,
            elapsed=clock() - begun,
            files=totals.files,
            bytes=totals.bytes,
            filesets=parts.publisher.published,
            stopped_by=self._stopped_by,
            unfinished=self._unfinished,
            moves=self._moves,
        )

    async def _open(self, journal: Journal) -> Context:
        """Make the state agree with the configuration, and open what it names."""
        identity = await registry.setting(journal.db, "identity") or secrets.token_hex(6)
        lease = int(await registry.setting(journal.db, "lease") or 0) + 1
        died = not self._plan and await registry.setting(journal.db, "phase") is not None
        configured = [(one.name, one.protocol, one.url, str(one.destination)) for one in self._config.mirrors]

        async def write(db: Database) -> tuple[dict[str, int], list[Move]]:
            await registry.set_setting(db, "identity", identity)
            await registry.set_setting(db, "lease", str(lease))
            await registry.set_setting(db, "host", socket.gethostname())
            await registry.set_setting(db, "phase", Phase.RUNNING)
            moves = await moving.follow(db, configured)
            if not self._repairs_only:
                await mending.read_first(db)
            return await registry.configure_mirrors(db, configured), moves

        ids, moves = await journal.write(write)
        context = Context(self._config, journal, once=self._once, choice=self._choice, lease=lease)
        context.repairs_only = self._repairs_only
        context.any_place = self._any_place
        for mirror in self._config.mirrors:
            if self._choice.mirror in (None, mirror.name):
                run = mirrors.build(ids[mirror.name], mirror, self._config.engine, identity)
                context.mirrors[run.id] = run
        await context.refresh()
        if died:
            words = "the engine before this one did not end properly; this one goes on from the state"
            await context.tell("warning", words)
        if not self._once:
            await context.tell("info", f"engine started: pid {os.getpid()}, by {commands.operator()}")
        for move in moves:
            await context.tell("warning", _words(move), mirror=move.mirror)
        self._moves = tuple(f"{move.mirror}: {_words(move)}" for move in moves)
        return context

    async def _work(self, context: Context, parts: Parts) -> None:
        """Run all parts until the end; an error in any of them ends the engine."""
        if not self._plan:
            await parts.control.obey()
            await parts.admission.reconsider()
        tasks: list[asyncio.Future[None]] = [*parts.start(), context.journal.task, context.failure]
        end = asyncio.create_task(self._end(context, parts), name="end")
        try:
            done, _ = await asyncio.wait([*tasks, end], return_when=asyncio.FIRST_COMPLETED)
            while end not in done:
                for task in done:
                    task.result()
                waited = [task for task in [*tasks, end] if not task.done()]
                done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            end.result()
            self._unfinished = context.draining.is_set() and any(
                poller.busy or poller.cut_off for poller in parts.pollers
            )
        finally:
            running = [task for task in [*tasks, end] if task is not context.journal.task]
            await _cancel(running)
            await parts.scheduler.recorder.flush(with_live=True)
            await parts.scheduler.trouble.tell()
            await parts.gauges.note_flow(parts.scheduler.came())
            await parts.gauges.note_rests()
        if not (self._plan or context.aborting.is_set()):
            await parts.places.look()
            await parts.publisher.write_indexes()

    async def _end(self, context: Context, parts: Parts) -> None:
        """Return when there is nothing left to do, or no time left to do it."""
        drain = asyncio.create_task(context.draining.wait())
        quiet = asyncio.create_task(self._nothing_left(parts))
        try:
            await asyncio.wait([drain, quiet], return_when=asyncio.FIRST_COMPLETED)
            if quiet.done():
                quiet.result()
                return
            log.info("stopping: no new work, filesets under way are finished; stop again to end at once")
            await context.enter(Phase.DRAINING)
            parts.scrubber.stop()
            await parts.admission.give_back()
            await self._drain(context, parts)
        finally:
            drain.cancel()
            quiet.cancel()

    async def _nothing_left(self, parts: Parts) -> None:
        if self._once:
            await parts.quiet()
        elif self._starter is not None:
            await deserted(self._config.engine.state, parts.at_rest)
        else:
            await asyncio.Event().wait()

    async def _drain(self, context: Context, parts: Parts) -> None:
        limit = asyncio.get_running_loop().time() + self._config.engine.drain_timeout
        while not context.aborting.is_set() and asyncio.get_running_loop().time() < limit:
            if not (parts.scheduler.busy or parts.publisher.busy or parts.admission.working or parts.scrubber.working):
                return
            await asyncio.sleep(TICK_SECONDS / 2)
        context.aborting.set()
        try:
            async with asyncio.timeout(ABORT_SECONDS):
                await parts.scheduler.drop(list(parts.scheduler.runs))
        except TimeoutError:
            log.warning("some transfers did not stop in time; their partial files are kept")


def _words(move: Move) -> str:
    again = f"all lists and the indexes of {counted(move.published, 'published fileset')} are read again"
    return f"the source is {redact(move.new)} instead of {redact(move.old)}: {again}"


async def _cancel(tasks: Sequence[asyncio.Future[None]]) -> None:
    """End tasks, asking again those that a wait within them made miss the first time."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
