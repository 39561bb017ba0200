"""A table at a real pseudo-terminal, in a process of its own: python -m tests.tui.widgets.at_terminal ROWS [HERTZ]

The bell rings when a key's effect has been written. With HERTZ, 20 cells change so often a second.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from tui.widgets.sharp import SharpScreen
from tui.widgets.table import Cell, Column, Key, LiveTable, Row

HERE = Path(__file__).parents[3]
WIDTH, HEIGHT = 120, 40
CHANGING = 20
BELL = b"\x07"
OTHER_BELLS = re.compile(rb"\x1b\][^\x07]*\x07")
"""The bell also ends commands to the terminal."""
SETTLED = 0.2
"""Seconds after which a change has been painted: some frames."""
COLUMNS = (
    Column("name", "fileset", 16, grow=True),
    Column("product", "product", 16, rank=5),
    Column("state", "state", 11),
    Column("progress", "progress", 14),
    Column("size", "size", 8, "right", rank=3),
    Column("rate", "rate", 9, "right", rank=2),
    Column("eta", "eta", 6, "right", rank=1),
)


class TableApp(App[None]):
    """Shows many rows: c changes a cell in each of the first 20, u changes nothing."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "change", priority=True),
        Binding("u", "unchanged", priority=True),
        Binding("q", "quit", priority=True),
    ]

    def __init__(self, rows: int, hertz: float) -> None:
        super().__init__()
        self.table = LiveTable(COLUMNS)
        self.rows = rows
        self.hertz = hertz
        self.turn = 0

    def get_default_screen(self) -> SharpScreen[None]:
        return SharpScreen(id="_default")

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.action_unchanged()
        if self.hertz:
            self.set_interval(1 / self.hertz, self.change)

    def row(self, key: Key) -> Row:
        number = int(str(key))
        rate = f"{number + self.turn * 7 % 90}.{self.turn % 10} MB/s" if number < CHANGING else ""
        return (
            Cell(f"o{number:07d}.ps1.md.all-rel"),
            Cell("md-all-rel-200907", "dim"),
            Cell("> fetching", "accent"),
            Cell("#####.... 55 %", "accent"),
            Cell("1.2 GB"),
            Cell(rate),
            Cell("2h41m"),
        )

    def change(self) -> None:
        self.turn += 1
        # new and equal keys, as they would come from a state file
        self.table.show(list(range(self.rows)), self.row)

    def action_change(self) -> None:
        self.change()
        self.set_timer(SETTLED, self.bell)

    def action_unchanged(self) -> None:
        self.table.show(list(range(self.rows)), self.row)
        self.set_timer(SETTLED, self.bell)


class Terminal:
    """The other end of the app's terminal."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.process = process
        self.end = end

    def read(self) -> bytes:
        """Return what is written up to the next bell."""
        written = b""
        while not (written.endswith(BELL) and OTHER_BELLS.sub(b"", written).endswith(BELL)):
            written += os.read(self.end, 1)
        return written.removesuffix(BELL)

    def press(self, key: str) -> bytes:
        """Press a key; return what is written because of it."""
        os.write(self.end, key.encode())
        return self.read()


@contextmanager
def at_terminal(rows: int, hertz: float = 0) -> Iterator[Terminal]:
    """Run the app at a terminal of 120x40 with all colours; go on when its first picture is complete."""
    end, other_end = pty.openpty()
    termios.tcsetwinsize(other_end, (HEIGHT, WIDTH))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(HERE),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    command = [sys.executable, "-m", "tests.tui.widgets.at_terminal", str(rows), str(hertz)]
    with subprocess.Popen(
        command, cwd=HERE, env=environment, stdin=other_end, stdout=other_end, stderr=other_end
    ) as process:
        os.close(other_end)
        terminal = Terminal(process, end)
        try:
            terminal.read()
            yield terminal
        finally:
            process.kill()
            os.close(end)


if __name__ == "__main__":
    TableApp(int(sys.argv[1]), float(sys.argv[2])).run()
