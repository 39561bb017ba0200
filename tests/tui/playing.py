"""The whole dashboard on a seeded state, of which the test pretends to be the engine: keys are pressed, wishes read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from core.config import load_config
from core.engine.lease import Lease
from core.errors import ExitCode
from core.store.database import Database
from tests.screens import disaster, night, picture
from tests.screens.shots import Stage, surroundings
from tui.app import Dashboard


@dataclass
class Play:
    """A dashboard, and the state that it shows."""

    app: Dashboard
    pilot: Pilot[ExitCode]
    state: Path
    lease: Lease
    now: list[float]

    @property
    def stage(self) -> Stage:
        return Stage(self.app, self.pilot)

    def screen(self) -> list[str]:
        """Return what is on the screen, line by line."""
        return picture.text_of(picture.of(self.app))

    async def press(self, *keys: str) -> None:
        """Press keys; what comes of them is to be waited for."""
        await self.pilot.press(*keys)

    async def sees(self, *words: str) -> str:
        """Return the first line with all these words, as soon as there is one."""

        def found() -> str:
            return next((line for line in self.screen() if all(word in line for word in words)), "")

        await self.stage.until(lambda: bool(found()), repr(words))
        return found()

    def cursor(self, title: str) -> str:
        """Return the row that the cursor of a pane is on; empty if it isn't on the screen."""
        screen = self.screen()
        top = next((at for at, line in enumerate(screen) if f"─ {title}" in line), len(screen))
        return next((line for line in screen[top:] if line.startswith("│>")), "")

    async def on(self, title: str, *words: str) -> None:
        """Wait until the cursor of a pane is on a row with all these words."""
        await self.stage.until(lambda: all(word in self.cursor(title) for word in words), f"the cursor on {words}")

    async def to(self, title: str, words: str) -> None:
        """Go to a pane, and there down to the first row with these words."""
        await self.press(title[0], "g")
        await self.sees(words)
        await self.stage.settled()
        screen = self.screen()
        at = screen.index(self.cursor(title), next(y for y, line in enumerate(screen) if f"─ {title}" in line))
        await self.press(*["j"] * next(step for step, line in enumerate(screen[at:]) if words in line))
        await self.on(title, words)

    async def change(self, statement: str, *parameters: Any) -> None:
        """Change the state as the engine would."""
        async with await Database.open_writer(self.state) as db:
            await db.run(statement, parameters)

    async def wished(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """Return the kind and the target of each command, as soon as there are so many."""
        while True:
            async with await Database.open_reader(self.state) as db:
                rows = await db.rows("SELECT kind, target FROM commands WHERE state = 'new' ORDER BY id")
            if len(rows) >= count:
                return [(row["kind"], json.loads(row["target"])) for row in rows]
            await self.pilot.pause(0.01)


@asynccontextmanager
async def playing(
    folder: Path,
    state: Callable[[Path], Awaitable[Path]] = disaster.build,
    columns: int = 120,
    lines: int = 40,
) -> AsyncIterator[Play]:
    """Show the dashboard for the time of the block; time stands still but for `now`."""
    file = await state(folder)
    lease = night.lease(folder)
    lease.take()
    now = [night.NOW]
    try:
        with surroundings(folder):
            config = load_config(file, with_secrets=False)
            app = Dashboard(config, file, clock=lambda: now[0], ticks=lambda: now[0])
            app.animation_level = "none"
            async with app.run_test(size=(columns, lines), notifications=True) as pilot:
                play = Play(app, pilot, folder / "mirror.db", lease, now)
                await play.stage.until(lambda: app.main.snapshot.overview is not None, "the state on the screen")
                await play.stage.settled()
                yield play
    finally:
        lease.release()
