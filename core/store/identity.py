"""Which SQLite files are state files of this version, and what to do about those that are not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.errors import StateError
from core.store.schema import APPLICATION_ID, MIGRATIONS
from core.store.shortage import WRITABLE, primary, shortage

REMEDY = (
    "`mirrortui rebuild` moves it aside and makes a new one from the published trees; or restore it from a copy "
    "that `mirrortui backup` made"
)
"""What to do about a state file that is broken."""

READING_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What comes of reading a file's identity; the latter if SQLite quotes names of a garbled schema."""

_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""Primary codes; SQLITE_ERROR is what a schema gets that makes no sense."""
_BROKEN_READING = frozenset(
    {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
)

_NOT_WRITABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})

_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})

_OF_A_STATEMENT = frozenset(
    {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH}
)
"""Primary codes that blame what was to be written, and not the file."""


class OtherVersion(StateError):
    """The state file was left by another version of mirrortui; `older`: by one that knows less than this one."""

    def __init__(self, text: str, *, older: bool):
        super().__init__(text)
        self.older = older


def hurts_all(error: Exception) -> bool:
    """Tell whether `error`, got from writing, is about the state file: nothing else can be written either."""
    return isinstance(error, sqlite3.Error) and primary(error) not in _OF_A_STATEMENT


def broken(error: Exception) -> bool:
    """Tell whether `error`, got from reading a file's identity or its pages, says that its content is no use."""
    details = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, UnicodeDecodeError) or primary(error) in _BROKEN or details in _BROKEN_READING


def unreadable(path: Path, error: Exception) -> StateError:
    """Return what is told of a state file that can't be read."""
    if (short := shortage(path, error)) is not None:
        return short
    if primary(error) in _NOT_WRITABLE:
        return StateError(f"{path}: the state file cannot be used: {error}; {WRITABLE}")
    if primary(error) in _DISK and not broken(error):
        return StateError(f"{path}: the state file cannot be used: {error}; check its disk, and the space there")
    advice = REMEDY if broken(error) else "Move it away, or restore it"
    return StateError(f"{path}: not a readable state file ({error}); nothing was changed. {advice}")


def demand_ours(path: Path, version: int, application: int, tables: int) -> None:
    """Raise StateError for anything that is not a state file of this version or an older one.

    The figures are `user_version`, `application_id`, and the number of rows in the schema; an empty file has none.
    """
    if application != APPLICATION_ID and (tables or version):
        raise StateError(
            f"{path}: this SQLite file is not a state file of mirrortui; nothing was changed. Set `state` in [engine] "
            "to another path, or move the file away; then `mirrortui rebuild` makes a state file from the published "
            "trees"
        )
    if version > len(MIGRATIONS):
        raise OtherVersion(
            f"{path}: written by a newer mirrortui (schema {version}, this one knows {len(MIGRATIONS)}); nothing was "
            "changed. Upgrade mirrortui; to go on with this one, move the file away and run `mirrortui rebuild`",
            older=False,
        )
