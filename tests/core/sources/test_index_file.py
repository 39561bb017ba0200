"""Our own indexes, written and read back: whatever a source may list survives, and limits hold."""

from __future__ import annotations

import io
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.destinations.indexes import file_index, fileset_index, product_lines
from core.errors import SourceError
from core.model import ListedFile, ListedFileset, ListedProduct
from core.names import unsafe_name
from core.sources.index_file import read_index
from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS, Level, RowT
from core.sources.spool import DEFAULT_LIMITS

CHARACTERS = st.characters(exclude_characters="|#\n\r", exclude_categories=("Cs", "Cc", "Zl", "Zp"))
TEXT = st.text(CHARACTERS, max_size=20).map(lambda text: text.strip())
NAMES = TEXT.filter(lambda name: unsafe_name(name) is None)
COLUMNS = st.dictionaries(TEXT.filter(bool), st.none() | TEXT.filter(lambda value: value != "null"), max_size=3)
TIMES = st.integers(0, 4_000_000_000)
DIGESTS = st.none() | st.text("0123456789abcdef", min_size=32, max_size=32)


def read(content: bytes, level: Level[RowT]) -> list[object]:
    with read_index(io.BytesIO(content), level) as listing:
        return list(chain.from_iterable(listing.batches()))


@given(st.lists(st.builds(ListedFileset, NAMES, TIMES, TEXT, COLUMNS), max_size=5))
def test_filesets(rows: list[ListedFileset]) -> None:
    index = fileset_index()
    index.add(rows)
    assert read(b"".join(index.blocks()), FILESETS) == rows


@given(
    st.lists(st.builds(ListedFile, NAMES, st.integers(0, 2**50), DIGESTS, TEXT, COLUMNS), unique_by=lambda x: x.name)
)
def test_files(rows: list[ListedFile]) -> None:
    index = file_index()
    index.add(rows)
    assert read(b"".join(index.blocks()), FILES) == rows


@given(st.lists(st.builds(ListedProduct, NAMES, st.none() | NAMES, TIMES, TEXT.filter(bool), TEXT), max_size=5))
def test_products(rows: list[ListedProduct]) -> None:
    rows = [row for row in rows if row.most_recent != "none"]
    assert read(b"".join(product_lines(rows)), PRODUCTS) == rows


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"# fileID|bytes|md5sum|type|\na|1||fits", "cut off"),
        (b"# fileID|bytes|md5sum|type|\n" + b"x" * (DEFAULT_LIMITS.line_bytes + 1), "a line is longer"),
        (b"# filesetID|time registered|type|\n", "no header of files"),
        (b"\0" * 1000, "not an index"),
    ],
)
def test_what_is_no_index_of_ours_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        read_index(io.BytesIO(content), FILES)


class Endless(io.RawIOBase):
    """A file of lines that has no end."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        line = b"# a comment\n" * (len(buffer) // 12 or 1)
        size = min(len(buffer), len(line))
        buffer[:size] = line[:size]
        self.given += size
        return size


def test_an_endless_index_is_given_up() -> None:
    endless = Endless()
    with pytest.raises(SourceError, match="longer than"):
        read_index(io.BufferedReader(endless), FILES)
    assert endless.given < DEFAULT_LIMITS.total_bytes + (1 << 20)
