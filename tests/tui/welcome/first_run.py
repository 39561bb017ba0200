"""An operator at the welcome screen: types, presses, and reads what stands there."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui.screens import host
from tui.welcome.app import Welcome

PATIENCE = 30.0
FRAME = re.compile("[\u2500-\u259f]")
"""Borders and scrollbars."""
WIDE, NARROW, TINY = (120, 40), (80, 24), (40, 10)


class Operator:
    """Drives the first run, and waits for what a person would wait for."""

    def __init__(self, app: Welcome, pilot: Pilot[Path]):
        self.app = app
        self._pilot = pilot

    @property
    def screen(self) -> str:
        return host.text(self.app)

    async def sees(self, *words: str) -> str:
        """Return the screen as soon as all `words` are on it, however they are wrapped."""
        end = time.monotonic() + PATIENCE
        while not all(_flat(word) in _flat(self.screen) for word in words):
            assert time.monotonic() < end, f"waited in vain for {words}:\n{self.screen}"
            await self._pilot.pause()
            await asyncio.sleep(0.01)
        return self.screen

    def dim_keys(self) -> list[str]:
        """Return what the last line shows of keys that do nothing at the moment."""
        line = self.app.screen.query_one("#keys", Static).visual
        assert isinstance(line, Content)
        return [line.plain[span.start : span.end] for span in line.spans if "dim" in str(span.style)]

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        await self._pilot.resize_terminal(columns, lines)

    async def pause(self) -> None:
        """Let the app do what it has to."""
        await self._pilot.pause(0.05)

    async def fill(self, field: str, text: str) -> None:
        """Put `text` into a field in the place of what stands there, as pasting does."""
        line = self.app.screen.query_one(f"#{field} Input", Input)
        line.focus()
        line.value = text
        await self._pilot.pause()

    async def ended(self) -> None:
        """Wait until the app is left."""
        end = time.monotonic() + PATIENCE
        while self.app.is_running:
            assert time.monotonic() < end, self.screen
            await asyncio.sleep(0.01)

    async def to_products(self, url: str) -> str:
        """Answer the first question with a URL alone."""
        await self.sees("URL")
        await self.fill("url", url)
        await self.sees("its index.txt lists the products")
        await self.press("enter")
        return await self.sees("[2 Products]")

    async def to_file(self, url: str, *keys: str) -> str:
        """Go on with the products that `keys` mark; without any, with all."""
        await self.to_products(url)
        await self.sees(" 0 of ")
        await self.press(*(keys or ("*",)), "enter")
        return await self.sees("[3 File]", "[[mirror]]")

    async def to_check(self, url: str, *keys: str) -> str:
        """Write the file, and have it checked."""
        await self.to_file(url, *keys)
        await self.press("enter")
        return await self.sees("[4 Check]", "Enter opens the dashboard")


def _flat(text: str) -> str:
    return " ".join(FRAME.sub(" ", text).split())


@asynccontextmanager
async def first_run(size: tuple[int, int] = WIDE, clock: Callable[[], float] = time.time) -> AsyncIterator[Operator]:
    """Show the welcome screen for the time of the block."""
    app = Welcome(clock)
    async with app.run_test(size=size) as pilot:
        yield Operator(app, pilot)
