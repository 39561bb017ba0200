"""The question before leaving."""

from __future__ import annotations

import pytest

from tests.tui.screens.host import SIZES, Host, text
from tui.screens.quit import Leaving, QuitScreen


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["d"], "detach"), (["enter"], "detach"), (["f"], "drain"), (["down", "enter"], "drain"), (["e"], "stop"),
        (["j", "j", "enter"], "stop"), (["s"], None), (["end", "enter"], None), (["escape"], None),
    ],
)  # fmt: skip
async def test_every_way_to_leave_has_a_letter(keys: list[str], answer: Leaving | None) -> None:
    app = Host(QuitScreen(12, own=True))
    async with app.run_test() as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert app.answers == [answer]


@pytest.mark.parametrize("size", SIZES)
async def test_it_tells_what_runs_and_what_each_choice_leads_to(size: tuple[int, int]) -> None:
    app = Host(QuitScreen(12, own=True))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "12 transfers under way." in text(app)
        assert "Nothing is interrupted. The engine" in text(app)
        await pilot.press("down", "down")
        await pilot.pause()
        assert "Partial files are kept" in text(app)
        assert "s  Stay here" in text(app)


async def test_it_thinks_of_others_who_watch() -> None:
    app = Host(QuitScreen(1, own=False))
    async with app.run_test() as pilot:
        await pilot.press("down")
        await pilot.pause()
        assert "1 transfer under way." in text(app)
        assert "Others who watch lose it too." in text(app)


async def test_read_only_can_only_detach_or_stay() -> None:
    app = Host(QuitScreen(12, own=False, writable=False))
    async with app.run_test() as pilot:
        await pilot.press("f", "e")
        await pilot.pause()
        assert app.answers == []
        await pilot.press("end", "enter")
        await pilot.pause()
        assert app.answers == [None]


@pytest.mark.parametrize(
    ("waits", "words"), [(0, "0 transfers under way."), (1, "1 fileset waits."), (2, "2 filesets wait.")]
)
async def test_what_only_waits_is_told_as_such(waits: int, words: str) -> None:
    app = Host(QuitScreen(0, own=True, waits=waits))
    async with app.run_test() as pilot:
        await pilot.pause()
        assert words in text(app)
