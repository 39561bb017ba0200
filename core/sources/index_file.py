"""Indexes of our own writing, read back from files under the same rules and limits as those of a source."""

from __future__ import annotations

from typing import BinaryIO

from core.errors import FailureKind, SourceError
from core.sources.ipp import IndexListing
from core.sources.ipp_parse import Level, RowT, Shape
from core.sources.spool import Spool

PIECE = 1 << 16


def read_index(file: BinaryIO, level: Level[RowT]) -> IndexListing[RowT]:
    """Return the index that `file` holds; close it. Blocks. Raises SourceError (MALFORMED), or OSError."""
    spool, shape = Spool(), Shape(level)
    try:
        _fill(spool, file, shape)
    except BaseException:
        spool.close()
        raise
    return IndexListing(spool, shape)


def _fill(spool: Spool, file: BinaryIO, shape: Shape[RowT]) -> None:
    while piece := file.read(PIECE):
        if reason := spool.take(piece, shape):
            raise SourceError(FailureKind.MALFORMED, reason)
    if reason := spool.finish(shape):
        raise SourceError(FailureKind.MALFORMED, reason)
