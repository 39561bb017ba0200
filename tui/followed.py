"""The configuration as it is: read again when its file changes, so that all dashboards judge by the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from core.config import Config, load_config
from core.errors import ConfigError
from core.text import display

LOOK_SECONDS = 1.0
WORDS = 400
"""Characters of what is wrong with the file, at most."""

Stamp = tuple[int, int, int] | None


class Followed:
    """Looks at the file of a configuration as long as it runs. `take` gets each new one; `tell` what is to be known."""

    def __init__(self, config: Config, file: Path, take: Callable[[Config], None], tell: Callable[[str, str], None]):
        self._config = config
        self._file = file
        self._take = take
        self._tell = tell
        self._seen = _stamp(file)

    async def run(self) -> None:
        """Look for ever. A file that can't be read as a configuration changes nothing; that is told once."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = await asyncio.to_thread(_stamp, self._file)
            if now != self._seen:
                self._seen = now
                await self._load()

    async def _load(self) -> None:
        try:
            config = await asyncio.to_thread(load_config, self._file, with_secrets=False)
        except ConfigError as error:
            self._tell(f"the configuration as it was still counts: {display(error, WORDS)}", "error")
            return
        if (config.engine.state, config.dashboard.keys) != (self._config.engine.state, self._config.dashboard.keys):
            self._tell("the configuration names another state file, or other keys: start the dashboard anew", "warning")
            return
        self._config = config
        self._take(config)


def _stamp(file: Path) -> Stamp:
    """Return what is another for a file that was changed; None if there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
