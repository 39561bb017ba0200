"""Any index, however broken, through the parser: nothing lost, nothing let in, no memory eaten."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.sources.catalogue import PIECE
from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS, Parser, Shape
from core.sources.spool import Limits, Spool
from tests.fuzz.indexes import LEVELS, NAMES, AnyLevel, nearly_valid, recorded
from tests.fuzz.oracle import check_index, stays_inside
from tests.fuzz.profile import examples

SIZE = 1 << 19
HELD = 1 << 18
"""Bytes: the size of an index that is streamed, and what may be held of it in memory at once."""
BY_LEVEL = pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.label)


@BY_LEVEL
@settings(examples(150), suppress_health_check=list(HealthCheck))
@given(data=st.data(), piece=st.integers(1, 5000))
def test_every_row_is_accepted_or_refused_with_its_line(level: AnyLevel, data: st.DataObject, piece: int) -> None:
    check_index(level, data.draw(nearly_valid(level)), piece)


@BY_LEVEL
@settings(examples(100))
@given(body=st.binary(max_size=300), piece=st.integers(1, 300))
def test_any_bytes_are_answered(level: AnyLevel, body: bytes, piece: int) -> None:
    check_index(level, body, piece)


@BY_LEVEL
def test_recorded_indexes_are_taken_whole(level: AnyLevel) -> None:
    """The oracle is not so strict that it would never see a good index."""
    found = [check_index(level, body, 100) for body in recorded(level)]
    assert all(items is not None for items in found)
    assert any(found)


def test_the_oracle_refuses_what_leads_elsewhere() -> None:
    inside = Counter(stays_inside(name.decode("utf-8", "surrogateescape")) for name in NAMES)
    assert inside[False] >= 15
    assert stays_inside("o4741g0231o.chip.14519.31.1")


@pytest.mark.parametrize(
    "line", [b"# " + b"x|" * 50, b"a|2026-11-21T05:04:50Z|t|", b"z" * 60_000], ids=["comment", "row", "refused"]
)
@pytest.mark.parametrize("level", [PRODUCTS, FILESETS], ids=lambda level: level.label)
def test_memory_does_not_grow_with_an_index(level: AnyLevel, line: bytes) -> None:
    assert _peak(level, line) < HELD


@pytest.mark.parametrize("name", [50, 200])
def test_repeated_files_are_held_once(name: int) -> None:
    assert _peak(FILES, b"x" * name + b"|1||t|") < HELD


def _peak(level: AnyLevel, line: bytes) -> int:
    """Return the most bytes held while an index of one line over and over is streamed, row by row."""
    spool, shape = Spool(Limits(memory_bytes=16 * 1024)), Shape(level)
    header = f"# {'|'.join(level.mandatory)}|\n".encode()
    block = (line + b"\n") * max(1, PIECE // len(line))
    tracemalloc.start()
    try:
        reason = spool.take(header, shape)
        while not reason and spool.size < SIZE:
            reason = spool.take(block, shape)
        if not (reason or spool.finish(shape)):
            for _ in Parser(level).batches(spool.lines()):
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        spool.close()
