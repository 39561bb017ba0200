"""The indexes of a published tree, in the format of the IPP Data Store: a mirror can feed the next mirror."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Generic, Protocol, TypeVar

from core.model import Columns, ListedFile, ListedFileset, ListedProduct
from core.units import format_time

PRODUCT_HEADER = b"# productID|Most recent|Time registered|type|Description|\n"
MEMORY = 1 << 20
"""Bytes of an index in the making that are held in memory."""


class Row(Protocol):
    """What can be listed with further columns."""

    @property
    def columns(self) -> Columns:
        """Further columns by header name."""


RowT = TypeVar("RowT", bound=Row)


def product_lines(products: Iterable[ListedProduct]) -> Iterator[bytes]:
    """Yield the root index."""
    yield PRODUCT_HEADER
    for row in products:
        registered = format_time(row.registered or 0)
        yield _line((row.name, row.most_recent or "none", registered, row.type or "notset", row.description))


class Index(Generic[RowT]):
    """An index in the making, window by window; a header precedes each change of the further columns. Close it.

    What is too large for memory is held in a nameless file in `folder`; None: in the system's folder for such files.
    """

    def __init__(self, fields: tuple[str, ...], cells: Callable[[RowT], tuple[str, ...]], folder: Path | None):
        self._fields = fields
        self._cells = cells
        self._folder = folder
        self._columns: list[str] | None = None
        self.rows = 0
        """How many rows were added."""
        self._lines: list[bytes] = []
        self._file: BinaryIO | None = None

    def add(self, rows: Iterable[RowT]) -> None:
        """Add the next rows. Raises OSError if there is no room for them."""
        for row in rows:
            if self._columns != list(row.columns):
                self._columns = list(row.columns)
                self._lines.append(_header(self._fields, self._columns))
            self._lines.append(_line((*self._cells(row), *_values(row.columns))))
            self.rows += 1
        if sum(map(len, self._lines)) > MEMORY:
            self._file = self._file or tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by close()
            self._file.writelines(self._lines)
            self._lines = []

    def blocks(self) -> Iterator[bytes]:
        """Yield the whole index in pieces; one without rows has a header all the same."""
        if self._file is not None:
            self._file.seek(0)
            while block := self._file.read(MEMORY):
                yield block
        elif not self._lines:
            yield _header(self._fields, [])
        yield b"".join(self._lines)

    def close(self) -> None:
        """Drop what was added."""
        if self._file is not None:
            self._file.close()


def fileset_index(folder: Path | None = None) -> Index[ListedFileset]:
    """Return an empty index of a product."""
    fields = ("filesetID", "time registered", "type")
    return Index(fields, lambda row: (row.name, format_time(row.registered), row.type), folder)


def file_index(folder: Path | None = None) -> Index[ListedFile]:
    """Return an empty index of a fileset."""
    fields = ("fileID", "bytes", "md5sum", "type")
    return Index(fields, lambda row: (row.name, str(row.size), row.digest or "", row.type), folder)


def listed_names(lines: Iterable[bytes]) -> set[str]:
    """Return the names that an index of ours lists."""
    rows = (line.partition(b"|")[0] for line in lines if not line.startswith(b"#"))
    return {name.decode("utf-8", "surrogateescape") for name in rows}


def _values(columns: Columns) -> Iterator[str]:
    return ("null" if value is None else value for value in columns.values())


def _header(fields: tuple[str, ...], columns: list[str]) -> bytes:
    return b"# " + _line((*fields, *columns))


def _line(fields: Iterable[str]) -> bytes:
    return ("|".join(fields) + "|\n").encode("utf-8", "surrogateescape")
