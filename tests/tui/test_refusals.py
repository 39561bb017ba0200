"""What is said of a key that can't do its work: in words, in full, and until something else is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.screens import night
from tests.tui.playing import Play, playing
from tests.tui.test_keys import press

NOT_HERE = "Retry all: not in this pane"


async def _refused(play: Play) -> None:
    await press(play, "4", "R")
    await play.sees(NOT_HERE)


def _told(play: Play, words: str) -> bool:
    return any(words in line for line in play.screen())


@pytest.mark.parametrize("key", ["escape", "3", "?", "L"])
async def test_it_goes_with_the_next_key(tmp_path: Path, key: str) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await _refused(play)
        await press(play, key)
        assert not _told(play, NOT_HERE)


async def test_it_goes_with_a_click(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await _refused(play)
        await play.pilot.click("#products", offset=(5, 3))
        await play.stage.settled()
        assert not _told(play, NOT_HERE)


async def test_it_names_the_command_as_the_help_does_and_nothing_of_it_is_cut(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.change("DELETE FROM transfers")
        await play.to("2 Queue", "- waiting")
        await press(play, "K")
        await play.sees("Move up: ")
        await play.sees("raised")
        assert not _told(play, "move_up")
        await press(play, "j")
        assert not _told(play, "Move up: ")


async def test_an_answer_outlives_the_next_key(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await _refused(play)
        play.app.tell("retry: 3 filesets are tried again")
        await press(play, "3")
        await play.sees("retry: 3 filesets are tried again")


async def test_a_read_only_dashboard_says_so_in_any_pane(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        play.app.main.read_only = True
        await press(play, "2", "m")
        await play.sees("Mirror or stop: this dashboard is read-only")


async def test_a_key_without_a_character_is_told_by_its_name(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build, 80, 24) as play:
        await play.press("ctrl+x")
        await play.sees("^x is no command here")
