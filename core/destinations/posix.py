"""A destination in a POSIX file system: staging beside the published tree, and one rename per fileset.

Everything below the root is opened by directory descriptor, one component at a time, without following links:
a link planted there leads nowhere.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from core.destinations import below, linux, proof, spelling
from core.destinations.base import Expected, Found, Gate, Place, Sealed, Verified
from core.destinations.below import DIRECTORY, INDEX
from core.destinations.indexes import listed_names
from core.errors import DiskError, LeaseHeld
from core.model import Damage, Durability, Finding
from core.names import MAX_BYTES, PRIVATE, unsafe_name
from core.text import display

WHOLE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENODEV}
)
"""Errors after which no other fileset would fare better."""

SYNC_EACH = 32
"""Up to this many files are flushed one by one; flushing the file system is cheaper for more."""


class PosixDestination:
    """See `core.destinations.base.Destination`. `owner` tells the staging areas of different state files apart."""

    def __init__(self, root: Path, durability: Durability, owner: str):
        self.root = root
        self.device = -1
        self.folds = False
        self._durability = durability
        self._owner = owner
        self._root = self._private = self._staging = self._lock = -1
        self._index_new = threading.Lock()
        """Held by the one thread whose index is being written: all write it under the same name."""

    def open(self) -> None:
        """Make the root, lock it, and drop staging areas that no state file speaks for any more."""
        if self._staging >= 0:
            return
        try:
            with self._told("cannot be used"):
                self.root.mkdir(parents=False, exist_ok=True)
                self._root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self.device = os.fstat(self._root).st_dev
                self._private = below.make(self._root, PRIVATE)
                self._take_lock()
                self.folds = spelling.folds(self._private)
                self._open_staging()
        except BaseException:
            self.close()
            raise

    def _take_lock(self) -> None:
        try:
            self._lock = below.lock(self._private)
        except BlockingIOError:
            raise LeaseHeld(f"{self.root}: another engine, with another state file, publishes here") from None

    def _open_staging(self) -> None:
        areas = below.make(self._private, "staging")
        try:
            for name in os.listdir(areas):
                if name != self._owner:
                    below.remove(areas, name)
            self._staging = below.make(areas, self._owner)
        finally:
            os.close(areas)

    def marker(self) -> str | None:
        """Return what tells this place from any other; None if nothing does yet."""
        with self._told("cannot be examined"):
            return below.marker(self._private)

    def mark(self, marker: str) -> None:
        """Make this place known by `marker`."""
        with self._told("cannot be marked"):
            below.create(self._private, below.MARKER, [f"{marker}\n".encode()])
            below.sync(self._private, below.MARKER)

    def close(self) -> None:
        """Give back the lock and the descriptors."""
        for descriptor in (self._staging, self._lock, self._private, self._root):
            if descriptor >= 0:
                os.close(descriptor)
        self._root = self._private = self._staging = self._lock = -1

    def space(self) -> tuple[int, int]:
        """Return the bytes that are free for us, and the total."""
        with self._told("cannot be examined"):
            figures = os.fstatvfs(self._root)
            return figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize

    def stage(self, place: Place) -> bool:
        """Make the staging directory of a fileset; tell whether there is nothing of it anywhere yet."""
        name = str(place.fileset_id)
        with self._told(f"no staging area for {display(place.fileset)}"):
            try:
                os.mkdir(name, dir_fd=self._staging)
            except FileExistsError:
                return False
            return not self._stands(place)

    def area(self, fileset_id: int) -> int:
        """Open the staging directory of a fileset; the descriptor is the caller's."""
        with self._told("the staging area cannot be opened"):
            return os.open(str(fileset_id), DIRECTORY, dir_fd=self._staging)

    def _stands(self, place: Place) -> bool:
        try:
            with self._final(place):
                return True
        except FileNotFoundError:
            return False

    @contextmanager
    def _final(self, place: Place) -> Iterator[int]:
        """Open the final directory of a fileset."""
        self._check(place.product, place.fileset)
        try:
            with below.opened(self._root, place.product) as product:
                self._check_place(product, place)
                final = os.open(place.fileset, DIRECTORY, dir_fd=product)
        except NotADirectoryError:
            raise self._blocked(place) from None
        try:
            yield final
        finally:
            os.close(final)

    def _blocked(self, place: Place) -> DiskError:
        path = f"{self.root}: {display(place.product)}/{display(place.fileset)}"
        return DiskError(f"{path} exists and is not a directory; move it away, then retry")

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

    def inspect(self, place: Place, expected: Sequence[Expected]) -> Found:
        """Verify what is in staging, where nothing else may stay; adopt from the final place what is right there."""
        names = {one.name for one in expected}
        self._check(*names)
        found = Found()
        told = self._told(f"{display(place.fileset)} cannot be inspected")
        with told, below.opened(self._staging, str(place.fileset_id)) as staging:
            for entry in os.listdir(staging):
                if entry not in names or below.regular_size(staging, entry) is None:
                    below.remove(staging, entry)
            missing = [one for one in expected if not self._in_staging(staging, one, found)]
            self._adopt_published(place, staging, missing, found, whole=len(missing) == len(expected))
        return found

    def _in_staging(self, staging: int, one: Expected, found: Found) -> bool:
        size = below.regular_size(staging, one.name)
        if one.proven and size == one.size:
            return True
        own = proof.proven(staging, one)
        if one.staged and own is None:
            found.lost.append(one.id)
        if size is None:
            return False
        if own is not None:
            if self._durability is Durability.FULL:
                below.sync(staging, one.name)
            found.adopted[one.id] = own
            return True
        if 0 < min(size, one.kept) < one.size:
            found.kept[one.id] = min(size, one.kept)
            return True
        os.unlink(one.name, dir_fd=staging)
        return False

    def _adopt_published(
        self, place: Place, staging: int, missing: Sequence[Expected], found: Found, whole: bool
    ) -> None:
        """Link files that stand, verified, at the final place into staging; leave them there if all do."""
        try:
            with self._final(place) as final:
                right = {one: own for one in missing if (own := proof.proven(final, one))}
                found.in_place = whole and len(right) == len(missing) > 0 and not _has_strangers(final, missing)
                if not found.in_place:
                    right = {one: own for one, own in right.items() if below.link(final, staging, one.name)}
                found.adopted |= {one.id: own for one, own in right.items()}
        except FileNotFoundError:
            return

    def seal(self, place: Place, index: Iterable[bytes], files: int, in_place: bool) -> Sealed:
        """Write the fileset's index beside its files; for one that stands already, replace the index there."""
        with self._told(f"{display(place.fileset)} cannot be completed"):
            if in_place:
                with self._final(place) as final:
                    self._replace_index(final, index)
                    return Sealed(place, _inode(final), in_place)
            with below.opened(self._staging, str(place.fileset_id)) as staging:
                there = len(set(os.listdir(staging)) - {INDEX})
                if there != files:
                    raise DiskError(f"{self.root}: {display(place.fileset)}: {there} of {files} files are in staging")
                below.create(staging, INDEX, index)
                return Sealed(place, _inode(staging), in_place)

    def _replace_index(self, directory: int, index: Iterable[bytes]) -> None:
        """Write an index beside the tree and rename it into place, so that readers see the old or the new one."""
        with self._index_new:
            below.create(self._private, "index-new", index)
            if self._durability is not Durability.NONE:
                below.sync(self._private, "index-new")
            os.rename("index-new", INDEX, src_dir_fd=self._private, dst_dir_fd=directory)
            if self._durability is not Durability.NONE:
                os.fsync(directory)

    def flush(self, sealed: Iterable[Sealed]) -> None:
        """Bring sealed filesets to disk. With durability ``full`` their files are there already.

        What could not be flushed is dropped: the system may take it for flushed the next time, though it is lost.
        """
        if self._durability is Durability.NONE:
            return
        staged = [one for one in sealed if not one.in_place]
        with self._told("could not be flushed to disk"):
            try:
                self._flush(staged)
            except OSError:
                for one in staged:
                    with suppress(OSError):
                        below.remove(self._staging, str(one.place.fileset_id))
                raise

    def _flush(self, staged: Sequence[Sealed]) -> None:
        names = {one: self._to_flush(one) for one in staged}
        few = sum(len(files) for files in names.values()) <= SYNC_EACH
        if not few and linux.sync_file_system(self._staging):
            return
        for one in staged:
            with below.opened(self._staging, str(one.place.fileset_id)) as directory:
                for name in names[one]:
                    below.sync(directory, name)
                os.fsync(directory)

    def _to_flush(self, sealed: Sealed) -> list[str]:
        if self._durability is Durability.FULL:
            return [INDEX]
        with below.opened(self._staging, str(sealed.place.fileset_id)) as directory:
            return os.listdir(directory)

    def publish(self, sealed: Sealed) -> None:
        """Rename the staging directory to the final place; an older revision there is swapped out, then dropped."""
        place, name = sealed.place, str(sealed.place.fileset_id)
        self._check(place.product, place.fileset)
        if sealed.in_place:
            self.drop(place.fileset_id)
        with self._told(f"{display(place.fileset)} cannot be published"):
            product = below.make(self._root, place.product)
            try:
                self._retire(place, product)
                if not sealed.in_place:
                    self._appear(name, product, place)
                    self._retire(place, product)
            finally:
                os.close(product)

    def _appear(self, name: str, product: int, place: Place) -> None:
        self._check_place(product, place)
        try:
            os.rename(name, place.fileset, src_dir_fd=self._staging, dst_dir_fd=product)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            self._replace(name, product, place)

    def _replace(self, name: str, product: int, place: Place) -> None:
        status = os.stat(place.fileset, dir_fd=product, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            raise self._blocked(place)
        if linux.exchange(self._staging, name, product, place.fileset):
            self._set_aside(name)
        else:
            os.rename(place.fileset, f"{name}.old", src_dir_fd=product, dst_dir_fd=self._staging)
            os.rename(name, place.fileset, src_dir_fd=self._staging, dst_dir_fd=product)

    def _set_aside(self, name: str) -> None:
        """Name what was swapped out so that nobody takes it for staged."""
        os.rename(name, f"{name}.old", src_dir_fd=self._staging, dst_dir_fd=self._staging)

    def _retire(self, place: Place, product: int) -> None:
        """Clear away an older revision that was set aside, now or earlier."""
        name = f"{place.fileset_id}.old"
        with suppress(FileNotFoundError), below.opened(self._staging, name) as old:
            self._keep_unlisted(name, old, product, place)

    def _keep_unlisted(self, name: str, old: int, product: int, place: Place) -> None:
        """Drop what was listed, then or by the new revision; other entries are kept aside, for they are not ours."""
        with below.opened(product, place.fileset) as new:
            listed = _listed(old) | set(os.listdir(new))
        # the index goes last: if a crash comes first, it still tells what was listed
        for entry in [*(listed.intersection(os.listdir(old)) - {INDEX}), INDEX]:
            if below.regular_size(old, entry) is not None:
                os.unlink(entry, dir_fd=old)
        try:
            os.rmdir(name, dir_fd=self._staging)
        except OSError:
            replaced = below.make(self._private, "replaced")
            kept = os.fsencode(f"{place.fileset}.{time.time_ns()}")[-MAX_BYTES:].decode(errors="ignore")
            os.rename(name, kept, src_dir_fd=self._staging, dst_dir_fd=replaced)
            os.close(replaced)

    def settle(self, products: Iterable[str]) -> None:
        """Flush the directories in which filesets have appeared."""
        if self._durability is Durability.NONE:
            return
        with self._told("could not be flushed to disk"):
            for name in products:
                with below.opened(self._root, name) as product:
                    os.fsync(product)
            os.fsync(self._staging)
            os.fsync(self._root)

    def is_published(self, place: Place, inode: str) -> bool:
        """Tell whether the directory that was about to appear did appear; if so, clear away what it replaced."""
        with self._told("cannot be examined"):
            try:
                with self._final(place) as final:
                    appeared = _number(_inode(final)) == _number(inode)
            except FileNotFoundError:
                return False
            if appeared:
                with below.opened(self._root, place.product) as product:
                    self._retire(place, product)
                    with suppress(FileNotFoundError):
                        self._set_aside(str(place.fileset_id))
                    self._retire(place, product)
            return appeared

    def verify(self, place: Place, expected: Sequence[Expected], index: Iterable[bytes], gate: Gate) -> Verified:
        """Read a published fileset again, and compare. Raises Stopped when `gate` says so."""
        self._check(*(one.name for one in expected))
        with self._told(f"{display(place.fileset)} cannot be verified"):
            try:
                with self._final(place) as final:
                    return proof.verify(final, expected, index, gate)
            except FileNotFoundError:
                self._demand_marker()
                return Verified(findings=[Finding("", Damage.MISSING, "it is not there")])

    def _demand_marker(self) -> None:
        """Raise DiskError if the place has been taken away altogether: nothing in it is damaged, then."""
        if below.regular_size(self._private, below.MARKER) is None:
            raise DiskError(f"{self.root}: nothing is there any more; is the disk mounted?", whole=True)

    def strangers(self, product: str, known: Collection[str]) -> list[str]:
        """Return the entries below a product that are none of its `known` filesets."""
        self._check(product)
        with self._told(f"{display(product)} cannot be listed"):
            try:
                with below.opened(self._root, product) as directory:
                    return sorted(set(os.listdir(directory)) - {INDEX, *known})
            except FileNotFoundError:
                return []

    def areas(self) -> list[int]:
        """Return the filesets that have a staging area."""
        with self._told("cannot be examined"):
            return [int(name) for name in os.listdir(self._staging) if name.isdecimal()]

    def drop(self, fileset_id: int) -> None:
        """Remove the staging area of a fileset, if there is one."""
        with self._told("cannot be cleaned up"):
            below.remove(self._staging, str(fileset_id))

    def write_index(self, product: str | None, lines: Iterable[bytes]) -> None:
        """Write a new index beside the tree and rename it into place."""
        if product is not None:
            self._check(product)
        path = f"{display(product)}/{INDEX}" if product is not None else INDEX
        with self._told(f"{path} cannot be written"):
            target = below.make(self._root, product) if product is not None else os.dup(self._root)
            try:
                if product is not None:
                    self._check_spelling(self._root, product)
                self._replace_index(target, lines)
            finally:
                os.close(target)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn an error of the operating system into one that names the destination."""
        try:
            yield
        except OSError as error:
            whole = error.errno in WHOLE
            raise DiskError(f"{self.root}: {what}: {error.strerror or error}", whole=whole) from error


def _has_strangers(final: int, expected: Sequence[Expected]) -> bool:
    """Tell whether something was added to a fileset that had been published."""
    ours = any(one.blake3 for one in expected)
    return ours and not set(os.listdir(final)) <= {INDEX, *(one.name for one in expected)}


def _listed(directory: int) -> set[str]:
    """Return the names that the index in a directory lists; none if there is no index."""
    if below.regular_size(directory, INDEX) is None:
        return set()
    with open(os.open(INDEX, below.READ, dir_fd=directory), "rb") as index:
        return listed_names(index)


def _inode(directory: int) -> str:
    status = os.fstat(directory)
    return f"{status.st_dev}:{status.st_ino}"


def _number(inode: str) -> str:
    """Return what identifies a directory on its disk, which may get another number each time it is mounted."""
    return inode.rpartition(":")[2]
