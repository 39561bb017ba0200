"""What a folder is like as a destination, before there is a mirror."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether a folder is there, and whether this user may write to it, or create it; free and total in bytes.

    `writable_at` is the folder that decides: itself, or the one above it. Figures that can't be had are None.
    """

    exists: bool
    writable: bool
    writable_at: Path
    free: int | None = None
    total: int | None = None


def outlook(folder: Path) -> Outlook:
    """Look at `folder`, and leave it as it is. Blocks while the file system does."""
    exists = folder.exists()
    decides = folder if exists else folder.parent
    writable = os.access(decides, os.W_OK | os.X_OK)
    try:
        figures = os.statvfs(decides)
    except OSError:
        return Outlook(exists, writable, decides)
    unit = figures.f_frsize
    return Outlook(exists, writable, decides, figures.f_bavail * unit, figures.f_blocks * unit)


def attempt(folder: Path) -> None:
    """Do what a mirror will do at `folder`: make it, unless it is there, and a file in it; then take both away again.

    Permissions alone don't tell whether that goes: not on `/proc`, nor on a share where root is nobody. Raises OSError.
    Blocks while the file system does.
    """
    made = not folder.exists()
    if made:
        folder.mkdir()
    try:
        with NamedTemporaryFile(dir=folder, prefix=".mirrortui-check-") as file:
            file.write(b"?")
            file.flush()
            os.fsync(file.fileno())
    finally:
        if made:
            with contextlib.suppress(OSError):  # somebody else has begun to use it
                folder.rmdir()
