"""The bytes of one file on their way to disk: gathered, digested, written in order."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from blake3 import blake3

from core.names import PRIVATE
from core.transfer.base import Job
from core.transfer.writers import Lane, Writers

BLOCK = 1 << 20
"""What is digested and written at once, in bytes; a file of at most this size is one block."""
REHASH = 16 * BLOCK
"""What one writer reads of a resumed file before it lets other files have their turn."""
SMALL_PIECE = 4096
"""Bytes below which pieces are gathered in one array: each of a byte or two costs dozens as an object of its own."""
WAITING_PER_FILE = 8
WAITING_IN_ALL = 64
"""Blocks that may wait for the disk before the network is asked to pause."""
NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PERHAPS_THE_NAME = frozenset({errno.EINVAL, errno.ENOENT, errno.EILSEQ, errno.ENAMETOOLONG})
"""What file systems say to a name that they can't hold, beside other things."""
OLD_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class NameRefused(OSError):
    """The file system takes files in this folder, but none of this name."""


class Sink:
    """Takes the body of one file from the network's thread.

    A small file is gathered in memory and written by the calling thread in one go, which costs less than
    telling another thread. A large one, or one to be synced, is written by the writers; `done` is then called
    in one of their threads after every piece of work. What was begun by `prepare`, `finish`, `keep` or
    `discard` has come to its end once the sink is `idle`. An exception ends up in `error`, and stops all writing.
    """

    def __init__(self, job: Job, writers: Writers, done: Callable[[], None]):
        self._job = job
        self._chunks: list[bytes | bytearray] = []
        self._gathered = 0
        self._begin_digests()
        self._fd = -1
        self._lane: Lane | None = None if job.size <= BLOCK and not job.sync else writers.lane(done)
        self._present = 0
        self.written = 0
        """Bytes of the file that are on disk, and in the digest."""
        self.digest: str | None = None
        self.blake3: str | None = None
        self.ctime: int | None = None
        """When the inode of the completed file was last changed, in ns."""
        self.error: Exception | None = None
        self.stopped = False

    @property
    def idle(self) -> bool:
        """True if nothing waits to be written."""
        return self._lane is None or not self._lane.waiting

    @property
    def full(self) -> bool:
        """True if the disk is so far behind that the network should pause."""
        return self._lane is not None and (
            self._lane.waiting > WAITING_PER_FILE
            or (self._lane.waiting > 0 and self._lane.waiting_in_all > WAITING_IN_ALL)
        )

    @property
    def kept(self) -> int:
        """Bytes on disk that are the beginning of the file."""
        return max(self.written, self._present)

    def prepare(self, offset: int) -> None:
        """Take up to `offset` bytes that are on disk already as the beginning of the file.

        How many there were is in `written`: none if the file is not there, or is anything but a plain file of its own.
        """
        self._present = end = min(offset, self._open_old())
        for start in range(0, end, REHASH):
            self._do(partial(self._rehash, start, min(start + REHASH, end)))

    def take(self, chunk: bytes) -> None:
        """Add the next bytes of the body."""
        if len(chunk) >= SMALL_PIECE:
            self._chunks.append(chunk)
        elif self._chunks and isinstance(last := self._chunks[-1], bytearray):
            last += chunk
        else:
            self._chunks.append(bytearray(chunk))
        self._gathered += len(chunk)
        if self._gathered >= BLOCK and self._lane is not None:
            self._pass_on()

    def finish(self) -> None:
        """The body is whole: digest it and, if it is as listed, complete the file; otherwise remove it."""
        chunks = self._gather()
        self._do(lambda: self._complete(chunks))

    def keep(self) -> None:
        """The body broke off: leave on disk what came."""
        if self._chunks:
            self._pass_on()
        self._do(self._close)

    def discard(self) -> None:
        """The bytes are of no use: remove them from disk. The file may then be begun anew."""
        self._gather()
        self._do(self._remove)

    def abandon(self, error: Exception) -> None:
        """Touch nothing any more, because of `error`."""
        self.error = error
        self._gather()
        self._do(self._close)

    def _gather(self) -> list[bytes | bytearray]:
        chunks, self._chunks, self._gathered = self._chunks, [], 0
        return chunks

    def _pass_on(self) -> None:
        chunks = self._gather()
        self._do(lambda: self._write(chunks))

    def _do(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # it is judged, or raised again, in the network's thread
                self.error = self.error or error

        if self._lane is None:
            guarded()
        else:
            self._lane.put(guarded)

    # What follows runs in one thread at a time, in the order in which it was put.

    def _open_old(self) -> int:
        """Open the file if it is there, and return its size; 0 if it is not ours to go on with."""
        try:
            self._fd = os.open(self._job.name, OLD_FILE, dir_fd=self._job.directory)
        except OSError:
            return 0
        found = os.fstat(self._fd)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            return found.st_size
        self._close()
        return 0

    def _open_new(self) -> None:
        """Create the file; what had its name (a link, an older try) is put aside, never written through."""
        try:
            with suppress(FileExistsError):
                self._fd = self._create(self._job.name)
                return
            os.unlink(self._job.name, dir_fd=self._job.directory)
            self._fd = self._create(self._job.name)
        except OSError as error:
            if error.errno in PERHAPS_THE_NAME and self._takes_files():
                raise NameRefused(error.errno, error.strerror) from error
            raise

    def _create(self, name: str) -> int:
        return os.open(name, NEW_FILE, 0o666, dir_fd=self._job.directory)

    def _takes_files(self) -> bool:
        """Tell whether a file of another name can be made beside this one; none of a fileset is called like that."""
        try:
            with suppress(FileExistsError):
                os.close(self._create(PRIVATE))
            with suppress(FileNotFoundError):
                os.unlink(PRIVATE, dir_fd=self._job.directory)
        except OSError:
            return False
        return True

    def _rehash(self, start: int, end: int) -> None:
        while start < end and not self.stopped:
            data = os.pread(self._fd, min(BLOCK, end - start), start)
            if not data:
                return
            self._digest(data)
            start += len(data)
            self.written += len(data)

    def _write(self, chunks: list[bytes | bytearray]) -> None:
        if self.error is None:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._digest(data)
            self._put(data)

    def _begin_digests(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._blake3 = blake3()

    def _digest(self, data: bytes | bytearray) -> None:
        self._md5.update(data)
        self._blake3.update(data)

    def _put(self, data: bytes | bytearray) -> None:
        if self._fd < 0:
            self._open_new()
        done = os.pwrite(self._fd, data, self.written)
        while done < len(data):
            done += os.pwrite(self._fd, memoryview(data)[done:], self.written + done)
        self.written += len(data)

    def _complete(self, chunks: list[bytes | bytearray]) -> None:
        data = b"".join(chunks)
        self._digest(data)
        self.digest, self.blake3 = self._md5.hexdigest(), self._blake3.hexdigest()
        if self.error is not None:
            self._close()
            return
        if self.written + len(data) != self._job.size or self._job.digest not in {None, self.digest}:
            self._remove()
            return
        self._put(data)
        if self._present:
            os.ftruncate(self._fd, self.written)
        if self._job.sync:
            self._flush()
        self.ctime = os.fstat(self._fd).st_ctime_ns
        self._close()

    def _flush(self) -> None:
        """Bring the file to disk, or remove it: the system may take it for flushed the next time, though it is lost."""
        try:
            os.fsync(self._fd)
        except OSError:
            self._remove()
            raise

    def _remove(self) -> None:
        existed = self._fd >= 0
        self._close()
        self._begin_digests()
        self.written = self._present = 0
        if existed:
            with suppress(FileNotFoundError):
                os.unlink(self._job.name, dir_fd=self._job.directory)

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
