"""Commands to the engine: a wish is written to the state; its result is shown if an engine is there to see to it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from core.config import Config
from core.engine.lease import held
from core.errors import ConfigError, ExitCode
from core.model import CommandKind
from core.store import commands
from core.store.commands import Command, Target
from core.store.database import Database
from core.text import display
from tui.headless import settings

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
) -> ExitCode:
    """Write a wish; print what became of it, or that the next engine will see to it."""
    config = settings.load(config_file, with_secrets=False)
    if mirror is not None:
        config.mirror(mirror)
    target = Target(filesets=filesets, mirror=mirror, product=product, kind=of_kind)
    answer = asyncio.run(_send(config, CommandKind(kind), target))
    if answer is None or answer.state == "new":
        busy = "the engine is busy and will see to it" if held(config.engine.state) else "the next run will see to it"
        click.echo(f"{kind}: noted; {busy}")
        return ExitCode.OK
    click.echo(f"{kind}: {display(answer.result)}", err=answer.state == "refused")
    return ExitCode.USAGE if answer.state == "refused" else ExitCode.OK


async def _send(config: Config, kind: CommandKind, target: Target) -> Command | None:
    state = config.engine.state
    if not state.exists():
        raise ConfigError(f"{state}: no state yet, so there is nothing to {kind}; run `mirrortui --once` first")
    async with await Database.open_reader(state) as db:
        number = await commands.append(db, kind, target, time.time())
        until = time.monotonic() + PATIENCE_SECONDS
        while held(state) and time.monotonic() < until:
            answer = await commands.get(db, number)
            if answer is not None and answer.state != "new":
                return answer
            await asyncio.sleep(0.05)
        return await commands.get(db, number)
