"""How an engine cuts its ties to the dashboard that started it."""

from __future__ import annotations

import os
from pathlib import Path

from core.engine.engine import Engine
from core.logs import open_log


async def part(engine: Engine, log_file: Path) -> None:
    """Once `engine` is ready, send all output to `log_file`, and keep no folder in use.

    Whoever started this process reads its stderr until then: what is written there says why it could not start, and
    the end of it that it has started.
    """
    await engine.ready.wait()
    os.chdir("/")
    output = _open(log_file)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)


def _open(log_file: Path) -> int:
    """Open `log_file` as the log does; what can't be written there goes nowhere."""
    try:
        return open_log(log_file)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
