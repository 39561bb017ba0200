"""Documents of unknown size, as they come: held outside memory, and bounded."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.units import format_bytes

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What an index may cost: its size and its longest line in bytes, its fetching in seconds, its share of memory.

    All indexes of a source that are read at a time may have `shelf_bytes` outside memory; `spare_bytes` of the disk are
    left to others.
    """

    total_bytes: int = 256 * MIB
    line_bytes: int = 64 * KIB
    total_seconds: float = 600.0
    memory_bytes: int = 256 * KIB
    shelf_bytes: int = 512 * MIB
    spare_bytes: int = 32 * MIB


DEFAULT_LIMITS = Limits()


class Form(Protocol):
    """The form that a document must have; each method returns why the document does not, or None."""

    def check(self, line: bytes) -> str | None:
        """Take the next complete line, without its line end."""

    def finish(self, tail: bytes) -> str | None:
        """Take what follows the last line end."""


class Shelf:
    """Where the documents of one source are held that are too large for memory; None: in the system's folder for it."""

    def __init__(self, folder: Path | None = None, limits: Limits = DEFAULT_LIMITS):
        self.folder = folder or Path(tempfile.gettempdir())
        self._limits = limits
        self._taken = 0

    def take(self, count: int) -> str | None:
        """Take room for `count` more bytes; return why the document must not have them, or None. Raises OSError."""
        if self._taken + count > self._limits.shelf_bytes:
            return f"longer, with others that are being read, than {self._limits.shelf_bytes:,} bytes"
        figures = os.statvfs(self.folder)
        if figures.f_bavail * figures.f_frsize < self._limits.spare_bytes + count:
            raise OSError(errno.ENOSPC, f"less than {format_bytes(self._limits.spare_bytes)} are free")
        self._taken += count
        return None

    def give_back(self, count: int) -> None:
        """Give back room that was taken."""
        self._taken -= count


class Spool:
    """A document as it was received: in memory while it is small, else in a nameless file on a shelf. Close it."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, shelf: Shelf | None = None):
        self.size = 0
        self._limits = limits
        self._shelf = shelf or Shelf(limits=limits)
        self._on_shelf = 0
        self._digest = hashlib.sha256()
        self._tail = b""
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by close()
            max_size=limits.memory_bytes, dir=str(self._shelf.folder)
        )

    @property
    def sha256(self) -> str:
        """Hex digest of all bytes."""
        return self._digest.hexdigest()

    @property
    def folder(self) -> Path:
        """Where it is held when it is large."""
        return self._shelf.folder

    def lines(self) -> Iterator[bytes]:
        """Yield the lines from the first on, with their line ends; one such iteration at a time."""
        self._file.seek(0)
        yield from self._file

    def close(self) -> None:
        """Drop the bytes."""
        self._file.close()
        self._shelf.give_back(self._on_shelf)
        self._on_shelf = 0

    def take(self, chunk: bytes, form: Form) -> str | None:
        """Add the next bytes; return why the document must not go on like this, or None. Raises OSError."""
        self.size += len(chunk)
        if self.size > self._limits.total_bytes:
            return f"longer than {self._limits.total_bytes:,} bytes"
        if self.size > self._limits.memory_bytes and (reason := self._take_room()):
            return reason
        self._digest.update(chunk)
        self._file.write(chunk)
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        if max(map(len, (*lines, self._tail))) > self._limits.line_bytes:
            return f"a line is longer than {self._limits.line_bytes:,} bytes"
        return next(filter(None, map(form.check, lines)), None)

    def finish(self, form: Form) -> str | None:
        """Close the document; return why it is not of that form, or None."""
        return form.finish(self._tail)

    def _take_room(self) -> str | None:
        reason = self._shelf.take(self.size - self._on_shelf)
        self._on_shelf = self._on_shelf if reason else self.size
        return reason
