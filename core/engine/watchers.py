"""Who looks on: locks that die with their processes tell an engine whether any dashboard is attached to its state."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from core.store.shortage import refused

log = logging.getLogger(__name__)

LINGER_SECONDS = 5.0
"""How long an engine that has nothing to do stays after the last dashboard is gone."""
LOOK_SECONDS = 0.5


class Watching:
    """Counts as watching `state` for the time of the block; any number of processes may.

    Raises StateError if the lock beside the state file can't be opened.
    """

    def __init__(self, state: Path):
        self._path = _path(state)
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            self._descriptor = _open(self._path, os.O_CREAT)
        except OSError as error:
            raise refused(f"{self._path}: cannot be opened", error) from error
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)  # waits at most for the instant in which `watched` asks
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


def watched(state: Path) -> bool:
    """Tell whether anybody watches `state`."""
    try:
        descriptor = _open(_path(state))
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


async def deserted(state: Path, at_rest: Callable[[], Awaitable[bool]]) -> None:
    """Return when nobody has watched `state`, and all has been at rest, for LINGER_SECONDS."""
    since = time.monotonic()
    while time.monotonic() - since < LINGER_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        if watched(state) or not await at_rest():
            since = time.monotonic()
    log.info("ending: nobody watches, and nothing is left to do")


def _path(state: Path) -> Path:
    return state.with_name(state.name + ".watchers")


def _open(path: Path, flags: int = 0) -> int:
    return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
