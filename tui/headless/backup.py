"""`backup`: a copy of the state file, also while an engine runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from core.errors import ExitCode
from core.store.backup import Backup
from core.text import display
from core.units import format_bytes
from tui.headless import settings
from tui.headless.output import say
from tui.headless.state_errors import state_errors_told
from tui.headless.stoppable import stoppable


def backup(config_file: Path | None, target: Path, *, overwrite: bool) -> ExitCode:
    """Copy the state file to `target`, and say where the copy is."""
    state = settings.load(config_file, with_secrets=False).engine.state
    work = Backup(state, target, overwrite=overwrite, now=time.time())

    def line() -> str:
        return f"{format_bytes(work.copied)} of {format_bytes(work.total)} copied" if work.total else "copying"

    async def run() -> Path:
        return await stoppable(asyncio.to_thread(work.run), work.stop, line)

    with state_errors_told(state):
        copy = asyncio.run(run())
    say(f"copied {display(state)} to {display(copy)} ({format_bytes(copy.stat().st_size)})")
    return ExitCode.OK
