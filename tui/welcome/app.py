"""The welcome screen: shown where there is no configuration; wiring only."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual import on
from textual.app import App
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from core.config import Mirror
from core.config.draft import Draft, first_place
from core.errors import ExitCode
from core.logs import hide_secrets
from tui.hangup import let_go_of_terminal
from tui.trouble import told
from tui.welcome.checking import CheckStep
from tui.welcome.file import FileStep
from tui.welcome.products import ProductsStep
from tui.welcome.source import SourceStep

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Welcome(App[Path]):
    """Leads from no configuration to one that works; its result is the file, or None if the operator left."""

    CSS_PATH = ["../app.tcss", "welcome.tcss"]  # noqa: RUF012 - as Textual declares it
    TITLE = "mirrortui"
    ENABLE_COMMAND_PALETTE = False
    VERTICAL_BREAKPOINTS = [(0, "-few"), (20, "-enough")]  # noqa: RUF012

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        # Textual turns colours into greys under NO_COLOR, unless they are the terminal's own: then it leaves them out.
        super().__init__(ansi_color="NO_COLOR" in os.environ or None)
        self._clock = clock
        self._place = first_place()
        self._first = SourceStep(self._place, self._to_products)

    def get_default_screen(self) -> Screen[Any]:
        """Return the first step."""
        return self._first

    def on_mount(self) -> None:
        """Take over signals."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.exit)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def _hung_up(self) -> None:
        let_go_of_terminal()
        self.exit()

    def _to_products(self, draft: Draft, mirror: Mirror) -> None:
        hide_secrets(mirror.secrets())
        self.push_screen(ProductsStep(draft, mirror, self._to_file, self._clock))

    def _to_file(self, draft: Draft) -> None:
        self.push_screen(FileStep(draft, self._place, self._to_check))

    def _to_check(self, file: Path, text: str) -> None:
        self.push_screen(CheckStep(file, text, self.exit))

    @on(Worker.StateChanged)
    def _worked(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR and isinstance(event.worker.error, Exception):
            self.notify(told(event.worker.error)[1], severity="error", markup=False)

    def action_leave(self) -> None:
        """Leave; what was written stays."""
        self.exit()


def run() -> Path | None:
    """Show the welcome screen until there is a configuration, and return its file; None if the operator left.

    Exits if the screen breaks down, which has been told then.
    """
    app = Welcome()
    file = app.run()
    if app.return_code:
        raise SystemExit(ExitCode.INTERNAL)
    return file
