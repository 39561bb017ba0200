"""A place in a POSIX file system where a mirror publishes: held by one engine, and opened without following links.

Everything below the root is opened by directory descriptor, one component at a time: a link planted there leads
nowhere.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.destinations import aside, below, spelling
from core.destinations.base import Place
from core.destinations.below import DIRECTORY
from core.errors import DiskError, LeaseHeld
from core.model import Durability
from core.names import PRIVATE, unsafe_name
from core.text import display

WHOLE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENODEV}
)
"""Errors after which no other fileset would fare better."""
OTHER_DISK = (
    "it is on another disk than the rest of the destination, where nothing can be renamed to; unmount that, or make it "
    "the destination of a mirror of its own"
)
"""What is told where part of a destination is on a disk of its own; the place is told before."""


class PosixPlace:
    """The root of a destination, with its private folder. `owner` tells the staging of different state files apart."""

    def __init__(self, root: Path, durability: Durability, owner: str):
        self.root = root
        self.device = -1
        self.folds = False
        self._durability = durability
        self._owner = owner
        self._root = self._private = self._staging = self._lock = -1
        self._left: list[int] = []
        """Descriptors of the place as it was: a thread may still be at work with them."""
        self._displaced = False

    def open(self) -> None:
        """Make the root, and lock it."""
        if self._staging >= 0 and not self._displaced:
            return
        self.leave()
        if not self.root.parent.is_dir():
            raise DiskError(f"{self.root}: there is no {self.root.parent}; mount its disk, or make it", whole=True)
        kept = len(self._left)
        try:
            with self._told("cannot be used"):
                self._demand_apart()
                self.root.mkdir(parents=False, exist_ok=True)
                self._root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self.device = os.fstat(self._root).st_dev
                self._private = self._make(self._root, PRIVATE)
                self._take_lock()
                self.folds = spelling.folds(self._private)
                self._open_staging()
        except BaseException:
            self.leave()
            self._close_left(kept)
            raise

    def _demand_apart(self) -> None:
        """Raise DiskError if it lies within the tree of another mirror, which would take it for what nobody listed."""
        for above in self.root.resolve().parents:
            if above.name == PRIVATE or (above / PRIVATE / below.MARKER).is_file():
                advice = f"choose a folder apart from it; if no mirror is there any more, remove {above / PRIVATE}"
                raise DiskError(f"{self.root}: {above} is the tree of another mirror; {advice}", whole=True)

    def _take_lock(self) -> None:
        try:
            self._lock = below.lock(self._private, self.root)
        except BlockingIOError:
            raise LeaseHeld(f"{self.root}: another engine, with another state file, publishes here") from None

    def _open_staging(self) -> None:
        areas = self._make(self._private, PRIVATE, "staging")
        try:
            self._staging = self._make(areas, PRIVATE, "staging", self._owner)
        finally:
            os.close(areas)
        if os.fstat(self._staging).st_dev != self.device:
            raise DiskError(f"{self.root / PRIVATE / 'staging'}: {OTHER_DISK}", whole=True)

    def others(self) -> list[str]:
        """Return what is there of other state files that have published here: their staging areas."""
        with self._told("cannot be examined"), below.opened(self._private, "staging") as areas:
            return sorted(set(os.listdir(areas)) - {self._owner})

    def drop_others(self) -> None:
        """Remove what other state files have staged: this one speaks for the place now."""
        with self._told("cannot be cleaned up"), below.opened(self._private, "staging") as areas:
            for name in set(os.listdir(areas)) - {self._owner}:
                self._drop_staging(areas, name)

    def _drop_staging(self, areas: int, name: str) -> None:
        """Remove what another state file has staged; what is not its own is kept."""
        try:
            with below.opened(areas, name) as staging:
                aside.tidy(self._private, staging, ())
        except NotADirectoryError:
            aside.keep(self._private, areas, name, name)
        else:
            below.remove(areas, name)

    def marker(self) -> str | None:
        """Return what tells what stands at the path from any other place; None if nothing does, or nothing is there.

        It is not for the open root to tell: that may have been displaced. Nothing is made.
        """
        with self._told("cannot be used"), suppress(FileNotFoundError):
            root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with below.opened(root, PRIVATE) as private:
                    return below.marker(private, self.root)
            except NotADirectoryError as error:
                raise self._blocked(PRIVATE, error) from error
            finally:
                os.close(root)
        return None

    def mark(self, marker: str) -> None:
        """Make this place known by `marker`."""
        with self._told("cannot be marked"):
            below.create(self._private, below.MARKER, [f"{marker}\n".encode()])
            below.sync(self._private, below.MARKER)

    def leave(self) -> None:
        """Give the lock back; the other descriptors stay until the end: their numbers must get no other meaning."""
        if self._lock >= 0:
            os.close(self._lock)
        self._left += [one for one in (self._staging, self._private, self._root) if one >= 0]
        self._root = self._private = self._staging = self._lock = -1
        self._displaced = False

    def close(self) -> None:
        """Give back the lock and the descriptors."""
        self.leave()
        self._close_left(0)

    def _close_left(self, kept: int) -> None:
        while len(self._left) > kept:
            os.close(self._left.pop())

    def demand_in_place(self) -> None:
        """Raise DiskError if the root was renamed, replaced, mounted over or unmounted since it was opened.

        What would be written is found by nobody, then. It costs a look at the path; one that is not open passes. Once
        displaced it is until it is opened anew: what is mounted again may be another mount.
        """
        root = self._root
        if root >= 0 and not self._displaced:
            with self._told("cannot be examined"):
                try:
                    displaced = not os.path.samestat(os.fstat(root), self.root.stat())
                except (FileNotFoundError, NotADirectoryError):
                    displaced = True
            self._displaced = displaced and root == self._root
        if self._displaced:
            raise DiskError(
                f"{self.root}: moved, replaced or unmounted while the engine was at work; put it back, or mount its "
                "disk, and it goes on",
                whole=True,
            )

    def space(self) -> tuple[int, int]:
        """Return the bytes that are free for us, and the total."""
        with self._told("cannot be examined"):
            figures = os.fstatvfs(self._root)
            return figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize

    @contextmanager
    def _product(self, place: Place) -> Iterator[int]:
        """Open the directory of a product."""
        self._check(place.product, place.fileset)
        try:
            product = os.open(place.product, DIRECTORY, dir_fd=self._root)
        except NotADirectoryError as error:
            raise self._blocked(place.product, error) from error
        try:
            self._check_place(product, place)
            yield product
        finally:
            os.close(product)

    @contextmanager
    def _final(self, place: Place) -> Iterator[int]:
        """Open the final directory of a fileset."""
        with self._product(place) as product, below.opened(product, place.fileset) as final:
            yield final

    @contextmanager
    def _folder(self, product: str | None) -> Iterator[int]:
        """Open the folder of a product, or with None the root."""
        if product is None:
            yield self._root
            return
        self._check(product)
        with below.opened(self._root, product) as folder:
            yield folder

    def _make_product(self, name: str) -> int:
        return self._make(self._root, name)

    def _make(self, parent: int, *path: str) -> int:
        """Make and open the last directory of a path below the root; `parent` is the one before it."""
        try:
            return below.make(parent, path[-1])
        except NotADirectoryError as error:
            raise self._blocked("/".join(path), error) from error

    def _blocked(self, path: str, error: NotADirectoryError) -> NotADirectoryError:
        return NotADirectoryError(
            error.errno, f"{display(path)} exists and is not a directory; move it away, then retry"
        )

    def _check(self, *names: str) -> None:
        """Refuse names that could lead anywhere else."""
        for name in names:
            if reason := unsafe_name(name):
                raise DiskError(f"{self.root}: refused to touch {display(name)}: {reason}")

    def _check_place(self, product: int, place: Place) -> None:
        self._check_spelling(self._root, place.product)
        self._check_spelling(product, place.fileset)

    def _check_spelling(self, directory: int, name: str) -> None:
        """Refuse a name that is another's for this file system: one would be published over the other."""
        if self.folds and (other := spelling.reserved(name) or spelling.misspelled(directory, name)):
            raise DiskError(
                f"{self.root}: {display(name)} is {display(other)} for this file system, which does not tell case or "
                "spellings apart; have one of them excluded, or move the mirror to a file system that does"
            )

    def _demand_marker(self) -> None:
        """Raise DiskError if the place has been taken away altogether: nothing in it is damaged, then."""
        if below.regular_size(self._private, below.MARKER) is None:
            raise DiskError(f"{self.root}: nothing is there any more; is the disk mounted?", whole=True)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn an error of the operating system into one that names the destination."""
        try:
            yield
        except OSError as error:
            whole = error.errno in WHOLE
            why = OTHER_DISK if error.errno == errno.EXDEV else error.strerror or error
            raise DiskError(f"{self.root}: {what}: {why}", whole=whole) from error
