"""Two calls of Linux that the standard library lacks: flushing one file system, and swapping two directories."""

from __future__ import annotations

import ctypes
import errno
import os

_RENAME_EXCHANGE = 2
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})

_libc = ctypes.CDLL(None, use_errno=True)


def sync_file_system(descriptor: int) -> bool:
    """Flush the file system that `descriptor` lives on, see syncfs(2); False if this system can't."""
    call = getattr(_libc, "syncfs", None)
    if call is None:
        return False
    _check(call(descriptor))
    return True


def exchange(old_dir: int, old: str, new_dir: int, new: str) -> bool:
    """Swap two directory entries in one step, see renameat2(2); False if this file system can't."""
    call = getattr(_libc, "renameat2", None)
    if call is None:
        return False
    try:
        _check(call(old_dir, os.fsencode(old), new_dir, os.fsencode(new), _RENAME_EXCHANGE))
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
