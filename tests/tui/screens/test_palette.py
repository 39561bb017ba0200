"""The palette in a tiny app."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from tests.tui.screens.host import HOSTILE, SHOWN, SIZES, Host, text
from tui.commands import COMMANDS
from tui.palette import Palette


async def found(pilot: Pilot[Any], count: int | None = None) -> OptionList:
    """Return the list of hits when there are some, or exactly `count`."""
    options = pilot.app.screen.query_one(OptionList)
    for _ in range(200):
        await pilot.pause(0.01)
        if options.option_count and count in (None, options.option_count):
            break
    return options


@pytest.mark.parametrize("size", SIZES)
async def test_it_lists_every_command_with_help_and_key(size: tuple[int, int]) -> None:
    app = Host(Palette())
    async with app.run_test(size=size) as pilot:
        assert (await found(pilot)).option_count == len(COMMANDS) - 1, "all but itself"
        assert "Mark  Space" in text(app)
        assert "Mark the row, or take its mark" in text(app)


@pytest.mark.parametrize(
    ("typed", "given"), [("retry all", "retry_all"), ("rtrya", "retry_all"), ("LIMITS", "limits"), ("bandwi", "limits")]
)
async def test_it_finds_and_gives_commands(typed: str, given: str) -> None:
    app = Host(Palette())
    async with app.run_test(size=(80, 24)) as pilot:
        await found(pilot)
        await pilot.press(*typed)
        await found(pilot, 1)
        await pilot.press("enter")
        await pilot.pause()
        assert app.given == [given]
        assert len(app.screen_stack) == 1


async def test_what_cant_be_given_comes_last_and_says_why() -> None:
    app = Host(Palette(), unavailable={"mark": HOSTILE[1], "mark_all": HOSTILE[2]})
    async with app.run_test(size=(80, 24)) as pilot:
        options = await found(pilot)
        first, *_, last = (option.prompt for option in options.options)
        assert str(first).startswith("Retry")
        assert str(last) == f"Mark all  *\nnot now: {SHOWN[2]}"
        await pilot.press(*"mark a")
        await found(pilot, 1)
        assert f"not now: {SHOWN[2]}" in text(app)


async def test_what_cant_be_given_comes_last_also_of_what_is_found() -> None:
    app = Host(Palette(), unavailable={"retry": "no row"})
    async with app.run_test(size=(80, 24)) as pilot:
        await found(pilot)
        await pilot.press(*"retry")
        options = await found(pilot, 2)
        assert [str(option.prompt).split("  ")[0] for option in options.options] == ["Retry all", "Retry"]


async def test_a_word_that_begins_so_comes_before_letters_that_are_scattered() -> None:
    app = Host(Palette(), unavailable={"raise": "no row", "lower": "no row"})
    async with app.run_test(size=(80, 24)) as pilot:
        await found(pilot)
        await pilot.press(*"pri")
        while (options := await found(pilot)).option_count > 20:
            await pilot.pause(0.01)
        titles = [str(option.prompt).split("  ")[0] for option in options.options]
        assert titles[:2] == ["Raise priority", "Lower priority"]
        assert "Previous row" in titles


async def test_a_colon_before_a_name_is_no_part_of_it() -> None:
    app = Host(Palette())
    async with app.run_test(size=(80, 24)) as pilot:
        await found(pilot)
        await pilot.press(":")
        await found(pilot, len(COMMANDS) - 1)
        await pilot.press(*"quit")
        await found(pilot, 1)
        await pilot.press("enter")
        await pilot.pause()
        assert app.given == ["quit"]


async def test_it_finds_commands_by_what_operators_call_them() -> None:
    app = Host(Palette())
    async with app.run_test(size=(80, 60)) as pilot:
        await found(pilot)
        await pilot.press(*"throttle")
        options = await found(pilot, 1)
        assert str(options.options[0].prompt).startswith("Limits")


async def test_escape_gives_nothing() -> None:
    app = Host(Palette())
    async with app.run_test() as pilot:
        await found(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert app.given == []
        assert len(app.screen_stack) == 1
