"""The right to be the one engine of a state file: a lock that dies with its process, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from pathlib import Path

from core.errors import LeaseHeld, StateError


class Lease:
    """Holds ``STATE.lock`` for the life of the process; pid and host are written in it for people to read."""

    def __init__(self, state: Path):
        self.path = state.with_name(state.name + ".lock")
        self._descriptor = -1

    def take(self) -> None:
        """Take the lease. Raises LeaseHeld, naming the holder, or StateError."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StateError(f"{self.path}: the lock of the state file cannot be opened: {error.strerror}") from error
        if not _lock(descriptor):
            os.close(descriptor)
            raise LeaseHeld(
                f"{self.path}: another engine is running ({holder(self.path) or 'unknown holder'})"
            ) from None
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": int(time.time())})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lease back."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


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
    path = state.with_name(state.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> str | None:
    """Return who wrote the lock file at `path`, in words; None if it can't be told."""
    try:
        found = json.loads(path.read_text())
        return f"pid {int(found['pid'])} on {found['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None
