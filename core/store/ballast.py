"""Room beside the state file, kept for the moment when its disk is full: to record what was done, and why no more is.

One commit of outcomes is some tens of pages of 4 KiB; what is recorded of all that may be under way fits in many times.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

from core.errors import causes
from core.regular import NotRegular, open_regular

MOST, LEAST = 4 << 20, 256 << 10
"""Bytes that are kept; they are taken again when twice as many are free, or each commit would stop everything anew."""
SHARE = 8
"""No more than this part of a disk is kept, or a state of some hundred KiB could not work on a small one."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
"""What SQLite says when a file of its own can't grow; a quota is a write error to it."""


def refusal(error: BaseException) -> str | None:
    """Return SQLite's words if `error`, got from writing to the state, may be cured by room on its disk; else None."""
    return next((str(one) for one in causes(error) if getattr(one, "sqlite_errorcode", 0) in _REFUSED), None)


def at_most(disk: os.statvfs_result, size: int) -> int:
    """Return `size`, or on a small disk the part of it that one use of the state may take, in bytes."""
    return max(LEAST, min(size, disk.f_blocks * disk.f_frsize // SHARE))


class Ballast:
    """The file ``STATE.ballast``. Every method blocks."""

    def __init__(self, state: Path):
        self.state = state
        self.path = state.with_name(state.name + ".ballast")

    def take(self) -> bool:
        """Occupy the room, unless that is done; return False if the disk is full. Where it can't be done it is not."""
        try:
            return self._take()
        except NotRegular:
            return True
        except OSError as error:
            with contextlib.suppress(OSError):
                self.path.unlink()
            return error.errno not in NO_ROOM

    def _take(self) -> bool:
        descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT)
        try:
            disk = os.fstatvfs(descriptor)
            size = at_most(disk, MOST)
            if os.fstat(descriptor).st_blocks * 512 < size:
                if disk.f_bavail * disk.f_frsize < 2 * size:
                    os.ftruncate(descriptor, 0)
                    return False
                os.posix_fallocate(descriptor, 0, size)
            return True
        finally:
            os.close(descriptor)

    def release(self) -> bool:
        """Give the room back; tell whether there was any."""
        try:
            held = self.path.lstat().st_blocks > 0
            self.path.unlink()
        except OSError:
            return False
        return held
