"""Which pieces of an answer are too small."""

from __future__ import annotations

import pytest

from core.pieces import WINDOW, Pieces


@pytest.mark.parametrize(("size", "bad"), [(1, True), (15, True), (16, False)])
def test_many_small_pieces_that_come_quickly_are_bad(size: int, bad: bool) -> None:
    watched = Pieces(16, 0)
    assert [watched.add(size) for _ in range(WINDOW - 1)] == [None] * (WINDOW - 1)
    assert (watched.add(size) is not None) is bad


def test_the_first_pieces_are_free() -> None:
    watched = Pieces(16, 5 * WINDOW)
    assert {watched.add(1) for _ in range(6 * WINDOW - 1)} == {None}
    assert "in pieces of 1 byte:" in (watched.add(1) or "")


def test_a_large_piece_now_and_then_makes_up_for_small_ones_of_its_time_alone() -> None:
    watched = Pieces(16, 0)
    for size in (*[1] * (WINDOW - 1), 16 * WINDOW, *[1] * (WINDOW - 1)):
        assert watched.add(size) is None
    assert "in pieces of 1 byte:" in (watched.add(1) or "")
