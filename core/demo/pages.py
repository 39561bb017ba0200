"""The text of an IPP Data Store's indexes: lines of cells padded with blanks, each cell closed by ``|``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from core.model import Columns

PRODUCT_COLUMNS = ("productID", "Most recent", "Time registered", "type", "Description")
FILESET_COLUMNS = ("filesetID", "time registered", "type")
FILE_COLUMNS = ("fileID", "bytes", "md5sum", "type")

Row: TypeAlias = tuple[Sequence[str], Columns]
"""The cells of the mandatory columns, and the further columns by name."""


def index(mandatory: Sequence[str], rows: Iterable[Row], further: Sequence[str] = ()) -> str:
    """Return an index whose lines have the `mandatory` columns and those that each row adds.

    Whenever the names of the further columns change, a new header precedes the rows. Without rows the index is
    a header alone, which names `further` too.
    """
    named = ((tuple(columns), [*cells, *map(_cell, columns.values())]) for cells, columns in rows)
    tables = [
        _table([*mandatory, *names], [cells for _, cells in group]) for names, group in groupby(named, itemgetter(0))
    ]
    return "".join(tables or [_table([*mandatory, *further], [])]) + "\n"


def utc(seconds: float) -> str:
    """Return a time, in seconds since the epoch, as indexes write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[f"# {columns[0]}", *columns[1:]], *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "".join(_line(cells, widths) for cells in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{cell:<{width}}|" for cell, width in zip(cells, widths, strict=True)) + "\n"


def _cell(value: str | None) -> str:
    return "null" if value is None else value
