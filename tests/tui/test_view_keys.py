"""Each key that looks or moves, pressed: what is on the screen then, and was not before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.screens import night
from tests.tui.playing import Play, playing
from tui.commands import COMMANDS

SEEN: dict[str, tuple[Sequence[str], str, Sequence[str]]] = {
    "mark": (["2", "g"], "space", ["2 Queue", "1 marked"]),
    "mark_all": (["2"], "*", ["2 Queue", "1,750 marked"]),
    "overview": (["2", "4", "f"], "o", ["registered"]),
    "files": (["2", "4", "o"], "f", ["file", "try"]),
    "errors": (["3", "4", "o"], "e", ["4 Details  ipp-misc.04097"]),
    "filter": (["2"], "/", ["text to look for"]),
    "problems": (["1"], "!", ["1 Products", "problems only"]),
    "sort": (["1"], "s", ["1 Products", "sort:lag"]),
    "reverse": (["1"], "S", ["state▲"]),
    "available": (["1"], "n", ["1 Products", "others hidden"]),
    "follow": (["5"], "F", ["5 Log", "stopped here"]),
    "details": (["2"], "enter", ["o/f/e Show"]),
    "freeze": (["2"], "z", ["2 Queue", "FROZEN"]),
    "copy": (["2", "g"], "y", ["Copied if"]),
    "back": (["2", "*"], "escape", ["2 Queue 1,750  sort:turn ─"]),
    "down": (["2", "g"], "j", ["│>  md-all"]),
    "up": (["2", "g", "j", "j"], "k", ["│>  md-all-r…7.05204"]),
    "first": (["2", "G"], "g", ["│>  CMIP6.Sc…s.04318"]),
    "last": (["2", "g"], "G", ["│>  ipp-misc"]),
    "go_products": (["2"], "1", ["n Available"]),
    "go_queue": (["1"], "2", ["J/K Move"]),
    "go_failed": (["1"], "3", ["A Accept", "Filter"]),
    "go_details": (["1"], "4", ["o/f/e Show"]),
    "go_log": (["1"], "5", ["F Follow"]),
    "next_pane": (["1"], "tab", ["J/K Move"]),
    "previous_pane": (["2"], "shift+tab", ["n Available"]),
    "help": ([], "?", ["type to search"]),
    "theme": ([], "T", ["Enter keeps it"]),
    "palette": ([], "ctrl+p", ["Find a command"]),
}
"""By command: the keys that go before, its key, and what stands on the screen only after it."""
NOT_SEEN = {"redraw", "suspend", "quit"}
"""What leaves no mark on a screen that goes on: tests/soak presses the first, tests/whole the others."""


def test_no_key_that_looks_or_moves_is_left_out() -> None:
    assert SEEN.keys() | NOT_SEEN == {command.id for command in COMMANDS if not command.writes}


@pytest.mark.parametrize("part", range(7))
async def test_a_key_is_seen(tmp_path: Path, part: int) -> None:
    for number, id in enumerate(list(SEEN)[part::7]):
        before, key, words = SEEN[id]
        folder = tmp_path / str(number)
        folder.mkdir()
        async with playing(folder, night.build) as play:
            await play.press(*before)
            await play.stage.settled()
            assert not [line for line in play.screen() if all(word in line for word in words)], id
            await play.press(key)
            await play.sees(*words)


@pytest.mark.parametrize("pane", ["3", "4"])
async def test_problems_only_is_one_switch_for_all_lists_wherever_it_is_pressed(tmp_path: Path, pane: str) -> None:
    async with playing(tmp_path, night.build, 160, 50) as play:
        await play.press(pane, "!")
        await play.sees("1 Products", "problems only")
        await play.sees("the lists show what needs attention only")
        await play.press("!")
        await play.sees("the lists show all")


async def test_the_log_shows_what_its_filter_lets_through_until_escape(tmp_path: Path) -> None:
    async with playing(tmp_path, night.build) as play:
        await play.press("5", "/", *"slash")
        await play.sees("5 Log", "/slash")
        await play.stage.until(lambda: len(logged(play)) == 1, "the one event with that word")
        assert "line 118 refused" in logged(play)[0]
        await play.press("enter", "escape")
        await play.stage.until(lambda: len(logged(play)) > 1, "the others")
        assert not [line for line in play.screen() if "/slash" in line]


def logged(play: Play) -> list[str]:
    """Return the rows of the log."""
    screen = play.screen()
    top = next(at for at, line in enumerate(screen) if "─ 5 Log" in line)
    return [line for line in screen[top + 2 :] if line.startswith("│") and line.strip("│ ")]
