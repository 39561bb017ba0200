"""Someone at a terminal: attaches a dashboard, types, and leaves it in every way that there is."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from tests.soak.cast import Actor, Book
from tests.soak.place import UNSOUND, Place
from tests.terminal import Terminal
from tests.whole.screen import ESCAPE, dashboard, leave

SITTING = (10.0, 60.0)
"""Seconds that a dashboard is shown ..."""
LONG_SITTING = 600.0
"""... and the longest, once the engines are left alone."""
TYPING = (0.05, 0.8)
SCREENS = ((120, 40), (80, 24), (200, 60), (60, 20))
KEYS = (
    *"12345jkgG*!sSnzohefFyrRhpuav+-JKE?",
    *("\t", "\r", "\x1b[A", "\x1b[B", "\x1b[6~", " ", "\x0c", "x", "P", "m"),
    "/f00\r",
    ":pause",
)
"""What is typed. Not what takes evidence for the truth (A), nor what limits transfers for good (L)."""
LOOKS = "[RW]"


class Onlooker(Actor):
    """Shows the dashboard of one place after the other."""

    def __init__(self, book: Book, seed: int, places: tuple[Place, ...], calm: float):
        super().__init__("onlooker", book, seed, (1.0, 10.0))
        self._places = places
        self._calm = calm

    def act(self) -> None:
        """Attach, type for a while, and go."""
        place = self.chance.choice(self._places)
        columns, lines = self.chance.choice(SCREENS)
        screen = {"XDG_STATE_HOME": str(place.beside)}
        with dashboard(place.site, columns=columns, lines=lines, env=screen) as terminal:
            self.book.count("dashboards")
            self.book.note_life(f"dashboard of {place.name}", terminal.process.pid)
            terminal.wait_for(LOOKS)
            self._type(terminal, self._sitting())
            self.chance.choice((self._leave, self._hang_up, self._kill))(terminal)
            written = terminal.written.decode(errors="replace")
        for words in UNSOUND:
            if words in written:
                self.book.complain(f"a dashboard of {place.name} wrote {words}: {written[-2000:]}")

    def _sitting(self) -> float:
        return LONG_SITTING if self.book.elapsed > self._calm else self.chance.uniform(*SITTING)

    def _type(self, terminal: Terminal, seconds: float) -> None:
        until = self.book.elapsed + seconds
        while self.book.elapsed < until and not self.book.stop.wait(self.chance.uniform(*TYPING)):
            if terminal.process.poll() is not None:
                raise AssertionError("\n".join(["the dashboard ended by itself:", *terminal.screen()]))
            terminal.send(self.chance.choice(KEYS))
            self.book.count("keys")
            if self.chance.random() < 0.01:
                terminal.resize(*self.chance.choice(SCREENS))

    def _leave(self, terminal: Terminal) -> None:
        """Close what is open, and quit; the engine goes on."""
        for key in (*[ESCAPE] * 4, "1"):  # a key right after Esc may be taken for a part of the same: not the last one
            terminal.send(key)
            time.sleep(0.3)
        leave(terminal)
        self.book.count("dashboards left")

    def _hang_up(self, terminal: Terminal) -> None:
        terminal.close()
        terminal.process.wait(30)
        self.book.count("dashboards whose terminal was lost")

    def _kill(self, terminal: Terminal) -> None:
        with suppress(ProcessLookupError):
            os.kill(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait(30)
        self.book.count("dashboards killed")
