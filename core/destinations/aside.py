"""What stood where something is published: what an index listed goes, all else is kept where nobody takes it for ours.

Errors are those of the operating system.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection
from pathlib import Path

from core.destinations import below
from core.destinations.below import INDEX
from core.destinations.indexes import listed_names
from core.names import MAX_BYTES, PRIVATE

REPLACED = "replaced"


def keep(private: int, parent: int, name: str, called: str) -> None:
    """Move an entry to `replaced`, under a name that begins with `called`."""
    try:
        replaced = below.make(private, REPLACED)
    except NotADirectoryError as error:
        words = f"{PRIVATE}/{REPLACED} exists and is not a directory; move it away, then retry"
        raise NotADirectoryError(error.errno, words) from error
    try:
        kept = os.fsencode(f"{called}.{time.time_ns()}")[-MAX_BYTES:].decode(errors="ignore")
        make_movable(parent, name)
        os.rename(name, kept, src_dir_fd=parent, dst_dir_fd=replaced)
    finally:
        os.close(replaced)


def make_movable(parent: int, name: str) -> None:
    """Let us write to a directory, without which it can't be moved to another one."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        return
    # one that must not be read can be opened as a path only, and changed by what /proc calls it
    descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            Path(f"/proc/self/fd/{descriptor}").chmod(mode | stat.S_IRWXU)
    finally:
        os.close(descriptor)


def clear(private: int, parent: int, name: str, product: int, fileset: str) -> None:
    """Drop of what a fileset has replaced that which was listed, then or by the fileset; keep other entries.

    Nothing goes if `name` is not there, or the fileset does not stand.
    """
    try:
        _drop(parent, name, product, fileset)
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except OSError:
        keep(private, parent, name, fileset)


def clear_orphan(private: int, parent: int, name: str) -> None:
    """Drop of what a fileset that nobody knows has replaced that which was listed then; keep other entries."""
    try:
        with below.opened(parent, name) as old:
            _drop_listed(old, listed(old))
        os.rmdir(name, dir_fd=parent)
    except OSError:
        keep(private, parent, name, name)


def tidy(private: int, staging: int, known: Collection[int]) -> None:
    """Clear what is in staging and can be no area: what none of the `known` filesets replaced, and strangers."""
    for name in os.listdir(staging):
        number = name.removesuffix(".old")
        ours = number.isascii() and number.isdecimal()
        if not ours:
            keep(private, staging, name, name)
        elif number != name and int(number) not in known:
            clear_orphan(private, staging, name)


def _drop(parent: int, name: str, product: int, fileset: str) -> None:
    with below.opened(product, fileset) as new, below.opened(parent, name) as old:
        _drop_listed(old, listed(old) | set(os.listdir(new)))


def _drop_listed(old: int, listed: set[str]) -> None:
    # the index goes last: if a crash comes first, it still tells what was listed
    for entry in [*(listed.intersection(os.listdir(old)) - {INDEX}), INDEX]:
        if below.regular_size(old, entry) is not None:
            os.unlink(entry, dir_fd=old)


def listed(directory: int) -> set[str]:
    """Return the names that the index in a directory lists; none if there is no index."""
    if below.regular_size(directory, INDEX) is None:
        return set()
    with open(os.open(INDEX, below.READ, dir_fd=directory), "rb") as index:
        return listed_names(index)
