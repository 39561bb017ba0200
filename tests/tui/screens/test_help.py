"""The commands on one screen."""

from __future__ import annotations

import pytest

from tests.tui.screens.host import SIZES, Host, text
from tui.commands import COMMANDS
from tui.keymap import effective_keys
from tui.screens.help import HelpScreen


@pytest.mark.parametrize("size", SIZES)
async def test_it_begins_with_the_work_and_scrolls_to_the_end(size: tuple[int, int]) -> None:
    app = Host(HelpScreen(effective_keys({})))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "Space" in text(app)
        await pilot.press("ctrl+end")
        await pilot.pause()
        assert "Quit" in text(app)
        await pilot.press("ctrl+home", "down")
        await pilot.pause()
        assert "Space" in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.answers == [None]


@pytest.mark.parametrize(
    ("typed", "found", "left"),
    [
        ("priority", "Raise priority", "Cancel"),
        ("f5", "Retry", "Cancel"),
        ("^p", "Palette", "Redraw"),
        ("R", "Retry", "-"),
        ("throttle", "Limits", "Cancel"),
    ],
)
async def test_typing_finds_commands_by_word_or_key(typed: str, found: str, left: str) -> None:
    app = Host(HelpScreen(effective_keys({"retry": ["f5"]})))
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.press(*typed)
        await pilot.pause()
        assert found in text(app)
        assert left == "-" or left not in text(app)


async def test_it_shows_the_keys_in_force() -> None:
    app = Host(HelpScreen(effective_keys({"cancel": ["f8"]})))
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.pause()
        assert "F8         Cancel" in text(app)


async def test_nothing_found_is_said() -> None:
    app = Host(HelpScreen(effective_keys({})))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press(*"[/x]zz")
        await pilot.pause()
        assert "No command is like that." in text(app)


async def test_a_small_screen_shows_a_dozen_commands_at_once() -> None:
    app = Host(HelpScreen(effective_keys({})))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert sum(command.title in text(app) for command in COMMANDS if command.group == "Work") >= 12


async def test_columns_follow_the_width() -> None:
    app = Host(HelpScreen(effective_keys({})))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        assert "Mark  Mark the" in text(app)
