"""Draw the pictures in screenshots/ from seeded states: ``make screenshots``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input

from core.config import load_config
from core.engine.lease import Lease
from core.errors import ExitCode
from core.store.database import Database
from tests.screens import disaster, night, picture
from tests.screens.welcome import FirstRun
from tests.servers.datastore import Fault
from tests.whole.service import PATIENCE
from tui.app import Dashboard

TARGET = Path(__file__).parents[2] / "screenshots"
HOST = "dc-3"
HOME = Path("/srv/mirror/mirror.db")
"""Where the state seems to be."""
ENGINE = 4711


class Drawn(Protocol):
    """Something of which there is a picture."""

    async def draw(self, folder: Path) -> str:
        """Return it as SVG; `folder` is empty, and it may write there."""


async def _empty(folder: Path) -> Path:
    file = folder / "mirrortui.toml"
    file.write_text(night.CONFIGURATION)
    await (await Database.open_writer(folder / "mirror.db")).close()
    return file


@dataclass(frozen=True)
class Scene:
    """A dashboard on which `keys` were pressed, until it says `shows`.

    `own`: it has started the engine; `dies`: the engine has ended since. `moves`: bytes come.
    """

    keys: Sequence[str] = ()
    shows: str = "LIVE"
    columns: int = 120
    lines: int = 40
    state: Callable[[Path], Coroutine[Any, Any, Path]] = night.build
    moves: bool = True
    own: bool = True
    dies: bool = False
    read_only: bool = False
    colours: bool = True

    async def draw(self, folder: Path) -> str:
        """Play the scene, and return what is on the screen at its end."""
        file = await self.state(folder)
        lease = night.lease(folder)
        lease.take()
        try:
            self._pretend(lease)
            with surroundings(folder, self.colours):
                return await self._play(folder, file, lease)
        finally:
            lease.release()

    def _pretend(self, lease: Lease) -> None:
        holder = {"pid": ENGINE, "host": HOST, "since": int(night.NOW) - 86_400}
        lease.path.write_text(json.dumps({**holder, "starter": os.getpid()} if self.own else holder))

    async def _play(self, folder: Path, file: Path, lease: Lease) -> str:
        now = [night.NOW - night.TEN]
        config = load_config(file, with_secrets=False)
        app = Dashboard(config, file, read_only=self.read_only, clock=lambda: now[0], ticks=lambda: now[0])
        app.main.config = config.model_copy(update={"engine": config.engine.model_copy(update={"state": HOME})})
        app.animation_level = "none"
        async with app.run_test(size=(self.columns, self.lines), notifications=True) as pilot:
            stage = Stage(app, pilot)
            await stage.until(lambda: app.main.snapshot.overview is not None, "the state on the screen")
            now[0] = night.NOW
            if self.moves:
                async with await Database.open_writer(folder / "mirror.db") as db, db.transaction():
                    await night.go_on(db)
                await stage.until(lambda: app.main.snapshot.rate > 0, "bytes to come")
            if self.dies:
                lease.release()
            await stage.settled()
            for key in self.keys:
                await pilot.press(key)
                await stage.settled()
            await stage.until(lambda: self.shows in picture.of(app), f"{self.shows!r} on the screen")
            return await stage.settled()


class Stage:
    """A dashboard whose picture is taken when nothing of it changes any more."""

    def __init__(self, app: Dashboard, pilot: Pilot[ExitCode]):
        self._app = app
        self._pilot = pilot

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something is true; fail with the screen if it never is."""
        try:
            async with asyncio.timeout(PATIENCE):
                self._app.bridge.look()
                while not true():
                    await self._pilot.pause(0.01)
        except TimeoutError:
            screen = "\n".join(picture.text_of(picture.of(self._app)))
            raise AssertionError(f"waited in vain for {what}:\n{screen}") from None

    async def settled(self) -> str:
        """Return the picture as soon as a further reading of the state doesn't change it."""
        before = ""
        while (after := await self._next()) != before:
            before = after
        return after

    async def _next(self) -> str:
        """Return the picture after all keys were seen to, and another snapshot was shown."""
        app, main = self._app, self._app.main
        await self.until(self._at_rest, "the command to be carried out")
        for field in app.screen.query(Input):
            field.cursor_blink = False
        seen = main.snapshot
        await self.until(lambda: main.snapshot is not seen and main.snapshot.view == main.view(), "another snapshot")
        return picture.of(app)

    def _at_rest(self) -> bool:
        """A question keeps its command waiting: that is for the next key."""
        busy = any(worker.group == "command" and not worker.is_finished for worker in self._app.workers)
        return not busy or isinstance(self._app.screen, ModalScreen)


@contextmanager
def surroundings(folder: Path, colours: bool = True) -> Iterator[None]:
    """Let nothing of this machine and its user be on the screen for the time of the block."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    with (
        patch.dict(os.environ, environment if colours else {**environment, "NO_COLOR": "1"}, clear=True),
        patch("socket.gethostname", return_value=HOST),
        patch.object(Dashboard, "NOTIFICATION_TIMEOUT", 2 * PATIENCE),
    ):
        yield


PICTURES: dict[str, Drawn] = {
    "main-120x40": Scene(),
    "main-80x24": Scene(columns=80, lines=24),
    "main-no-color": Scene(colours=False),
    "products": Scene(("G", "k"), "press m to begin"),
    "queue": Scene(("2", "down"), "J/K Move"),
    "failed": Scene(("3",), "A Accept"),
    "details-overview": Scene(("2", "down", "enter"), "exposure"),
    "details-files": Scene(("2", "down", "enter", "f"), "chip.00.fits"),
    "details-errors": Scene(("3", "enter", "e"), "seen: "),
    "details-80x24": Scene(("enter",), "all detections", 80, 24),
    "log": Scene(("5", "up", "up"), "stopped here"),
    "filter": Scene(("2", "/", *"gpc1", "enter"), "/gpc1"),
    "problems": Scene(("!",), "problems only"),
    "confirm": Scene(("2", "down", "space", "space", "space", "x"), "Cancel?"),
    "confirm-typed": Scene(("2", "*", "h"), "Enter to do it"),
    "limits": Scene(("L",), "as configured"),
    "copy": Scene(("2", "down", "space", "space", "space", "y"), "Copied if"),
    "help": Scene(("?",), "type to search"),
    "help-80x24": Scene(("?", *"retry"), "Retry all", 80, 24),
    "palette": Scene(("ctrl+p", *"pri"), "Raise priority"),
    "quit": Scene(("q",), "Leave the dashboard?"),
    "attached": Scene(("q",), "It was there before you came", own=False),
    "read-only": Scene(("2", "x"), "is read-only", read_only=True, own=False),
    "no-engine": Scene((), "NO ENGINE", moves=False, dies=True),
    "first-minutes": Scene((), "no product is known yet", state=_empty, moves=False),
    "disaster": Scene((), "x2 stopped", state=disaster.build, moves=False),
    "disaster-failed": Scene(("3",), "A Accept", state=disaster.build, moves=False),
    "disaster-80x24": Scene((), "x2 stopped", 80, 24, state=disaster.build, moves=False),
    "tiny-40x10": Scene(columns=40, lines=10),
    "tiny-queue-40x10": Scene(("2",), "2 Queue", 40, 10),
    "wide-200x50": Scene(columns=200, lines=50),
    "welcome": FirstRun("source"),
    "welcome-products": FirstRun(),
    "welcome-80x24": FirstRun(columns=80, lines=24),
    "welcome-no-color": FirstRun(colours=False),
    "welcome-file": FirstRun("file"),
    "welcome-check": FirstRun("check"),
    "welcome-down": FirstRun(fault=Fault.status(503)),
}
"""Each picture, by the name of its file."""


async def draw(name: str) -> str:
    """Draw one picture in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return await PICTURES[name].draw(Path(folder))


def main() -> None:
    """Write all pictures, and remove those that nobody draws."""
    TARGET.mkdir(exist_ok=True)
    for old in [*TARGET.glob("*.svg"), *TARGET.glob("*.png")]:
        if old.stem not in PICTURES:
            old.unlink()
    with_png = picture.has_font()
    for name in PICTURES:
        svg = asyncio.run(draw(name))
        (TARGET / f"{name}.svg").write_text(svg)
        if with_png:
            (TARGET / f"{name}.png").write_bytes(picture.png(svg))
    if not with_png:
        sys.stderr.write("no font to draw PNG with; on Debian and Ubuntu: apt install fonts-dejavu-core\n")


if __name__ == "__main__":
    main()
