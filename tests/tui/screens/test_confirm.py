"""The question before much is hit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from textual.events import Key

from tests.tui.screens.host import HOSTILE, SHOWN, SIZES, Host, text
from tui.screens.confirm import ConfirmScreen

NAMES = [f"ps1/md-all/exp{number:03}" for number in range(204)]


def question(names: Sequence[str] = NAMES, word: str | None = None) -> ConfirmScreen:
    return ConfirmScreen("Cancel 204 filesets?", names, "What was fetched of them is dropped.", word)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["escape"], False), (["enter"], False), (["n"], False),
        (["y"], True), (["down", "enter"], True), (["j", "enter"], True), (["j", "k", "enter"], False),
        (["y", "y", "enter"], True),
    ],
)  # fmt: skip
async def test_only_a_clear_yes_is_one(keys: list[str], answer: bool) -> None:
    app = Host(question())
    async with app.run_test() as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert app.answers == [answer]
        assert app.screen is app.screen_stack[0]


async def test_a_wide_radius_is_typed() -> None:
    app = Host(question(word="204"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter", "y", "x", "enter", "2", "space", "0", "enter")
        assert app.answers == []
        assert 'Expected 204, got "20"' in text(app)
        await pilot.press("4", "enter")
        await pilot.pause()
        assert app.answers == [True]


async def test_escape_leaves_all_as_it_is_also_after_typing() -> None:
    app = Host(question(word="204"))
    async with app.run_test() as pilot:
        await pilot.press("2", "0", "4", "escape")
        await pilot.pause()
        assert app.answers == [False]


@pytest.mark.parametrize("word", [None, "204"])
@pytest.mark.parametrize("size", SIZES)
async def test_it_fits_the_terminal_and_tells_what_matters(size: tuple[int, int], word: str | None) -> None:
    app = Host(question(word=word))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        shown = text(app)
        assert "Cancel 204 filesets?" in shown
        assert NAMES[0] in shown
        assert "What was fetched of them is dropped." in shown
        assert ("Type 204" if word else "y  Yes") in shown


async def test_at_most_a_hundred_names_and_how_many_more() -> None:
    app = Host(question([*NAMES, *NAMES, *NAMES, *NAMES, *NAMES]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("shift+tab", "end")
        await pilot.pause()
        assert NAMES[99] in text(app)
        assert NAMES[100] not in text(app)
        assert "the first 100 of 1,020:" in text(app)


async def test_a_number_is_the_same_with_separators() -> None:
    app = Host(question(word="2425"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"2,425", "enter")
        await pilot.pause()
        assert app.answers == [True]


async def test_all_names_can_be_reached_in_a_small_terminal() -> None:
    app = Host(question(NAMES[:10]))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("shift+tab", "end")
        await pilot.pause()
        assert NAMES[9] in text(app)
        await pilot.press("y")
        await pilot.pause()
        assert app.answers == [True]


async def test_names_do_nothing_but_be_read() -> None:
    app = Host(ConfirmScreen(HOSTILE[1], HOSTILE, HOSTILE[0]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for name in SHOWN:
            assert name in text(app)
        assert "─ [@click=app.quit] ─" in text(app)


async def test_the_choice_under_the_cursor_is_told_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Host(question())
    async with app.run_test() as pilot:
        await pilot.pause()
        assert ">n  No, change nothing" in text(app)
        assert " y  Yes, do it" in text(app)
        await pilot.press("down")
        await pilot.pause()
        assert " n  No, change nothing" in text(app)
        assert ">y  Yes, do it" in text(app)


async def test_escape_and_a_letter_typed_at_once_is_no_answer() -> None:
    app = Host(ConfirmScreen("Cancel?", ["ps1/md-all/exp1"], "It is given up."))
    async with app.run_test() as pilot:
        app.post_message(Key("alt+y", "y"))
        await pilot.pause()
        assert app.answers == []
        await pilot.press("y")
        await pilot.pause()
        assert app.answers == [True]
