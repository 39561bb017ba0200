"""How often the screen is drawn: by what has changed, and by what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tui.pace import Pace


@dataclass
class Clocks:
    """Seconds that have passed, and seconds of a core that were used."""

    passed: float = 100.0
    used: float = 10.0

    def go_on(self, seconds: float, share: float = 0.0) -> None:
        self.passed += seconds
        self.used += seconds * share


@pytest.fixture(name="clocks")
def clocks_that_stand() -> Clocks:
    return Clocks()


@pytest.fixture(name="pace")
def pace_by_clocks(clocks: Clocks) -> Pace:
    return Pace(lambda: clocks.passed, lambda: clocks.used)


def snapshot(pace: Pace, clocks: Clocks, reading: float, share: float = 1.0, drawing: float = 0.0) -> None:
    pace.begin()
    clocks.go_on(reading, share)
    pace.read()
    clocks.go_on(drawing, share)
    pace.drawn()


def test_the_first_snapshot_is_due_at_once(pace: Pace) -> None:
    assert pace.due(changed=False)


def test_what_costs_little_is_drawn_soon_after_a_change_and_else_each_second(pace: Pace, clocks: Clocks) -> None:
    snapshot(pace, clocks, 0.01)
    assert not pace.due(changed=True)
    assert pace.due(changed=True, hurried=True)
    clocks.go_on(0.25)
    assert pace.due(changed=True)
    assert not pace.due(changed=False)
    clocks.go_on(0.75)
    assert pace.due(changed=False)


def test_what_costs_much_to_draw_takes_no_more_than_its_share_of_a_core(pace: Pace, clocks: Clocks) -> None:
    snapshot(pace, clocks, 0.03, drawing=0.03)
    clocks.go_on(0.5)
    assert not pace.due(changed=True)
    clocks.go_on(0.1)
    assert pace.due(changed=True)
    clocks.go_on(1.2)
    assert not pace.due(changed=False)
    clocks.go_on(0.2)
    assert pace.due(changed=False)


def test_a_slow_disk_is_read_for_a_fifth_of_the_time(pace: Pace, clocks: Clocks) -> None:
    snapshot(pace, clocks, 1.0, share=0.0)
    clocks.go_on(2.9)
    assert not pace.due(changed=True)
    clocks.go_on(0.2)
    assert pace.due(changed=True)


def test_the_screen_grows_no_older_than_some_seconds_whatever_it_costs(pace: Pace, clocks: Clocks) -> None:
    snapshot(pace, clocks, 0.1, drawing=2.0)
    clocks.go_on(3.0)
    assert pace.due(changed=False)
