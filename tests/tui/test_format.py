"""Figures as they are written on the screen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tui import format as fmt

NOON = 1_795_176_000.0  # 2026-11-20T12:00:00Z


@pytest.mark.parametrize(("seconds", "shown"), [(None, "-"), (0, "0s"), (45, "45s"), (22_320, "6h12m"), (-5, "0s")])
def test_a_length_of_time(seconds: float | None, shown: str) -> None:
    assert fmt.span(seconds) == shown


@pytest.mark.parametrize(("at", "shown"), [(None, "never"), (NOON - 240, "4m00s ago"), (NOON + 60, "0s ago")])
def test_how_long_ago(at: float | None, shown: str) -> None:
    assert fmt.ago(at, NOON) == shown


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (None, "-"),
        (NOON, "12:00:00Z"),
        (NOON + 3600, "13:00:00Z"),
        (NOON - 11 * 3600, "01:00:00Z"),
        (NOON + 12 * 3600, "2026-11-21 00:00Z"),
        (NOON - 86_400, "2026-11-19 12:00Z"),
    ],
)
def test_a_point_in_time_has_its_date_unless_it_is_near(at: float | None, shown: str) -> None:
    assert fmt.moment(at, NOON) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, ""), (0.4, ""), (1, "1 B/s"), (999.4, "999 B/s"), (83_000_000, "83.0 MB/s")]
)
def test_a_rate_and_nothing_for_none(value: float, shown: str) -> None:
    assert fmt.rate(value) == shown


@pytest.mark.parametrize(
    ("left", "rate", "seconds"), [(0, 0, 0.0), (0, 50, 0.0), (100, 50, 2.0), (100, 0, None), (100, 0.2, None)]
)
def test_the_time_that_is_left(left: int, rate: float, seconds: float | None) -> None:
    assert fmt.eta(left, rate) == seconds


@pytest.mark.parametrize(
    ("values", "width", "shown"),
    [
        ((), 5, ""),
        ((0, 0, 0), 5, "▁▁▁"),
        ((0, 4, 8), 5, "▁▅█"),
        ((9, 9, 1, 8), 2, "█▅"),
        ((1,), 1, "█"),
    ],
    ids=["no history", "idle", "rising", "two in one", "one"],
)
def test_a_history_in_blocks(values: Sequence[float], width: int, shown: str) -> None:
    assert fmt.sparkline(values, width) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "░░░░"), (0.24, "░░░░"), (0.5, "██░░"), (0.99, "███░"), (1, "████"), (7, "████"), (-1, "░░░░")],
)
def test_a_bar_is_full_only_when_all_is_there(share: float, shown: str) -> None:
    assert fmt.bar(share, 4) == shown


def test_a_count_has_separators_and_a_mark_its_word() -> None:
    assert fmt.amount(1_234_567) == "1,234,567"
    assert str(fmt.Mark("!", "LAG", "bad")) == "! LAG"
