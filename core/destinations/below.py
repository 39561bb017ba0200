"""File operations below an open directory: never through a link, never outside."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import DiskError
from core.names import PRIVATE, unsafe_name
from core.regular import NotRegular, open_regular
from core.text import display

INDEX = "index.txt"
LOCK = "lock"
MARKER = "marker"
MARKER_BYTES = 64
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
BLOCK = 1 << 20
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV})


@contextlib.contextmanager
def opened(parent: int, name: str) -> Iterator[int]:
    """Open a directory for the time of the block."""
    descriptor = os.open(name, DIRECTORY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make(parent: int, name: str) -> int:
    """Make a directory if it is missing, and open it without following links."""
    if name != PRIVATE and (reason := unsafe_name(name)):
        raise DiskError(f"refused to make {display(name)}: {reason}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    return os.open(name, DIRECTORY, dir_fd=parent)


def lock(private: int, root: Path) -> int:
    """Lock the destination at `root` for the one who may change it; the lock lasts as long as the descriptor.

    Raises BlockingIOError if somebody else has it, and DiskError if something else stands in its place.
    """
    try:
        descriptor = open_regular(LOCK, os.O_RDWR | os.O_CREAT, dir_fd=private)
    except NotRegular as error:
        raise DiskError(f"{root / PRIVATE / LOCK}: cannot be used: {error.strerror}", whole=True) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def marker(private: int, root: Path) -> str | None:
    """Return what tells the destination at `root` from any other; None if nothing does yet. Raises DiskError."""
    if not there(private, MARKER):
        return None
    if regular(private, MARKER) is None:
        raise DiskError(
            f"{root / PRIVATE / MARKER}: it is no regular file; remove it. Then, if this is where the mirror was "
            "published, `mirrortui verify --repair` makes it anew",
            whole=True,
        )
    with open(os.open(MARKER, READ, dir_fd=private), "rb") as file:
        return file.read(MARKER_BYTES).decode("ascii", "replace").strip() or None


def create(directory: int, name: str, content: Iterable[bytes]) -> None:
    """Write a whole new file; what had its name (a link, a pipe, an older one) is put aside, never written through."""
    remove(directory, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(name, flags, 0o666, dir_fd=directory), "wb") as file:
        file.writelines(content)


def sync(directory: int, name: str) -> None:
    """Flush one file to disk."""
    descriptor = os.open(name, READ, dir_fd=directory)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def there(directory: int, name: str) -> bool:
    """Tell whether there is anything of this name."""
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def regular(directory: int, name: str) -> os.stat_result | None:
    """Return the status of a regular file; None if there is none of this name."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def regular_size(directory: int, name: str) -> int | None:
    """Return the size of a regular file; None if there is none of this name."""
    status = regular(directory, name)
    return None if status is None else status.st_size


def stamp(directory: int, name: str) -> str:
    """Return what tells whether a file was changed since: size, and time of the last change in ns."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return "missing"
    return f"{status.st_size}:{status.st_ctime_ns}" if stat.S_ISREG(status.st_mode) else "no regular file"


def link(source: int, target: int, name: str) -> bool:
    """Give a file a second place; tell whether that is possible: not every file system can, nor without end."""
    try:
        os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno in NO_LINKS:
            return False
        raise
    return True


def remove(parent: int, name: str) -> None:
    """Remove a file, a link or a tree, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)
