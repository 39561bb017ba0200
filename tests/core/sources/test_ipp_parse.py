"""The line format of the Data Store: what is read, what is rejected, and what makes an index malformed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import FailureKind, SourceError
from core.model import ListedFile, ListedFileset, ListedProduct, Rejection
from core.names import unsafe_name
from core.sources.ipp_parse import BATCH_LINES, FILES, FILESETS, PRODUCTS, Level, Parser, RowT, Shape
from core.text import display
from tests.servers.recorded import TREE

MD5 = "0d329151f57e1badbc34a69187ffedbb"
MIB = 1024 * 1024
FILE_HEADER = b"# fileID|bytes|md5sum|type|\n"
FILESET_HEADER = b"# filesetID|time registered|type|\n"
LEVELS = (PRODUCTS, FILESETS, FILES)
unhurried = settings(deadline=None)
WHEN = 1_795_239_201
WHEN_TEXT = "2026-11-21T05:33:21Z"


def parse(level: Level[RowT], body: bytes) -> list[RowT | Rejection]:
    return [row for batch in Parser(level).batches(BytesIO(body)) for row in batch]


def verdict(level: Level[RowT], body: bytes) -> str | None:
    """Return why a whole index is malformed, or None."""
    shape = Shape(level)
    *lines, tail = body.split(b"\n")
    return next(filter(None, map(shape.check, lines)), None) or shape.finish(tail)


def files(*rows: str) -> list[ListedFile | Rejection]:
    return parse(FILES, FILE_HEADER + "".join(f"{row}\n" for row in rows).encode("utf-8", "surrogateescape"))


def reason(*rows: str) -> str:
    """Return why the last of these rows of a file index is rejected."""
    last = files(*rows)[-1]
    assert isinstance(last, Rejection)
    return last.reason


# What the protocol shows.


def test_products_are_read() -> None:
    body = (
        b"# productID  |Most recent |Time registered     |type     |Description                     |\n"
        b"pstampresults|web204      |2008-10-16T00:35:16Z|psresults|Postage Stamp Results           |\n"
        b"emptyprod    |none        |2008-02-28T09:01:54Z|psrequest|Postage Stamp Request           |\n"
    )
    assert parse(PRODUCTS, body) == [
        ListedProduct("pstampresults", "web204", 1_224_117_316, "psresults", "Postage Stamp Results"),
        ListedProduct("emptyprod", None, 1_204_189_314, "psrequest", "Postage Stamp Request"),
    ]


def test_further_columns_of_the_root_hurt_nobody() -> None:
    body = (
        b"# productID|Most recent|Time registered|type|Description|state|\n"
        b"pstampresults|web204|2008-10-16T00:35:16Z|psresults|Postage Stamp Results|null|\n"
    )
    assert parse(PRODUCTS, body) == [
        ListedProduct("pstampresults", "web204", 1_224_117_316, "psresults", "Postage Stamp Results")
    ]


def test_filesets_are_read_with_the_columns_of_their_header() -> None:
    body = (
        b"# filesetID |time registered     |type  |stage |exp_name|\n"
        b"o1.fake.1   |2026-11-21T05:33:21Z|notset|fake  |o1      |\n"
        b"o2.camera.2 |2026-11-21T05:33:21Z|notset|camera|null    |\n"
    )
    assert parse(FILESETS, body) == [
        ListedFileset("o1.fake.1", WHEN, "notset", {"stage": "fake", "exp_name": "o1"}),
        ListedFileset("o2.camera.2", WHEN, "notset", {"stage": "camera", "exp_name": None}),
    ]


def test_a_header_in_the_middle_changes_the_further_columns() -> None:
    body = (TREE / "md-all-rel-200907" / "MD04.200903" / "index.txt").read_bytes()
    found = [(row.name, row.columns) for row in parse(FILES, body) if isinstance(row, ListedFile)]
    assert found == [
        ("chip.3.a.fits", {"chipname": "XY01"}),
        ("chip.3.b.fits", {"chipname": "XY02"}),
        ("dirinfo.3.mdc", {"component": "dirinfo"}),
        ("log.3.tgz", {"component": "log"}),
    ]


@pytest.mark.parametrize("path", sorted(TREE.rglob("index.txt")), ids=lambda path: str(path.relative_to(TREE)))
def test_every_recorded_index_is_well_formed_and_wholly_accepted(path: Path) -> None:
    level: Level[Any] = LEVELS[len(path.relative_to(TREE).parts) - 1]
    body = path.read_bytes()
    data = [line for line in body.splitlines() if line.strip() and not line.startswith(b"#")]
    rows = parse(level, body)
    assert verdict(level, body) is None
    assert len(rows) == len(data)
    assert not [row for row in rows if isinstance(row, Rejection)]


def test_a_byte_order_mark_before_a_header_or_a_remark_does_not_matter() -> None:
    marked = b"\xef\xbb\xbf# fileID|bytes|md5sum|type\n"
    body = marked + b"a.fits|7||fits|\n" + marked + b"\xef\xbb\xbf# the end\nb.fits|8||fits|\n"
    assert parse(FILES, body) == [ListedFile("a.fits", 7, None, "fits"), ListedFile("b.fits", 8, None, "fits")]


def test_blank_lines_comments_padding_and_a_missing_last_bar_do_not_matter() -> None:
    body = (
        b"\n  # just a remark | with a bar\n#\n"
        b"#\tFILE id |bytes|md5sum|type\r\n"
        b"   \n"
        b"\t a.fits |  7 |  | fits \r\n"
        b"b.fits|8||\n"
        b"c.fits|9|||\n"
    )
    assert parse(FILES, body) == [
        ListedFile("a.fits", 7, None, "fits"),
        ListedFile("b.fits", 8, None, ""),
        ListedFile("c.fits", 9, None, ""),
    ]


def test_text_that_is_not_utf8_can_be_turned_back_into_its_bytes() -> None:
    (row,) = parse(FILESETS, b"# filesetID|time registered|type|t\xe9l|\no1|2026-11-21T05:33:21Z|caf\xe9|\xff|\n")
    assert isinstance(row, ListedFileset)
    assert row.type.encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert [key.encode("utf-8", "surrogateescape") for key in row.columns] == [b"t\xe9l"]
    assert row.columns["t\udce9l"] == "\udcff"


def test_no_value_hides_behind_a_repeated_or_missing_column_name() -> None:
    (row,) = parse(FILES, b"# fileID|bytes|md5sum|type|x|x||x #2|\na|1||t|one|two|three|four|\n")
    assert isinstance(row, ListedFile)
    assert list(row.columns.values()) == ["one", "two", "three", "four"]
    assert row.columns["x"] == "one"


# Rows that are refused, while their siblings go on.

HOSTILE = ["..", ".", "", "a/b", "a\\b", "a\0b", "/etc/passwd", "-rf", ".mirrortui", "index.txt", "x" * 256, "a\x1bb"]


@pytest.mark.parametrize("name", [*HOSTILE, "a\u202eb", "a\rb", "caf\udce9", "\xa0"])
def test_a_hostile_name_is_rejected_and_its_siblings_are_not(name: str) -> None:
    before, rejected, after = files("a.fits|1||fits|", f"{name}|1||fits|", "b.fits|2||fits|")
    assert isinstance(rejected, Rejection)
    assert rejected.line == 3
    assert rejected.reason
    assert rejected.name == display(name)
    assert [before, after] == [ListedFile("a.fits", 1, None, "fits"), ListedFile("b.fits", 2, None, "fits")]


def test_a_line_end_in_a_name_makes_two_rows_of_which_the_first_is_rejected() -> None:
    first, second = files("a\nb|1||fits|")
    assert isinstance(first, Rejection)
    assert second == ListedFile("b", 1, None, "fits")


def test_a_name_of_255_bytes_is_taken() -> None:
    assert files(f"{'x' * 255}|1||fits|") == [ListedFile("x" * 255, 1, None, "fits")]


def test_names_that_differ_only_in_case_or_normalisation_are_kept_apart() -> None:
    names = ["M31.fits", "m31.fits", "caf\u00e9", "cafe\u0301"]
    rows = files(*(f"{name}|1||fits|" for name in names))
    assert [row.name for row in rows if isinstance(row, ListedFile)] == names


def test_a_name_that_is_not_utf8_says_so() -> None:
    assert "not UTF-8" in reason("caf\udce9|1||fits|")


@pytest.mark.parametrize(
    "size", ["-1", "", "abc", "1e3", "1.0", "0x10", "1" + "0" * 30, str(2**50 + 1), str(2**63), "+1", "1_000", "٣"]
)
def test_a_size_that_is_not_a_number_of_bytes_is_rejected(size: str) -> None:
    assert "size" in reason(f"a.fits|{size}||fits|")


@pytest.mark.parametrize("size", [0, 1, 2**50])
def test_the_whole_range_of_sizes_is_taken(size: int) -> None:
    assert files(f"a.fits|{size}||fits|") == [ListedFile("a.fits", size, None, "fits")]


@pytest.mark.parametrize("digest", ["0", MD5[:-1], MD5 + "0", MD5[:-1] + "g", MD5[:-1] + "٣", "null"])
def test_a_digest_of_wrong_length_or_alphabet_is_rejected(digest: str) -> None:
    assert "md5sum" in reason(f"a.fits|1|{digest}|fits|")


def test_an_empty_digest_is_none_and_an_upper_case_one_is_lowered() -> None:
    assert files(f"a|1|{MD5.upper()}|t|", "b|1|   |t|") == [ListedFile("a", 1, MD5, "t"), ListedFile("b", 1, None, "t")]


@pytest.mark.parametrize(
    "when",
    [
        "",
        "none",
        "2026-11-21",
        "2026-11-21T05:33:21",
        "2026-11-21 05:33:21Z",
        "2026-13-21T05:33:21Z",
        "2026-02-30T05:33:21Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T05:33:60Z",
        "2026-11-21T05:33:21+00:00",
        "2026-11-21T05:33:21.5Z",
        "0000-11-21T05:33:21Z",
        "٢٠٢٦-11-21T05:33:21Z",
    ],
)
def test_a_time_of_another_form_is_rejected(when: str) -> None:
    (row,) = parse(FILESETS, FILESET_HEADER + f"o1|{when}|t|\n".encode())
    assert isinstance(row, Rejection)
    assert "time" in row.reason


@pytest.mark.parametrize("row", ["a.fits|1|", "a.fits|1||fits|more|", "a.fits", "|||||||||"])
def test_too_few_or_too_many_fields_are_rejected(row: str) -> None:
    assert "fields where the header has 4" in reason(row)


def test_a_hash_within_a_row_is_rejected() -> None:
    assert "'#'" in reason("a.fits|1||fi#ts|")


def test_a_rejection_can_be_shown_as_it_is() -> None:
    (row,) = files(f"\x1b[31m{'x' * 5000}|\x07||fits|")
    assert isinstance(row, Rejection)
    assert row.name.isprintable()
    assert row.reason.isprintable()
    assert len(row.name) <= 400


# The same file twice.


def test_a_file_listed_twice_with_equal_rows_is_taken_once() -> None:
    assert files("a|1||t|", "b|2||t|", " a | 1 |  | t ") == [
        ListedFile("a", 1, None, "t"),
        ListedFile("b", 2, None, "t"),
    ]


@pytest.mark.parametrize("other", [f"a|1|{MD5}|t|", "a|2||t|", "a|1||u|"])
def test_a_file_listed_twice_with_unequal_rows_is_a_conflict(other: str) -> None:
    parser = Parser(FILES)
    body = FILE_HEADER + f"a|1||t|\nb|1||t|\n{other}\na|1||t|\n".encode()
    (batch,) = parser.batches(body.splitlines())
    assert batch[:2] == [ListedFile("a", 1, None, "t"), ListedFile("b", 1, None, "t")]
    (rejected,) = batch[2:]
    assert isinstance(rejected, Rejection)
    assert (rejected.line, rejected.name) == (4, "a")
    assert "listed twice with different" in rejected.reason
    assert parser.conflicts == {"a"}


def test_columns_of_another_header_make_a_conflict_too() -> None:
    parser = Parser(FILES)
    body = b"# fileID|bytes|md5sum|type|x|\na|1||t|v|\n# fileID|bytes|md5sum|type|y|\na|1||t|v|\n"
    list(parser.batches(body.splitlines()))
    assert parser.conflicts == {"a"}


def test_a_fileset_listed_twice_is_left_to_the_reader() -> None:
    assert len(parse(FILESETS, FILESET_HEADER + f"o1|{WHEN_TEXT}|t|\n".encode() * 2)) == 2


# Whole indexes.


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the answer is empty"),
        (b"\n", "the answer is empty"),
        (b" \r\n\t \n ", "the answer is empty"),
        (b"<!DOCTYPE html>\n<html></html>\n", "not an index: '<!DOCTYPE html>'"),
        (b"DBI connect failed: \x1b[31m\nCannot connect to server\n", "not an index: 'DBI connect failed: \\x1b[31m'"),
        (b"Internal error", "not an index: 'Internal error'"),
        (b"\x1f\x8b\x08\x00", "not an index"),
        (b"# some remark\n", "no header of files"),
        (b"# filesetID|time registered|type|\no1|2026-11-21T05:33:21Z|t|\n", "before any header of files"),
        (b"# some remark\na|1||t|\n", "before any header of files"),
        (b"# fileID|size|md5sum|type|\n", "the header is not fileID|bytes|md5sum|type"),
        (b"# fileID|bytes|\n", "the header is not fileID|bytes|md5sum|type"),
        (b"# fileID|bytes|md5sum|type|" + b"x|" * 101 + b"\n", "more than 100 further columns"),
        (FILE_HEADER[:-1], "the last line is cut off"),
        (FILE_HEADER + b"a|1||t|\nb|2|", "the last line is cut off"),
        (FILE_HEADER + b"a|1||t|\nb|2||t", "the last line is cut off"),
        (FILE_HEADER + b"a|1||t|\nb|2||", "the last line is cut off"),
        (FILE_HEADER + b"a|1||t|\n# fileID|bytes|md5sum|type|", "the last line is cut off"),
    ],
)
def test_a_malformed_index_says_why(body: bytes, words: str) -> None:
    found = verdict(FILES, body)
    assert found
    assert words in found
    assert found.isprintable()


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"  ", b"\r\n"])
def test_a_complete_last_row_needs_no_line_end(end: bytes) -> None:
    body = FILE_HEADER + b"a|1||t|" + end
    assert verdict(FILES, body) is None
    assert parse(FILES, body) == [ListedFile("a", 1, None, "t")]


def test_an_empty_fileset_is_a_header_alone() -> None:
    assert verdict(FILES, FILE_HEADER) is None
    assert parse(FILES, FILE_HEADER) == []


def test_a_file_index_without_end_is_malformed_before_it_fills_the_memory() -> None:
    shape = Shape(Level("files", FILES.mandatory, FILES.read, max_rows=3))
    for line in (FILE_HEADER, b"a|1||t|", b"b|1||t|", b"c|1||t|"):
        assert shape.check(line) is None
    assert "more than 3 files" in (shape.check(b"d|1||t|") or "")


# Any bytes at all.


@unhurried
@given(st.sampled_from([PRODUCTS, FILESETS, FILES]), st.binary(max_size=400), st.booleans())
def test_any_bytes_are_rows_rejections_or_a_source_error(level: Level[ListedFile], body: bytes, headed: bool) -> None:
    start = f"# {'|'.join(level.mandatory)}|\n".encode() if headed else b""
    check_harmless(level, start + body)


LINES = st.lists(
    st.lists(
        st.sampled_from(["a", "..", "", "#", "7", "\x00", "\udcff", MD5, WHEN_TEXT, "null", "fileID"]), max_size=7
    ),
    max_size=8,
)


@unhurried
@given(LINES)
def test_lines_that_are_nearly_right_are_rows_or_rejections(lines: list[list[str]]) -> None:
    text = "".join("|".join(line) + "\n" for line in lines)
    check_harmless(FILES, FILE_HEADER + text.encode("utf-8", "surrogateescape"))


def check_harmless(level: Level[RowT], body: bytes) -> None:
    for row in rows_or_error(level, body):
        if isinstance(row, SourceError):
            assert row.kind is FailureKind.MALFORMED
            assert row.detail.isprintable()
        elif isinstance(row, Rejection):
            assert row.name.isprintable()
            assert row.reason.isprintable()
        else:
            assert unsafe_name(row.name) is None


def rows_or_error(level: Level[RowT], body: bytes) -> Sequence[RowT | Rejection | SourceError]:
    try:
        return parse(level, body)
    except SourceError as error:
        return [error]


LABELS = st.text(st.characters(codec="utf-8", exclude_characters="|#\n\r", exclude_categories=["C", "Z"]), max_size=12)
NAMES = LABELS.filter(lambda name: unsafe_name(name) is None)
COLUMNS = st.lists(LABELS.filter(bool), unique=True, max_size=8)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(
    lambda when: int(when.replace(tzinfo=UTC).timestamp())
)


@st.composite
def listed_files(draw: st.DrawFn) -> tuple[list[str], list[ListedFile]]:
    columns = draw(COLUMNS)
    row = st.builds(
        ListedFile,
        name=NAMES,
        size=st.integers(0, 2**50),
        digest=st.none() | st.text("0123456789abcdef", min_size=32, max_size=32),
        type=LABELS,
        columns=st.fixed_dictionaries(
            {name: st.none() | LABELS.filter(lambda text: text != "null") for name in columns}
        ),
    )
    return columns, draw(st.lists(row, unique_by=lambda file: file.name, max_size=8))


@unhurried
@given(listed_files())
def test_valid_files_come_back_as_they_were(drawn: tuple[list[str], list[ListedFile]]) -> None:
    columns, rows = drawn
    lines = [["# fileID", "bytes", "md5sum", "type", *columns]]
    lines += [
        [row.name, str(row.size), row.digest or "", row.type, *cells(row.columns[name] for name in columns)]
        for row in rows
    ]
    assert parse(FILES, table(lines)) == rows


@unhurried
@given(st.lists(st.builds(ListedFileset, name=NAMES, registered=TIMES, type=LABELS), max_size=8))
def test_valid_filesets_come_back_as_they_were(rows: list[ListedFileset]) -> None:
    lines = [["# filesetID", "time registered", "type"]]
    lines += [[row.name, f"{datetime.fromtimestamp(row.registered, UTC):%Y-%m-%dT%H:%M:%SZ}", row.type] for row in rows]
    assert parse(FILESETS, table(lines)) == rows


def cells(values: Iterable[str | None]) -> list[str]:
    return ["null" if value is None else value for value in values]


def table(lines: Iterable[Iterable[str]]) -> bytes:
    return "".join("|".join(line) + "|\n" for line in lines).encode()


# Many rows.


def many(header: bytes, row: str, number: int) -> Iterator[bytes]:
    yield header
    for index in range(number):
        yield (row % index).encode()


@pytest.mark.parametrize(
    ("level", "header", "row", "number", "limit"),
    [
        (FILESETS, FILESET_HEADER, f"o%07d.chip.1|{WHEN_TEXT}|IPP-DIST|\n", 200_000, 2 * MIB),
        (FILES, FILE_HEADER, f"o%07d.fits|7|{MD5}|fits|\n", 50_000, 16 * MIB),
    ],
    ids=["filesets", "files"],
)
def test_long_indexes_are_read_in_bounded_memory(
    level: Level[RowT], header: bytes, row: str, number: int, limit: int
) -> None:
    seen = 0
    tracemalloc.start()
    try:
        for batch in Parser(level).batches(many(header, row, number)):
            assert len(batch) <= BATCH_LINES
            seen += len(batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == number
    assert peak < limit


def test_a_batch_ends_even_where_there_is_nothing_to_show() -> None:
    endless = (b"# remark\n" for _ in iter(int, 1))
    assert next(Parser(FILES).batches(endless)) == []


def test_a_batch_of_long_lines_ends_early() -> None:
    endless = (b"#" * 60_000 for _ in range(BATCH_LINES))
    assert len(list(Parser(FILES).batches(endless))) > BATCH_LINES / 4
