"""Rates follow what counters tell, and forget what is long past."""

from __future__ import annotations

import pytest

from tui.rates import SWING, WINDOW, Rates


def rate_of(*readings: tuple[float, float]) -> float:
    rates = Rates()
    for at, value in readings:
        rates.note("a", at, value)
    return rates.rate("a")


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ((), 0.0),
        (((0, 500),), 0.0),
        (((0, 0), (0.25, 9_000)), 0.0),
        (((0, 0), (1, 100)), 100.0),
        (((0, 0), (1, 100), (2, 100), (4, 400)), 100.0),
        (((0, 50), (5, 50)), 0.0),
    ],
    ids=["nothing known", "one reading", "too short a time", "a second", "over all readings", "at rest"],
)
def test_a_rate_is_the_growth_over_the_time_between_readings(
    readings: tuple[tuple[float, float], ...], expected: float
) -> None:
    assert rate_of(*readings) == expected


def test_what_is_long_past_counts_no_more() -> None:
    busy = [(second, second * 1000.0) for second in range(10)]
    idle = [(10.0 + second, 9000.0) for second in range(int(WINDOW))]
    assert rate_of(*busy) == 1000
    assert rate_of(*busy, *idle) == 0


def test_readings_far_apart_still_make_a_rate() -> None:
    assert rate_of((0, 0), (60, 600)) == 10
    assert rate_of((0, 0), (60, 600), (120, 600)) == 0


def test_a_counter_that_begins_anew_makes_no_negative_rate() -> None:
    assert rate_of((0, 9000), (1, 9500), (2, 10)) == 0
    assert rate_of((0, 9000), (1, 9500), (2, 10), (3, 30)) == 20


def test_each_key_has_a_rate_of_its_own() -> None:
    rates = Rates()
    for second in range(3):
        rates.note(1, second, second * 10)
        rates.note(("fileset", 1), second, second * 70)
    assert (rates.rate(1), rates.rate(("fileset", 1)), rates.rate(2)) == (10, 70, 0)


def test_under_other_conditions_a_rate_is_taken_anew_and_stays_what_it_was_until_then() -> None:
    rates = Rates()
    for second in range(11):
        rates.note("a", second, second * 1000.0)
    rates.begin_anew()
    assert rates.rate("a") == 1000
    rates.note("a", 10.5, 10_000)
    assert rates.rate("a") == 1000, "too little is known"
    rates.note("a", 11, 10_050)
    assert rates.rate("a") == 50
    rates.begin_anew()
    rates.note("a", 11.5, 3)
    assert rates.rate("a") == 0, "a counter that begins anew has no rate from before"


def test_for_a_while_no_rate_is_more_than_is_possible_under_the_new_conditions() -> None:
    rates = Rates()
    for second in range(11):
        rates.note("a", second, second * 1000.0)
    rates.begin_anew(most=300)
    assert rates.rate("a") == 300
    rates.note("a", 12, 11_000)
    assert rates.rate("a") == 300, "what had come before was counted late"
    rates.note("a", 14, 11_200)
    assert rates.rate("a") == 300
    for second in range(int(SWING) + 1):
        rates.note("a", 14 + second, 11_200 + second * 500.0)
    assert rates.rate("a") == 500, "a limit that is not kept is told"
