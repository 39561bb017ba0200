"""The live line, drawn by fake totals."""

from __future__ import annotations

import asyncio
import io

import pytest

from core.engine.scheduler import Totals
from tui.headless import progress
from tui.headless.progress import CLEAR, ProgressLine


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.001)


async def drawn(*samples: Totals | None) -> list[str]:
    """Return the lines that were drawn for these totals, the last of them again and again."""
    stream = io.StringIO()
    left = list(samples)
    line = ProgressLine(lambda: left.pop(0) if len(left) > 1 else left[0], stream)
    task = asyncio.create_task(line.run())
    while len(left) > 1 or (left[0] is not None and stream.getvalue().count(CLEAR) < 3):
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stream.getvalue().startswith(CLEAR)
    assert "\n" not in stream.getvalue()
    return stream.getvalue().split(CLEAR)[1:]


async def test_it_tells_what_is_done_what_is_left_and_how_long_it_takes() -> None:
    lines = await drawn(Totals(0, 0, 4000, 9_000_000), Totals(1000, 3_000_000, 3000, 6_000_000))
    assert lines[0].startswith("0 files, 0 B done at 0 B/s; 4,000 files, 9.0 MB to go, eta -")
    assert lines[1].startswith("1,000 files, 3.0 MB done at ")
    assert "B/s; 3,000 files, 6.0 MB to go" in lines[1]


async def test_it_leaves_a_clean_line() -> None:
    assert (await drawn(Totals(1, 1, 1, 1)))[-1] == ""


async def test_it_draws_nothing_before_there_is_anything_to_tell() -> None:
    assert await drawn(None, None, None) == [""]


async def test_it_never_wraps() -> None:
    lines = await drawn(Totals(10**9, 10**15, 10**9, 10**15))
    assert max(map(len, lines)) == progress.COLUMNS - 1


async def test_a_lost_terminal_disturbs_nothing() -> None:
    class Lost(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(5, "Input/output error")

    asked = 0

    def totals() -> Totals:
        nonlocal asked
        asked += 1
        return Totals()

    task = asyncio.create_task(ProgressLine(totals, Lost()).run())
    while asked < 3:
        await asyncio.sleep(0.001)
    assert not task.done()
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
