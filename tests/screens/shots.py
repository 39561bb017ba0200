"""Draw the pictures in screenshots/ from seeded states: ``make screenshots``."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from tests.screens.picture import SMALL, WIDE
from tests.screens.welcome import FirstRun
from tests.whole.service import PATIENCE
from tui.app import Dashboard

TARGET = Path(__file__).parents[2] / "screenshots"
HOST = "dc-3"
HOME = Path("/srv/mirror/mirror.db")
"""Where the state seems to be."""
ENGINE = 4711


class Drawn(Protocol):
    """Something of which there are pictures."""

    def names(self, stem: str) -> list[str]:
        """Return what its pictures are called."""

    async def draw(self, folder: Path) -> list[str]:
        """Return them as SVG; `folder` is empty, and it may write there."""


State = Callable[[Path], Coroutine[Any, Any, Path]]
_BUILT: dict[State, tempfile.TemporaryDirectory[str]] = {}


async def _seeded(state: State, folder: Path) -> Path:
    """Put a state into `folder`, made once and copied from then on; return the configuration file."""
    if state not in _BUILT:
        _BUILT[state] = tempfile.TemporaryDirectory()
        await state(Path(_BUILT[state].name))
    shutil.copytree(_BUILT[state].name, folder, dirs_exist_ok=True)
    return folder / "mirrortui.toml"


async def _empty(folder: Path) -> Path:
    file = folder / "mirrortui.toml"
    file.write_text(night.CONFIGURATION)
    await (await Database.open_writer(folder / "mirror.db")).close()
    return file


@dataclass(frozen=True)
class Scene:
    """A dashboard on which `keys` were pressed, until it says `shows`: in the first of `sizes`, then in the others.

    `own`: it has started the engine; `dies`: the engine has ended since. `moves`: bytes come.
    """

    keys: Sequence[str] = ()
    shows: str = "LIVE"
    sizes: Sequence[tuple[int, int]] = (WIDE, SMALL)
    state: State = night.build
    moves: bool = True
    own: bool = True
    dies: bool = False
    read_only: bool = False
    colours: bool = True

    def names(self, stem: str) -> list[str]:
        """Return what the pictures are called: one for each size."""
        return [picture.name(stem, size, self.colours) for size in self.sizes]

    async def draw(self, folder: Path) -> list[str]:
        """Play the scene, and return what is on the screen at its end."""
        file = await _seeded(self.state, folder)
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

    async def _play(self, folder: Path, file: Path, lease: Lease) -> list[str]:
        now = [night.NOW - night.TEN]
        config = load_config(file, with_secrets=False)
        app = Dashboard(config, file, read_only=self.read_only, clock=lambda: now[0], ticks=lambda: now[0])
        app.main.config = config.model_copy(update={"engine": config.engine.model_copy(update={"state": HOME})})
        app.animation_level = "none"
        async with app.run_test(size=self.sizes[0], notifications=True) as pilot:
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
            await pilot.press(*self.keys)
            await stage.until(lambda: self.shows in picture.of(app), f"{self.shows!r} on the screen")
            return [await stage.resized(size) for size in self.sizes]


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

    async def resized(self, size: tuple[int, int]) -> str:
        """Return the picture in a terminal of this size."""
        await self._pilot.resize_terminal(*size)
        return await self.settled()

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
        return not self._app.typed and (not busy or isinstance(self._app.screen, ModalScreen))


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


MATRIX: dict[str, Scene] = {
    "main": Scene(),
    "products": Scene(("G", "k"), "press m to begin"),
    "queue": Scene(("2", "down"), "J/K Move"),
    "failed": Scene(("3",), "A Accept"),
    "details-overview": Scene(("2", "down", "enter"), "exposure"),
    "details-files": Scene(("2", "down", "f"), "chip.00.fits"),
    "details-errors": Scene(("3", "e"), "seen: "),
    "log": Scene(("5", "up", "up"), "stopped here"),
    "help": Scene(("?",), "type to search"),
    "palette": Scene(("ctrl+p", *"pri"), "Raise priority"),
    "confirm": Scene(("2", "down", "space", "space", "space", "x"), "No, change nothing"),
    "attached": Scene(("q",), "running before you came", own=False),
    "read-only": Scene(("2", "x"), "is read-only", read_only=True, own=False),
    "disaster": Scene((), "x2 stopped", state=disaster.build, moves=False),
}
"""What is drawn in both sizes, and without colours."""
PICTURES: dict[str, Drawn] = {
    **MATRIX,
    **{f"{stem} ": replace(scene, sizes=(WIDE,), colours=False) for stem, scene in MATRIX.items()},
    "filter": Scene(("2", "/", *"gpc1", "enter"), "/gpc1", (WIDE,)),
    "problems": Scene(("!",), "problems only", (WIDE,)),
    "confirm-typed": Scene(("2", "*", "h"), "Enter to do it"),
    "limits": Scene(("L",), "as configured"),
    "theme": Scene(("T", "down"), "Enter keeps it", (WIDE,)),
    "contrast": Scene(("T", "c"), "LIVE", (WIDE,)),
    "copy": Scene(("2", "down", "space", "space", "space", "y"), "Copied if", (WIDE,)),
    "help-search": Scene(("?", *"retry"), "Retry all", (SMALL,)),
    "quit": Scene(("q",), "Leave the dashboard?"),
    "no-engine": Scene((), "NO ENGINE", moves=False, dies=True),
    "first-minutes": Scene((), "no product is known yet", state=_empty, moves=False),
    "disaster-failed": Scene(("3",), "A Accept", state=disaster.build, moves=False),
    "tiny": Scene(sizes=((40, 10),)),
    "tiny-queue": Scene(("2",), "2 Queue", ((40, 10),)),
    "wide": Scene(sizes=((200, 50),)),
    "welcome": FirstRun(("source", "products", "file", "check")),
    "welcome ": FirstRun(("products",), (WIDE,), colours=False),
    "welcome-down": FirstRun(("down",)),
}
"""By stem, what there are pictures of; a blank after it tells those without colours from the others."""


def names() -> list[str]:
    """Return what all pictures are called."""
    return [name for stem, drawn in PICTURES.items() for name in drawn.names(stem.strip())]


async def draw(stem: str, folder: Path | None = None) -> dict[str, str]:
    """Return the pictures of one stem by name, drawn in a folder of their own."""
    drawn = PICTURES[stem]
    with tempfile.TemporaryDirectory() as empty:
        return dict(zip(drawn.names(stem.strip()), await drawn.draw(folder or Path(empty)), strict=True))


def main() -> None:
    """Write all pictures, those without colours as SVG only, and remove what nobody draws."""
    TARGET.mkdir(exist_ok=True)
    kept = set(names())
    for old in [*TARGET.glob("*.svg"), *TARGET.glob("*.png")]:
        if old.stem not in kept or old.suffix == ".png":
            old.unlink()
    with_png = picture.has_font()
    for stem in PICTURES:
        for name, svg in asyncio.run(draw(stem)).items():
            (TARGET / f"{name}.svg").write_text(svg)
            if with_png and has_png(name):
                (TARGET / f"{name}.png").write_bytes(picture.signed_png(svg))
    if not with_png:
        sys.stderr.write("no font to draw PNG with; on Debian and Ubuntu: apt install fonts-dejavu-core\n")


def has_png(name: str) -> bool:
    """Tell whether there is a PNG of a picture, too."""
    return not name.endswith("-no-color")


if __name__ == "__main__":
    main()
