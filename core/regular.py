"""Files of our own: what somebody has put in the place of one is neither followed nor waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotRegular(OSError):
    """Something else stands in the place of a file; `strerror` says what, and what to do."""

    def __init__(self, mode: int):
        super().__init__(errno.EINVAL, f"it is {_KINDS.get(stat.S_IFMT(mode), 'something else')}, no file; remove it")


def open_regular(path: Path | str, flags: int, *, dir_fd: int | None = None, device: bool = False) -> int:
    """Open a file, which is made for the owner alone if `flags` say so. Raises NotRegular, or another OSError.

    Opening a pipe could wait for ever for somebody at its other end, so nothing is waited for. A character `device`
    may pass, /dev/null say.
    """
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600, dir_fd=dir_fd)
    except OSError as error:
        mode = _mode(path, dir_fd)
        if mode is None or stat.S_ISREG(mode):
            raise
        raise NotRegular(mode) from error
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or (device and stat.S_ISCHR(mode))):
        os.close(descriptor)
        raise NotRegular(mode)
    return descriptor


def _mode(path: Path | str, dir_fd: int | None) -> int | None:
    try:
        return os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode
    except OSError:
        return None
