"""Nearly valid indexes: recorded and generated ones, with a few wounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import strategies as st

from core.demo.pages import FILE_COLUMNS, FILESET_COLUMNS, PRODUCT_COLUMNS, Row, index
from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS, Level
from tests.model.upstream import md5
from tests.servers.recorded import TREE

AnyLevel: TypeAlias = Level[Any]

LEVELS: tuple[AnyLevel, ...] = (PRODUCTS, FILESETS, FILES)
_COLUMNS = {PRODUCTS.label: PRODUCT_COLUMNS, FILESETS.label: FILESET_COLUMNS, FILES.label: FILE_COLUMNS}
_DEPTH = {PRODUCTS.label: 1, FILESETS.label: 2, FILES.label: 3}

CONTENT = b"the content of every file"

NAMES = (
    *(b"..", b".", b"", b"../up", b"a/../../b", b"/etc/passwd", b"a/b", b"a\\b", b"..\\up", b"~", b"-rf", b"%2e%2e"),
    *(b".mirrortui", b"index.txt", b"INDEX.TXT", b"a" * 255, b"a" * 256, "ü".encode() * 128, b"a\0b", b"\x1b[2J"),
    *("\u202etxt".encode(), "a\u2028b".encode(), "\ufeffx".encode(), b"\xff\xfe", b"\xed\xa0\x80", b"[bold]x[/]"),
    *("e\u0301".encode(), "\u00e9".encode(), b"null", b"none", b"con", b"=1+1", b"a b", b"\xc2\xa0", b"$(id)", b";id"),
)
NUMBERS = (
    b"-1",
    b"0",
    b"00",
    b"1" * 5000,
    b"9223372036854775807",
    b"9223372036854775808",
    b"1e3",
    b"\xef\xbc\x91\xef\xbc\x92",
    b"",
)
TIMES = (b"0000-00-00T00:00:00Z", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:60Z", b"9999-12-31T23:59:59Z", b"none")
DIGESTS = (b"F" * 32, b"f" * 31, b"g" * 32, b"", b"\xc3\xa9" * 16)
LINES = (
    *(
        b"#",
        b"# x|y|",
        b"|",
        b"||||||||",
        b"\r",
        b"\x00",
        b"<html>",
        b"#" * 70_000,
        b"y" * 70_000,
        b"\x0b\x0c",
        b"\x85",
    ),
    *("|".join(columns).encode() for columns in (FILE_COLUMNS, FILESET_COLUMNS, PRODUCT_COLUMNS)),
    *(f"# {'|'.join(columns)}|extra||extra|".encode() for columns in _COLUMNS.values()),
    b"# fileID|bytes|md5sum|type|" + b"c|" * 200,
)

Wound = Callable[[bytes], bytes]
_SPOTS = st.floats(0, 1, exclude_max=True)


def recorded(level: AnyLevel) -> list[bytes]:
    """Return the indexes of this level that a real Data Store served."""
    found = sorted(TREE.rglob("index.txt"))
    return [path.read_bytes() for path in found if len(path.relative_to(TREE).parts) == _DEPTH[level.label]]


@st.composite
def generated(draw: st.DrawFn, level: AnyLevel) -> bytes:
    """Return a valid index of a few rows."""
    columns = _COLUMNS[level.label]
    further = draw(st.lists(st.sampled_from(["state", "note"]), max_size=2, unique=True))
    rows: list[Row] = []
    for number in range(draw(st.integers(0, 6))):
        cells = {"bytes": str(len(CONTENT)), "md5sum": md5(CONTENT), "type": "fits", "Most recent": "none"}
        times = {name: "2026-11-21T05:04:50Z" for name in columns if name.lower() == "time registered"}
        named = [(cells | times).get(name, f"name-{number}") for name in columns]
        rows.append((named, dict.fromkeys(further, draw(st.none() | st.just("x")))))
    return index(columns, rows, further).encode()


@st.composite
def wounds(draw: st.DrawFn) -> Wound:
    """Return a change of an index that one might not notice."""
    spot, length = draw(_SPOTS), draw(st.integers(0, 40))
    line = draw(st.sampled_from(LINES) | st.binary(max_size=60))
    cell = draw(st.sampled_from([*NAMES, *NUMBERS, *TIMES, *DIGESTS]))

    def at(body: bytes) -> int:
        return int(spot * len(body))

    def flip(body: bytes) -> bytes:
        return (
            body[: at(body)] + bytes([byte ^ (1 << length % 8) for byte in body[at(body) :][:1]]) + body[at(body) + 1 :]
        )

    def truncate(body: bytes) -> bytes:
        return body[: at(body)]

    def cut_out(body: bytes) -> bytes:
        return body[: at(body)] + body[at(body) + length :]

    def double(body: bytes) -> bytes:
        return body[: at(body)] + body[max(0, at(body) - length * 10) :]

    def insert(body: bytes) -> bytes:
        return body[: at(body)] + line[:length] + body[at(body) :]

    def add_line(body: bytes) -> bytes:
        lines = body.split(b"\n")
        lines.insert(int(spot * len(lines)), line)
        return b"\n".join(lines)

    def repeat_line(body: bytes) -> bytes:
        lines = body.split(b"\n")
        lines.insert(int(spot * len(lines)), lines[length % len(lines)])
        return b"\n".join(lines)

    def replace_cell(body: bytes) -> bytes:
        cells = body.split(b"|")
        place = int(spot * len(cells))
        end = b"\n" if cells[place].startswith(b"\n") else b""
        cells[place] = end + cell
        return b"|".join(cells)

    return draw(
        st.sampled_from([flip, truncate, cut_out, double, insert, add_line, repeat_line, replace_cell, replace_cell])
    )


@st.composite
def nearly_valid(draw: st.DrawFn, level: AnyLevel) -> bytes:
    """Return an index of this level with up to five wounds."""
    body = draw(st.sampled_from(recorded(level)) | generated(level))
    for wound in draw(st.lists(wounds(), max_size=5)):
        body = wound(body)
    return body
