"""Proving files on disk: that they are what was listed, and that what was published still is."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from blake3 import blake3

from core.destinations import below
from core.destinations.base import Expected, Gate, Verified
from core.destinations.below import BLOCK, READ
from core.errors import Stopped
from core.model import Damage, Finding

UNREADABLE = frozenset({errno.EIO, errno.EACCES, errno.EPERM, errno.EBADMSG, errno.EUCLEAN})
"""Errors that are the fault of one file, not of the whole disk."""
NO_DIRECTORY = frozenset({errno.ENOTDIR, errno.ELOOP})
"""What is said of a file or a link in the place of a directory."""


def proven(directory: int, one: Expected) -> str | None:
    """Return the BLAKE3 of a file that has the size and digest it should have; None if that can't be proven."""
    try:
        with _readable():
            return _proven(directory, one)
    except _Unreadable:
        return None


def _proven(directory: int, one: Expected) -> str | None:
    if not (one.blake3 or one.digest) or below.regular_size(directory, one.name) != one.size:
        return None
    if one.blake3:
        return one.blake3 if _blake3(directory, one.name, _pass) == one.blake3 else None
    md5, own = _digests(directory, one.name, _pass)
    return own if md5 == one.digest else None


def of_fileset(error: OSError) -> Finding | None:
    """Return what an error of opening a fileset tells of it; None if it tells of the disk."""
    if error.errno == errno.ENOENT:
        return Finding("", Damage.MISSING, "it is not there")
    if error.errno in NO_DIRECTORY:
        return Finding("", Damage.CHANGED, "it, or its product, is not a directory any more")
    if error.errno in UNREADABLE:
        return Finding("", Damage.UNREADABLE, f"it cannot be read: {os.strerror(error.errno).lower()}")
    return None


def verify(
    directory: int, expected: Sequence[Expected], index: Iterable[bytes] | None, gate: Gate, *, by_size: bool = False
) -> Verified:
    """Read the files of a published fileset again, and compare. Raises Stopped when `gate` says so.

    Without an `index` that of the fileset is taken as it is; `by_size` compares no more than the sizes of files.
    """
    found = Verified()
    for one in expected:
        finding = _verify_file(directory, one, gate, None if by_size else found.blake3)
        found.files += 1
        found.bytes += one.size
        found.findings += [finding] if finding else []
    found.findings += verify_index(directory, index) if index is not None else []
    listed = {below.INDEX, *(one.name for one in expected)}
    for entry in sorted(set(os.listdir(directory)) - listed):
        found.findings.append(Finding(entry, Damage.EXTRA, "nobody listed it"))
    return found


def _verify_file(directory: int, one: Expected, gate: Gate, taken: dict[int, str] | None) -> Finding | None:
    try:
        with _readable():
            return _compare(directory, one, gate, taken)
    except _Unreadable as error:
        return Finding(one.name, Damage.UNREADABLE, str(error), one.id)


def _compare(directory: int, one: Expected, gate: Gate, taken: dict[int, str] | None) -> Finding | None:
    size = below.regular_size(directory, one.name)
    if size is None:
        there = one.name in os.listdir(directory)
        words = "it is not a regular file" if there else "it is not there"
        return Finding(one.name, Damage.CHANGED if there else Damage.MISSING, words, one.id)
    if size != one.size:
        return Finding(one.name, Damage.CHANGED, f"it has {size} bytes instead of {one.size}", one.id, size)
    if taken is None:
        return None
    if one.blake3 and _blake3(directory, one.name, gate) == one.blake3:
        return None
    # Without a BLAKE3 of our own, and before a difference is believed: by the digest that the catalogue gave.
    md5, own = _digests(directory, one.name, gate)
    if md5 == (one.digest or md5) and (one.digest or one.blake3 in {None, own}):
        taken[one.id] = own
        return None
    words = f"MD5 is {md5} instead of {one.digest}" if one.digest else f"BLAKE3 is {own} instead of {one.blake3}"
    return Finding(one.name, Damage.CHANGED, words, one.id, size, md5)


def verify_index(directory: int, index: Iterable[bytes]) -> list[Finding]:
    """Compare the index in a directory with what it should be; return what is wrong with it, if anything is."""
    try:
        with _readable():
            if below.regular_size(directory, below.INDEX) is None:
                return [Finding(below.INDEX, Damage.MISSING, "it is not there")]
            if _sha256(_blocks(directory, below.INDEX, _pass)) != _sha256(index):
                return [Finding(below.INDEX, Damage.CHANGED, "it is not the one that was published")]
    except _Unreadable as error:
        return [Finding(below.INDEX, Damage.UNREADABLE, str(error))]
    return []


class _Unreadable(Exception):
    """One file can't be read; others may be."""


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        raise _Unreadable(f"it cannot be read: {os.strerror(error.errno).lower()}") from error


def _digests(directory: int, name: str, gate: Gate) -> tuple[str, str]:
    """Return MD5 and BLAKE3 of a file, in hex."""
    md5, own = hashlib.md5(usedforsecurity=False), blake3()
    for block in _blocks(directory, name, gate):
        md5.update(block)
        own.update(block)
    return md5.hexdigest(), own.hexdigest()


def _sha256(blocks: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.digest()


def _blake3(directory: int, name: str, gate: Gate) -> str:
    own = blake3()
    for block in _blocks(directory, name, gate):
        own.update(block)
    return own.hexdigest()


def _blocks(directory: int, name: str, gate: Gate) -> Iterator[bytes]:
    """Yield a file in blocks, from the disk, as far as that is possible, and without driving others from memory."""
    with open(os.open(name, READ, dir_fd=directory), "rb", buffering=0) as file:
        while block := file.read(BLOCK):
            if not gate(len(block)):
                raise Stopped
            yield block
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


_pass: Callable[[int], bool] = lambda _: True  # noqa: E731
