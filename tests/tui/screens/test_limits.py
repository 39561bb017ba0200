"""Changing the limits."""

from __future__ import annotations

import pytest

from tests.tui.screens.host import HOSTILE, SIZES, Host, text
from tui.screens.limits import Limits, LimitsScreen


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], Limits(8, 50_000_000)),
        (["backspace", "4", "enter"], Limits(4, 50_000_000)),
        (["backspace", "enter"], Limits(None, 50_000_000)),
        (["tab", "backspace", "enter"], Limits(8, None)),
        (["down", "0", "enter"], Limits(8, 0)),
        (["down", *"2 GB/s", "up", *"16", "enter"], Limits(16, 2 * 10**9)),
        ([*"99", "escape"], None),
    ],
)
async def test_what_was_typed_is_what_comes_out(keys: list[str], answer: Limits | None) -> None:
    app = Host(LimitsScreen(8, 50_000_000, 16, 0))
    async with app.run_test() as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert app.answers == [answer]


@pytest.mark.parametrize("rate", [1, 999, 1234, 12_345_678, 2**40 + 1])
async def test_a_rate_that_nobody_touched_stays_the_same(rate: int) -> None:
    app = Host(LimitsScreen(None, rate, 16, 0))
    async with app.run_test() as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert app.answers == [Limits(None, rate)]


@pytest.mark.parametrize("size", SIZES)
async def test_errors_stand_beside_what_is_wrong(size: tuple[int, int]) -> None:
    app = Host(LimitsScreen(None, None, 16, 50_000_000))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "Transfers   such as 8 " in text(app)
        assert "Bandwidth   such as 50 MB/s " in text(app)
        assert "configured: 16" in text(app)
        assert "configured: 50.0 MB/s" in text(app)
        await pilot.press(*"5000", "tab", *"9 Mb", "enter")
        await pilot.pause()
        assert app.answers == []
        assert "from 1 to" in text(app)
        assert "expected a rate" in text(app)
        await pilot.press("backspace", "backspace")
        await pilot.pause()
        assert "configured: 16" in text(app), "the first field that was wrong got the focus"


async def test_foreign_text_does_nothing() -> None:
    app = Host(LimitsScreen(None, None, 16, 0))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*HOSTILE[1])
        await pilot.pause()
        assert '"[@click=app.quit]"' in text(app)
