"""Draw the pictures in screenshots/ from a seeded night: ``make screenshots``."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from core.config import load_config
from core.store.database import Database
from tests.screens import night
from tui.app import Dashboard

TARGET = Path(__file__).parents[2] / "screenshots"
FOLDER = Path(tempfile.gettempdir()) / "mirrortui-night"
PICTURES: dict[str, tuple[tuple[int, int], Sequence[str], dict[str, str]]] = {
    "main-120x40": ((120, 40), (), {}),
    "main-80x24": ((80, 24), (), {}),
    "main-no-color": ((120, 40), (), {"NO_COLOR": "1"}),
    "details-80x24": ((80, 24), ("enter",), {}),
    "failed": ((120, 40), ("3",), {}),
    "attempts": ((120, 40), ("3", "enter", "e"), {}),
    "marked-cancel": ((120, 40), ("2", "down", "space", "space", "space", "x"), {}),
    "filter": ((120, 40), ("2", "/", *"gpc1", "enter"), {}),
    "limits": ((120, 40), ("L",), {}),
    "quit": ((120, 40), ("q",), {}),
    "help": ((120, 40), ("?",), {}),
    "palette": ((120, 40), ("ctrl+p", *"pri"), {}),
    "tiny-40x10": ((40, 10), (), {}),
    "wide-200x50": ((200, 50), (), {}),
}


class Clock:
    """A clock that stands where it was put."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def draw(name: str, size: tuple[int, int], keys: Sequence[str]) -> None:
    """Draw one picture."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    file = await night.build(FOLDER)
    lease = night.lease(FOLDER)
    lease.take()
    lease.path.write_text(json.dumps({"pid": 4711, "host": "dc-3", "since": int(night.NOW) - 86_400}))
    clock = Clock(night.NOW - 10)
    app = Dashboard(load_config(file, with_secrets=False), file, clock=clock, ticks=clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(1.0)
        await _move_bytes()
        clock.now = night.NOW
        await pilot.pause(1.3)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.3)
        await pilot.pause(1.3)
        (TARGET / f"{name}.svg").write_text(app.export_screenshot(title="mirrortui"))
    lease.release()


async def _move_bytes() -> None:
    async with await Database.open_writer(FOLDER / "mirror.db") as db:
        for product, size in ((1, 842e6), (3, 311e6), (4, 735e6), (8, 187e6)):
            await db.run("UPDATE meters SET bytes = bytes + ? WHERE product_id = ?", (int(size), product))


def main() -> None:
    """Draw all."""
    TARGET.mkdir(exist_ok=True)
    os.environ["XDG_STATE_HOME"] = str(FOLDER / "state")
    for name, (size, keys, environment) in PICTURES.items():
        with patch.dict(os.environ, environment):
            asyncio.run(draw(name, size, keys))
    shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
