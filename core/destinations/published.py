"""What stands at a destination, read as any foreign tree is: by descriptor, following no link, believing nothing."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from core.destinations import below, proof
from core.destinations.base import Expected, Gate, Verified
from core.destinations.below import INDEX, READ
from core.errors import DiskError, LeaseHeld
from core.names import PRIVATE
from core.text import display

REASONS = {
    errno.ENOENT: "it is not there",
    errno.ENOTDIR: "it is not a directory",
    errno.ELOOP: "it is a link, which is not followed",
}


class PublishedTree:
    """The tree at `root`; open, it keeps engines from publishing there. Every method blocks.

    Folders are named from the root on: a product, then a fileset. The names have to be safe, see core.names.
    """

    def __init__(self, root: Path):
        self.root = root
        self._root = self._lock = -1
        self.marker: str | None = None
        """What tells this place from any other, once it is open."""

    def open(self) -> None:
        """Open the root, and lock it. Raises DiskError, or LeaseHeld if an engine publishes there."""
        try:
            self._root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            private = below.make(self._root, PRIVATE)
            try:
                self._lock = below.lock(private, self.root)
                self.marker = below.marker(private, self.root)
            finally:
                os.close(private)
        except BlockingIOError:
            self.close()
            raise LeaseHeld(f"{self.root}: another engine, with another state file, publishes here") from None
        except OSError as error:
            self.close()
            raise DiskError(f"{self.root}: cannot be used: {error.strerror or error}", whole=True) from error
        except DiskError:
            self.close()
            raise

    def close(self) -> None:
        """Give back the lock and the descriptors."""
        for descriptor in (self._lock, self._root):
            if descriptor >= 0:
                os.close(descriptor)
        self._root = self._lock = -1

    def entries(self, *folders: str) -> set[str]:
        """Return the names in a folder, but for those of our own. Raises DiskError."""
        with _told(), self._folder(folders) as folder:
            return set(os.listdir(folder)) - {INDEX, PRIVATE}

    def has_index(self, folder: str) -> bool:
        """Tell whether `folder` is a directory with an index."""
        try:
            with self._folder((folder,)) as opened:
                os.stat(INDEX, dir_fd=opened, follow_symlinks=False)
        except OSError:
            return False
        return True

    @contextmanager
    def index(self, *folders: str) -> Iterator[tuple[BinaryIO, float]]:
        """Open the index of a folder for the time of the block, with the time when it was written.

        Raises DiskError, also for what goes wrong within the block.
        """
        told = _told(f"{INDEX}: ")
        with _told(), self._folder(folders) as folder, told, _open(folder) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DiskError(f"{INDEX}: it is not a regular file")
            yield file, status.st_mtime

    def verify(
        self, product: str, fileset: str, expected: Sequence[Expected], gate: Gate, *, by_size: bool
    ) -> Verified:
        """Compare the files of a fileset with those expected: every byte, or with `by_size` the sizes alone.

        Raises DiskError, and Stopped when `gate` says so.
        """
        with _told(), self._folder((product, fileset)) as folder:
            return proof.verify(folder, expected, None, gate, by_size=by_size)

    @contextmanager
    def _folder(self, names: Sequence[str]) -> Iterator[int]:
        with ExitStack() as opened:
            folder = self._root
            for name in names:
                folder = opened.enter_context(below.opened(folder, name))
            yield folder


def _open(folder: int) -> BinaryIO:
    return open(os.open(INDEX, READ, dir_fd=folder), "rb")


@contextmanager
def _told(what: str = "") -> Iterator[None]:
    """Turn an error of the operating system into the reason for which something is not taken."""
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or f"it cannot be read: {error.strerror or display(error)}"
        raise DiskError(what + reason) from error
