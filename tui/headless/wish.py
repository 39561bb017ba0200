"""Commands to the engine: a wish is written to the state; its result is shown if an engine is there to see to it."""

from __future__ import annotations

import asyncio
import shlex
import time
from pathlib import Path

import click

from core.config import Config
from core.engine.lease import held, signal_end
from core.errors import ConfigError, ExitCode
from core.model import CommandKind
from core.store import commands, operate, queries
from core.store.commands import Command, Target
from core.store.database import Database
from core.store.identity import OtherVersion
from core.store.operate import NothingMatches
from core.text import display
from tui.headless import settings
from tui.headless.output import reader_may_leave
from tui.headless.state_errors import state_errors_told

PATIENCE_SECONDS = 5.0
"""How long the result of a command is waited for while an engine runs."""


def send(
    config_file: Path | None,
    kind: str,
    *,
    filesets: tuple[str, ...] = (),
    mirror: str | None = None,
    product: str | None = None,
    of_kind: str | None = None,
    value: str | None = None,
) -> ExitCode:
    """Write a wish; print what became of it, or that the next engine will see to it."""
    config = settings.load(config_file, with_secrets=False)
    if mirror is not None:
        config.mirror(mirror)
    target = Target(filesets=filesets, mirror=mirror, product=product, kind=of_kind, value=value)
    with state_errors_told(config.engine.state):
        if kind == CommandKind.STOP and asyncio.run(_signalled(config.engine.state, at_once=value == "now")):
            with reader_may_leave():
                click.echo("stop: the engine is of another version, and was told by a signal")
            return ExitCode.OK
        answer, hints = asyncio.run(_send(config, CommandKind(kind), target))
    with reader_may_leave():
        _print_answer(config, kind, answer)
        for hint in hints:
            click.echo(hint)
    return ExitCode.USAGE if answer is not None and answer.state == "refused" else ExitCode.OK


async def _send(config: Config, kind: CommandKind, target: Target) -> tuple[Command | None, list[str]]:
    state = config.engine.state
    if not state.exists():
        raise ConfigError(f"{state}: no state yet, so there is nothing to {kind}; run `mirrortui --once` first")
    if kind is CommandKind.STOP and not held(state):
        raise ConfigError("no engine is running, so there is nothing to stop")
    async with await Database.open_reader(state) as db:
        if not held(state):  # an engine would refuse it itself
            try:
                await operate.demand_match(db, kind, target)
            except NothingMatches as error:
                raise ConfigError(f"{kind}: {display(str(error))}") from error
        number = await commands.append(db, kind, target, time.time())
        answer = await _await_answer(db, number, state)
        resumes_mirrors = kind is CommandKind.RESUME and target.product is None
        return answer, await _paused_products(db, target.mirror) if resumes_mirrors else []


async def _signalled(state: Path, *, at_once: bool) -> bool:
    """Have the engine at work end by a signal if it is of another version, whose commands may differ; tell if it is."""
    if not held(state):
        return False
    try:
        async with await Database.open_reader(state):
            return False
    except OtherVersion:
        signal_end(state, at_once=at_once)
        return True


async def _await_answer(db: Database, number: int, state: Path) -> Command | None:
    until = time.monotonic() + PATIENCE_SECONDS
    while held(state) and time.monotonic() < until:
        answer = await commands.get(db, number)
        if answer is not None and answer.state != "new":
            return answer
        await asyncio.sleep(0.05)
    return await commands.get(db, number)


async def _paused_products(db: Database, mirror: str | None) -> list[str]:
    """Say how to resume the products that were paused one by one: resuming mirrors leaves them as they are."""
    return [
        f"still paused: mirrortui resume --mirror {one.name} --product {shlex.quote(display(product.name))}"
        for one in await queries.overview(db, time.time())
        for product in one.products
        if product.paused and mirror in (None, one.name)
    ]


def _print_answer(config: Config, kind: str, answer: Command | None) -> None:
    if answer is None or answer.state == "new":
        busy = "the engine is busy and will see to it" if held(config.engine.state) else "the next run will see to it"
        click.echo(f"{kind}: noted; {busy}")
    else:
        click.echo(f"{kind}: {display(answer.result)}", err=answer.state == "refused")
