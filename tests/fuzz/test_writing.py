"""What our own indexes say is what was read: parse(write(x)) == x, what was refused left out."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from core.destinations.indexes import file_index, fileset_index, product_lines
from core.model import Rejection
from core.sources.ipp_parse import FILES, FILESETS, PRODUCTS, Level, RowT
from tests.fuzz.indexes import nearly_valid
from tests.fuzz.oracle import check_index
from tests.fuzz.profile import examples

FUZZED = settings(examples(150), suppress_health_check=list(HealthCheck))


def accepted(level: Level[RowT], body: bytes) -> list[RowT]:
    return [item for item in check_index(level, body, 1000) or () if not isinstance(item, Rejection)]


@FUZZED
@given(nearly_valid(FILESETS))
def test_a_product_is_told_as_it_was_read(body: bytes) -> None:
    rows, index = accepted(FILESETS, body), fileset_index()
    index.add(rows)
    assert accepted(FILESETS, b"".join(index.blocks())) == rows


@FUZZED
@given(nearly_valid(FILES))
def test_a_fileset_is_told_as_it_was_read(body: bytes) -> None:
    rows, index = accepted(FILES, body), file_index()
    index.add(rows)
    assert accepted(FILES, b"".join(index.blocks())) == rows


@FUZZED
@given(nearly_valid(PRODUCTS))
def test_a_root_is_told_as_it_was_read(body: bytes) -> None:
    rows = [
        row for row in accepted(PRODUCTS, body) if row.type and row.registered is not None and row.most_recent != ""
    ]
    assert accepted(PRODUCTS, b"".join(product_lines(rows))) == rows
