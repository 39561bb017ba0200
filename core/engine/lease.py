"""The right to be the one engine of a state file: a lock that dies with its process, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from core.errors import DiskError, LeaseHeld, StateError
from core.regular import NotRegular, open_regular
from core.store.identity import OtherVersion
from core.store.shortage import refused

READINGS = 10
READ_AGAIN_SECONDS = 0.01
"""Whoever has just taken the lease writes the next moment who it is."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lease; None for what it has not told."""

    pid: int | None = None
    host: str | None = None
    since: float | None = None
    """Unix time."""
    starter: int | None = None
    """The pid of the dashboard for which it runs; None: a service, or a run that ends by itself."""

    def __str__(self) -> str:
        return "unknown holder" if self.pid is None else f"pid {self.pid} on {self.host}"


class Lease:
    """Holds ``STATE.lock`` for the life of the process; who holds it is written in it for others to read."""

    def __init__(self, state: Path, starter: int | None = None):
        self.path = _path(state)
        self._starter = starter
        self._descriptor = -1

    def take(self) -> None:
        """Take the lease. Raises LeaseHeld, naming the holder, StateError, or DiskError if its disk is full."""
        try:
            descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT)
        except NotRegular as error:
            raise StateError(f"{self.path}: the lock of the state file cannot be opened: {error.strerror}") from error
        except OSError as error:
            raise refused(f"{self.path}: the lock of the state file cannot be opened", error) from error
        if not _lock(descriptor):
            os.close(descriptor)
            raise LeaseHeld(
                f"{self.path}: another engine is running ({holder(self.path) or 'unknown holder'})"
            ) from None
        found = {"pid": os.getpid(), "host": socket.gethostname(), "since": int(time.time()), "starter": self._starter}
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(found).encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise DiskError(
                f"{self.path}: the lock of the state file cannot be written: {error.strerror}; make room on that disk, "
                "or move the state file to another one (`state` in [engine])",
                whole=True,
            ) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lease back."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def _path(state: Path) -> Path:
    return state.with_name(state.name + ".lock")


def _lock(descriptor: int) -> bool:
    """Lock for writing; try for a moment, since those who only ask `held` lock for an instant, too."""
    for _ in range(5):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def held(state: Path) -> bool:
    """Tell whether an engine holds the lease of `state`."""
    try:
        descriptor = os.open(_path(state), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def find(state: Path) -> Holder | None:
    """Return who holds the lease of `state`; None if nobody does. It may block for READINGS * READ_AGAIN_SECONDS."""
    for _ in range(READINGS):
        if not held(state):
            return None
        found = _read(_path(state))
        if found is not None:
            return found
        time.sleep(READ_AGAIN_SECONDS)
    return Holder()


def outdated(error: Exception, state: Path) -> OtherVersion | None:
    """Return what is told of a state that can't be read for the engine of an older version that is at work on it.

    None if `error` is another one, or if no engine is at work.
    """
    found = find(state) if isinstance(error, OtherVersion) and error.older else None
    if found is None:
        return None
    return OtherVersion(
        f"the engine at work ({found}) is of an older version: `mirrortui stop` ends it, and the next one brings the "
        f"state up to date: {state}",
        older=True,
    )


def signal_end(state: Path, *, at_once: bool) -> None:
    """Have the engine of `state` end by signals, which every version obeys; unless `at_once`, it finishes filesets.

    Nothing happens if there is none any more. Raises StateError if no process here can be told to be that engine.
    """
    found = find(state)
    if found is None:
        return
    if found.pid is None or not _has_open(found.pid, _path(state)):
        raise StateError(
            f"{state}: its engine ({found}) is not a process of this user on this machine: end it where it was started"
        )
    # two of a kind would be taken for one if they come together
    numbers = (signal.SIGINT, signal.SIGTERM) if at_once else (signal.SIGTERM,)
    with contextlib.suppress(ProcessLookupError):
        for number in numbers:
            os.kill(found.pid, number)


def _has_open(pid: int, path: Path) -> bool:
    """Tell whether a process has opened the file at `path`; also False if it belongs to another user."""
    try:
        opened = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    for one in opened:
        with contextlib.suppress(OSError):
            if one.samefile(path):
                return True
    return False


def holder(path: Path) -> str | None:
    """Return who wrote the lock file at `path`, in words; None if it can't be told."""
    found = _read(path)
    return None if found is None else str(found)


def _read(path: Path) -> Holder | None:
    try:
        found = json.loads(path.read_text())
        starter = found.get("starter")
        return Holder(
            int(found["pid"]), str(found["host"]), float(found["since"]), None if starter is None else int(starter)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
