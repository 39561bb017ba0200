"""`verify`: what is published is read again, by the engine that runs, or by one for this alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from core.config import Config
from core.engine.context import Choice
from core.engine.engine import Engine
from core.engine.lease import held
from core.errors import ConfigError, ExitCode, LeaseHeld
from core.model import CommandKind
from core.store import commands, meters, verification
from core.store.commands import Target
from core.store.database import Database
from core.store.verification import FindingLine, Verification, Wish
from core.text import display
from core.units import counted, format_bytes
from core.urls import host_key
from tui.headless import work
from tui.headless.output import reader_may_leave
from tui.headless.progress import LiveLine, terminal_can_draw
from tui.headless.state_errors import state_errors_told
from tui.signals import heed

LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
"""What waits for a host that is left alone for longer is not waited for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a verification; `mended` of the `damaged` filesets are right again.

    `mending` more are left to the engine that runs. `refused` of the published indexes that were found wrong can't be
    written anew.
    """

    progress: Verification
    findings: list[FindingLine]
    damaged: int
    mended: int
    mending: int
    refused: int
    repair: bool
    held_up_by_disk: bool
    """Whether a disk is why something is not right again."""
    stopped_by: ExitCode | None = None

    @property
    def indexes(self) -> int:
        """How many published indexes of products and roots were found wrong."""
        return sum(not one.fileset for one in self.findings)

    @property
    def exit_code(self) -> ExitCode:
        """What it amounts to."""
        if self.stopped_by is not None:
            return self.stopped_by
        if self.progress.stopped is not None:
            return ExitCode.DISK if self.progress.failed else ExitCode.DRAINED
        if self.held_up_by_disk:
            return ExitCode.DISK
        strange = any(one.stranger for one in self.findings)
        wrong = self.mended < self.damaged or (self.refused if self.repair else self.indexes)
        return ExitCode.FAILURES if strange or wrong else ExitCode.OK


def verify(config_file: Path | None, target: Target, wish: Wish, *, as_json: bool, quiet: bool) -> ExitCode:
    """Verify what is published of `target`, and print what was found."""
    config = work.prepare(config_file, work.Options(target.mirror, target.product, as_json, quiet))
    if not config.engine.state.exists():
        raise ConfigError(f"{config.engine.state}: no state yet, so nothing to verify; run `mirrortui --once` first")
    with state_errors_told(config.engine.state):
        outcome = work.run_in_loop(_verify(config, target, wish, show=not quiet))
    with reader_may_leave():
        if as_json:
            click.echo(json.dumps(_json(outcome)))
        elif not quiet or outcome.exit_code is not ExitCode.OK:
            _print(outcome)
    return outcome.exit_code


async def _verify(config: Config, target: Target, wish: Wish, *, show: bool) -> Outcome:
    state = config.engine.state
    asked = replace(target, value=str(wish))
    async with await Database.open_reader(state) as db:
        number = await commands.append(db, CommandKind.VERIFY, asked, time.time())
        follower = Follower(db, number, config, wish.repair)
        drawing = asyncio.create_task(LiveLine(follower.line).run()) if show and terminal_can_draw() else None
        try:
            stopped_by = None if held(state) else await _work(config, target, wish, follower)
            if stopped_by is None:
                stopped_by = await _wait(state, follower)
        finally:
            if drawing is not None:
                drawing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await drawing
        return await follower.outcome(stopped_by)


async def _work(config: Config, target: Target, wish: Wish, follower: Follower) -> ExitCode | None:
    """Run an engine for what is in the command table; return which signal stopped it."""
    engine = Engine(config, once=True, choice=Choice(target.mirror), repairs_only=True, any_place=wish.repair)
    following = asyncio.create_task(follower.run())
    try:
        return (await work.run_engine(engine, show=False)).stopped_by
    except LeaseHeld as error:
        if held(config.engine.state):  # somebody has started an engine in this moment
            return None
        await follower.withdraw(str(error))
        raise
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def _wait(state: Path, follower: Follower) -> ExitCode | None:
    """Wait for the engine that runs. A signal stops the verification, not the engine, nor what that fetches again."""
    codes: list[ExitCode] = []
    heed(asyncio.get_running_loop(), codes.append)
    asked_to_stop = False
    while not await follower.look() and held(state) and len(codes) < 2 and not (codes and follower.has_read):
        if codes and not asked_to_stop:
            asked_to_stop = True
            await follower.stop()
        await asyncio.sleep(LOOK_SECONDS)
    await follower.look()
    return codes[0] if codes else None


class Follower:
    """Looks how far a verification has come, which is carried out by an engine, with `repair` to the end of that."""

    def __init__(self, db: Database, number: int, config: Config, repair: bool):
        self._db = db
        self._number = number
        self._config = config
        self._repair = repair
        self._progress: Verification | None = None
        self._mending = 0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> bool:
        """Look; tell whether it has come to its end, with what it is to fetch again."""
        command = await commands.get(self._db, self._number)
        if command is None or command.state == "refused":
            return True
        self._progress = await verification.get(self._db, self._number)
        if self._repair:
            self._mending = await verification.mending(self._db, self._number, await self._left_alone())
        return self.has_read and not self._mending

    @property
    def has_read(self) -> bool:
        """True when nothing more is read, as of the last look."""
        return self._progress is not None and self._progress.ended_at is not None

    async def _left_alone(self) -> list[str]:
        """Return the mirrors whose host is left alone for too long to wait for it."""
        resting = await meters.resting(self._db, time.time() + PATIENCE_SECONDS)
        hosts = {host for host, _, _ in resting}
        return [one.name for one in self._config.mirrors if host_key(one.url) in hosts]

    async def stop(self) -> None:
        """Ask the engine to stop verifying."""
        await commands.append(self._db, CommandKind.VERIFY, Target(value=str(Wish(stop=True))), time.time())

    async def withdraw(self, why: str) -> None:
        """Take back what no engine could begin: the next one would do it, unasked."""
        await commands.finish(self._db, self._number, False, why, time.time())

    def line(self) -> str | None:
        """Return in one line how far it has come."""
        done = self._progress
        if done is None:
            return None
        share = f"{done.done_bytes / done.bytes:.0%}" if done.bytes else "100%"
        read = f"{done.done_filesets:,} of {counted(done.filesets, 'fileset')}, {format_bytes(done.done_bytes)} of "
        again = f"; {counted(self._mending, 'fileset')} to fetch again" if self._mending else ""
        return f"verified {read}{format_bytes(done.bytes)} ({share}){again}"

    async def outcome(self, stopped_by: ExitCode | None) -> Outcome:
        """Return what came of it. Raises ConfigError if it was refused."""
        command = await commands.get(self._db, self._number)
        if command is not None and command.state == "refused":
            raise ConfigError(f"verify: {display(command.result)}")
        progress = await verification.get(self._db, self._number)
        if progress is None:
            raise ConfigError("verify: the engine ended before it began; run it again")
        findings = await verification.findings(self._db, self._number)
        damaged, mended = await verification.mended(self._db, self._number)
        goes_on = self._repair and held(self._config.engine.state)
        mending = await verification.mending(self._db, self._number) if goes_on else 0
        refused = await verification.indexes_refused(self._db, self._number)
        by_disk = await verification.held_up_by_disk(self._db, self._number)
        return Outcome(progress, findings, damaged, mended, mending, refused, self._repair, by_disk, stopped_by)


def _json(outcome: Outcome) -> dict[str, object]:
    done = outcome.progress
    return {
        "exit_code": int(outcome.exit_code),
        "filesets": done.done_filesets,
        "files": done.done_files,
        "bytes": done.done_bytes,
        "stopped": done.stopped,
        "damaged": outcome.damaged,
        "mended": outcome.mended,
        "mending": outcome.mending,
        "findings": [asdict(one) for one in outcome.findings],
    }


def _print(outcome: Outcome) -> None:
    for one in outcome.findings:
        place = "/".join(display(part) for part in (one.mirror, one.product, one.fileset, one.file) if part)
        click.echo(f"{one.damage:<10} {place}")
        click.echo(f"{'':<10} {display(one.detail)}")
    done = outcome.progress
    read = f"{counted(done.done_filesets, 'fileset')}, {counted(done.done_files, 'file')}"
    verdict = [f"{counted(outcome.damaged, 'fileset')} damaged"] if outcome.damaged else []
    verdict += [f"{outcome.mended:,} of them right again"] if outcome.damaged and outcome.repair else []
    verdict += [f"{outcome.indexes:,} of the indexes wrong"] if outcome.indexes else []
    click.echo(f"verified {read}, {format_bytes(done.done_bytes)}: {', '.join(verdict) or 'no damage'}")
    if done.stopped:
        click.echo(
            f"ended early: {display(done.stopped)}; {counted(done.filesets - done.done_filesets, 'fileset')} not read"
        )
    if outcome.mending:
        click.echo(f"the engine that runs goes on with {counted(outcome.mending, 'fileset')}; see `mirrortui status`")
    if outcome.mended + outcome.mending < outcome.damaged:
        click.echo("`mirrortui verify --repair` or `mirrortui retry` fetches again what is damaged")
