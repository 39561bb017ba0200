"""The text, where the clipboard can't be reached."""

from __future__ import annotations

import pytest

from tests.tui.screens.host import HOSTILE, SHOWN, SIZES, Host, lines, text
from tui.screens.copy import CopyScreen


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_but_the_text_stands_in_its_lines(size: tuple[int, int]) -> None:
    app = Host(CopyScreen("\n".join(HOSTILE)))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        shown = [line.strip() for line in lines(app)]
        assert [line for line in shown if line in SHOWN] == SHOWN
        assert "Esc" in text(app)


@pytest.mark.parametrize("key", ["escape", "q", "enter"])
async def test_it_goes_by_key(key: str) -> None:
    app = Host(CopyScreen("ps1/md-all/exp1"))
    async with app.run_test() as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert app.answers == [None]


async def test_long_texts_scroll() -> None:
    app = Host(CopyScreen("\n".join(f"line {number}" for number in range(100))))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert "line 99" in text(app)
