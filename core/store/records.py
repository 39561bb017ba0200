"""Rows of the state file as the engine reads them."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from core.errors import FailureKind
from core.model import Columns, FilesetState, FileState, Trouble

LOOK = 2
"""What stands in `reread` of a fileset whose index is looked at: if nothing comes of that, nothing has happened."""
ESCAPED_BYTE = re.compile(r"\\u(dc[89a-f][0-9a-f])")
"""A byte that was not UTF-8, as `storable` writes it."""


@dataclass(frozen=True, slots=True)
class ProductRow:
    """A product that is mirrored.

    `alarmed` tells that its source has lost all of its filesets, `refused` that its index had rows that were refused.
    """

    id: int
    mirror_id: int
    name: str
    priority: int
    cursor: str | None
    reconciled_at: float | None
    full_list_due: bool
    alarmed: bool
    refused: bool


@dataclass(frozen=True, slots=True)
class FilesetRow:
    """A fileset, as far as the engine needs it to decide what happens next."""

    id: int
    product_id: int
    name: str
    revision: int
    registered: int
    state: FilesetState
    trouble: Trouble
    priority: int
    place: float
    files: int
    bytes: int
    attempts: int
    tries: int
    failure_kind: FailureKind | None
    index_sha256: str | None
    inode: str | None
    next_try: float | None
    reread: int
    """Its index is to be read, whatever became of it since it was (1), or looked at (LOOK)."""

    @property
    def published(self) -> bool:
        """True if it stands at its final place."""
        return self.state is FilesetState.PUBLISHED

    @property
    def looked_at(self) -> bool:
        """True if its index is read only to see what upstream has mended: if it can't be, nothing has happened."""
        return self.reread == LOOK


FILESET_COLUMNS = (
    "id, product_id, name, revision, registered, state, trouble, priority, place, files, bytes, attempts, tries, "
    "failure_kind, index_sha256, inode, next_try, reread"
)


def fileset_row(row: sqlite3.Row) -> FilesetRow:
    """Read one row selected by FILESET_COLUMNS."""
    values = dict(row)
    values["state"] = FilesetState(row["state"])
    values["trouble"] = Trouble(row["trouble"])
    values["failure_kind"] = FailureKind(row["failure_kind"]) if row["failure_kind"] else None
    return FilesetRow(**values)


class FileRow(NamedTuple):
    """A file, as far as its transfer needs it.

    If somebody has `accepted` what was seen, size and digest are that, and what the catalogue lists stands beside them.
    """

    id: int
    name: str
    size: int
    digest: str | None
    state: FileState
    attempts: int
    tries: int
    failure_kind: FailureKind | None
    next_try: float | None
    kept: int
    validator: str | None
    seen_size: int | None
    seen_digest: str | None
    blake3: str | None
    ctime: int | None
    accepted: str | None
    listed_size: int | None
    listed_digest: str | None

    def wanted_after(self, size: int | None, digest: str | None) -> FileRow:
        """Return the file as it is wanted when this was seen: if just that is listed, what was accepted is void."""
        if digest is None or self.listed_size is None or size != self.listed_size:
            return self
        if self.listed_digest not in {None, digest}:
            return self
        return self._replace(size=size, digest=self.listed_digest, accepted=None, listed_size=None, listed_digest=None)


FILE_COLUMNS = (
    "id, name, size, digest, state, attempts, tries, failure_kind, next_try, kept, validator, seen_size, seen_digest, "
    "blake3, ctime, accepted, listed_size, listed_digest"
)


def file_row(row: sqlite3.Row) -> FileRow:
    """Read one row selected by FILE_COLUMNS."""
    values = list(row)
    values[4] = FileState(values[4])
    values[7] = FailureKind(values[7]) if values[7] else None
    return FileRow(*values)


def dump_columns(columns: Columns) -> str | None:
    """Return further columns as they are stored; undecodable bytes survive as escapes."""
    return json.dumps(columns, separators=(",", ":")) if columns else None


def load_columns(stored: str | None) -> Columns:
    """Return stored further columns."""
    return json.loads(stored) if stored else {}


def storable(text: str) -> str:
    """Return `text` with undecodable bytes and NUL as escapes: SQLite keeps Unicode only, and its JSON ends at NUL."""
    return text.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode()


def restored(text: str) -> str:
    """Return stored text with its undecodable bytes as they came (surrogateescape), fit to be written again."""
    return ESCAPED_BYTE.sub(lambda found: chr(int(found[1], 16)), text) if "\\udc" in text else text
