"""A destination in a POSIX file system: staging beside the published tree, and one rename per fileset."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack, suppress

from core.destinations import aside, below, linux, proof
from core.destinations.base import Adopted, Expected, Found, Gate, Place, Sealed, Verified
from core.destinations.below import DIRECTORY, INDEX
from core.destinations.posix_indexes import PosixIndexes
from core.errors import DiskError
from core.model import Damage, Durability, Finding
from core.text import display

SYNC_EACH = 32
"""Up to this many files are flushed one by one; flushing the file system is cheaper for more."""


class PosixDestination(PosixIndexes):
    """See `core.destinations.base.Destination`."""

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
        """Tell whether anything is at the final place of a fileset."""
        with suppress(FileNotFoundError), self._product(place) as product:
            return below.there(product, place.fileset)
        return False

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
        there = below.regular(staging, one.name)
        if there is not None and (there.st_size, there.st_ctime_ns) == (one.size, one.ctime):
            return True
        own = proof.proven(staging, one)
        if one.staged and own is None:
            found.lost.append(one.id)
        if there is None:
            return False
        if own is not None:
            if self._durability is Durability.FULL:
                below.sync(staging, one.name)
            found.adopted[one.id] = Adopted(own, there.st_ctime_ns)
            return True
        if 0 < (kept := min(there.st_size, one.kept)) < one.size:
            found.kept[one.id] = kept
            return True
        os.unlink(one.name, dir_fd=staging)
        return False

    def _adopt_published(
        self, place: Place, staging: int, missing: Sequence[Expected], found: Found, whole: bool
    ) -> None:
        """Link files that stand, verified, at the final place into staging; leave them there if all do."""
        with ExitStack() as opened:
            try:
                product = opened.enter_context(self._product(place))
            except FileNotFoundError:
                return
            try:
                final = opened.enter_context(below.opened(product, place.fileset))
            except OSError as error:
                if proof.of_fileset(error) is None:
                    raise
                return
            right = {one: own for one in missing if (own := proof.proven(final, one))}
            found.in_place = whole and len(right) == len(missing) > 0 and _may_stay(final, missing)
            for one, own in right.items():
                if found.in_place:
                    found.adopted[one.id] = Adopted(own)
                elif below.link(final, staging, one.name) and (linked := below.regular(staging, one.name)):
                    found.adopted[one.id] = Adopted(own, linked.st_ctime_ns)

    def seal(self, place: Place, index: Iterable[bytes], files: int, in_place: bool) -> Sealed:
        """Write the fileset's index beside its files; for one that stands already, replace the index there."""
        with self._told(f"{display(place.fileset)} cannot be completed"):
            if in_place:
                with self._final(place) as final:
                    self._replace_index(final, index, place.fileset)
                    return Sealed(place, _identity(os.fstat(final)), in_place)
            with below.opened(self._staging, str(place.fileset_id)) as staging:
                there = len(set(os.listdir(staging)) - {INDEX})
                if there != files:
                    raise DiskError(f"{self.root}: {display(place.fileset)}: {there} of {files} files are in staging")
                below.create(staging, INDEX, index)
                return Sealed(place, _identity(os.fstat(staging)), in_place)

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
        """Rename the staging directory to the final place; what is there is swapped out, to be cleared away."""
        place = sealed.place
        self._check(place.product, place.fileset)
        if sealed.in_place:
            self.drop(place.fileset_id)
            return
        self.clear(place)
        with self._told(f"{display(place.fileset)} cannot be published"):
            product = self._make_product(place.product)
            try:
                self._appear(str(place.fileset_id), product, place)
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
        try:
            aside.make_movable(product, place.fileset)
            if linux.exchange(self._staging, name, product, place.fileset):
                self._set_aside(name)
            else:
                os.rename(place.fileset, f"{name}.old", src_dir_fd=product, dst_dir_fd=self._staging)
                os.rename(name, place.fileset, src_dir_fd=self._staging, dst_dir_fd=product)
        except PermissionError as error:
            path = f"{self.root}: {display(place.product)}/{display(place.fileset)}"
            raise DiskError(f"{path} cannot be replaced; see whose it is, then retry: {error.strerror}") from error

    def _set_aside(self, name: str) -> None:
        """Name what was swapped out so that nobody takes it for staged."""
        os.rename(name, f"{name}.old", src_dir_fd=self._staging, dst_dir_fd=self._staging)

    def replaced(self) -> list[int]:
        """Return the filesets that have replaced something which is not cleared away yet."""
        with self._told("cannot be examined"):
            names = (name.removesuffix(".old") for name in os.listdir(self._staging) if name.endswith(".old"))
            return [int(name) for name in names if name.isdecimal()]

    def clear(self, place: Place) -> None:
        """Clear away what a fileset has replaced; if that can't be done, it stays for later."""
        name = f"{place.fileset_id}.old"
        with self._told(f"what {display(place.fileset)} replaced cannot be cleared away"):
            if below.there(self._staging, name):
                with suppress(FileNotFoundError), self._product(place) as product:
                    aside.clear(self._private, self._staging, name, product, place.fileset)

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

    def folder_stamps(self, products: Sequence[str]) -> list[str | None]:
        """Return what tells whether anything was added to, or taken from, the folders of products; None: not there."""
        self._check(*products)
        with self._told("cannot be examined"):
            return [found and found.partition(":")[2] for found in (_directory(self._root, name) for name in products)]

    def standing(self, product: str, filesets: Iterable[str]) -> dict[str, str]:
        """Return what identifies the directories (device:inode:mtime) of those filesets that stand at their places."""
        self._check(product)
        with self._told(f"{display(product)} cannot be examined"):
            try:
                with below.opened(self._root, product) as folder:
                    found = {name: _directory(folder, name) for name in filesets}
            except (FileNotFoundError, NotADirectoryError):
                return {}
            return {name: one for name, one in found.items() if one is not None}

    def is_published(self, place: Place, inode: str) -> bool:
        """Tell whether the directory that was about to appear did appear; what it replaced is then to be cleared."""
        with self._told("cannot be examined"):
            try:
                with self._final(place) as final:
                    appeared = _number(_identity(os.fstat(final))) == _number(inode)
            except (FileNotFoundError, NotADirectoryError):
                return False
            if appeared:
                with suppress(FileNotFoundError):
                    self._set_aside(str(place.fileset_id))
            return appeared

    def verify(self, place: Place, expected: Sequence[Expected], index: Iterable[bytes], gate: Gate) -> Verified:
        """Read a published fileset again, and compare. Raises Stopped when `gate` says so."""
        return self._verify(place, expected, index, gate, by_size=False)

    def _verify(
        self, place: Place, expected: Sequence[Expected], index: Iterable[bytes] | None, gate: Gate, *, by_size: bool
    ) -> Verified:
        self._check(*(one.name for one in expected))
        self.demand_in_place()
        with self._told(f"{display(place.fileset)} cannot be verified"):
            try:
                with self._final(place) as final:
                    return proof.verify(final, expected, index, gate, by_size=by_size)
            except OSError as error:
                finding = proof.of_fileset(error)
                if finding is None:
                    raise
                self._demand_marker()
                return Verified(findings=[finding])

    def lacks(self, place: Place, expected: Sequence[Expected]) -> Finding | None:
        """Return what a published fileset lacks at first sight: a file that is not there, or has another size."""
        found = self._verify(place, expected, None, lambda _: True, by_size=True).findings
        return next((one for one in found if one.damage is not Damage.EXTRA), None)

    def strangers(self, product: str, known: Collection[str]) -> list[str]:
        """Return the entries below a product that are none of its `known` filesets."""
        self._check(product)
        with self._told(f"{display(product)} cannot be listed"):
            try:
                with below.opened(self._root, product) as directory:
                    return sorted(set(os.listdir(directory)) - {INDEX, *known})
            except OSError as error:
                if proof.of_fileset(error) is None:
                    raise
                return []

    def tidy(self, known: Collection[int]) -> None:
        """Clear what is in staging and can be no area: what none of the `known` filesets replaced, and strangers."""
        with self._told("the staging area cannot be tidied up"):
            aside.tidy(self._private, self._staging, known)

    def areas(self) -> list[int]:
        """Return the filesets that have a staging area."""
        with self._told("cannot be examined"):
            return [int(name) for name in os.listdir(self._staging) if name.isdecimal()]

    def drop(self, fileset_id: int) -> None:
        """Remove the staging area of a fileset, if there is one."""
        with self._told("cannot be cleaned up"):
            below.remove(self._staging, str(fileset_id))


def _may_stay(final: int, expected: Sequence[Expected]) -> bool:
    """Tell whether a fileset that stands, with right files, needs no more than its index.

    Not if something was added to one that had been published, if the index there lists what is no longer wanted, or if
    we may not write there.
    """
    extra = set(os.listdir(final)) - {INDEX, *(one.name for one in expected)}
    ours = any(one.blake3 for one in expected)
    keeps = not extra or not (ours or extra & aside.listed(final))
    return keeps and os.access(".", os.W_OK | os.X_OK, dir_fd=final, effective_ids=True)


def _identity(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}:{status.st_mtime_ns}"


def _number(identity: str) -> str:
    """Return what identifies a directory on its disk, which may get another number each time it is mounted."""
    return identity.split(":")[1]


def _directory(parent: int, name: str) -> str | None:
    """Return the identity of a directory; None if there is none of this name."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return _identity(status) if stat.S_ISDIR(status.st_mode) else None
