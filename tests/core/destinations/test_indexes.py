"""The indexes of a published tree are what they were made from, when the next mirror reads them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from core.destinations import indexes
from core.destinations.indexes import PRODUCT_HEADER, product_lines
from core.model import Columns, ListedFile, ListedFileset, ListedProduct
from core.names import unsafe_name
from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS, Level, Parser, RowT

HERE = Path(__file__).parents[3]
YEAR_1000, YEAR_9999 = -30_610_224_000, 253_402_300_799


def parsed(level: Level[RowT], index: bytes) -> list[object]:
    """Read an index as the next mirror does; refused rows are among the result."""
    parser = Parser(level)
    rows = [row for batch in parser.batches(index.splitlines(keepends=True)) for row in batch]
    assert parser.shape.finish(b"") is None
    assert index.endswith(b"\n")
    return list(rows)


def fileset_index(*windows: Iterable[ListedFileset]) -> bytes:
    """Write a product's index window by window, as the publisher does."""
    index = indexes.fileset_index()
    for window in windows:
        index.add(window)
    return b"".join(index.blocks())


def file_index(rows: Iterable[ListedFile]) -> bytes:
    """Write a fileset's index."""
    index = indexes.file_index()
    index.add(rows)
    return b"".join(index.blocks())


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="|#\r\n"), max_size=12).map(str.strip)
VISIBLE = st.characters(codec="utf-8", categories=["L", "N", "P", "S"], exclude_characters="|#/\\")
NAME = st.text(VISIBLE, min_size=1, max_size=12).filter(lambda name: unsafe_name(name) is None)
WORD = st.text("abcxyz_", min_size=1, max_size=12)
COLUMN = st.text("abcdefghijklmnopqrstuvwxyz_ 0123456789", min_size=1, max_size=9).map(str.strip).filter(bool)
COLUMNS: st.SearchStrategy[Columns] = st.dictionaries(
    COLUMN, st.none() | TEXT.filter(lambda value: value != "null"), max_size=4
)
TIME = st.integers(YEAR_1000, YEAR_9999)
DIGEST = st.none() | st.text("0123456789abcdef", min_size=32, max_size=32)

PRODUCT_ROWS = st.lists(
    st.builds(ListedProduct, NAME, WORD.filter(lambda name: name != "none"), TIME, WORD, TEXT), max_size=5
)
FILESET_ROWS = st.lists(st.builds(ListedFileset, NAME, TIME, TEXT, COLUMNS), max_size=8)
FILE_ROWS = st.lists(
    st.builds(ListedFile, NAME, st.integers(0, 2**50), DIGEST, TEXT, COLUMNS),
    max_size=8,
    unique_by=lambda row: row.name,
)


@given(PRODUCT_ROWS)
def test_a_root_index_is_read_back_equal(rows: list[ListedProduct]) -> None:
    assert parsed(PRODUCTS, b"".join(product_lines(rows))) == rows


@settings(max_examples=200)
@given(FILESET_ROWS, st.integers(0, 8))
def test_a_products_index_is_read_back_equal_whatever_the_windows(rows: list[ListedFileset], cut: int) -> None:
    index = fileset_index(rows[:cut], rows[cut:])
    assert parsed(FILESETS, index) == rows
    assert index == fileset_index(rows)


@settings(max_examples=200)
@given(FILE_ROWS)
def test_a_filesets_index_is_read_back_equal(rows: list[ListedFile]) -> None:
    assert parsed(FILES, file_index(rows)) == rows


def test_an_index_reads_like_that_of_the_data_store() -> None:
    index = file_index([ListedFile("otis.01", 83002312, "fe6a2b6564c0d4cfb3bbf1db813824ba", "chip", {"chip": "ota01"})])
    assert index == (
        b"# fileID|bytes|md5sum|type|chip|\notis.01|83002312|fe6a2b6564c0d4cfb3bbf1db813824ba|chip|ota01|\n"
    )


def test_a_header_precedes_each_change_of_columns() -> None:
    rows = [
        ListedFileset("a", 0, "t", {"stage": "chip"}),
        ListedFileset("b", 1, "t", {"stage": None}),
        ListedFileset("c", 2, "t", {"camera": "gpc1"}),
        ListedFileset("d", 3, "t"),
    ]
    lines = fileset_index(rows[:1], rows[1:]).splitlines()
    assert [line for line in lines if line.startswith(b"#")] == [
        b"# filesetID|time registered|type|stage|",
        b"# filesetID|time registered|type|camera|",
        b"# filesetID|time registered|type|",
    ]
    assert lines[2] == b"b|1970-01-01T00:00:01Z|t|null|"


def test_an_index_without_rows_has_its_header() -> None:
    assert parsed(FILESETS, fileset_index()) == []
    assert fileset_index([]).startswith(b"# filesetID|")
    assert parsed(FILES, file_index([])) == []
    assert list(product_lines([])) == [PRODUCT_HEADER]


def test_a_product_of_which_nothing_is_known_is_still_listed() -> None:
    [_, line] = product_lines([ListedProduct("raw")])
    assert line == b"raw|none|1970-01-01T00:00:00Z|notset||\n"
    assert parsed(PRODUCTS, PRODUCT_HEADER + line) == [ListedProduct("raw", None, 0, "notset", "")]


def test_bytes_that_are_not_utf8_pass_through_unchanged() -> None:
    raw = b"# fileID|bytes|md5sum|type|caf\xe9|\na|1||text|\xff\xfe|\n"
    rows = [row for row in parsed(FILES, raw) if isinstance(row, ListedFile)]
    assert file_index(rows) == raw


WRITE_LARGE = """
import re, sys
from pathlib import Path
from core.destinations.base import Place
from core.destinations.indexes import file_index
from core.destinations.posix import PosixDestination
from core.model import Durability, ListedFile

destination, place = PosixDestination(Path(sys.argv[1], "data"), Durability.NONE, "owner"), Place(1, "p", "f")
destination.open()
destination.stage(place)
index = file_index(Path(sys.argv[1]))
for window in range(200):
    index.add(ListedFile(f"{window}.{number}", 0, None, "x" * 50_000) for number in range(20))
destination.publish(destination.seal(place, index.blocks(), 0, in_place=False))
index.close()
# not ru_maxrss: that begins with what the process held of which this one was forked
print(index.rows, int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
"""


def test_an_index_of_200_megabytes_is_written_without_being_held_in_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_LARGE, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE)
    rows, peak = map(int, done.stdout.split())
    written = (tmp_path / "data/p/f/index.txt").read_bytes()
    assert len(written) > 200_000_000
    assert written.count(b"\n") == rows + 1
    assert peak < 100_000_000
