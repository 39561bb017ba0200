"""`backup`: a copy of the state file, also while an engine runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from core.config import Config, find_config
from core.errors import ExitCode
from core.logs import log_files
from core.store.backup import Backup
from core.text import display
from core.units import format_bytes, quoted
from tui.headless import settings
from tui.headless.output import say
from tui.headless.state_errors import state_errors_told
from tui.headless.stoppable import stoppable


def backup(config_file: Path | None, target: Path, *, overwrite: bool) -> ExitCode:
    """Copy the state file to `target`, and say where the copy is."""
    path = find_config(config_file)
    config = settings.load(path, with_secrets=False)
    state = config.engine.state
    work = Backup(state, target, overwrite=overwrite, now=time.time(), apart=_apart(path, config))

    def line() -> str:
        return f"{format_bytes(work.copied)} of {format_bytes(work.total)} copied" if work.total else "copying"

    async def run() -> Path:
        return await stoppable(asyncio.to_thread(work.run), work.stop, line)

    with state_errors_told(state):
        copy = asyncio.run(run())
    say(f"copied {display(state)} to {display(copy)} ({format_bytes(copy.stat().st_size)})")
    return ExitCode.OK


def _apart(config_file: Path, config: Config) -> dict[Path, str]:
    """Return what no copy may replace, and where it has no place: what is published, and what an engine needs."""
    found = {config_file: "is the configuration"}
    found |= dict.fromkeys(log_files(config.engine.log_file), "is a log of the engine")
    for mirror in config.mirrors:
        found[mirror.destination] = f"is in the destination of mirror {quoted(mirror.name)}"
        named = (mirror.password_file, mirror.bearer_file, mirror.netrc, mirror.ca_file)
        found |= dict.fromkeys(filter(None, named), f"is named in the configuration of mirror {quoted(mirror.name)}")
    return found
