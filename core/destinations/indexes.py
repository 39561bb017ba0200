"""The indexes of a published tree, in the format of the IPP Data Store: a mirror can feed the next mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from core.model import Columns, ListedFile, ListedFileset, ListedProduct
from core.units import format_time

PRODUCT_HEADER = b"# productID|Most recent|Time registered|type|Description|\n"


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
    """An index in the making, window by window; a header precedes each change of the further columns."""

    def __init__(self, fields: tuple[str, ...], cells: Callable[[RowT], tuple[str, ...]]):
        self._fields = fields
        self._cells = cells
        self._columns: list[str] | None = None
        self.rows = 0
        """How many rows were added."""
        self._lines: list[bytes] = []

    def add(self, rows: Iterable[RowT]) -> None:
        """Add the next rows."""
        for row in rows:
            if self._columns != list(row.columns):
                self._columns = list(row.columns)
                self._lines.append(_header(self._fields, self._columns))
            self._lines.append(_line((*self._cells(row), *_values(row.columns))))
            self.rows += 1

    def content(self) -> bytes:
        """Return the whole index; one without rows has a header all the same."""
        return b"".join(self._lines or [_header(self._fields, [])])


def fileset_index() -> Index[ListedFileset]:
    """Return an empty index of a product."""
    return Index(
        ("filesetID", "time registered", "type"), lambda row: (row.name, format_time(row.registered), row.type)
    )


def file_index() -> Index[ListedFile]:
    """Return an empty index of a fileset."""
    return Index(
        ("fileID", "bytes", "md5sum", "type"), lambda row: (row.name, str(row.size), row.digest or "", row.type)
    )


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
