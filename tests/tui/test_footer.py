"""The last lines of a small screen: the keys that matter most in each pane, and the field of the filter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screens import night
from tests.tui.playing import playing

WANTED = {
    "1": ["r/R Retry", "m Mirror", "/ Filter", "! Problems", "s Sort", "? Help  ^p"],
    "2": ["a Now", "h Hold", "J/K Move", "+/- Priority", "/ Filter", "? Help  ^p"],
    "3": ["Space Mark", "r/R Retry", "A Accept", "/ Filter", "Enter Details", "? Help  ^p"],
    "4": ["o/f/e Show", "r Retry", "? Help  ^p"],
    "5": ["/ Filter", "! Problems", "F Follow", "? Help  ^p"],
}


@pytest.mark.parametrize("pane", WANTED)
async def test_a_small_screen_has_room_for_what_matters_most(tmp_path: Path, pane: str) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press(pane)
        line = await play.sees(*WANTED[pane])
        assert line == play.screen()[-1]
        await play.pilot.resize_terminal(120, 24)
        await play.sees("? Help  ^p All")


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40)])
async def test_a_filter_is_typed_above_the_footer_that_tells_how_to_end_it(
    tmp_path: Path, columns: int, lines: int
) -> None:
    async with playing(tmp_path, night.build, columns, lines) as play:
        await play.press("2", "/")
        await play.sees(" Enter keep  Esc clear")
        assert play.screen()[-1].strip() == "Enter keep  Esc clear"
        await play.press(*"tas")
        await play.sees("2 Queue 12 ")
        assert play.screen()[-2].strip() == "/tas"
        await play.press("enter")
        await play.sees("J/K Move")
        assert not [line for line in play.screen() if line.strip() == "/tas"]
        await play.press("/")
        await play.sees("Esc clear")
        await play.press("escape")
        await play.sees("2 Queue 1,750")
        await play.sees("J/K Move")
