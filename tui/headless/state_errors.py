"""SQLite's errors that an operator can mend, told as such."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.engine.lease import outdated
from core.errors import DiskError, MirrorError, StateError, causes
from core.store.identity import REMEDY
from core.store.shortage import WRITABLE, primary, shortage
from core.text import display

BUSY = "another program has been writing to it for too long: end that (a shell of sqlite3, say), then try again"
DISK_ADVICE = {
    sqlite3.SQLITE_FULL: "free some space there, or move it to a larger disk (`state` in [engine])",
    sqlite3.SQLITE_IOERR: "check that disk and its free space, or move the file to another one (`state` in [engine])",
}
STATE_ADVICE = {
    sqlite3.SQLITE_READONLY: WRITABLE,
    sqlite3.SQLITE_CANTOPEN: WRITABLE,
    sqlite3.SQLITE_CORRUPT: REMEDY,
    sqlite3.SQLITE_NOTADB: REMEDY,
    sqlite3.SQLITE_BUSY: BUSY,
}


@contextmanager
def state_errors_told(state: Path) -> Iterator[None]:
    """Raise DiskError or StateError, which name the file and what to do, in place of what SQLite says of `state`.

    An error that is for an operator already stays as it is, unless the disk or an engine of an older version is behind
    it, and it does not say so.
    """
    try:
        yield
    except Exception as error:
        known = _known(error, state)
        if known is None:
            raise
        raise known from error


def _known(error: Exception, state: Path) -> MirrorError | None:
    if (old := outdated(error, state)) is not None:
        return old
    for cause in causes(error):
        if not isinstance(cause, sqlite3.Error):
            continue
        code = primary(cause)
        words = f"{display(state)}: the state file cannot be used: {display(cause)};"
        if code in DISK_ADVICE and not isinstance(error, DiskError):
            return DiskError(f"{words} {DISK_ADVICE[code]}. What was acknowledged is kept", whole=True)
        if code in STATE_ADVICE and not isinstance(error, MirrorError):
            return shortage(state, cause) or StateError(f"{words} {STATE_ADVICE[code]}")
    return None
