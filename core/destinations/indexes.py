"""The indexes of a published tree, in the format of the IPP Data Store: a mirror can feed the next mirror."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from core.model import Columns, ListedFile, ListedFileset, ListedProduct
from core.units import format_time

PRODUCT_HEADER = b"# productID|Most recent|Time registered|type|Description|\n"
_FILESET_FIELDS = ("filesetID", "time registered", "type")
_FILE_FIELDS = ("fileID", "bytes", "md5sum", "type")


def product_lines(products: Iterable[ListedProduct]) -> Iterator[bytes]:
    """Yield the root index."""
    yield PRODUCT_HEADER
    for row in products:
        registered = format_time(row.registered or 0)
        yield _line((row.name, row.most_recent or "none", registered, row.type or "notset", row.description))


class FilesetLines:
    """Yields the lines of a product's index, window by window; a header precedes each change of columns."""

    def __init__(self) -> None:
        self._columns: list[str] | None = None

    def lines(self, rows: Sequence[ListedFileset]) -> Iterator[bytes]:
        """Yield the lines for the next rows."""
        for row in rows:
            if self._columns != list(row.columns):
                self._columns = list(row.columns)
                yield _header(_FILESET_FIELDS, self._columns)
            yield _line((row.name, format_time(row.registered), row.type, *_values(row.columns)))

    def header_if_empty(self) -> Iterator[bytes]:
        """Yield the header of an index without rows, if no row was written."""
        if self._columns is None:
            yield _header(_FILESET_FIELDS, [])


def file_index(rows: Sequence[ListedFile]) -> bytes:
    """Return the index of a fileset; a header precedes each change of columns."""
    lines: list[bytes] = [] if rows else [_header(_FILE_FIELDS, [])]
    columns: list[str] | None = None
    for row in rows:
        if columns != list(row.columns):
            columns = list(row.columns)
            lines.append(_header(_FILE_FIELDS, columns))
        lines.append(_line((row.name, str(row.size), row.digest or "", row.type, *_values(row.columns))))
    return b"".join(lines)


def _header(fields: tuple[str, ...], columns: list[str]) -> bytes:
    return b"# " + _line((*fields, *columns))


def _values(columns: Columns) -> Iterator[str]:
    return ("null" if value is None else value for value in columns.values())


def _line(fields: Iterable[str]) -> bytes:
    return ("|".join(fields) + "|\n").encode("utf-8", "surrogateescape")
