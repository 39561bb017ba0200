"""What SQLite does not say when it can't open a file: that too many are open, or that the disk holds no more files."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from core import descriptors
from core.errors import ExitCode, StateError
from core.store.ballast import NO_ROOM

WRITABLE = (
    "let this user write to the file and to its folder, which must not be mounted read-only; or set `state` in "
    "[engine] to another path"
)
"""What to do about a state file that can't be written."""
ROOM = "make room on that disk, for bytes and for files, or set `state` in [engine] to a path on another one"

FILES = 4
"""That SQLite makes beside a state: its log, the index of that, and what is temporary. Those it has made it removes."""
_KIND = 0xFF
"""The bits of SQLite's error codes that say what kind of error it is; the others tell details."""


class StateShort(StateError):
    """The state file cannot be used for want of something that is not its own fault."""

    exit_code = ExitCode.DISK


class UsedUp(sqlite3.OperationalError):
    """SQLite could not open a file, and at that moment no more could be opened."""

    sqlite_errorcode = sqlite3.SQLITE_CANTOPEN


def demand_descriptors(error: BaseException | None) -> None:
    """Raise UsedUp if `error`, which has come just now, is for want of descriptors: soon some may be free again."""
    if not_opened(error) and (why := descriptors.used_up()):
        raise UsedUp(f"{error} ({why})") from error


def shortage(path: Path, error: BaseException) -> StateShort | None:
    """Return what is told of the state file at `path` if `error` of SQLite's is for want of descriptors or inodes."""
    if not not_opened(error):
        return None
    if why := str(error) if isinstance(error, UsedUp) else descriptors.used_up():
        return StateShort(f"{path}: the state file cannot be used: {why}; {descriptors.REMEDY}")
    if _holds_no_more(path):
        return StateShort(f"{path}: the state file cannot be used: no more files fit on its disk (inodes); {ROOM}")
    return None


def refused(words: str, error: OSError) -> StateError:
    """Return what is told of a file of the state that the system refused to open; `words` say which."""
    told = f"{words}: {error.strerror};"
    if error.errno in descriptors.USED_UP:
        return StateShort(f"{told} {descriptors.REMEDY}")
    return StateShort(f"{told} {ROOM}") if error.errno in NO_ROOM else StateError(f"{told} {WRITABLE}")


def primary(error: BaseException | None) -> int:
    """Return SQLite's primary code of `error`; 0 if it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & _KIND


def not_opened(error: BaseException | None) -> bool:
    """Tell whether `error` is SQLite's that it can't open a file, whatever the reason."""
    return primary(error) == sqlite3.SQLITE_CANTOPEN


def _holds_no_more(path: Path) -> bool:
    """Tell whether the disk has no inodes for what SQLite needs; some file systems do not count them."""
    try:
        disk = os.statvfs(path.absolute().parent)
    except OSError:
        return False
    return disk.f_files > 0 and disk.f_favail < FILES
