"""File ids carry their fileset: one b-tree, read by key range, serves a file and all files of a fileset."""

from __future__ import annotations

POSITION_BITS = 24
MAX_FILES = 1 << POSITION_BITS
"""Most files that one fileset may list."""


def file_id(fileset: int, position: int) -> int:
    """Return the id of the file at `position` (from 0) in the index of `fileset`."""
    return fileset << POSITION_BITS | position


def fileset_of(file: int) -> int:
    """Return the id of the fileset that `file` belongs to."""
    return file >> POSITION_BITS


def file_range(fileset: int) -> tuple[int, int]:
    """Return the first and last id that files of `fileset` can have."""
    return fileset << POSITION_BITS, (fileset + 1 << POSITION_BITS) - 1


# The same in SQL: `file` and `fileset` are expressions of it.


def sql_fileset_of(file: str) -> str:
    """Return the id of the fileset that `file` belongs to."""
    return f"{file} >> {POSITION_BITS}"


def sql_in_range(file: str, fileset: str) -> str:
    """Return the condition that `file` is one of `fileset`: a key range, which an index answers."""
    return f"{file} BETWEEN {fileset} << {POSITION_BITS} AND (({fileset} + 1) << {POSITION_BITS}) - 1"
